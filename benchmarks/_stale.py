"""Faults of a run's inputs, for `faults.py`: what stood on them must be made again, or left alone.

Four rows: an input stage made again in place, a chat template that renders the date, a grader that
is mended after it could not judge some answers, and rows of another config among the samples. Each
finished run is held to one that nothing disturbed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from _disturbed import Case, Outcome, Row, outcome, strike

from deimos.lab.weights import lab_path
from deimos.store.hashing import file_hash
from deimos.store.journal import encode

TODAY, TOMORROW = "+0d", "+1d"
GRADER = '''"""The lab's own math grader, which says nothing of some answers while a file is there."""

from pathlib import Path

from deimos import Verdict
from deimos.graders.math import math


def choosy(answer, reference):
    """Null for every other reference while the file `broken` lies beside this one."""
    if Path(__file__).with_name("broken").exists() and sum(map(ord, str(reference))) % 2:
        return Verdict.of(None, "broken today")
    return math(answer, reference)
'''


def made_again(work: Path, reference: Outcome) -> Row:
    """Another gold.jsonl under the same name, as a stage that was run again would leave it.

    What comes of it is held to a run that had this gold.jsonl from the start.
    """
    row = Row("an input stage made again (select, half its golds)")
    old, new = Case.at(work, "again"), Case.at(work, "again-new")
    old.finish()
    shutil.copytree(old.out, new.out)
    for case in (old, new):
        _halve_golds(case)
    for folder in (*new.out.glob("train-*"), *new.out.glob("bench-*")):
        shutil.rmtree(folder)
    new.finish()
    before = outcome(old)
    old.finish()
    row.times = 1
    row.compare(old, outcome(new))
    if outcome(old).adapter == before.adapter:
        row.same_adapter = False
    row.said = "train, bench and report made again, as from these golds from the start"
    return row


def _halve_golds(case: Case) -> None:
    folder = case.folder("select")
    path, record_path = folder / "gold.jsonl", folder / "record.json"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[::2]))
    record = json.loads(record_path.read_bytes())
    record["files"]["gold.jsonl"] = {
        **record["files"]["gold.jsonl"], "bytes": path.stat().st_size, "sha256": file_hash(path),
    }  # fmt: skip
    record_path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def dated_template(work: Path, faketime: Path, seconds: Mapping[str, float]) -> Row:
    """A model whose template renders the date; sampling is killed and goes on the next day."""
    row = Row("a date in the template, killed, resumed the next day")
    if not faketime.exists():
        row.said = "not measured: libfaketime is not installed here"
        return row
    model = work / "dated-model"
    if not model.exists():
        shutil.copytree(lab_path(), model)
        template = model / "chat_template.jinja"
        date = "{%- set today = strftime_now('%d') -%}\n{{- ' ' * (today|int % 2) -}}\n"
        template.write_text(date + template.read_text(encoding="utf-8"), encoding="utf-8")
    whole = Case.at(work, "dated-whole", f"model.id={model}")
    whole.finish(_clock(faketime, TODAY))
    case = Case.at(work, "dated", f"model.id={model}")
    os.environ.update(_clock(faketime, TODAY))
    try:
        strike(case, "sample", 0.6 * seconds["sample"], "both")
    finally:
        for name in _clock(faketime, TODAY):
            del os.environ[name]
    before = case.journals()
    case.finish(_clock(faketime, TOMORROW))
    row.times = 1
    row.hold(before)
    row.compare(case, outcome(whole))
    row.said = f"{len(outcome(whole).golds)} golds; one pool, the date frozen with the sample stage"
    return row


def _clock(faketime: Path, shift: str) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(faketime),
        "FAKETIME": shift,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def mended_grader(work: Path, reference: Outcome) -> Row:
    """A grader of an installed module says null of half the references, and is mended later."""
    row = Row("a grader mended after nulls, `deimos sample` and `run` again")
    package = work / "graders"
    package.mkdir(exist_ok=True)
    (package / "choosy_math.py").write_text(GRADER, encoding="utf-8")
    broken = package / "broken"
    path = {"PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])}
    broken.touch()
    case = Case.at(work, "nulls", "select.graders.math=choosy_math:choosy")
    case.finish(path)
    nulls = _unjudged(case)
    broken.unlink()
    code, said = case.run(env=path, verb="sample")
    if code:
        raise SystemExit(f"sample again ended with {code}:\n{said[-1500:]}")
    case.finish(path)
    row.times = 1
    row.compare(case, reference)
    # A grader of one's own has no second opinion beside it, which the reference's rows hold.
    row.same_bench = _first_opinions(outcome(case)) == _first_opinions(reference)
    row.said = f"{nulls} candidates without a verdict before, {_unjudged(case)} after"
    return row


def _first_opinions(found: Outcome) -> list[dict[str, object]]:
    """A run's bench rows without what only the second opinion is in."""
    return [{k: v for k, v in row.items() if not k.startswith("second")} for row in found.bench]


def _unjudged(case: Case) -> int:
    return json.loads((case.folder("sample") / "record.json").read_bytes())["counts"]["unjudged"]


def other_config(work: Path, reference: Outcome) -> Row:
    """Rows of another config stand before the right ones in the bench's journals; the report has no trace of them."""
    row = Row("rows of another config in the bench's samples")
    case = Case.at(work, "other")
    case.finish()
    bench = case.folder("bench")
    for path in sorted((bench / "samples").glob("*.jsonl")):
        lines = path.read_bytes().splitlines(keepends=True)
        strangers = []
        for line in lines:
            stranger = {k: v for k, v in json.loads(line).items() if k not in ("bytes", "crc32")}
            if stranger["ok"] is None:
                continue
            stranger |= {"key": "0" * 32, "think_tokens": 1, "ok": not stranger.get("ok")}
            strangers.append(encode(stranger))
        path.write_bytes(b"".join([*strangers, *lines]))
        row.times += len(strangers)
    (bench / "record.json").unlink()
    before = _shown(case)
    case.finish()
    row.compare(case, reference)
    row.same_bench &= _shown(case) == before
    row.said = "left out by their record keys; bench rows and report as before"
    return row


def _shown(case: Case) -> tuple[list[dict[str, object]], list[str]]:
    """What a report says of the benchmark, timing aside: its comparisons and its charts."""
    compared = json.loads((case.out / "summary.json").read_bytes())["compare"]
    charts = re.findall(r'<svg [^>]*role="img".*?</svg>', (case.out / "report.html").read_text())
    return [_untimed(row) for row in compared], [c for c in charts if "second" not in c]


def _untimed(row: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if "seconds" not in key}


def rows_of(
    work: Path, reference: Outcome, faketime: Path, seconds: Mapping[str, float]
) -> dict[str, Callable[[], Row]]:
    """The four faults by the names that `--only` takes."""
    return {
        "again": lambda: made_again(work, reference),
        "dated": lambda: dated_template(work, faketime, seconds),
        "nulls": lambda: mended_grader(work, reference),
        "other": lambda: other_config(work, reference),
    }
