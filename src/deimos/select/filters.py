"""Filters 1 to 3: structure, correctness, presentation, in this order.

Each judges one candidate by itself, against constants frozen before the race, so the race may ask
at any time and get the answer that selection gets. The judge of correctness comes in as an
argument and sees the answer, never the thought. Filter 4 (length) is in ``policy.py``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deimos.recipe import Select
from deimos.select.function_words import function_word_rate
from deimos.store.schema import VerdictRow
from deimos.thinking import Shape, Tags, split
from deimos.types import Completion, JudgeAnswer, Prompt, SecondOpinion, Verdict

AskSecond = Callable[[Prompt, str], Awaitable[SecondOpinion | None]]
"""Gives a second opinion on an answer to a prompt; None where there is none."""
_RESIDUE = re.compile(
    r"</?\s*(?:think(?:ing)?|thought|reason(?:ing)?|reflection|scratchpad)\s*>"
    r"|<\|[A-Za-z0-9_]+\|>"
    r"|(?:^[ \t]*|(?<=[.!?]\s))(?:"
    r"(?:wait|hold on)\b(?=\s*(?:[,.!?:;…—–-]|$|(?:no|but|so|actually)\b))"
    r"|hmm+\b|let me (?:re-?check|double[- ]check|think|re-?think)\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""Tags of any model's thinking, control tokens, and a sentence that thinks aloud from its first word
("Wait, that is"; "Wait until it has cooled" is advice)."""
_CODE_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def judge_structure(completion: Completion, shape: Shape, tags: Tags | None) -> Verdict:
    """Filter 1: it ended by itself, has the tags of its shape, and an answer that is not empty."""
    parts = split(completion.text, shape, tags)
    match completion.finish:
        case "error":
            return Verdict(None, "the engine failed", "structure")
        case "length":
            fault = "cut off at the token budget"
        case "malformed" | "outpaced":
            fault = "stopped before its end"
        case _ if parts.malformed:
            fault = parts.malformed
        case _ if not parts.closed:
            fault = "the thought is never closed"
        case _ if not parts.answer.strip():
            fault = "the answer is empty"
        case _:
            return Verdict(True, "", "structure")
    return Verdict(False, fault, "structure")


def judge_presentation(
    prompt: Prompt,
    completion: Completion,
    select: Select,
    *,
    shape: Shape,
    least_function_words: float | None,
) -> Verdict:
    """Filter 3: an answer without thinking aloud, not too long, in whole sentences.

    Args:
        prompt: its kind decides which limits hold.
        completion: its answer is judged, never its thought.
        select: the recipe's limits.
        shape: of thinking.
        least_function_words: the 5th percentile of the base's own rates on dev; None: not checked.
    """
    answer, longest = completion.answer, select.answer_max.get(prompt.kind)
    if longest is not None and completion.answer_tokens > longest:
        fault = f"the answer has {completion.answer_tokens} tokens, more than {longest}"
    # In the plain shape the answer is the trace itself, which may think aloud.
    elif shape is not Shape.PLAIN and (residue := _RESIDUE.search(_CODE_BLOCK.sub(" ", answer))):
        fault = f"thinking left in the answer: {residue.group().strip()!r}"
    elif select.function_words and (
        fault := _too_few_function_words(prompt, answer, least_function_words)
    ):
        pass
    else:
        return Verdict(True, "", "presentation")
    return Verdict(False, fault, "presentation")


def _too_few_function_words(prompt: Prompt, answer: str, least: float | None) -> str:
    rate = function_word_rate(answer, prompt.kind)
    if rate is None or least is None or rate >= least:
        return ""
    return f"function words are {rate:.0%} of the answer's words, under the base's {least:.0%}"


def correctness_of(verdict: Verdict | None) -> Verdict | None:
    """What a verdict of the three filters says of correctness alone; None if it does not say."""
    if verdict is None or verdict.ok is None:
        return None
    if verdict.ok or verdict.stage == "presentation":
        return Verdict(True, second=verdict.second)
    return verdict if verdict.stage == "correctness" else None


def is_correct(row: VerdictRow) -> bool | None:
    """What the grader said of a judged candidate, whatever later filters did; None: it could not."""
    return row.ok if row.stage == "correctness" else True


@dataclass(frozen=True)
class CandidateFilters:
    """The three filters as one; a candidate that passes has ``ok`` True.

    Attributes:
        constants: what the dev pass measured; None: of the dev pass itself, without presentation.
        second: gives verdicts a second opinion; None: none is asked for, as in the race.
    """

    select: Select
    shape: Shape
    tags: Tags | None
    judge: JudgeAnswer
    constants: Mapping[str, Any] | None
    second: AskSecond | None = None

    async def __call__(self, prompt: Prompt, completion: Completion) -> Verdict:
        """The verdict on one candidate."""
        return await self.with_correctness(prompt, completion, None)

    async def with_correctness(
        self, prompt: Prompt, completion: Completion, known: Verdict | None
    ) -> Verdict:
        """The verdict on a candidate whose correctness may be known; filters 1 and 3 always run."""
        verdict = judge_structure(completion, self.shape, self.tags)
        if not verdict.ok:
            return verdict
        verdict = known or await self.judge(prompt, completion.answer)
        if self.second and verdict.second is None:
            verdict = replace(verdict, second=await self.second(prompt, completion.answer))
        if not verdict.ok or self.constants is None:
            return replace(verdict, stage="correctness")
        shown = judge_presentation(
            prompt,
            completion,
            self.select,
            shape=self.shape,
            least_function_words=self.constants["function_word_rate_p5"],
        )
        because = verdict.because if shown.ok else shown.because
        return Verdict(shown.ok, because, "presentation", verdict.second)


def gate_for(
    select: Select, tags: Tags | None, judge: JudgeAnswer, second: AskSecond | None = None
) -> Callable[[Shape, Mapping[str, Any] | None], CandidateFilters]:
    """What makes the filters once the dev pass has found the shape and the constants."""

    def make(shape: Shape, constants: Mapping[str, Any] | None) -> CandidateFilters:
        return CandidateFilters(select, shape, tags, judge, constants, second)

    return make
