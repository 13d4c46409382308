"""The values that everything else passes around.

Frozen dataclasses, and the type of who judges: no I/O, no ML, no behaviour beyond construction.
Field names are a contract; other people's scripts read them from the run folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["math", "choice", "instruction", "code"]
Finish = Literal["stop", "length", "outpaced", "malformed", "error"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One task instance."""

    id: str
    """sha256 (hex) of task, kind, messages and reference: the same content has the same id."""
    task: str
    """Benchmark or source name, e.g. ``gsm8k``."""
    kind: Kind
    messages: tuple[Mapping[str, str], ...]
    """Chat messages, ``{"role": …, "content": …}``, as the chat template takes them."""
    reference: Any
    """What the grader compares with: math a LaTeX or plain answer (str); choice
    ``{"letter": str, "options": list[str]}``; instruction ``{"instruction_id_list", "kwargs"}``;
    code ``{"tests", "entry_point"?, "setup"?}``."""
    source: str = ""
    licence: str = ""
    level: str = ""
    """How hard its data set says it is (``3``); empty if it does not. No part of the id."""

    @classmethod
    def of(
        cls,
        *,
        task: str,
        kind: Kind,
        messages: Sequence[Mapping[str, str]],
        reference: Any,
        source: str = "",
        licence: str = "",
        level: str = "",
    ) -> Prompt:
        """Build a prompt; its id is the hash of what is asked and how it is judged."""
        content = json.dumps(
            [task, kind, [dict(m) for m in messages], reference],
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
        )
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
        said = tuple(dict(message) for message in messages)
        return cls(digest, task, kind, said, reference, source, licence, level)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; names and meanings are vLLM's ``SamplingParams``."""

    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps all tokens."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    """Over prompt and output tokens; 1.0 is off."""
    presence_penalty: float = 0.0
    """Over output tokens."""
    frequency_penalty: float = 0.0
    """Over output tokens."""
    max_tokens: int = 4096
    """Completion budget in tokens, thinking and end-of-turn token included."""


NullReason = Literal["timeout", "failure", "unsupported", "unreadable"]
"""Why a verdict is null: time was over; the judging process failed; the tests are none that a program
can be judged by (code); or the grader cannot say, most often because the reference cannot be read."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What two simpler checks say of a math answer."""

    plain: bool
    """Normalised texts or numbers are equal."""
    math_verify: bool | None
    """math-verify alone, with its own defaults; None: it could not say."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter or grader found for one answer."""

    ok: bool | None
    """True, False, or None: could not be judged (never counted as wrong)."""
    because: str = ""
    """One short sentence."""
    stage: str = "correctness"
    """The filter that decided: structure, correctness, presentation or length."""
    second: SecondOpinion | None = None
    """Of a math answer; None: not asked for."""
    metrics: Mapping[str, Any] | None = None
    """Of an answer to an lm-eval task: what each of the task's metrics says, by metric and filter as
    lm-eval writes them (``exact_match,strict-match``): a number, or a list of them."""

    @classmethod
    def of(cls, ok: bool | None, because: str = "", stage: str = "correctness") -> Verdict:
        """Build a verdict from what was found and the reason for it."""
        return cls(ok=ok, because=because, stage=stage)


def null_reason(because: str) -> NullReason:
    """Why a verdict is null, read from its sentence."""
    if because.startswith("timeout"):
        return "timeout"
    if because.startswith("infrastructure"):
        return "failure"
    return "unsupported" if because.startswith("unsupported") else "unreadable"


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled output, split into thought and answer."""

    prompt_id: str
    index: int
    """Which of the prompt's candidates, from 0."""
    seed: int
    think: str
    answer: str
    text: str
    """The completion as decoded, tags included, end-of-turn token excluded."""
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    """Exactly what was sampled, end-of-turn token included if there was one."""
    think_tokens: int
    """Tokens of the thought, tags excluded; in the plain shape, of the whole text."""
    answer_tokens: int
    finish: Finish
    outpaced_by: int | None
    """Index of the candidate that won the race, if finish is outpaced."""
    seconds: float
    """From dispatch to last token, wall clock."""
    engine: str
    """Engine name and version."""
    verdict: Verdict | None = None
    proposer: str = "plain"
    """Name of the recipe's proposer that it is of."""


JudgeAnswer = Callable[[Prompt, str], Awaitable[Verdict]]
"""Says whether an answer to a prompt is right; what a recipe's graders amount to."""
