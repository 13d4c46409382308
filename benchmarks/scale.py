"""What a hundred million prompts on a thousand GPUs would take, estimated from measured figures.

usage: python benchmarks/scale.py [--prompts 100000000] [--gpus 1000] [--out docs/scale.md]
       python benchmarks/scale.py --read 50000 [--tokens 225] [--out docs/scale.md]
       python benchmarks/scale.py --driver 500,5000 [--out docs/scale.md]

The first writes the table of docs/scale.md: every input with where it was measured, every result with
its formula. --read measures ``read_candidates`` on so many synthetic rows: seconds and memory.
--driver samples so many prompts each time on Ray, two actors of the echo engine on this machine, and
measures the driver's memory, the files and the messages. The last line is one JSON object: of the
table {"gpu_days", "journal_tb", "read_hours"}, of --read {"seconds", "mb", "n"}, of --driver
{"driver_mb"}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from _pages import ROOT, write_section

from deimos.store.candidates import COMPLETIONS, read_candidates
from deimos.store.journal import Journal

PAGE = ROOT / "docs/scale.md"
DAY = 86400


@dataclass(frozen=True)
class Input:
    """A figure that goes into the table."""

    value: float
    unit: str
    source: str


INPUTS = {
    "candidates": Input(8, "a prompt", "recipes/deimos-a4.yaml"),
    "tokens": Input(
        1650, "a candidate decoded to its end", "assumed: 1,500 of thought and 150 of answer"
    ),
    "prompt tokens": Input(200, "a prompt", "assumed"),
    "raced / exhaustive": Input(
        0.496,
        "",
        "measured, lab model ([race](results/race.md)); by replay 0.24 to 0.82 at a lag of 64",
    ),
    "judged": Input(
        0.75,
        "of the candidates",
        "measured, 0.5 B on GSM8K: 601 of 2,400 outpaced ([0.5 B](results/qwen2.5-0.5b-gsm8k.md))",
    ),
    "bytes a token": Input(
        18, "of a row", "measured on 300 GSM8K rows (`planning/estimate.py`); fewer in longer ones"
    ),
    "rows written": Input(
        66934, "a second, one writer", "measured, rows of 222 bytes ([journal](results/journal.md))"
    ),
    "journal read": Input(
        94e6, "bytes a second, one reader", "measured, rows of 4.7 kB, 200,000 of them (below)"
    ),
    "held by selection": Input(1.0, "bytes a byte of journal", "measured, the same"),
    "math graded": Input(
        1110, "answers a second, one core", "measured, 2,220 by two ([graders](results/graders.md))"
    ),
    "prompts a file": Input(
        2500, "", "`sample/shards.py`: a quarter of the square root of their number"
    ),
    "bytes a prompt": Input(600, "of `train.jsonl`", "assumed"),
    "parameters": Input(4e9, "of 2 bytes", "Qwen3.5-4B in bfloat16"),
    "KV cache": Input(
        32768, "bytes a token", "assumed: 8 layers with attention, 4 heads of 256, keys and values"
    ),
    "rows together": Input(256, "on a GPU", "`runtime.max_batch`"),
    "bandwidth": Input(3.35e12, "bytes a second", "NVIDIA's data sheet, H100 SXM"),
    "copied": Input(
        0.88,
        "of the data sheet's bandwidth",
        "measured, one H200: 4.23 of 4.8 TB/s ([gpu](results/gpu.md))",
    ),
    "compute": Input(989e12, "FLOP a second", "the same, bfloat16, dense"),
    "reached": Input(0.5, "of the bound", "assumed, of vLLM"),
    "local engine": Input(
        8871,
        "tokens a second of a GPU",
        "measured, one H200 (a faster card than the bound's), a 4B shape, 512 rows (the same)",
    ),
    "price": Input(2.5, "dollars a GPU hour", "assumed"),
}
"""By the name that formulas use."""


@dataclass(frozen=True)
class Result:
    """A figure that follows."""

    what: str
    value: str
    how: str
    number: float = 0.0


def roofline(i: dict[str, float]) -> float:
    """Tokens a second that one GPU cannot exceed: a step reads all weights and every row's cache."""
    context = i["prompt tokens"] + i["tokens"] / 2
    read = i["parameters"] * 2 + i["rows together"] * context * i["KV cache"]
    reckon = 2 * i["parameters"] * i["rows together"]
    return i["rows together"] / max(read / (i["bandwidth"] * i["copied"]), reckon / i["compute"])


def results(prompts: int, gpus: int) -> dict[str, Result]:
    """What follows from the inputs, by a short name."""
    i = {name: given.value for name, given in INPUTS.items()}
    rows = prompts * i["candidates"]
    decoded = rows * i["tokens"] * i["raced / exhaustive"]
    bound = roofline(i)
    seconds = decoded / (bound * i["reached"] * gpus)
    journal = decoded * i["bytes a token"]
    row = journal / rows
    files = prompts / i["prompts a file"]
    read = journal / i["journal read"]
    dollars = seconds * gpus / 3600 * i["price"]
    judged = rows * i["judged"] / seconds
    return {
        "tokens": Result("tokens decoded", f"{decoded:.2e}", "prompts x candidates x tokens x raced / exhaustive"),
        "bound": Result("tokens a second of a GPU, at most", f"{bound:,.0f}", "rows together / max((2 x parameters + rows together x (prompt tokens + tokens / 2) x KV cache) / (bandwidth x copied), 2 x parameters x rows together / compute)"),
        "hours": Result("hours of decoding", f"{seconds / 3600:.1f}", "tokens decoded / (bound x reached x GPUs)"),
        "local": Result("hours of decoding on the local engine as it is", f"{decoded / i['local engine'] / gpus / 3600:.0f}", "tokens decoded / (local engine x GPUs)"),
        "gpu_days": Result("GPU days", f"{seconds * gpus / DAY:,.0f}", "the same x GPUs", seconds * gpus / DAY),
        "dollars": Result("cost of decoding", f"{dollars:,.0f} dollars", "GPU hours x price"),
        "rows": Result("rows in the journal", f"{rows:.1e}", "prompts x candidates"),
        "journal_tb": Result("journal", f"{journal / 1e12:.1f} TB", "tokens decoded x bytes a token", journal / 1e12),
        "written": Result("written, all writers", f"{rows / seconds:,.0f} rows/s, {journal / seconds / 1e6:,.0f} MB/s", "rows / seconds of decoding"),
        "writer": Result("written, one writer a GPU", f"{rows / seconds / gpus:,.0f} rows/s of the {i['rows written']:,.0f} that one can", "the same / GPUs"),
        "syncs": Result("syncs to disk, at most", f"{4 * gpus:,} a second", "one a writer in 0.25 s"),
        "files": Result("files in one folder, at least", f"{files:,.0f} of {row * i['candidates'] * i['prompts a file'] / 1e6:,.0f} MB", "prompts / prompts a file"),
        "read_hours": Result("one pass over the journal, one reader", f"{read / 3600:,.0f} hours", "journal / journal read", read / 3600),
        "read_all": Result("a reader a GPU", f"{read / gpus / 60:.1f} minutes", "the same / GPUs"),
        "held_tb": Result("memory of selection in one process", f"{journal * i['held by selection'] / 1e12:.1f} TB", "journal x held by selection"),
        "resume": Result("resuming one file", f"{row * i['candidates'] * i['prompts a file'] / i['journal read']:.1f} seconds", "its bytes / journal read"),
        "graders": Result("cores that grade, were all of it mathematics", f"{judged / i['math graded']:,.0f}", f"{judged:,.0f} answers/s / math graded"),
        "prompts": Result("prompts file", f"{prompts * i['bytes a prompt'] / 1e9:,.0f} GB", "prompts x bytes a prompt"),
        "messages": Result("through Ray's object store", f"{files * 2:,.0f} messages of under 1 kB", "a shard's bounds there, its counts back; prompts and rows go through files"),
    }  # fmt: skip


def table(prompts: int, gpus: int, found: dict[str, Result], command: str) -> str:
    lines = [
        f"`{command}`: {prompts:,} prompts, {gpus:,} GPUs.",
        "",
        "| input | value | where it is from |",
        "|---|---|---|",
        *(f"| {name} | {_number(one.value)} {one.unit} | {one.source} |" for name, one in INPUTS.items()),
        "",
        "| it takes | | how it is computed |",
        "|---|---|---|",
        *(f"| {one.what} | {one.value} | {one.how} |" for one in found.values()),
    ]  # fmt: skip
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.3g}" if value >= 1e7 else f"{value:,g}"


# Reading candidates ------------------------------------------------------------------------------


def rows(count: int, tokens: int) -> Iterator[dict[str, object]]:
    """Rows as the race writes them, of a plain model; text of four characters a token."""
    text = ("word" * tokens)[: 4 * tokens]
    for number in range(count):
        yield {
            "prompt_id": f"{number // 8:064x}", "index": number % 8, "seed": number, "think": text,
            "answer": text, "text": text, "prompt_ids": list(range(1000, 1100)),
            "completion_ids": list(range(1000, 1000 + tokens)), "think_tokens": tokens,
            "answer_tokens": tokens, "finish": "stop", "outpaced_by": None, "seconds": 1.0,
            "engine": "synthetic/1", "verdict": {"ok": True, "because": "equal", "stage": "correctness"},
            "key": f"{number:032x}",
        }  # fmt: skip


def reading(count: int, tokens: int, *, ids: bool) -> tuple[float, float, float]:
    """Seconds and MB that ``read_candidates`` takes, and the MB of the journal."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / COMPLETIONS / "00000.jsonl"
        with Journal(path) as journal:
            for row in rows(count, tokens):
                journal.append(row)
        before, start = _resident(), time.process_time()
        found = read_candidates(Path(work), ids=ids)
        seconds, memory = time.process_time() - start, _resident() - before
        assert len(found) == count
        return seconds, memory, path.stat().st_size / 1e6


def _resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def read_table(count: int, tokens: int, command: str) -> tuple[str, dict[str, float]]:
    lines = [
        f"`{command}`: {count:,} rows of {tokens} tokens; processor seconds of one core.",
        "",
        "| `read_candidates` | journal, MB | seconds | memory, MB | rows a second | bytes of memory a row |",
        "|---|---|---|---|---|---|",
    ]
    last: dict[str, float] = {}
    for ids in (False, True):
        seconds, memory, size = reading(count, tokens, ids=ids)
        name = "with token ids" if ids else "without token ids, as select does"
        lines.append(
            f"| {name} | {size:,.0f} | {seconds:.1f} | {memory:,.0f} | {count / seconds:,.0f} | "
            f"{memory * 1e6 / count:,.0f} |"
        )
        last = {"seconds": round(seconds, 2), "mb": round(memory, 1), "n": count}
    return "\n".join(lines), last


# The driver --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Driven:
    """One run on Ray: the driver's most memory, and what its actors wrote."""

    prompts: int
    megabytes: float
    """Resident, of the process that hands shards out, at its most."""
    files: int
    rows: int
    journal: int
    """Bytes."""
    message: int
    """Bytes of what an actor is given, as Ray sends it: a shard's bounds, and the constants."""


def driven(prompts: int) -> Driven:
    """Sample so many lab prompts on Ray with the echo engine, watching the driver."""
    import psutil

    from deimos.runs.artifacts import Artifacts
    from deimos.sample.ray import ShardTask
    from deimos.sample.shards import Shard

    cluster = {"address": "local", "actors": 2}
    with tempfile.TemporaryDirectory() as work:
        sets = [
            f"prompts.sources.0.take={prompts + 50}", "prompts.dev_min_per_kind=10",
            "runtime.engine=echo", f"runtime.cluster={json.dumps(cluster)}",
        ]  # fmt: skip
        words = [word for item in sets for word in ("--set", item)]
        out = Path(work) / "run"
        command = [
            sys.executable,
            "-m",
            "deimos.cli.main",
            "run",
            "recipes/lab.yaml",
            "--out",
            str(out),
        ]
        run = subprocess.Popen(
            [*command, "--until", "sample", *words], cwd=ROOT, stdout=sys.stderr,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip
        most = 0.0
        while run.poll() is None:
            for child in psutil.Process(run.pid).children():
                with contextlib.suppress(psutil.Error):
                    if child.cmdline()[-1:] == ["sample"]:
                        most = max(most, child.memory_info().rss / 1e6)
            time.sleep(0.2)
        if run.returncode:
            raise SystemExit(f"the run ended with {run.returncode}")
        (folder,) = out.glob("sample-*")
        files = [*(folder / COMPLETIONS).glob("*.jsonl")]
        counts = json.loads((folder / "record.json").read_text(encoding="utf-8"))["counts"]
        size = sum(path.stat().st_size for path in files)
        task = ShardTask(
            Shard(99_999, 10**11, 10**11 + 10**7, 2500), Artifacts({"sample": folder}).constants()
        )
        message = len(pickle.dumps(task))
        return Driven(counts["prompts"], most, len(files), counts["completions"], size, message)


def driver_table(numbers: Sequence[int], command: str) -> tuple[str, dict[str, float]]:
    found = [driven(number) for number in numbers]
    lines = [
        f"`{command}`: two actors of the echo engine; an actor is sent {found[-1].message} bytes a shard.",
        "",
        "| prompts | candidates | the driver's memory at its most, MB | files | journal, bytes a candidate |",
        "|---|---|---|---|---|",
        *(
            f"| {one.prompts:,} | {one.rows:,} | {one.megabytes:,.0f} | {one.files:,} "
            f"| {one.journal / one.rows:,.0f} |"
            for one in found
        ),
    ]  # fmt: skip
    return "\n".join(lines), {"driver_mb": round(found[-1].megabytes, 1)}


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=100_000_000)
    parser.add_argument("--gpus", type=int, default=1000)
    parser.add_argument("--read", type=int, help="measure reading so many rows instead")
    parser.add_argument("--driver", help="watch the driver over so many prompts instead")
    parser.add_argument("--tokens", type=int, default=225, help="of a row that is read")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    command = " ".join(["python benchmarks/scale.py", *argv])
    if args.read:
        text, last = read_table(args.read, args.tokens, command)
    elif args.driver:
        text, last = driver_table([int(n) for n in args.driver.split(",")], command)
    else:
        found = results(args.prompts, args.gpus)
        text = table(args.prompts, args.gpus, found, command)
        last = {
            name: round(found[name].number, 2) for name in ("gpu_days", "journal_tb", "read_hours")
        }
    print(text)
    section = "reading" if args.read else "driver" if args.driver else "scale"
    write_section(section, text, args.out)
    print(json.dumps(last))


if __name__ == "__main__":
    main()
