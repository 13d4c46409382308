"""What a run survives: kills at random moments, torn and flipped bytes, full disks, and the rest.

usage: python benchmarks/faults.py [--kills 50] [--seed 0] [--only kills,torn,…] [--work DIR]
                                   [--out docs/results/faults.md]

An undisturbed run of the lab's recipe, made small, is the reference. Each fault then strikes a run
of its own, which is resumed by the same command and compared: journal records lost (a record that
was there when the fault struck and is no longer, byte for byte) and doubled (a candidate decoded and
judged twice), the golds with their token ids, the adapter's bytes, and the bench rows without
their seconds. Tokens are counted by an engine that writes each step's rows to a file
(`_counted.py`), so a killed attempt's work is known too: what it decoded and nobody has is what was
in flight. Full disks are size-limited tmpfs mounts in a mount namespace of their own (needs root or
user namespaces); the clock is set back by libfaketime where it is installed.
The last line is one JSON object {"kills", "lost", "doubled", "same_gold", "same_bench", "faults"}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import _stale
from _disturbed import CHECKPOINT_SECONDS, STAGES, TAKES, Case, Outcome, Row, outcome, strike

CHAIN = tuple(
    stage
    for stage, times in (
        ("prompts", 2), ("sample", 7), ("select", 2), ("train", 5), ("bench", 7), ("report", 2),
    )
    for _ in range(times)
)  # fmt: skip
"""Where one run is killed, in order; a run that ends sooner is followed by a fresh one."""
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
INTERRUPTED = 130


def kills(work: Path, reference: Outcome, seconds: Mapping[str, float], n: int, seed: int) -> Row:
    """Kill -9 at random moments in every stage; each time the next start resumes."""
    rng = random.Random(seed)
    row = Row("kill -9 at a random moment")
    for chain in range(10 * n):
        case = Case.at(work, f"kills-{chain}")
        snapshots = []
        for stage in CHAIN[:: max(1, len(CHAIN) // n)][: n - row.times]:
            done, kept = case.decoded("sample"), case.kept_tokens()
            which = rng.choice(("both", "both", "stage", "command"))
            struck = strike(case, stage, rng.uniform(0, 0.6) * seconds[stage], which)
            if struck.over:
                break
            row.times += 1
            row.where[struck.stage] += 1
            print(f"kill {row.times}: {which} in {struck.stage}", file=sys.stderr, flush=True)
            if which == "command":  # the stage lives on, and keeps others out meanwhile
                row.where["of all these the command alone"] += 1
                case.wait_for_orphan()
            row.in_flight += case.decoded("sample") - done - (case.kept_tokens() - kept)
            snapshots.append(case.journals())
        case.finish()
        for before in snapshots:
            row.hold(before)
        row.redone += case.decoded("sample") - case.kept_tokens()
        row.compare(case, reference)
        shutil.rmtree(case.out)
        if row.times >= n:
            break
    row.said = ", ".join(f"{k} {v}" for k, v in row.where.items())
    return row


def torn(work: Path, reference: Outcome, rng: random.Random, seconds: Mapping[str, float]) -> Row:
    """A power cut in the middle of a record, in each journal that sampling writes."""
    row = Row("last record torn (dev, partly decoded, completions)")
    for number, name in enumerate(("dev.jsonl", "partial.jsonl", "completions/00000.jsonl")):
        case = Case.at(work, f"torn-{number}")
        path = None
        while path is None or not path.stat().st_size:
            if any(case.out.glob("sample-*/record.json")):  # too late: nothing is half written now
                shutil.rmtree(case.out)
            strike(case, "sample", rng.uniform(0.2, 0.9) * seconds["sample"], "both")
            path = next(case.out.glob(f"sample-*/{name}"), None)
        data = path.read_bytes()
        last = data[:-1].rfind(b"\n") + 1
        path.write_bytes(data[: rng.randrange(last + 1, len(data))])
        row.times += 1
        before = case.journals()
        case.finish()
        row.hold(before)
        row.compare(case, reference)
    row.said = "cut into *.quarantine, decoded again"
    return row


def flipped(work: Path, reference: Outcome, rng: random.Random) -> Row:
    """One bit changed on disk in what each stage has left, before the next one reads it."""
    row = Row("a bit flipped in what a stage left")
    case = Case.at(work, "flipped")
    for until, pattern in (
        ("prompts", "prompts-*/train.jsonl"),
        ("sample", "sample-*/completions/*.jsonl"),
        ("select", "select-*/gold.jsonl"),
        ("train", "train-*/adapter/adapter_model.safetensors"),
        ("bench", "bench-*/samples/*.jsonl"),
    ):
        code, said = case.run("--until", until)
        if code:
            raise SystemExit(said)
        path = sorted(case.out.glob(pattern))[0]
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        row.times += 1
        row.where[until] += 1
    case.finish()
    row.compare(case, reference)
    row.said = f"noticed by its hash, mended before it is read: {', '.join(row.where)}"
    return row


def full_disk(work: Path, reference: Outcome) -> Row:
    """A disk that fills up in each stage of one run, and has room again each time."""
    row = Row("disk full in each stage, then freed")
    prompts = 48 if work.name == "small" else 16
    room = {
        "prompts": prompts,
        "sample": 128,
        "select": 16,
        "train": 512,
        "bench": 64,
        "report": 64,
    }
    case = Case.at(work, "full")
    case.out.mkdir()
    _mount(case.out, room["prompts"])
    snapshots = []
    for stage in STAGES:
        if stage != "prompts":
            used = shutil.disk_usage(case.out).used // 1024
            _mount(case.out, used + room[stage], "remount,")
        code, said = case.run("--until", stage)
        sentence = [line for line in said.splitlines() if line.startswith("error:")]
        if code == 0 or "No space left on device" not in said or "Traceback" in said:
            raise SystemExit(f"{stage} on a full disk ended with {code}:\n{said[-1500:]}")
        row.said = row.said or sentence[0].split(": ", 1)[1].replace(str(case.out), "RUN")
        row.times += 1
        snapshots.append(case.journals())
        _mount(case.out, 1 << 20, "remount,")
        code, said = case.run("--until", stage)
        if code:
            raise SystemExit(f"{stage} with room again ended with {code}:\n{said[-1500:]}")
    for before in snapshots:
        row.hold(before)
    row.compare(case, reference)
    subprocess.run(["umount", case.out], check=True)
    return row


def _mount(folder: Path, kib: int, remount: str = "") -> None:
    options = f"{remount}size={kib}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def two_runs(work: Path, reference: Outcome, seconds: Mapping[str, float]) -> Row:
    """A second command on the same folder while the first one works."""
    row = Row("two runs on one folder")
    case = Case.at(work, "two")
    first = case.start()
    case.wait_for(first, "sample")
    time.sleep(seconds["sample"] / 2)
    code, said = case.run()
    if code != 2 or "another deimos process" not in said:
        raise SystemExit(f"the second run ended with {code}: {said}")
    row.said = said.strip().splitlines()[-1].removeprefix("error: ").replace(str(case.out), "RUN")
    first.wait()
    row.times = 1
    row.compare(case, reference)
    return row


def interrupted(work: Path, reference: Outcome, seconds: Mapping[str, float]) -> Row:
    """Ctrl-C in each of the long stages."""
    row = Row("SIGINT in sample, train, bench")
    case = Case.at(work, "sigint")
    for stage in ("sample", "train", "bench"):
        process = case.start()
        if case.wait_for(process, stage) != stage:
            raise SystemExit(f"{stage} was over before it could be interrupted")
        time.sleep(seconds[stage] * 0.4)
        process.send_signal(signal.SIGINT)
        process.wait()
        said = case.said.read_text(encoding="utf-8")
        if process.returncode != INTERRUPTED or "Traceback" in said:
            raise SystemExit(f"SIGINT in {stage} ended with {process.returncode}:\n{said[-1500:]}")
        row.times += 1
        row.said = said.strip().splitlines()[-1].removeprefix("error: ")
    before = case.journals()
    case.finish()
    row.hold(before)
    row.compare(case, reference)
    return row


def clock_back(work: Path, reference: Outcome) -> Row:
    """The second half of a run has a clock 400 days behind the first half's."""
    row = Row("clock set back 400 days in mid-run")
    if not FAKETIME.exists():
        row.said = "not measured: libfaketime is not installed here"
        return row
    case = Case.at(work, "clock")
    code, said = case.run("--until", "sample")
    if code:
        raise SystemExit(said)
    case.finish(
        {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "-400d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    )
    dates = [
        json.loads((case.folder(stage) / "record.json").read_bytes())["finished"][:10]
        for stage in ("sample", "bench")
    ]
    row.times, row.said = 1, f"sample finished on {dates[0]}, bench on {dates[1]}"
    row.compare(case, reference)
    return row


def stage_seconds(case: Case) -> dict[str, float]:
    """How long each stage of the undisturbed run took, start of its process included."""
    records = {s: case.folder(s) / "record.json" for s in STAGES[:-1]}
    seconds = {s: json.loads(p.read_bytes())["seconds"] for s, p in records.items()}
    return {**{s: t + STARTUP[s] for s, t in seconds.items()}, "report": STARTUP["report"] + 1.0}


STARTUP = {"prompts": 0.5, "sample": 5, "select": 1, "train": 8, "bench": 5, "report": 2}
"""Seconds until a stage's own clock runs, about; kills are spread over both."""


def table(rows: Sequence[Row], command: str, size: str) -> list[str]:
    """The page."""
    prompts, dev, problems = TAKES[size]
    yes = {True: "yes", False: "NO"}
    lines = [
        "# What a run survives",
        "",
        f"`{command}`; deimos-llm {version('deimos-llm')}, Python {sys.version.split()[0]}, "
        f"{len(os.sched_getaffinity(0))} CPU cores.",
        "",
        f"The lab's recipe, made small ({prompts - 2 * dev} train and {2 * dev} dev prompts, "
        f"{4 * problems} test problems), on the local engine, which tells ids so far every {CHECKPOINT_SECONDS:g} s here. After each fault the same "
        "command resumes, and the finished run is held to one that nothing disturbed.",
        "",
        "| fault | times | records lost | doubled | same golds, ids included | same adapter, byte for byte "
        "| same bench rows, timing aside | what is said, or where |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        same = (yes[x] if r.times else "—" for x in (r.same_gold, r.same_adapter, r.same_bench))
        lines.append(
            f"| {r.fault} | {r.times} | {r.lost} | {r.doubled} | {' | '.join(same)} | {r.said} |"
        )
    for r in (r for r in rows if r.redone or r.in_flight):
        lines += [
            "",
            f"Sampling after the kills decoded {r.redone:,} tokens twice; {r.in_flight:,} were in "
            "flight (decoded, and neither finished nor told yet) when the kills came.",
        ]
    return [*lines, ""]


def in_own_mounts() -> None:
    """Go on in a mount namespace of our own, so that no mount outlives this script."""
    if os.environ.get("DEIMOS_FAULTS_MOUNTS"):
        return
    user = [] if os.getuid() == 0 else ["-Ur"]
    os.environ["DEIMOS_FAULTS_MOUNTS"] = "own"
    os.execvp("unshare", ["unshare", *user, "-m", sys.executable, *sys.argv])


def measured(work: Path, args: argparse.Namespace) -> Iterator[Row]:
    """One row a fault."""
    undisturbed = Case.at(work, "undisturbed")
    undisturbed.finish()
    reference, seconds = outcome(undisturbed), stage_seconds(undisturbed)
    rng = random.Random(args.seed)
    faults: dict[str, Callable[[], Row]] = {
        "kills": lambda: kills(work, reference, seconds, args.kills, args.seed),
        "torn": lambda: torn(work, reference, rng, seconds),
        "flipped": lambda: flipped(work, reference, rng),
        "full": lambda: full_disk(work, reference),
        "two": lambda: two_runs(work, reference, seconds),
        "sigint": lambda: interrupted(work, reference, seconds),
        "clock": lambda: clock_back(work, reference),
        **_stale.rows_of(work, reference, FAKETIME, seconds),
    }
    for name in args.only.split(",") if args.only else faults:
        print(f"fault: {name}", file=sys.stderr, flush=True)
        yield faults[name]()


def main() -> None:
    """Strike, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tiny", action="store_true", help="a run a quarter the size, to test this"
    )
    parser.add_argument(
        "--only",
        default="",
        help="kills,torn,flipped,full,two,sigint,clock,again,dated,nulls,other",
    )
    parser.add_argument("--work", type=Path, help="folder to work in; a temporary one unless given")
    parser.add_argument("--out", type=Path, default=Path("docs/results/faults.md"))
    args = parser.parse_args()
    in_own_mounts()
    with tempfile.TemporaryDirectory() as temporary:
        work = (args.work or Path(temporary)) / ("tiny" if args.tiny else "small")
        work.mkdir(parents=True, exist_ok=True)
        command = (
            f"python benchmarks/faults.py --kills {args.kills} --seed {args.seed}"
            f"{' --tiny' if args.tiny else ''}"
        )
        rows = []
        for row in measured(work, args):  # what is measured is on the page, whatever comes next
            rows.append(row)
            args.out.write_text("\n".join(table(rows, command, work.name)), encoding="utf-8")
    result = {
        "kills": sum(r.times for r in rows if r.fault.startswith("kill")),
        "lost": sum(r.lost for r in rows),
        "doubled": sum(r.doubled for r in rows),
        "same_gold": all(r.same_gold for r in rows),
        "same_adapter": all(r.same_adapter for r in rows),
        "same_bench": all(r.same_bench for r in rows),
        "redone_tokens": sum(r.redone for r in rows),
        "in_flight_tokens": sum(r.in_flight for r in rows),
        "faults": len(rows),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
