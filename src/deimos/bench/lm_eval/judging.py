"""Scoring lm-eval's tasks in a worker process that can be killed: one process for all of a bench's tasks.

Scoring is lm-eval's code, some of which can hang (sympy): the process is killed at a deadline and
replaced. It loads a task when the task's first answer comes, so that a suite of 26 tasks costs one
start and one lm-eval in memory. Not covered: what a score is (``problems``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence

from deimos.graders.worker.pool import Judge, MadeGrader
from deimos.graders.worker.process import NotLoaded
from deimos.recipe import TaskSettings
from deimos.types import Prompt, Verdict

START_SECONDS = 300.0
"""For the scoring process to import lm-eval and load a task's data."""
SCORE_SECONDS = 30.0
"""For one answer; lm-eval's own timeouts are shorter."""


class ScoringError(RuntimeError):
    """The process that scores answers does not start; one sentence."""


def open_scorers(tasks: Sequence[TaskSettings]) -> Judge:
    """The process that scores some tasks' answers, a kind a task; it starts at the first answer.

    Args:
        tasks: with ``lm_eval``, of different names.
    """
    graders = {
        task.name: MadeGrader(
            "deimos.bench.lm_eval.problems:make_scorer",
            {"settings": task.model_dump(mode="json")},
            SCORE_SECONDS,
            START_SECONDS,
        )
        for task in tasks
    }
    # Its data may be on the Hub, in a cache that the environment names, or ask for a token.
    return Judge(graders, environment=dict(os.environ))


class LmEvalJudge:
    """Verdicts on a task's answers.

    Args:
        task: with ``lm_eval``.
        documents: prompt id to the document's number.
        scorers: the process, which may score other tasks too; ``close`` ends it for all.
    """

    def __init__(self, task: TaskSettings, documents: Mapping[str, int], scorers: Judge) -> None:
        self._task, self._documents = task, documents
        self._scorers = scorers

    async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
        """Judge an answer; null if the scorer fails, dies or takes too long.

        Raises:
            ScoringError: the task cannot be loaded there, which would make every verdict null.
        """
        try:
            future = self._scorers.submit(self._task.name, answer, self._documents[prompt.id])
            return await asyncio.wrap_future(future)
        except NotLoaded as e:
            raise ScoringError(
                f"bench: the process that scores {self._task.name!r} with lm-eval does not start: {e}"
            ) from e

    def close(self) -> None:
        """End the process."""
        self._scorers.close()
