"""Whether two wrong answers to a problem are the same answer, by the notion of the grader that judged them.

For counting votes: a math answer votes for the value of its final expression, a choice for the option
that it names. Right answers are the same one by definition and need no comparing. Not covered: other
kinds, and graders of a recipe's own, whose notion of an answer is not known here. An answer of more
than 20,000 characters is like no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from deimos.graders.choice import DIGITS, IN_PROCESS_LENGTH, find_named_labels
from deimos.graders.math import exact_value, final_expressions
from deimos.graders.math.compare import same, spelling
from deimos.graders.math.tokens import Unreadable
from deimos.graders.worker.pool import Judge, MadeGrader
from deimos.graders.worker.process import START_SECONDS
from deimos.registry import BUILTIN
from deimos.types import Kind, Prompt, Verdict

MAKER = "deimos.graders.same_answer:make_comparison"
_SAME = "same answer"
"""The kind of requests to the process that compares."""
SECONDS = 2.0
"""Of processor time for comparing two expressions; then they count as different."""


class AnswerComparer:
    """Says what an answer votes for, and whether two votes are for the same; to be closed after use.

    Args:
        graders: grader per kind, as a recipe names them.
    """

    def __init__(self, graders: Mapping[Kind, str]) -> None:
        self._kinds = {
            kind for kind in ("math", "choice") if graders.get(kind) in BUILTIN["grader"]
        }
        grader = MadeGrader(MAKER, {}, SECONDS, START_SECONDS)
        self._pool = Judge({_SAME: grader})

    def name_answer(self, prompt: Prompt, answer: str) -> str | None:
        """What an answer votes for: an option's label or a spelling; "" for nothing.

        Returns:
            None if the answers of this kind cannot be compared.
        """
        if prompt.kind not in self._kinds:
            return None
        if len(answer) > IN_PROCESS_LENGTH:
            return answer
        return (
            _option(answer, prompt.reference) if prompt.kind == "choice" else _final(answer, prompt)
        )

    async def is_same(self, prompt: Prompt, one: str, other: str) -> bool:
        """Whether two votes, as ``name_answer`` gives them, are for the same answer."""
        if one == other or prompt.kind != "math" or max(map(len, (one, other))) > IN_PROCESS_LENGTH:
            return one == other
        values = exact_value(one), exact_value(other)
        if None not in values:
            return _are_same(one, other)
        verdict = await asyncio.wrap_future(self._pool.submit(_SAME, other, one))
        return verdict.ok is True

    def close(self) -> None:
        """End the process that compares, if one was started."""
        self._pool.close()


def make_comparison() -> Callable[[str, Any], Verdict]:
    """What a worker process compares expressions with."""
    return lambda other, one: Verdict.of(_are_same(str(one), other))


def _are_same(one: str, other: str) -> bool:
    try:
        return same(one, other, settled=False)
    except Unreadable:
        return False


def _option(answer: str, reference: Mapping[str, Any]) -> str:
    """The one option that an answer names; "" if it names none or several."""
    digits = str(reference["letter"]).strip() in DIGITS
    named = find_named_labels(answer, reference["options"], digits=digits)
    return next(iter(named)) if len(named) == 1 else ""


def _final(answer: str, prompt: Prompt) -> str:
    finals = final_expressions(answer, prompt.reference)
    return spelling(finals[-1]) if finals else ""
