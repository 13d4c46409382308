"""What each of several samples votes for, when the most frequent answer of a problem counts.

Right answers vote alike; wrong ones alike if they are the same answer. No row is written: votes are
counted from what was decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from deimos.bench.suites import ArmName, Suite, list_stored
from deimos.evaluate.at_k import RIGHT
from deimos.evaluate.models import Models
from deimos.store.merge import Name
from deimos.types import Completion, Prompt

Votes = Mapping[tuple[ArmName, str], Mapping[Name, str]]
"""By stored arm and task: each completion's vote, "" for nothing. A completion without one is of a
kind whose answers cannot be compared."""


class CompareAnswers(Protocol):
    """What a grader thinks of two answers; see ``graders.same_answer``."""

    def name_answer(self, prompt: Prompt, answer: str) -> str | None:
        """What an answer votes for; "" nothing; None: it cannot be compared."""
        ...

    async def is_same(self, prompt: Prompt, one: str, other: str) -> bool:
        """Whether two votes are for the same answer."""
        ...


async def find_votes(suite: Suite, models: Models, compare: CompareAnswers | None) -> Votes:
    """The votes of all arms that have several samples a problem."""
    found: dict[tuple[ArmName, str], dict[Name, str]] = {}
    for arm in list_stored(suite.bench, suite.decodings) if compare else ():
        for task in suite.tasks:
            wanted = suite.sample_set(task, arm)
            if compare is None or wanted.repeats < 2 or task.judge is not None:
                continue  # a judge of the task's own says nothing of what an answer is
            samples: dict[str, list[Completion]] = {}
            for completion in wanted.read(models):
                samples.setdefault(completion.prompt_id, []).append(completion)
            votes = found.setdefault((arm, task.name), {})
            for prompt in task.prompts:
                votes |= await count_votes(prompt, samples.get(prompt.id, ()), compare)
    return found


async def count_votes(
    prompt: Prompt, samples: Sequence[Completion], compare: CompareAnswers
) -> dict[Name, str]:
    """Each sample's vote; none if answers to this prompt cannot be compared."""
    votes: dict[Name, str] = {}
    groups: list[str] = []
    """A wrong answer of each group."""
    for completion in samples:
        verdict, name = completion.verdict, (completion.prompt_id, completion.index)
        said = compare.name_answer(prompt, completion.answer)
        if said is None:
            return {}
        if verdict is not None and verdict.ok:
            votes[name] = RIGHT
        elif completion.finish != "stop" or not said:
            votes[name] = ""
        else:
            votes[name] = str(await _find_group(prompt, said, groups, compare))
    return votes


async def _find_group(prompt: Prompt, said: str, groups: list[str], compare: CompareAnswers) -> int:
    """The number of the group that an answer belongs to, a new one if need be."""
    for number, other in enumerate(groups):
        if await compare.is_same(prompt, other, said):
            return number
    groups.append(said)
    return len(groups) - 1
