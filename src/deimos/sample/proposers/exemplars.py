"""The worked examples that few_shot shows: a user's file, or the run's own shortest golds.

They are frozen in ``exemplars.jsonl`` before any candidate is asked with them, so that a resumed race
asks the same. A file's are checked against the test problems as prompts are, and those that overlap
are dropped; golds are of prompts that have been checked. Never shown to a prompt: its own answer, or
an example whose question overlaps with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from deimos.prompts.decontaminate import Index, TestText
from deimos.prompts.examples import read_examples
from deimos.recipe import Decontaminate, FewShotProposer, RecipeError, Sample
from deimos.recipe.proposers import OWN
from deimos.store.candidates import rank
from deimos.store.journal import read_rows, write_rows
from deimos.store.names import EXEMPLARS
from deimos.store.schema import ExemplarRow, row_of, value_of
from deimos.types import Completion, Prompt

SPARE = 4
"""Golds that are kept beside the wanted ones, for prompts that some of those must not be shown to."""
LoadTests = Callable[[], Sequence[TestText]]
"""Loads what the test problems ask; called only if there is something to compare."""


def few_shots(settings: Sample) -> list[FewShotProposer]:
    """The recipe's proposers of this kind."""
    return [p for p in settings.proposers or [] if isinstance(p, FewShotProposer)]


def check_examples(settings: Sample, *, on_cluster: bool) -> None:
    """Refuse examples that cannot be shown, before anything is sampled.

    Raises:
        RecipeError: a file cannot be read or has a bad row; or they are to be the run's own on a
            cluster, where who races a shard knows the golds of its own prompts only.
    """
    for proposer in few_shots(settings):
        if proposer.exemplars != OWN:
            _read_file(proposer)
        elif on_cluster:
            raise RecipeError(
                f"sample.proposers {proposer.name!r}: exemplars: own are the golds of all prompts, which "
                "no engine of runtime.cluster knows: name a file, or sample without a cluster"
            )


def question_in(prompt: Prompt) -> str:
    """What the user says last."""
    users = [m["content"] for m in prompt.messages if m["role"] == "user"]
    return users[-1] if users else ""


class Exemplars:
    """The frozen examples of a sample folder.

    Args:
        rows: of ``exemplars.jsonl``.
    """

    def __init__(self, rows: Iterable[ExemplarRow]) -> None:
        self.rows = list(rows)
        self._indices: dict[str, Index] = {}

    def choose(self, proposer: FewShotProposer, prompt: Prompt) -> list[ExemplarRow]:
        """The first of a proposer's examples that may be shown to a prompt, at most ``shots``."""
        shown: list[ExemplarRow] = []
        question = question_in(prompt)
        for row in self.rows:
            if row.proposer != proposer.name or row.dropped or row.kind not in ("", prompt.kind):
                continue
            if row.prompt_id == prompt.id or self._overlaps(row, question):
                continue
            shown.append(row)
            if len(shown) == proposer.shots:
                break
        return shown

    def _overlaps(self, row: ExemplarRow, question: str) -> bool:
        if row.question not in self._indices:
            # Exact or long runs of words; similarity alone would need another package.
            alone = Decontaminate(near_duplicates=None)
            self._indices[row.question] = Index([TestText("", row.question)], alone)
        return self._indices[row.question].find(question) is not None


def read_exemplars(folder: Path) -> Exemplars:
    """The examples that a sample folder has frozen; none if it shows none."""
    path = folder / EXEMPLARS
    if not path.is_file():
        return Exemplars(())
    return Exemplars(value_of(ExemplarRow, row, path) for row in read_rows(path))


def freeze_brought(
    folder: Path, settings: Sample, decontaminate: Decontaminate, load_tests: LoadTests
) -> dict[str, int]:
    """Freeze the examples of users' files, unless that has been done.

    Args:
        folder: the sample stage's.
        settings: names the files.
        decontaminate: how they are compared with the tests; not at all if it is off.
        load_tests: loads what the tests ask.

    Returns:
        How many there are and how many were dropped, for the stage's record; empty: no files.

    Raises:
        RecipeError: a file cannot be read, has a bad row, or none that may be shown.
    """
    brought = [p for p in few_shots(settings) if p.exemplars != OWN]
    if not brought:
        return {}
    known = read_exemplars(folder).rows
    rows = [row for row in known if not row.prompt_id]
    if not rows:
        read = [row for proposer in brought for row in _read_file(proposer)]
        tests = list(load_tests()) if decontaminate.enabled else []
        index = Index(tests, decontaminate) if tests else None
        rows = [_checked(row, index) for row in read]
        write_exemplars(folder, [*rows, *known])
    for proposer in brought:
        if not any(row.proposer == proposer.name and not row.dropped for row in rows):
            raise RecipeError(
                f"sample.proposers {proposer.name!r}: every example of {proposer.exemplars!r} overlaps "
                "with a test problem: bring others"
            )
    return {"exemplars": len(rows), "exemplars_dropped": sum(bool(row.dropped) for row in rows)}


def freeze_own(
    folder: Path, settings: Sample, golds: Iterable[tuple[Prompt, Completion]]
) -> Exemplars:
    """Freeze the run's own shortest golds as examples, unless that has been done.

    Args:
        folder: the sample stage's.
        settings: which proposers show how many.
        golds: each prompt's shortest passing candidate, if it has one.
    """
    known = read_exemplars(folder)
    if any(row.prompt_id for row in known.rows):
        return known
    ordered = sorted(golds, key=lambda pair: (*rank(pair[1]), pair[0].id))
    kinds = sorted({prompt.kind for prompt, _ in ordered})
    own = [
        ExemplarRow(
            proposer.name, question_in(prompt), gold.think, gold.answer, prompt.kind, prompt.id
        )
        for proposer in few_shots(settings)
        if proposer.exemplars == OWN
        for kind in kinds
        for prompt, gold in [pair for pair in ordered if pair[0].kind == kind][
            : proposer.shots + SPARE
        ]
    ]
    write_exemplars(folder, [*known.rows, *own])
    return read_exemplars(folder)


def write_exemplars(folder: Path, rows: Iterable[ExemplarRow]) -> None:
    """Write ``exemplars.jsonl`` whole."""
    write_rows(folder / EXEMPLARS, map(row_of, rows))


def _checked(row: ExemplarRow, index: Index | None) -> ExemplarRow:
    overlap = index.find(row.question) if index else None
    if overlap is None:
        return row
    because = f"overlaps with a problem of {overlap.task} ({overlap.rule}: {overlap.matched[:60]})"
    return ExemplarRow(row.proposer, row.question, row.think, row.answer, dropped=because)


def _read_file(proposer: FewShotProposer) -> list[ExemplarRow]:
    key = f"sample.proposers {proposer.name!r}: exemplars {proposer.exemplars!r}"
    found = read_examples(Path(proposer.exemplars), key)
    return [ExemplarRow(proposer.name, one.question, one.think, one.answer) for one in found]
