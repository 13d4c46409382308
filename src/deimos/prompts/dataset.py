"""Sources of published data sets: one declaration, and one function from a row to a prompt.

What they share is here: which file or Hub split is meant, the options of all such sources, the order
of the seed. What a row means is the source's own.

Options of every such source:

- ``split``: one of the data set's; with a single file, only the name of what it holds;
- ``path``: a local file of the data set's own rows, or a folder with one file a split, instead of the Hub;
- ``dataset``: another Hub id, or a local folder laid out like the Hub's; ``revision``: its Hub commit;
- ``instruction`` (most sources): put after each question, behind a blank line; "" leaves it out.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from deimos.prompts.rows import SourceRow, file_rows, find_file, hub_rows, place_name
from deimos.prompts.splits import drop_repeats, take_in_order
from deimos.recipe import RecipeError
from deimos.registry import BUILTIN, Source
from deimos.types import Kind, Prompt


@dataclass(frozen=True)
class Dataset:
    """A data set as its source declares it."""

    name: str
    """Of the source, in recipes and messages; the task of its prompts unless a row says another."""
    kind: Kind
    hub: str
    """Hub id."""
    revision: str
    """Hub commit."""
    licence: str
    sizes: Mapping[str, int]
    """The splits that a recipe may name, the default one first, each with its number of prompts."""
    part_sizes: Mapping[str, Mapping[Any, Mapping[str, int]]] = field(
        default_factory=dict[str, Mapping[Any, Mapping[str, int]]]
    )
    """Option that takes a part of a split to its values, each with the part's size by split."""
    hub_splits: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the Hub calls a split, if it has another name there."""
    config: str | None = None
    """The Hub's name of the subset."""

    def rows(
        self,
        split: str,
        *,
        path: str | None = None,
        dataset: str | None = None,
        revision: str | None = None,
        config: str | None = None,
    ) -> Iterator[SourceRow]:
        """All rows of a split, in their order.

        Args:
            split: one of ``sizes``.
            path: a local file, or a folder with one file a split; no Hub then.
            dataset: another Hub id, or a local folder laid out like the Hub's.
            revision: another Hub commit.
            config: another subset; in a folder, what a file's name has before the split.

        Raises:
            RecipeError: unknown split, unreadable file, no network, no revision.
        """
        if split not in self.sizes:
            raise RecipeError(f"{self.name}: split = {split!r}: accepted: {', '.join(self.sizes)}")
        config = config or self.config
        if path is not None:
            file = find_file(self.name, Path(path), split, config)
            return number_rows(file_rows(self.name, file), f"{file.name}:{split}")
        place = dataset or self.hub
        commit = revision or (self.revision if place == self.hub else None)
        found = hub_rows(self.name, place, config, self.hub_splits.get(split, split), commit)
        return number_rows(found, f"{place_name(place, commit)}:{split}")


class PromptParts(NamedTuple):
    """What a row makes of a prompt; kind, source and licence are the data set's."""

    messages: list[dict[str, str]]
    reference: Any
    task: str | None = None
    """None: the data set's name."""
    level: str = ""
    """How hard the data set says it is."""


def number_rows(found: Iterable[Mapping[str, Any]], origin: str) -> Iterator[SourceRow]:
    """Rows with the place that messages name."""
    for number, row in enumerate(found, 1):
        yield SourceRow(f"{origin} row {number}", origin, row)


def all_rows(read: Callable[..., Iterator[SourceRow]]) -> Iterator[SourceRow]:
    """Every row of the split: for sources that take no part of it."""
    return read()


def dataset_source(
    data: Dataset,
    to_parts: Callable[..., PromptParts | None],
    *,
    rows: Callable[..., Iterable[SourceRow]] = all_rows,
    unique: bool = False,
    same_size: tuple[str, ...] = ("instruction",),
    asked: Callable[[Prompt], str] | None = None,
    solution: Callable[[SourceRow], str] | None = None,
) -> Source:
    """A source of a data set's prompts, in the seed's order.

    Args:
        data: the data set.
        to_parts: takes a row; None leaves the row out.
        rows: takes ``read``, which is ``data.rows`` at the place that the options name.
        unique: a question that stands there twice is asked once.
        same_size: options that leave the number of prompts as it is.
        asked: takes a prompt, gives its question without the source's own wording.
        solution: writes a row's right answer, if the data set has them.

    The keyword-only parameters of ``to_parts`` and ``rows`` are further options of the source.
    """
    taken_by = {f: inspect.signature(f).parameters for f in (rows, to_parts)}
    shape, hints = _shape(data, (rows, to_parts))

    def read_pairs(options: Mapping[str, Any]) -> Iterator[tuple[SourceRow, Prompt]]:
        place = {key: options[key] for key in ("path", "dataset", "revision")}
        own = {f: {k: v for k, v in options.items() if k in names} for f, names in taken_by.items()}
        for row in rows(partial(data.rows, options["split"], **place), **own[rows]):
            parts = to_parts(row, **own[to_parts])
            if parts is not None:
                yield row, _prompt(data, row, parts)

    def load(**options: Any) -> list[Prompt]:
        given = _filled(shape, options)
        prompts = (prompt for _, prompt in read_pairs(given))
        found = drop_repeats(prompts) if unique else prompts
        return take_in_order(found, given["take"], given["seed"], f"{data.name} {given['split']}")

    def place(prompt: Prompt, **options: Any) -> str | None:
        given = _filled(shape, {"take": None, "seed": 0, **options})
        return next((row.where for row, p in read_pairs(given) if p.id == prompt.id), None)

    def solutions(**options: Any) -> Iterator[tuple[str, Prompt]]:
        assert solution is not None
        for row, prompt in read_pairs(_filled(shape, {"take": None, "seed": 0, **options})):
            yield solution(row), prompt

    load.__signature__ = shape  # pyright: ignore[reportFunctionMemberAccess]
    load.__annotations__, load.__doc__ = hints, to_parts.__doc__
    load.__module__, _, load.__name__ = BUILTIN["source"][data.name].partition(":")
    return Source(
        data.name, load, paths=("path", "dataset"), kind=data.kind, sizes=data.sizes,
        part_sizes=data.part_sizes, same_size=same_size, asked=asked, place=place,
        solutions=solutions if solution else None,
    )  # fmt: skip


def _shape(
    data: Dataset, functions: Iterable[Callable[..., Any]]
) -> tuple[inspect.Signature, dict[str, Any]]:
    """Parameters of a data set's source, and their types."""

    def load(
        *,
        take: int | None,
        seed: int,
        split: str = next(iter(data.sizes)),
        path: str | None = None,
        dataset: str = data.hub,
        revision: str | None = None,
    ) -> list[Prompt]: ...

    parameters, hints = dict(inspect.signature(load).parameters), typing.get_type_hints(load)
    for function in functions:
        types = typing.get_type_hints(function)
        for name, p in inspect.signature(function).parameters.items():
            if p.kind is p.KEYWORD_ONLY and name not in parameters:
                parameters[name], hints[name] = p, types[name]
    return inspect.Signature(list(parameters.values())), hints


def _filled(shape: inspect.Signature, options: Mapping[str, Any]) -> dict[str, Any]:
    bound = shape.bind(**options)
    bound.apply_defaults()
    return bound.arguments


def _prompt(data: Dataset, row: SourceRow, parts: PromptParts) -> Prompt:
    return Prompt.of(
        task=parts.task or data.name, kind=data.kind, messages=parts.messages,
        reference=parts.reference, source=row.origin, licence=data.licence, level=parts.level,
    )  # fmt: skip
