"""What the filters turned away, by stage, with examples and the sentence why.

A stopped candidate ("outpaced") was not judged and is no reject. A verdict of null is kept apart:
it could not be judged, or waits for a candidate that is still owed its decoding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from deimos.report.records import Row, Run, prompt_texts, rows
from deimos.report.side_by_side import clip
from deimos.store.candidates import read_some
from deimos.types import Completion

STAGES = ("structure", "correctness", "presentation", "length")
EXAMPLES = 3
EXCERPT = 700


class Example(NamedTuple):
    """One rejected candidate."""

    prompt: str | None
    text: str
    because: str


@dataclass(frozen=True)
class Pick:
    """A rejected candidate that may be shown."""

    prompt_id: str
    index: int
    because: str
    repeated: bool
    """Its reason was given by an earlier pick."""


@dataclass
class Rejects:
    """Candidates by fate."""

    candidates: int = 0
    outpaced: int = 0
    unjudged: int = 0
    owed: int = 0
    gold: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)


def read_rejects(run: Run) -> Rejects:
    """Count fates in ``verdicts.jsonl`` and fetch up to three examples a stage.

    Examples are spread over different reasons first, in the order of the file.
    """
    tally = Rejects()
    picked: dict[str, list[Pick]] = {}
    for row in rows(run.folders.get("select"), "verdicts.jsonl"):
        tally.candidates += 1
        if row["finish"] == "outpaced":
            tally.outpaced += 1
        elif row["ok"] is None:
            tally.owed += row["stage"] == "length"
            tally.unjudged += row["stage"] != "length"
        elif not row["ok"]:
            _reject(tally, picked, row)
    tally.gold = sum(1 for _ in rows(run.folders.get("select"), "gold.jsonl"))
    _fetch(run, tally, picked)
    return tally


def by_stage(tally: Rejects) -> dict[str, int]:
    """Counts in the filters' order, zero where nothing was rejected, other stages after."""
    order = [*STAGES, *sorted(set(tally.stages) - set(STAGES))]
    return {stage: tally.stages.get(stage, 0) for stage in order}


def _reject(tally: Rejects, picked: dict[str, list[Pick]], row: Row) -> None:
    stage, because = row["stage"], row["because"]
    tally.stages[stage] += 1
    names = picked.setdefault(stage, [])
    repeated = any(because == name.because for name in names)
    if sum(name.repeated == repeated for name in names) < EXAMPLES:
        names.append(Pick(row["prompt_id"], row["index"], because, repeated))


def _best(names: list[Pick]) -> list[Pick]:
    """Different reasons first, then repeats, as many as are shown."""
    return sorted(names, key=lambda name: name.repeated)[:EXAMPLES]


def _fetch(run: Run, tally: Rejects, picked: dict[str, list[Pick]]) -> None:
    best = {stage: _best(names) for stage, names in picked.items()}
    wanted = {(name.prompt_id, name.index): name for names in best.values() for name in names}
    sample = run.folders.get("sample")
    found = read_some(sample, wanted) if sample and wanted else {}
    prompts = prompt_texts(run, {prompt_id for prompt_id, _ in wanted})
    for stage in by_stage(tally):
        examples = [
            Example(prompts.get(n.prompt_id), _excerpt(found[n.prompt_id, n.index]), n.because)
            for n in best.get(stage, ())
            if (n.prompt_id, n.index) in found
        ]
        if examples:
            tally.examples[stage] = examples


def _excerpt(completion: Completion) -> str:
    return clip(completion.text, EXCERPT)[0]
