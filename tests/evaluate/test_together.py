"""Sample sets of one model decoded at once, on a scripted engine that says how busy it was."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from deimos.engines.base import Done, Event, Job
from deimos.evaluate.arms import Arm
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.evaluate.together import fill_together, split_waves
from deimos.types import Prompt, Sampling, Verdict

GREEDY = Sampling(temperature=0.0, max_tokens=64)


async def right(prompt: Prompt, answer: str) -> Verdict:
    return Verdict.of(f"{{{prompt.reference}}}" in answer)


async def wrong(prompt: Prompt, answer: str) -> Verdict:
    return Verdict.of(False, "asked the other judge")


def sets(arm: Arm, prompts: list[Prompt], folder, size: int) -> list[SampleSet]:
    parts = [prompts[i : i + size] for i in range(0, len(prompts), size)]
    return [SampleSet(arm, f"t{i}", part, folder / f"t{i}.jsonl") for i, part in enumerate(parts)]


class Watched:
    """An engine, and how many jobs it held at most."""

    def __init__(self, engine) -> None:
        self.name, self.capabilities, self._engine = engine.name, engine.capabilities, engine
        self.most = self.held = 0

    def stop(self, key) -> None:
        self._engine.stop(key)

    def cap(self, key, think_tokens) -> None:
        self._engine.cap(key, think_tokens)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        async def counted():
            async for job in jobs:
                self.held += 1
                self.most = max(self.most, self.held)
                yield job

        async for event in self._engine.sample(counted()):
            self.held -= isinstance(event, Done)
            yield event


def watch(models, model) -> Watched:
    watched = Watched(models.engine(model))
    models._engines[model] = watched
    return watched


def test_small_sets_fill_the_engine_together_and_say_what_they_say_alone(
    models, model, problems, asked, folder, tmp_path
):
    arm = Arm(model, GREEDY, None, "base", "locked")
    engine, told = watch(models, model), []
    evaluator = Evaluator(models, wrong, lambda *said: told.append(said), "bench")
    wanted = sets(arm, problems(6), folder, 1)
    asyncio.run(fill_together(evaluator, [(each, right) for each in wanted]))
    assert engine.most == 4, "the engine has four places, each set needs one"
    together = [each.read(models) for each in wanted]
    assert [c.verdict.ok for cs in together for c in cs] == [True] * 6 and len(asked) == 6
    assert told[-1] == ("bench base locked", 6, 6)

    alone = [dataclasses.replace(e, path=tmp_path / e.path.name) for e in wanted]
    for each in alone:
        asyncio.run(dataclasses.replace(evaluator, judge=right).fill(each))
    strip = [dataclasses.replace(c, seconds=0.0) for e in alone for c in e.read(models)]
    assert strip == [dataclasses.replace(c, seconds=0.0) for cs in together for c in cs]

    asked.clear()
    asyncio.run(fill_together(evaluator, [(each, wrong) for each in wanted]))
    assert asked == [] and [each.read(models) for each in wanted] == together


def test_each_set_is_judged_by_its_own_judge(models, model, problems, folder):
    arm = Arm(model, GREEDY, None, "base", "locked")
    first, second = sets(arm, problems(4), folder, 2)
    asyncio.run(fill_together(Evaluator(models, wrong), [(first, right), (second, wrong)]))
    assert [c.verdict.ok for c in first.read(models)] == [True, True]
    assert [c.verdict.because for c in second.read(models)] == ["asked the other judge"] * 2


def test_sets_that_share_a_prompt_follow_one_another(model, problems, folder):
    arm = Arm(model, GREEDY)
    a, b, c = (
        SampleSet(arm, n, problems(k), folder / n) for n, k in (("a", 2), ("b", 1), ("c", 0))
    )
    judged = [(a, right), (b, right), (c, right)]
    assert split_waves(judged) == [[judged[0], judged[2]], [judged[1]]]
    assert split_waves(judged, together=False) == [[each] for each in judged]


def test_a_set_that_fails_ends_all_and_what_is_done_is_kept(models, model, problems, folder):
    arm = Arm(model, GREEDY, None, "base", "locked")
    first, second = sets(arm, problems(2), folder, 1)

    async def breaks(prompt: Prompt, answer: str) -> Verdict:
        raise RuntimeError("no judge")

    try:
        asyncio.run(fill_together(Evaluator(models, wrong), [(first, right), (second, breaks)]))
    except RuntimeError as e:
        assert str(e) == "no judge"
    else:
        raise AssertionError("it must say why it ended")
    assert len(second.read(models)) == 1


class Lingering(Watched):
    """An engine that takes a moment to leave ``sample``, and takes one call at a time."""

    busy = False

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        assert not self.busy, "already sampling"
        self.busy = True
        try:
            async for event in super().sample(jobs):
                yield event
            await asyncio.sleep(0.05)
        finally:
            self.busy = False


def test_the_next_sets_wait_until_the_engine_has_been_left(models, model, problems, folder):
    arm = Arm(model, GREEDY, None, "base", "locked")
    models._engines[model] = Lingering(models.engine(model))
    first, second = sets(arm, problems(4), folder, 2)

    async def one_after_the_other() -> None:
        for each in (first, second):
            await fill_together(Evaluator(models, right), [(each, right)])

    asyncio.run(one_after_the_other())
    assert len(first.read(models)) == len(second.read(models)) == 2
