"""Any data set on the Hub, or in a local folder laid out like it, by naming its columns.

For what has no source of its own here. ``columns`` says where each part of a prompt stands; parts
that are not named are looked for under their own names. What the parts are hangs on ``kind``:

- math: ``question``, ``answer`` (a text or a number);
- choice: ``question``, ``options`` (texts, or ``{text, label}`` as ARC has them), ``answer`` (the
  label, or the option's place from 0 as a number);
- instruction: ``question``, ``instruction_id_list``, ``kwargs``;
- code: ``question``, ``tests``, and where there are such columns ``entry_point`` and ``setup``.

A column may lie deeper: ``extra_info.answer``. Not covered: several turns, images, answers that have
to be cut out of a text first (a source of your own in a file does that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deimos.prompts.dataset import PromptParts, number_rows
from deimos.prompts.rows import SourceRow, hub_rows, place_name, reference_of, text_of
from deimos.prompts.sources.choice import LETTERS, choice_parts
from deimos.prompts.sources.ifeval import rules_of
from deimos.prompts.splits import drop_repeats, take_in_order
from deimos.prompts.text import CHOICE, CODE, MATH, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Kind, Prompt

PARTS: Mapping[str, tuple[str, ...]] = {
    "math": ("question", "answer"),
    "choice": ("question", "options", "answer"),
    "instruction": ("question", "instruction_id_list", "kwargs"),
    "code": ("question", "tests", "entry_point", "setup"),
}
"""What a prompt of a kind is made of; the last two of code may be lacking."""
OPTIONAL = frozenset({"entry_point", "setup"})
INSTRUCTIONS: Mapping[str, str] = {"math": MATH, "choice": CHOICE, "instruction": "", "code": CODE}


def find_row(prompt: Prompt, **options: Any) -> str | None:
    """Data set and row of a prompt that ``hub`` gave with these options."""
    return next((where for where, other in _read(**options) if other.id == prompt.id), None)


@source("hub", paths=("dataset",), place=find_row)
def hub(
    *,
    take: int | None,
    seed: int,
    dataset: str,
    kind: Kind,
    split: str,
    licence: str,
    revision: str | None = None,
    config: str | None = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
    instruction: str | None = None,
) -> list[Prompt]:
    """Prompts of a data set's split, in the seed's order, each question once.

    Args:
        take: how many; None takes all.
        seed: of the order.
        dataset: Hub id, or a local folder laid out like the Hub's.
        kind: math, choice, instruction or code.
        split: as the Hub calls it.
        licence: of the data, as its card says: it goes with every prompt.
        revision: Hub commit, required for a Hub id; a folder is known by its content.
        config: the Hub's name of the subset.
        columns: part of a prompt to the column that holds it.
        task: the prompts' task; the data set's name unless given.
        instruction: put behind each question, after a blank line; the kind's own unless given.

    Raises:
        RecipeError: a part that the kind doesn't have, no revision, no such data set, a row that
            lacks a part or has it in another form.
    """
    found = _read(
        dataset, kind, split, licence, revision=revision, config=config, columns=columns, task=task,
        instruction=instruction,
    )  # fmt: skip
    prompts = (prompt for _, prompt in found)
    return take_in_order(drop_repeats(prompts), take, seed, f"hub {dataset} {split}")


def _read(
    dataset: str,
    kind: Kind,
    split: str,
    licence: str,
    *,
    revision: str | None = None,
    config: str | None = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
    instruction: str | None = None,
) -> Iterator[tuple[str, Prompt]]:
    """Each row's prompt, with its place."""
    named = dict(columns or {})
    for part in named:
        if part not in PARTS[kind]:
            accepted = ", ".join(PARTS[kind])
            raise RecipeError(f"hub: columns has {part!r}: accepted for kind {kind!r}: {accepted}")
    where = {part: named.get(part, part) for part in PARTS[kind]}
    said = INSTRUCTIONS[kind] if instruction is None else instruction
    name = task or dataset.rstrip("/").rpartition("/")[2]
    found = hub_rows("hub", dataset, config, split, revision)
    for row in number_rows(found, f"{place_name(dataset, revision)}:{split}"):
        parts = _prompt_parts(row._replace(data=_columns(row, where)), kind, said)
        yield (
            row.where,
            Prompt.of(
                task=name, kind=kind, messages=parts.messages, reference=parts.reference,
                source=row.origin, licence=licence,
            ),
        )  # fmt: skip


def _columns(row: SourceRow, where: Mapping[str, str]) -> dict[str, Any]:
    """What the named columns hold, by part."""
    found: dict[str, Any] = {}
    for part, column in where.items():
        value: Any = row.data
        for key in column.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None and part not in OPTIONAL:
            raise RecipeError(
                f"{row.where}: has no column {column!r} for {part}: has {', '.join(sorted(row.data))}; "
                "name it under columns"
            )
        if value is not None:
            found[part] = value
    return found


def _prompt_parts(row: SourceRow, kind: Kind, instruction: str) -> PromptParts:
    question = text_of(row, "question")
    if kind == "choice":
        labels, options = _options(row, row.data["options"])
        key = _key(row.data["answer"], labels)
        return choice_parts(row, question, labels, options, key, instruction)
    reference: Any
    if kind == "math":
        reference = _number_or_text(row)
    elif kind == "instruction":
        reference = rules_of(row)
    else:
        tests = row.data["tests"]
        if not tests or not isinstance(tests, str | list):
            raise RecipeError(f"{row.where}: tests must be code, or a list of assertions")
        extra = {part: text_of(row, part) for part in OPTIONAL if row.data.get(part)}
        reference = {"tests": tests, **dict(sorted(extra.items()))}
    return PromptParts(user(question, instruction), reference)


def _number_or_text(row: SourceRow) -> str:
    answer = row.data["answer"]
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return str(answer)
    return reference_of(row, "answer")


def _options(row: SourceRow, given: Any) -> tuple[list[str], list[str]]:
    """Labels and texts of the options."""
    if isinstance(given, Mapping) and {"text", "label"} <= set(given):
        return list(given["label"]), list(given["text"])
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise RecipeError(f"{row.where}: options must be a list of texts, or {{text, label}}")
    return list(LETTERS[: len(given)]), list(given)


def _key(answer: Any, labels: Sequence[str]) -> str:
    """The right option's label; a number counts options from 0."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return labels[answer] if 0 <= answer < len(labels) else str(answer)
    return str(answer).strip()
