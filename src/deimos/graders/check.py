r"""Does a grader accept its own golds, and nothing else?

Each gold answer must be accepted, rejected against another prompt's reference, and an empty
answer rejected. Says nothing of answers that lie between.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from deimos import registry
from deimos.graders.worker.pool import Judge
from deimos.recipe import RecipeError
from deimos.types import Kind, Prompt, Verdict

GOLD_ANSWERS: dict[Kind, Callable[[Any], str]] = {
    "math": lambda reference: f"\\boxed{{{reference}}}",
    "choice": lambda reference: f"\\boxed{{{reference['letter']}}}",
}
"""How a reference is written as an answer, per kind."""
SHOWN = 5


@dataclass(frozen=True)
class Report:
    """What a check found; each fault is one short sentence."""

    spec: str
    golds: int
    rejected_golds: tuple[str, ...]
    accepted_shuffled: tuple[str, ...]
    accepted_empty: tuple[str, ...]
    unjudged: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there were golds and no fault was found."""
        faults = self.rejected_golds or self.accepted_shuffled or self.accepted_empty
        return self.golds > 0 and not faults and not self.unjudged

    def __str__(self) -> str:
        """A few lines for a reader: the counts, then the first faults of each sort."""
        lines = [f"{self.spec}: {'ok' if self.ok else 'FAULTY'}, {self.golds} golds"]
        for name in ("rejected_golds", "accepted_shuffled", "accepted_empty", "unjudged"):
            faults = getattr(self, name)
            lines += [f"  {name.replace('_', ' ')}: {len(faults)}"] if faults else []
            lines += [f"    {fault}" for fault in faults[:SHOWN]]
        return "\n".join(lines)


def check(
    spec: str,
    kind: Kind = "math",
    prompts: Iterable[Prompt] = (),
    *,
    pairs: Sequence[tuple[str, Any]] = (),
    timeout: float = 5.0,
    workers: int = 1,
) -> Report:
    """Check a grader on prompts' golds, or, without prompts, on its module's ``gold`` pairs.

    Args:
        spec: the grader: registered name, ``pkg:attr`` or ``./file.py:attr``.
        kind: what its references are; with prompts, those of other kinds are left out.
        prompts: whose references to check; a module's ``gold`` is ``[(answer, reference), …]``.
        pairs: (answer, reference) to check with instead: golds that are not written from references.
        timeout: seconds an answer may take.
        workers: judging processes.

    Raises:
        RecipeError: nothing to check with, or no known way to write a gold of this kind.
    """
    pairs = pairs or _pairs(spec, kind, list(prompts))
    with Judge({kind: spec}, timeout=timeout, workers=workers) as judge:

        def ask(answer: str, reference: Any) -> Future[Verdict]:
            return judge.submit(kind, answer, reference)

        own = [(a, ask(a, r)) for a, r in pairs]
        shuffled = [(f"{a!r} for {r!r}", ask(a, r)) for a, r in _shuffled(pairs)]
        empty = [(f"'' for {r!r}", ask("", r)) for _, r in pairs]
        return Report(
            spec, len(pairs),
            rejected_golds=tuple(f"{a!r}: {v.because}" for a, v in _done(own) if v.ok is False),
            accepted_shuffled=tuple(what for what, v in _done(shuffled) if v.ok),
            accepted_empty=tuple(what for what, v in _done(empty) if v.ok),
            unjudged=tuple(f"{a!r}: {v.because}" for a, v in _done(own) if v.ok is None),
        )  # fmt: skip


def _done(asked: list[tuple[str, Future[Verdict]]]) -> Iterator[tuple[str, Verdict]]:
    return ((what, future.result()) for what, future in asked)


def _pairs(spec: str, kind: Kind, prompts: list[Prompt]) -> list[tuple[str, Any]]:
    if not prompts:
        grader = registry.resolve("grader", spec)
        own: list[tuple[str, Any]] = list(getattr(sys.modules.get(grader.__module__), "gold", ()))
        if not own:
            raise RecipeError(
                f"nothing to check {spec!r} with: give prompts, or put gold = [(answer, reference)] beside it"
            )
        return own
    if kind not in GOLD_ANSWERS:
        raise RecipeError(
            f"no known way to write a gold answer of kind {kind!r}: there is one for {', '.join(GOLD_ANSWERS)}"
        )
    return [(GOLD_ANSWERS[kind](p.reference), p.reference) for p in prompts if p.kind == kind]


def _shuffled(pairs: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each answer with the next reference whose gold answer differs."""
    for i, (answer, _) in enumerate(pairs):
        later = (pairs[(i + step) % len(pairs)] for step in range(1, len(pairs)))
        other = next((reference for gold, reference in later if gold != answer), None)
        if other is not None:
            yield answer, other
