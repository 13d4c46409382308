"""Rewriting: a teacher puts a passing trace into compact fragments, and the model answers behind them.

The fragments become the thought, and the model answers by itself: what follows the closed thought is
its own ids. In the plain grammar the fragments begin the text, and what the model writes behind them
must be right by itself, without the fragments. The thought is not the model's own, so the gold is
marked ``rendered``.
"""

from __future__ import annotations

from dataclasses import replace

from deimos.engines.base import Key
from deimos.recipe import RewriteProposer
from deimos.sample.proposers.attempt import Attempt, DecodingFailed
from deimos.sample.proposers.cuts import find_thought
from deimos.sample.proposers.exemplars import question_in
from deimos.sample.proposers.teacher import Rewritten, Teacher
from deimos.store.schema import StepRow
from deimos.thinking import Shape
from deimos.types import Completion

TEACHER_STEP, ANSWER_STEP = 0, 1


async def rewrite(attempt: Attempt, teacher: Teacher) -> Completion:
    """The candidate whose thought the teacher wrote, its verdict included.

    Malformed if the teacher wrote no usable thought; outpaced if it is longer than the winner's.

    Raises:
        DecodingFailed: an engine failed at every try.
    """
    written = await _ask_teacher(attempt, teacher)
    shape, tags = attempt.entry.rendered.shape, attempt.entry.rendered.tags
    if shape is Shape.SHUT:
        return attempt.fail("the prompt has no place for a thought: thinking is off")
    if written.finish == "length":
        return attempt.fail("the teacher's rewrite was cut off at its token budget")
    if not written.text:
        return attempt.fail("the teacher wrote nothing")
    if tags and (tags.open in written.text or tags.close in written.text):
        return attempt.fail("the teacher's rewrite holds a tag")
    ids = _thought(attempt, written.text)
    thought = attempt.unfinished(ids)
    if attempt.is_over_budget(thought):
        budget = attempt.tools.settings.think_budget
        return attempt.fail(f"thought longer than the budget of {budget}", last=thought)
    if attempt.is_beaten(thought.think_tokens):
        return attempt.outpace(ids)
    begun = (*ids, *attempt.tools.before, *attempt.tools.close)
    if not attempt.has_room(begun):
        return attempt.fail("no token of the budget is left for an answer", last=thought)
    return await _judge(attempt, begun, await attempt.answer(begun, ANSWER_STEP))


async def _ask_teacher(attempt: Attempt, teacher: Teacher) -> Rewritten:
    steps = attempt.tools.steps
    row = steps.find(attempt.key, TEACHER_STEP)
    if row is not None:
        return Rewritten(row.text or "", row.tokens, row.finish, row.ids, row.seconds)
    proposer, source = attempt.proposer, attempt.source
    assert isinstance(proposer, RewriteProposer)
    content = (
        f"{proposer.text}\n\nQuestion:\n{question_in(attempt.prompt)}\n\n"
        f"Reasoning:\n{source.think or source.answer}"
    )
    key = Key(attempt.prompt.id, attempt.index)
    messages = [{"role": "user", "content": content}]
    written = await teacher.write(key, messages, attempt.step_seed(TEACHER_STEP))
    if written.finish == "error":
        raise DecodingFailed(written.error)
    row = StepRow(
        attempt.key, attempt.prompt.id, attempt.index, TEACHER_STEP, "teacher",
        written.ids, written.text, written.tokens, written.finish, written.seconds,
    )  # fmt: skip
    steps.write(row)
    return written


def _thought(attempt: Attempt, text: str) -> tuple[int, ...]:
    """The ids of a completion with this thought, not closed yet; begun as the model began its own."""
    tools, ids = attempt.tools, attempt.source.completion_ids
    if attempt.entry.rendered.shape is Shape.PLAIN:
        return tools.encode(f"{text}\n\n")
    span = find_thought(ids, attempt.entry.rendered.think)
    own = tools.text(ids[span])
    return (*ids[: span.start], *tools.encode(own[: len(own) - len(own.lstrip())] + text))


async def _judge(attempt: Attempt, begun: tuple[int, ...], completion: Completion) -> Completion:
    """The completion with its verdict; in the plain grammar its own part is judged first."""
    if attempt.entry.rendered.shape is Shape.PLAIN:
        own = completion.text[len(attempt.tools.text(begun)) :].strip()
        alone = await attempt.judge(replace(completion, text=own, answer=own))
        if not alone.ok:
            because = f"what the model wrote behind the rewrite: {alone.because}"
            return replace(completion, verdict=replace(alone, because=because))
    return replace(completion, verdict=await attempt.judge(completion))
