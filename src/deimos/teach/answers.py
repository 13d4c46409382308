"""The answers behind closed thoughts: what is decoded, judged and kept for each gold."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deimos.engines.collect import RETRIES, Request, collect, open_task_group
from deimos.engines.think_budget import find_closing
from deimos.evaluate.arms import add_instruction
from deimos.evaluate.models import Models
from deimos.evaluate.samples import EvaluationError
from deimos.models.ref import ModelRef
from deimos.recipe import Sample, Teach
from deimos.store.candidates import record_key, sampled_with
from deimos.store.hashing import derive_seed, fingerprint
from deimos.store.journal import Journal
from deimos.store.merge import Name
from deimos.store.schema import Gold, completion_row
from deimos.thinking import Rendered, render
from deimos.types import Completion, Prompt, Verdict

SEPARATOR = "|"
"""Of the seeds of these answers; races and evaluations have others."""
AT_ONCE = 64
"""Answers that wait for a judge together."""
JudgeTaught = Callable[[Prompt, Completion], Awaitable[Verdict]]
"""Filters 1 to 3."""


@dataclass(frozen=True)
class Lesson:
    """A gold as it is to be taught, without its answer."""

    gold: Gold
    prompt: Prompt
    rendered: Rendered
    """The training prompt: the plain question, the thought opened."""
    thought: tuple[int, ...]
    """The gold's own ids without its end of turn, and those that close the thought."""


@dataclass(frozen=True)
class Teaching:
    """What makes lessons of golds, and requests of lessons.

    Args:
        teach: the recipe's settings.
        sample: how answers after the first one are drawn.
        model: decodes them: the base.
        tokenizer: with the taught chat template.
        eos_ids: ids that end a turn.
        today: the date that the chat template may write.
    """

    teach: Teach
    sample: Sample
    model: ModelRef
    tokenizer: Any
    eos_ids: frozenset[int]
    today: Any = None

    def lesson_of(self, gold: Gold, prompt: Prompt) -> Lesson:
        """The lesson of a gold whose text holds no tag (``find_fault``)."""
        before, close = find_closing(self.tokenizer, self.teach.tags)
        ids = gold.completion_ids
        spoken = ids[:-1] if ids and ids[-1] in self.eos_ids else ids
        return Lesson(gold, prompt, self._render(gold), (*spoken, *before, *close))

    def find_fault(self, gold: Gold) -> str:
        """Why a gold cannot become a thought; empty if it can."""
        text = self.tokenizer.decode(gold.completion_ids, skip_special_tokens=False)
        tag = next((t for t in (self.teach.open, self.teach.close) if t in text), "")
        return f"its text holds {tag}, which is to be a tag" if tag else ""

    def requests_of(self, lesson: Lesson) -> list[Request]:
        """Every answer that may be decoded behind a thought; the first one greedily."""
        asked = self._render(lesson.gold, self.teach.asked)
        room, drawn = len(lesson.thought) + self.teach.max_tokens, self.sample.sampling.value()
        return [
            Request(
                lesson.prompt,
                asked,
                index,
                derive_seed(self.teach.seed, lesson.prompt.id, index, SEPARATOR),
                dataclasses.replace(
                    drawn, max_tokens=room, **({} if index else {"temperature": 0.0})
                ),
                begun=lesson.thought,
            )
            for index in range(self.teach.answers)
        ]

    def key_of(self, request: Request) -> str:
        """The record key of an answer."""
        made_with = sampled_with(
            self.model.path,
            revision=self.model.revision,
            dtype=self.model.dtype,
            template=str(self.tokenizer.chat_template),
            sampling=request.sampling,
        )
        begun = fingerprint([made_with, list(request.begun)])
        return record_key(begun, request.rendered.text, request.index, request.seed)

    def _render(self, gold: Gold, instruction: str = "") -> Rendered:
        messages = add_instruction(gold.messages, instruction)
        return render(
            self.tokenizer, messages, tags=self.teach.tags, thinking=True, today=self.today
        )


async def decode_answers(
    models: Models,
    model: ModelRef,
    requests: Mapping[Name, Request],
    keys: Mapping[Name, str],
    gate: JudgeTaught,
    journal: Journal,
    progress: Callable[[int], None],
) -> dict[Name, Completion]:
    """Decode and judge answers, each written to the journal with its verdict.

    Args:
        models: opens the engine.
        model: decodes.
        requests: by prompt id and index: those that are not in the journal.
        keys: the record keys.
        gate: judges them.
        journal: open, to append to.
        progress: called with how many are decoded.

    Raises:
        EvaluationError: the engine failed on some of them at every try.
    """
    found: dict[Name, Completion] = {}
    places = asyncio.Semaphore(AT_ONCE)
    todo = list(requests.values())

    async def judge(completion: Completion, prompt: Prompt) -> None:
        async with places:
            verdict = await RETRIES.ask(lambda: gate(prompt, completion))
        name = completion.prompt_id, completion.index
        found[name] = dataclasses.replace(completion, verdict=verdict)
        journal.append({**completion_row(found[name]), "key": keys[name]})

    for _ in range(RETRIES.decodings):
        failed: list[Request] = []
        async with open_task_group() as judging:
            async for completion in _decode(models, model, todo):
                request = requests[completion.prompt_id, completion.index]
                if completion.finish == "error":
                    failed.append(request)
                    continue
                judging.create_task(judge(completion, request.prompt))
                progress(len(found))
        if not failed:
            return found
        todo = failed
    raise EvaluationError(
        f"teach: {len(todo)} of {len(requests)} answers failed {RETRIES.decodings} times in the engine: what "
        "is done is kept, run again to resume"
    )


async def _decode(
    models: Models, model: ModelRef, requests: Sequence[Request]
) -> AsyncIterator[Completion]:
    completions = collect(models.engine(model), models.tokenizer, models.eos_ids, requests)
    async with contextlib.aclosing(completions):  # pyright: ignore[reportArgumentType]
        async for completion in completions:
            yield completion


def choose_answer(answers: Sequence[Completion]) -> Completion | None:
    """The answer that is kept of those behind one thought: the shortest that passed, if any did."""
    passed = [c for c in answers if c.verdict and c.verdict.ok]
    return min(passed, key=lambda c: (c.answer_tokens, c.index), default=None)
