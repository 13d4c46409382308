"""How each candidate of a prompt is asked: as it stands, with an instruction, or behind examples.

What is added is there while sampling only: the training prompt is always the plain one. In the plain
grammar examples are turns of the conversation; of a model that thinks in tags they are text in the
user's message, because templates drop the thoughts of earlier turns. Either way they come before the
question, so that all prompts with the same examples begin alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deimos.evaluate.arms import add_instruction
from deimos.recipe import FewShotProposer, InstructionProposer, Proposer
from deimos.sample.model import RenderMessages
from deimos.sample.prompt_race import CandidatePrompt, RacePrompt
from deimos.sample.proposers.exemplars import Exemplars
from deimos.store.schema import ExemplarRow
from deimos.thinking import Shape

_HEAD = "Worked examples; think as tersely as they do."


def ask_prompt(
    entry: RacePrompt, proposers: Sequence[Proposer], exemplars: Exemplars, render: RenderMessages
) -> tuple[CandidatePrompt, ...]:
    """How the candidates of one prompt are asked, by index.

    Args:
        entry: the prompt, plainly rendered.
        proposers: each candidate's, by index; those made of other candidates are asked plainly.
        exemplars: what few_shot shows.
        render: as the recipe says.
    """
    known: dict[str, CandidatePrompt] = {}
    for proposer in proposers:
        if proposer.name not in known:
            known[proposer.name] = _ask(entry, proposer, exemplars, render)
    return tuple(known[proposer.name] for proposer in proposers)


def _ask(
    entry: RacePrompt, proposer: Proposer, exemplars: Exemplars, render: RenderMessages
) -> CandidatePrompt:
    messages = entry.prompt.messages
    if isinstance(proposer, InstructionProposer):
        longer = add_instruction(messages, proposer.instruction)
        return CandidatePrompt(render(longer), proposer.name)
    if isinstance(proposer, FewShotProposer):
        shown = exemplars.choose(proposer, entry.prompt)
        turns = entry.rendered.shape is Shape.PLAIN
        return CandidatePrompt(render(add_exemplars(messages, shown, turns=turns)), proposer.name)
    return CandidatePrompt(entry.rendered, proposer.name)


def add_exemplars(
    messages: Sequence[Mapping[str, str]], shown: Sequence[ExemplarRow], *, turns: bool
) -> Sequence[Mapping[str, str]]:
    """The messages with worked examples before what the user says last.

    Args:
        messages: of the prompt.
        shown: the examples, in order.
        turns: as turns of the conversation; else as text in the user's message.
    """
    users = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if not shown or not users:
        return messages
    at = users[-1]
    if turns:
        return [*messages[:at], *_turns(shown), *messages[at:]]
    examples = "\n\n".join(_example(number, one) for number, one in enumerate(shown, 1))
    content = f"{_HEAD}\n\n{examples}\n\nNow the question:\n\n{messages[at]['content']}"
    return [*messages[:at], {**messages[at], "content": content}, *messages[at + 1 :]]


def _turns(shown: Sequence[ExemplarRow]) -> list[Mapping[str, str]]:
    return [
        {"role": role, "content": content}
        for one in shown
        for role, content in (
            ("user", one.question),
            ("assistant", f"{one.think}\n\n{one.answer}" if one.think else one.answer),
        )
    ]


def _example(number: int, one: ExemplarRow) -> str:
    thought = f"\nThought: {one.think}" if one.think else ""
    return f"Example {number}\nQuestion: {one.question}{thought}\nAnswer: {one.answer}"
