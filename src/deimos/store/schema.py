"""The rows of a run's JSONL files: what stands in each, and how a value becomes a row and back.

Rows are plain dicts of JSON values. What the project computes with is a frozen dataclass; what is
only shown again (the tables of a benchmark) is a ``TypedDict``. Unknown keys of a row (a checksum,
a later version's field) are ignored on reading; one that is missing and has no default is named,
with its file. Nothing here opens a file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, TypeVar, cast, get_origin, get_type_hints

from deimos.types import Completion, Prompt, SecondOpinion, Verdict

Row = dict[str, Any]
AnyRow = Mapping[str, Any]
"""A row that is only read, typed or not."""
T = TypeVar("T")


class RowError(ValueError):
    """A row cannot be read as what its file holds; one sentence that names file and field."""


# --- Journals ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartialRow:
    """A stretch of an unfinished candidate's ids (``partial.jsonl``)."""

    key: str
    """Its record key."""
    prompt_id: str
    index: int
    start: int
    """How many ids stand in earlier stretches."""
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A decoding on the way to a candidate that is made of another one (``steps.jsonl``)."""

    key: str
    """Names the candidate and what it is made of."""
    prompt_id: str
    index: int
    step: int
    """Which decoding of the candidate's; a function of what is decoded, not of the order."""
    by: str
    """``model`` or ``teacher``."""
    ids: tuple[int, ...]
    """What was decoded; empty of a teacher that sends text."""
    text: str | None
    """Only if there are no ids that say it."""
    tokens: int
    finish: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ExemplarRow:
    """A worked example that few_shot may show (``exemplars.jsonl``)."""

    proposer: str
    """Name of the recipe's proposer that shows it."""
    question: str
    think: str
    answer: str
    kind: str = ""
    """Of the prompts that it is shown to; empty: of all."""
    prompt_id: str = ""
    """The train prompt that it answers; empty: it was brought."""
    dropped: str = ""
    """Why it is not shown: the test problem that it overlaps with; empty: it is."""


@dataclass(frozen=True, slots=True)
class BenchSample:
    """A graded completion of a benchmark (``samples/*.jsonl``): a completion's row and these."""

    completion: Completion
    key: str
    """Its record key; empty in a row that has none."""
    task: str
    model: str
    """``base`` or ``tuned``."""
    config: str
    """Name of the decoding config."""

    @property
    def ok(self) -> bool | None:
        """The verdict; None: could not be judged."""
        return self.completion.verdict.ok if self.completion.verdict else None


@dataclass(frozen=True, slots=True)
class Timed:
    """One timed request; ``timing.jsonl`` has a row a block, these under ``rows``."""

    block: int
    model: str
    task: str
    prompt_id: str
    seconds: float
    """Admission to last token, with the others in flight beside it."""
    tokens: int
    key: str = ""
    """Its record key; empty in rows of before keys were noted."""


@dataclass(frozen=True, slots=True)
class KeysRow:
    """The record keys of one prompt's completions (``keys.jsonl``)."""

    samples: str
    """Name of the sample set: a benchmark's file without ``.jsonl``; ``completions`` in a pool."""
    prompt_id: str
    keys: tuple[str, ...]
    """By index, from 0."""


class AttemptRow(TypedDict, total=False):
    """An attempt at a stage (``attempts.jsonl``, two lines each); other keys are diagnostics."""

    began: str
    """UTC."""
    seconds: float
    """Absent: it was killed."""
    whole: bool
    """False: it failed or was interrupted."""


# --- Finished files ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gold:
    """A training example that was kept (``gold.jsonl``)."""

    id: str
    """sha256 (hex) of both lists of ids."""
    prompt_id: str
    index: int
    """Which of the prompt's candidates it is."""
    kind: str
    task: str
    messages: tuple[Mapping[str, str], ...]
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    """End-of-turn token included."""
    ids: str
    """``sampled``: exactly what the engine sampled; ``rendered``: made from its text, or tags were put
    between what was sampled."""
    think_tokens: int
    answer_tokens: int
    passed: int
    """How many of the prompt's candidates passed."""
    judged: int
    """How many have a verdict of true or false."""
    pass_rate: float | None
    """Of the candidates that nothing could stop; None: all could be stopped."""
    proposer: str = "plain"
    """Name of the recipe's proposer that it is of."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What became of a candidate (``verdicts.jsonl``)."""

    prompt_id: str
    index: int
    ok: bool | None
    """True: it is the gold. None: could not be judged, or waits for more decoding."""
    stage: str
    """The filter that decided: structure, correctness, presentation or length."""
    because: str
    finish: str
    second: SecondOpinion | None = None
    proposer: str = "plain"
    """Name of the recipe's proposer that the candidate is of."""


class DecontaminatedRow(TypedDict):
    """A prompt's row that overlaps with a test problem (``decontaminated.jsonl``), and these."""

    id: str
    task: str
    rule: str
    test_task: str
    matched: str
    """The words that both have."""
    test: str
    """The test problem's text."""
    kept: bool


class MetricsRow(TypedDict):
    """An optimizer step (``metrics.jsonl``)."""

    step: int
    epoch: float
    loss: float
    """Mean negative log-likelihood in nats over the step's supervised tokens."""
    grad_norm: float | None
    learning_rate: float
    tokens: int
    """Seen so far, prompts too, padding not."""
    seconds: float
    """Spent training so far."""


# --- Values to rows and back ------------------------------------------------------------------


def row_of(value: Any) -> Row:
    """The row of a dataclass: its fields by name."""
    row = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if (second := row.get("second")) is not None:
        row["second"] = row_of(second)
    return row


def value_of(kind: type[T], row: Mapping[str, Any], file: object = "") -> T:
    """The dataclass ``kind`` that a row was made of; lists become tuples.

    Args:
        kind: the dataclass.
        row: what was read.
        file: named where the row cannot be read.

    Raises:
        RowError: a field that has no default is missing.
    """
    return kind(**_known(kind, row, file))


def _known(kind: type, row: AnyRow, file: object) -> Row:
    """The fields of ``kind`` that a row has; lists become tuples."""
    known: Row = {}
    for name, required in _fields(kind):
        if name in row:
            value = row[name]
            known[name] = tuple(value) if type(value) is list else value
            if name == "second" and isinstance(value, Mapping):
                known[name] = value_of(SecondOpinion, value, file)
        elif required:
            raise _lacking(kind.__name__, name, file)
    return known


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    """A dataclass's fields by name, each with whether a row must have it."""
    fields = dataclasses.fields(cast(Any, kind))
    return tuple((field.name, field.default is dataclasses.MISSING) for field in fields)


def check_rows(kind: type[T], rows: Iterable[Row], file: object = "") -> list[T]:
    """Rows of the ``TypedDict`` ``kind``, which have what it requires.

    Raises:
        RowError: a required key is missing.
    """
    hints = get_type_hints(kind, include_extras=True)
    required = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    found: list[T] = []
    for row in rows:
        if missing := sorted(required - row.keys()):
            raise _lacking(kind.__name__, missing[0], file)
        found.append(cast(T, row))
    return found


def completion_row(completion: Completion) -> Row:
    """The row of a completion: its fields by name, ids as lists, the verdict a mapping or null."""
    row = row_of(completion)
    row["prompt_ids"] = list(completion.prompt_ids)
    row["completion_ids"] = list(completion.completion_ids)
    row["verdict"] = None if completion.verdict is None else verdict_row(completion.verdict)
    return row


def completion_from(row: Mapping[str, Any], file: object = "") -> Completion:
    """The completion that a row was made of.

    Raises:
        RowError: a field is missing.
    """
    known = _known(Completion, row, file)
    known["verdict"] = verdict_from(row.get("verdict"), file)
    return Completion(**known)


def prompt_row(prompt: Prompt) -> Row:
    """The row of a prompt: its fields by name, messages as a list of mappings."""
    row = row_of(prompt)
    row["messages"] = [dict(message) for message in prompt.messages]
    return row


def prompt_from(row: Mapping[str, Any], file: object = "") -> Prompt:
    """The prompt that a row was made of.

    Raises:
        RowError: a field is missing.
    """
    known = _known(Prompt, row, file)
    return Prompt(**{**known, "reference": row["reference"]})  # a list stays a list


def verdict_row(verdict: Verdict) -> Row:
    """The row of a verdict: ``ok``, ``because``, ``stage``, ``second``, and ``metrics`` if it has them."""
    row = row_of(verdict)
    if verdict.metrics is None:
        del row["metrics"]
    return row


def verdict_from(row: Mapping[str, Any] | None, file: object = "") -> Verdict | None:
    """The verdict that a row was made of; None stays None."""
    return None if row is None else value_of(Verdict, row, file)


def bench_sample_row(sample: BenchSample) -> Row:
    """The row of a benchmark's completion: a completion's, ``ok`` beside it, and where it belongs."""
    row = completion_row(sample.completion)
    del row["proposer"]  # of a race's candidates
    return {
        **row,
        "key": sample.key,
        "ok": sample.ok,
        "task": sample.task,
        "model": sample.model,
        "config": sample.config,
    }


def bench_sample_from(row: Mapping[str, Any], file: object = "") -> BenchSample:
    """The benchmark's completion that a row was made of.

    Raises:
        RowError: a field is missing.
    """
    for name in ("task", "model", "config"):
        if name not in row:
            raise _lacking("BenchSample", name, file)
    completion = completion_from(row, file)
    return BenchSample(completion, row.get("key", ""), row["task"], row["model"], row["config"])


def timing_row(block: Iterable[Timed]) -> Row:
    """The row of one block of timed requests."""
    return {"rows": [row_of(timed) for timed in block]}


def timing_from(row: Mapping[str, Any], file: object = "") -> list[Timed]:
    """The timed requests of one block.

    Raises:
        RowError: a field is missing.
    """
    if "rows" not in row:
        raise _lacking("timing", "rows", file)
    return [value_of(Timed, timed, file) for timed in row["rows"]]


def _lacking(kind: str, field: str, file: object) -> RowError:
    return RowError(f"{file or 'a file'} has a {kind} row without {field!r}")
