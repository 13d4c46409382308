r"""Checks that a grader accepts right answers and rejects others.

Each example's answer must be accepted, and rejected against another example's reference; an empty
answer must be rejected. Answers in between are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from deimos import registry
from deimos.graders.worker.pool import Judge
from deimos.recipe import RecipeError
from deimos.types import Kind, Prompt, Verdict

WRITE_ANSWER: dict[Kind, Callable[[Any], str]] = {
    "math": lambda reference: f"\\boxed{{{reference}}}",
    "choice": lambda reference: f"\\boxed{{{reference['letter']}}}",
}
"""Writes a right answer from a reference, per kind; other kinds' references don't hold one."""
SHOWN = 5


@dataclass(frozen=True)
class CheckReport:
    """What a check found; each fault is one short sentence."""

    spec: str
    examples: int
    rejected_examples: tuple[str, ...]
    accepted_shuffled: tuple[str, ...]
    accepted_empty: tuple[str, ...]
    unjudged: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there were examples and no fault was found."""
        faults = self.rejected_examples or self.accepted_shuffled or self.accepted_empty
        return self.examples > 0 and not faults and not self.unjudged

    def __str__(self) -> str:
        """A few lines for a reader: the counts, then the first faults of each sort."""
        lines = [f"{self.spec}: {'ok' if self.ok else 'FAULTY'}, {self.examples} examples"]
        for name in ("rejected_examples", "accepted_shuffled", "accepted_empty", "unjudged"):
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
) -> CheckReport:
    """Check a grader with right answers to prompts, or, without prompts, with its own examples.

    Args:
        spec: the grader: registered name, ``pkg:attr`` or ``./file.py:attr``.
        kind: what its references are; prompts of other kinds are left out.
        prompts: the right answers are written from their references.
        pairs: (right answer, reference) to check with instead.
        timeout: seconds an answer may take.
        workers: judging processes.

    Raises:
        RecipeError: nothing to check with, right answers cannot be written from references of this
            kind, or a reference that no answer could meet.
    """
    pairs = pairs or _pairs(spec, kind, list(prompts))
    _refuse_unmet(spec, pairs)
    with Judge({kind: spec}, timeout=timeout, workers=workers) as judge:

        def submit(answer: str, reference: Any) -> Future[Verdict]:
            return judge.submit(kind, answer, reference)

        own = [(a, submit(a, r)) for a, r in pairs]
        shuffled = [(f"{a!r} for {r!r}", submit(a, r)) for a, r in _shuffled(pairs)]
        empty = [(f"'' for {r!r}", submit("", r)) for _, r in pairs]
        return CheckReport(
            spec, len(pairs),
            rejected_examples=tuple(f"{a!r}: {v.because}" for a, v in _done(own) if v.ok is False),
            accepted_shuffled=tuple(what for what, v in _done(shuffled) if v.ok),
            accepted_empty=tuple(what for what, v in _done(empty) if v.ok),
            unjudged=tuple(f"{a!r}: {v.because}" for a, v in _done(own) if v.ok is None),
        )  # fmt: skip


def _done(submitted: list[tuple[str, Future[Verdict]]]) -> Iterator[tuple[str, Verdict]]:
    return ((what, future.result()) for what, future in submitted)


def _pairs(spec: str, kind: Kind, prompts: list[Prompt]) -> list[tuple[str, Any]]:
    if not prompts:
        own = registry.resolve("grader", spec).known_examples()
        if not own:
            raise RecipeError(
                f"nothing to check {spec!r} with: give prompts, or put "
                "examples = [(answer, reference)] beside it"
            )
        for pair in own:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise RecipeError(f"{spec!r}: examples has {pair!r}: accepted: (answer, reference)")
        return own
    if kind not in WRITE_ANSWER:
        raise RecipeError(
            f"right answers of kind {kind!r} cannot be written from references: "
            f"accepted: {', '.join(WRITE_ANSWER)}"
        )
    return [(WRITE_ANSWER[kind](p.reference), p.reference) for p in prompts if p.kind == kind]


def _refuse_unmet(spec: str, pairs: Sequence[tuple[str, Any]]) -> None:
    check_reference = registry.resolve("grader", spec).check_reference
    for answer, reference in pairs:
        try:
            if check_reference is not None:
                check_reference(reference)
        except ValueError as e:
            raise RecipeError(f"{spec!r}: the reference of {answer[:60]!r}: {e}") from e


def _shuffled(pairs: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each answer with the next reference whose own answer differs."""
    for i, (answer, _) in enumerate(pairs):
        later = (pairs[(i + step) % len(pairs)] for step in range(1, len(pairs)))
        other = next((reference for own, reference in later if own != answer), None)
        if other is not None:
            yield answer, other
