"""What the filters rejected, by stage, with examples and the reason; and what each proposer came to.

A stopped candidate ("outpaced") was not judged and is not a reject. A verdict of null is kept apart:
it could not be judged, or waits for a candidate that needs more decoding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from deimos.graders.second import Differences
from deimos.report.charts import ReportSection, TextTable
from deimos.report.formatting import number, percent
from deimos.report.results import RunResults
from deimos.report.side_by_side import clip
from deimos.select.filters import is_correct
from deimos.store.schema import VerdictRow
from deimos.types import Completion, null_reason

STAGES = ("structure", "correctness", "presentation", "length")
EXAMPLES = 3
EXCERPT = 700


class RejectedExample(NamedTuple):
    """One rejected candidate."""

    prompt: str | None
    text: str
    because: str


@dataclass(frozen=True)
class RejectedCandidate:
    """A rejected candidate that may be shown."""

    prompt_id: str
    index: int
    because: str
    repeated: bool
    """Its reason was given by an earlier pick."""


@dataclass
class Rejects:
    """Candidates by what became of them."""

    candidates: int = 0
    outpaced: int = 0
    unjudged: int = 0
    unjudged_because: Counter[str] = field(default_factory=Counter)
    """By ``types.NullReason``."""
    second: Differences = field(default_factory=Differences)
    need_decoding: int = 0
    gold: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[RejectedExample]] = field(default_factory=dict)


def read_rejects(run: RunResults) -> Rejects:
    """Count what became of candidates in ``verdicts.jsonl`` and fetch up to three examples a stage.

    Examples are spread over different reasons first, in the order of the file.
    """
    tally = Rejects()
    picked: dict[str, list[RejectedCandidate]] = {}
    for row in run.artifacts.verdicts():
        tally.candidates += 1
        tally.second.add(is_correct(row), row.second)
        if row.finish == "outpaced":
            tally.outpaced += 1
        elif row.ok is None:
            tally.need_decoding += row.stage == "length"
            if row.stage != "length":
                tally.unjudged += 1
                tally.unjudged_because[null_reason(row.because)] += 1
        elif not row.ok:
            _reject(tally, picked, row)
    tally.gold = sum(1 for _ in run.artifacts.golds())
    _fetch(run, tally, picked)
    return tally


def count_by_stage(tally: Rejects) -> dict[str, int]:
    """Counts in the filters' order, zero where nothing was rejected, other stages after."""
    order = [*STAGES, *sorted(set(tally.stages) - set(STAGES))]
    return {stage: tally.stages.get(stage, 0) for stage in order}


def _reject(tally: Rejects, picked: dict[str, list[RejectedCandidate]], row: VerdictRow) -> None:
    stage, because = row.stage, row.because
    tally.stages[stage] += 1
    names = picked.setdefault(stage, [])
    repeated = any(because == name.because for name in names)
    if sum(name.repeated == repeated for name in names) < EXAMPLES:
        names.append(RejectedCandidate(row.prompt_id, row.index, because, repeated))


def _best(names: list[RejectedCandidate]) -> list[RejectedCandidate]:
    """Different reasons first, then repeats, as many as are shown."""
    return sorted(names, key=lambda name: name.repeated)[:EXAMPLES]


def _fetch(run: RunResults, tally: Rejects, picked: dict[str, list[RejectedCandidate]]) -> None:
    best = {stage: _best(names) for stage, names in picked.items()}
    wanted = {(name.prompt_id, name.index): name for names in best.values() for name in names}
    found = run.artifacts.some_candidates(wanted)
    prompts = run.artifacts.questions({prompt_id for prompt_id, _ in wanted})
    for stage in count_by_stage(tally):
        examples = [
            RejectedExample(
                prompts.get(n.prompt_id), _excerpt(found[n.prompt_id, n.index]), n.because
            )
            for n in best.get(stage, ())
            if (n.prompt_id, n.index) in found
        ]
        if examples:
            tally.examples[stage] = examples


def _excerpt(completion: Completion) -> str:
    return clip(completion.text, EXCERPT)[0]


_SENTENCE = (
    "All candidates of a prompt ran one race, whichever proposer they came from; the training prompt is "
    "the plain one in every case. Pass rates are of candidates that were judged: the race stops those "
    "that think longer than one that passed, so they are no measure of a proposer by itself."
)


def proposers_section(run: RunResults) -> ReportSection | None:
    """One row a proposer; None if the recipe names none."""
    if run.recipe.sample.proposers is None:
        return None
    counts = run.counts("select").get("proposers") or {}
    rows = [
        (
            name,
            number(row.get("candidates")),
            number(row.get("outpaced")),
            number(row.get("judged")),
            number(row.get("passed")),
            percent(row["passed"] / row["judged"]) if row.get("judged") else "",
            number(row.get("think_tokens_median")),
            number(row.get("gold")),
            number(row.get("decoded_tokens")),
            number(row.get("tokens_per_gold")) if row.get("gold") else "",
        )
        for name, row in counts.items()
    ]
    columns = (
        "proposer", "candidates", "stopped", "judged", "passed", "of judged", "think tokens, median",
        "golds", "tokens decoded", "tokens per gold",
    )  # fmt: skip
    return ReportSection((_SENTENCE,), (TextTable("", columns, rows),) if rows else ())
