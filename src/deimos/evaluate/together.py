"""Several sample sets of one model decoded at once, so that small ones don't leave the engine idle.

A suite has tasks of thirty problems, and an engine has places for hundreds of candidates. Not
covered: a cluster, whose engines spread one set over all workers; there, sets follow one another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from deimos.engines.collect import open_task_group
from deimos.evaluate.samples import Evaluator, ReportProgress, SampleSet
from deimos.types import JudgeAnswer

Judged = tuple[SampleSet, JudgeAnswer]
"""A sample set and who judges its answers."""


async def fill_together(evaluator: Evaluator, wanted: Sequence[Judged]) -> None:
    """Fill sample sets of one model; what is there is kept, as ``Evaluator.fill`` does.

    An engine tells candidates apart by prompt and index, so sets that share a prompt (thinking on
    and off) follow one another.

    Args:
        evaluator: its judge is not asked.
        wanted: all of the same model.

    Raises:
        EvaluationError: some completions of a set ended in errors at every try.
    """
    for wave in split_waves(wanted, together=not evaluator.models.elsewhere):
        report = evaluator.progress if len(wave) == 1 else _add_up(evaluator, wave)
        async with evaluator.models.share(wave[0][0].arm.model), open_task_group() as group:
            for each, judge in wave:
                own = dataclasses.replace(evaluator, judge=judge, progress=report)
                group.create_task(own.fill(each))


def split_waves(wanted: Sequence[Judged], *, together: bool = True) -> list[list[Judged]]:
    """The sets in groups that have no prompt twice, each as early as that allows."""
    waves: list[tuple[set[str], list[Judged]]] = []
    for each in wanted:
        ids = {prompt.id for prompt in each[0].prompts}
        free = (wave for wave in waves if together and not ids & wave[0])
        found = next(free, None)
        if found is None:
            found = set(), []
            waves.append(found)
        found[0].update(ids)
        found[1].append(each)
    return [sets for _, sets in waves]


def _add_up(evaluator: Evaluator, wave: Sequence[Judged]) -> ReportProgress:
    """Progress of all sets that have something to do, as one number."""
    arm = wave[0][0].arm
    counts: dict[str, tuple[int, int]] = {}

    def report(label: str, done: int, total: int) -> None:
        counts[label] = done, total
        done, total = (sum(numbers) for numbers in zip(*counts.values()))
        evaluator.progress(f"{evaluator.stage} {arm.model_name} {arm.config}", done, total)

    return report
