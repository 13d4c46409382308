"""Judging answers outside a run: ``deimos grade`` and ``deimos check``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, get_args

from deimos.graders.second import Differences
from deimos.recipe import Recipe, RecipeError, SourceSettings, apply_set
from deimos.report import formatting
from deimos.store.json_text import read_json
from deimos.store.schema import value_of, verdict_row
from deimos.thinking import Shape, Tags, ThinkingError, split
from deimos.types import Kind, Prompt, Verdict, null_reason

AT_ONCE = 64
"""Rows judged together: bounds memory, keeps the workers busy."""


class LineError(RecipeError):
    """A line that is no row; its message begins with the line's number."""


class _GradedRow(NamedTuple):
    number: int
    """Of its line."""
    data: dict[str, Any]


@dataclass
class GradeCounts:
    """What became of the rows so far."""

    rows: int = 0
    judged: int = 0
    """Verdict true or false."""
    right: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    """Why verdicts are null: ``types.NullReason``."""
    unclosed: int = 0
    """Wrong because their text has no closed thought."""
    second: Differences = field(default_factory=Differences)

    def add(self, row: dict[str, Any]) -> None:
        """Count one row of ``grade_rows``."""
        verdict = value_of(Verdict, row["verdict"])
        self.rows += 1
        self.judged += verdict.ok is not None
        self.right += verdict.ok is True
        self.nulls.update([null_reason(verdict.because)] if verdict.ok is None else [])
        self.unclosed += verdict.stage == "structure"
        self.second.add(verdict.ok, verdict.second)

    def __str__(self) -> str:
        parts = [
            f"{self.rows:,} {'row' if self.rows == 1 else 'rows'} in, {self.judged:,} judged, {self.rows - self.judged:,} null, "
            f"{self.right:,} right"
        ]
        parts += [f"null: {formatting.null_reasons(self.nulls)}"] if self.nulls else []
        opinions = self.second.shares()
        parts += [formatting.second_opinions(opinions)] if opinions else []
        return "; ".join(parts)


def think_tags(open_tag: str | None, close_tag: str | None, *, plain: bool) -> Tags | None:
    """What opens and closes the thoughts of the texts; None: they have none (``plain``).

    Args:
        open_tag: None: as in a recipe that does not name its tags; so is ``close_tag``.
        close_tag: what ends a thought.
        plain: the texts have no think part.

    Raises:
        RecipeError: tags for plain texts; tags of which one contains the other, empty ones.
    """
    if plain:
        if open_tag is not None or close_tag is not None:
            raise RecipeError("--plain texts have no tags: leave --open-tag and --close-tag out")
        return None
    known = Tags()
    opens = known.open if open_tag is None else open_tag
    closes = known.close if close_tag is None else close_tag
    try:
        return Tags(opens, closes)
    except ThinkingError:
        raise RecipeError(
            f"--open-tag {opens!r} and --close-tag {closes!r} must be two texts without whitespace "
            "around them, neither part of the other"
        ) from None


def open_rows(file: str) -> BinaryIO:
    """A file's lines, or standard input's (``-``), as bytes; RecipeError if it cannot be read."""
    if file == "-":
        return sys.stdin.buffer
    path = Path(file)
    if path.is_dir():
        raise RecipeError(f"{file!r} is a folder: a file of rows is needed")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise RecipeError(f"file {file!r} does not exist") from None
    except (OSError, ValueError) as e:  # ValueError: a null character in its name
        reason = e.strerror if isinstance(e, OSError) else str(e)
        raise RecipeError(f"file {file!r} cannot be read: {reason}") from e


def name_of(file: str) -> str:
    """What a message calls the file of rows."""
    return "standard input" if file == "-" else file


def grade_rows(
    lines: Iterable[bytes], *, kind: str, tags: Tags | None, grader: str | None = None
) -> Iterator[dict[str, Any]]:
    """Judge JSONL rows ``{text, reference}``; yields each row, in order, with ``verdict`` added.

    Args:
        lines: the rows; ``text`` is a whole completion.
        kind: math, choice, instruction or code.
        tags: what opens and closes a thought; None: the texts have no think part.
        grader: a registered name, ``pkg:attr`` or ``./file.py:attr``; the kind's own unless given.

    Raises:
        RecipeError: unknown kind; ``LineError`` if a line is no such row.
    """
    known = _kind(kind)
    rows = (_row(line, number) for number, line in enumerate(lines, 1) if line.strip())
    with asyncio.Runner() as runner:
        judged = _judged(rows, known, tags, grader or kind)
        try:
            while (row := runner.run(anext(judged, None))) is not None:
                yield row
        finally:
            runner.run(judged.aclose())


def has_examples(spec: str) -> bool:
    """Whether the grader brings examples to check it with."""
    from deimos.registry import resolve

    return bool(resolve("grader", spec).known_examples())


def check_grader(spec: str, kind: str, recipe: Recipe | None, take: int) -> tuple[str, bool]:
    """Check a grader against a recipe's prompts of its kind, or with its own examples.

    Returns a text and whether all held.

    Raises:
        RecipeError: the recipe has fewer than two prompts of that kind.
    """
    from deimos.graders.check import check
    from deimos.prompts.load import load_source
    from deimos.prompts.references import check_references

    if recipe is None:
        report = check(spec, _kind(kind))
        return str(report), report.ok
    prompts: list[Prompt] = []
    for source in recipe.prompts.sources:
        found = load_source(source, recipe.prompts.seed)
        check_references(found, {_kind(kind): spec}, source, "prompts.sources")
        prompts += [prompt for prompt in found if prompt.kind == kind]
    if len(prompts) < 2:
        raise RecipeError(
            f"recipe {recipe.name!r} has {len(prompts)} prompts of kind {kind!r}: two are needed"
        )
    report = check(spec, _kind(kind), prompts[:take])
    return str(report), report.ok


def check_source(
    grader: str, name: str | None, options: Sequence[str], take: int
) -> tuple[str, bool]:
    """Check a grader with a source's own right answers.

    Args:
        grader: of the kind that the source's prompts are.
        name: of the source.
        options: the source's, ``key=value`` each, the value read as YAML.
        take: how many of its prompts at most, in its seeded order.

    Returns a text and whether all held.

    Raises:
        RecipeError: as ``load_source``; options and no name; a source without right answers.
    """
    from deimos.graders.check import check
    from deimos.prompts.load import load_source, solutions_of
    from deimos.prompts.references import check_references

    if name is None:
        raise RecipeError("--option belongs to a source: --source names it")
    given: dict[str, Any] = {}
    for option in options:
        if "=" not in option:
            raise RecipeError(f"--option {option!r} must look like key=value")
        apply_set(given, option)
    block = SourceSettings(source=name, options=given)
    prompts = load_source(block, seed=0)
    check_references(prompts, {prompts[0].kind: grader}, block, f"--source {name}")
    prompts = prompts[:take]
    report = check(grader, prompts[0].kind, prompts, pairs=solutions_of(block, prompts))
    return f"{name}: {report}", report.ok


def _kind(kind: str) -> Kind:
    for known in get_args(Kind):
        if known == kind:
            return known
    raise RecipeError(f"--kind {kind!r} must be one of {', '.join(get_args(Kind))}")


async def _judged(
    rows: Iterator[_GradedRow], kind: Kind, tags: Tags | None, spec: str
) -> AsyncGenerator[dict[str, Any]]:
    from deimos.graders.worker.pool import Judge

    with Judge({kind: spec}) as judge:
        while True:
            batch, fault = _take(rows)
            verdicts = await asyncio.gather(
                *(_unfit(row, kind, spec) or _verdict(judge, row.data, kind, tags) for row in batch)
            )
            for row, verdict in zip(batch, verdicts, strict=True):
                yield {**row.data, "verdict": verdict_row(verdict)}
            if fault is not None:
                raise fault
            if not batch:
                return


def _take(
    rows: Iterator[_GradedRow],
) -> tuple[list[_GradedRow], RecipeError | None]:
    """The next rows, and what is wrong with the one behind them: those before it are judged first."""
    batch: list[_GradedRow] = []
    try:
        for row in islice(rows, AT_ONCE):
            batch.append(row)
    except RecipeError as e:
        return batch, e
    return batch, None


def _unfit(row: _GradedRow, kind: Kind, spec: str) -> Coroutine[Any, Any, Verdict] | None:
    """A null verdict for a row whose reference no answer could meet; None: one could."""
    from deimos.prompts.references import check_reference

    async def verdict(because: str) -> Verdict:
        return Verdict.of(None, f"line {row.number}: {because}")

    try:
        check_reference(kind, spec, row.data["reference"])
    except ValueError as e:
        return verdict(str(e))
    return None


async def _verdict(judge: Any, row: dict[str, Any], kind: Kind, tags: Tags | None) -> Verdict:
    text = row["text"]
    if tags is None:
        answer = text
    else:
        shape = Shape.FREE if text.lstrip().startswith(tags.open) else Shape.OPEN
        parts = split(text, shape, tags)
        if parts.malformed or not parts.closed:
            bare = tags.open not in text and tags.close not in text
            hint = (
                " (it has no thought at all: --plain grades such texts, --open-tag and --close-tag "
                "name other tags)"
                if bare
                else ""
            )
            because = parts.malformed or f"the thought was never closed{hint}"
            return Verdict.of(False, because, "structure")
        answer = parts.answer
    prompt = Prompt.of(task="grade", kind=kind, messages=[], reference=row["reference"])
    return await judge.with_second(prompt, answer)


def _row(line: bytes, number: int) -> _GradedRow:
    try:
        row = read_json(line, half_surrogates=True)
    except ValueError as e:
        raise LineError(f"line {number}: {e}") from e
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "reference" not in row:
        raise LineError(f"line {number} must be an object with a text (string) and a reference")
    return _GradedRow(number, row)


def row_line(row: dict[str, Any], encoding: str = "utf-8") -> str:
    """A row as JSON; its characters are escaped if ``encoding`` lacks one, as it does half a pair."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(row)
    return text
