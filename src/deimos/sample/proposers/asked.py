"""How each candidate of a prompt is asked: as it stands, with an instruction, or behind examples.

What is added is there while sampling only: the training prompt is always the plain one.
"""

from __future__ import annotations

from collections.abc import Sequence

from deimos.evaluate.arms import add_instruction
from deimos.prompts.examples import WorkedExample, add_examples
from deimos.recipe import FewShotProposer, InstructionProposer, Proposer
from deimos.sample.model import RenderMessages
from deimos.sample.prompt_race import CandidatePrompt, RacePrompt
from deimos.sample.proposers.exemplars import Exemplars
from deimos.thinking import Shape


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
        chosen = exemplars.choose(proposer, entry.prompt)
        shown = [WorkedExample(row.question, row.think, row.answer) for row in chosen]
        turns = entry.rendered.shape is Shape.PLAIN
        return CandidatePrompt(render(add_examples(messages, shown, turns=turns)), proposer.name)
    return CandidatePrompt(entry.rendered, proposer.name)
