"""Decoding and judging sample sets, one journal each.

A sample set is some prompts and one arm. What its journal holds is never decoded again, so an
interrupted evaluation goes on from there. A completion is written down as soon as it is decoded,
its verdict still null, and again, whole, with its verdict; judging runs beside decoding. A
completion that was cut, or whose thought never closed, is wrong without asking a judge.
Not covered: what is made of the completions (``outcomes``), and how long they took (``timing``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deimos.engines.collect import RETRIES, Request, Retries, collect, open_task_group
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.store.hashing import derive_seed
from deimos.store.journal import Journal
from deimos.store.merge import Name, merge_completions
from deimos.store.schema import BenchSample, bench_sample_row
from deimos.types import Completion, JudgeAnswer, Prompt, Verdict

PENDING = 256
"""Completions of one set that may wait for a verdict at a time: beyond it no new one is started."""
SEPARATOR = "/"
"""Of the seeds of an evaluation; a race derives its own with another."""

ReportProgress = Callable[[str, int, int], None]
"""Called with a label, how many are done, and of how many."""


class EvaluationError(RuntimeError):
    """An engine failed on some completions again and again; what is done is kept."""


@dataclass(frozen=True)
class SampleSet:
    """What one journal is to hold: completions of some prompts by one arm."""

    arm: Arm
    task: str
    """What the prompts are called, in rows and messages."""
    prompts: Sequence[Prompt]
    path: Path
    repeats: int = 1
    """Completions a prompt."""
    seed: int = 0
    separator: str = SEPARATOR
    """Of the seeds: a set that is to hold what the dev pass decoded has a race's."""
    thoughts: SampleSet | None = None
    """Filled already: the same but for the think budget. Its thoughts are taken over from there, and
    only answers behind closed ones are decoded."""

    @property
    def label(self) -> str:
        """What messages and progress call it."""
        return f"{self.task} {self.arm.model_name} {self.arm.config}"

    def requests(self, models: Models) -> list[Request]:
        """Everything that the set is to hold; the same seeds for every arm."""
        rendered = {p.id: models.render_for(self.arm, p) for p in self.prompts}
        budget = models.think_budget(self.arm)
        return [
            Request(
                p, rendered[p.id], index, derive_seed(self.seed, p.id, index, self.separator),
                self.arm.decoding, budget,
            )
            for index in range(self.repeats)
            for p in self.prompts
        ]  # fmt: skip

    def read(self, models: Models) -> list[Completion]:
        """What the journal holds of it, each completion once, in the order of decoding."""
        keys = models.record_keys(self.arm, self.requests(models))
        return read_samples(self.path, keys)


def read_samples(path: Path, keys: Mapping[Name, str]) -> list[Completion]:
    """A journal's completions, each wanted one once, in the order of decoding; see ``store.merge``.

    Args:
        path: the journal.
        keys: prompt id and index to the record key that a row must have.
    """
    return list(merge_completions([path], keys.get).values())


def is_unjudged(completion: Completion) -> bool:
    """Whether a completion has no verdict, or one that does not say right or wrong."""
    return completion.verdict is None or completion.verdict.ok is None


@dataclass(frozen=True)
class Evaluator:
    """Fills sample sets.

    Args:
        models: what decodes.
        judge: says whether an answer is right.
        progress: called after each completion.
        stage: what messages and progress begin with.
        others: journals of other stages: a completion of the same record key is taken over from
            there, and judged, instead of being decoded.
        pending: see ``PENDING``.
        retries: of engines and judges.
    """

    models: Models
    judge: JudgeAnswer
    progress: ReportProgress = lambda label, done, total: None
    stage: str = "evaluation"
    others: Sequence[Path] = ()
    pending: int = PENDING
    retries: Retries = RETRIES

    async def fill(self, wanted: SampleSet) -> None:
        """Decode and judge what a sample set lacks; what is decoded but not judged is only judged.

        Raises:
            EvaluationError: some completions ended in errors at every try.
        """
        requests = wanted.requests(self.models)
        keys = self.models.record_keys(wanted.arm, requests)
        known = {(c.prompt_id, c.index): c for c in read_samples(wanted.path, keys)}
        todo = [r for r in requests if (r.prompt.id, r.index) not in known]
        borrowed = self._find_elsewhere(todo, keys)
        todo = self._take_thoughts(wanted, todo, borrowed)
        unjudged = [r for r in requests
                    if (c := known.get((r.prompt.id, r.index))) and is_unjudged(c)]  # fmt: skip
        if not todo and not unjudged:
            return
        with Journal(wanted.path) as journal:
            filling = _Filling(self, wanted, keys, journal)
            for completion in borrowed.values():
                filling.write(completion)
            known |= borrowed
            unjudged += [r for r in todo if (c := borrowed.get((r.prompt.id, r.index)))
                         and is_unjudged(c)]  # fmt: skip
            todo = [r for r in todo if (r.prompt.id, r.index) not in borrowed]
            await filling.judge_again([(r, known[r.prompt.id, r.index]) for r in unjudged])
            for _ in range(self.retries.decodings if todo else 0):
                todo = await filling.decode(todo, len(requests))
                if not todo:
                    return
        if todo:
            raise EvaluationError(
                f"{self.stage} {wanted.label}: {len(todo)} of {len(requests)} completions failed "
                f"{self.retries.decodings} times in the engine: what is done is kept, run again to resume"
            )

    async def run(
        self,
        arms: Sequence[Arm],
        prompts: Sequence[Prompt],
        folder: Path,
        *,
        task: str = "",
        repeats: int = 1,
        seed: int = 0,
    ) -> dict[Arm, list[Completion]]:
        """Decode and judge arms over prompts; a journal for each arm, named by its key.

        Run again with the same folder it decodes only what is missing.

        Args:
            arms: equal ones are decoded once.
            prompts: each id once.
            folder: of the journals.
            task: what the prompts are called, in rows and messages.
            repeats: completions a prompt.
            seed: all seeds are derived from it; the same for every arm.

        Returns:
            Each arm's completions, with verdicts.

        Raises:
            EvaluationError: some completions ended in errors at every try.
        """
        found: dict[Arm, list[Completion]] = {}
        for arm in dict.fromkeys(arms):
            key = self.models.arm_key(arm)
            named = arm if arm.config else dataclasses.replace(arm, config=key[:8])
            wanted = SampleSet(named, task, prompts, folder / f"{key}.jsonl", repeats, seed)
            await self.fill(wanted)
            found[arm] = wanted.read(self.models)
        return found

    def _find_elsewhere(
        self, todo: Sequence[Request], keys: Mapping[Name, str]
    ) -> dict[Name, Completion]:
        """Completions of other journals that are wanted here; their verdicts are not taken over."""
        missing = {name: keys[name] for r in todo if (name := (r.prompt.id, r.index))}
        found: dict[Name, Completion] = {}
        for path in self.others if missing else ():
            for completion in read_samples(path, missing):
                name = completion.prompt_id, completion.index
                found.setdefault(name, dataclasses.replace(completion, verdict=None))
        return found

    def _take_thoughts(
        self, wanted: SampleSet, todo: Sequence[Request], borrowed: dict[Name, Completion]
    ) -> list[Request]:
        """The requests, with the closed thoughts that they begin with.

        A completion whose thought is short enough is put into ``borrowed``, as it is.
        """
        if wanted.thoughts is None:
            return [*todo]
        there = {(c.prompt_id, c.index): c for c in wanted.thoughts.read(self.models)}
        begun: list[Request] = []
        for request in todo:
            name, budget = (request.prompt.id, request.index), request.think_budget
            if name not in there or name in borrowed or budget is None:
                begun.append(request)
                continue
            whole = there[name]
            ids = budget.close_thought(
                whole.completion_ids, request.rendered.think, self.models.eos_ids
            )
            if ids is None:
                borrowed[name] = whole
            fits = ids is not None and len(ids) < request.sampling.max_tokens
            begun.append(dataclasses.replace(request, begun=ids) if ids and fits else request)
        return begun


class _Filling:
    """One sample set being filled: its open journal, and how many completions wait for a verdict."""

    def __init__(
        self,
        evaluator: Evaluator,
        wanted: SampleSet,
        keys: Mapping[Name, str],
        journal: Journal,
    ) -> None:
        self._evaluator, self._wanted, self._keys = evaluator, wanted, keys
        self._journal = journal
        self._pending = 0
        self._judged = asyncio.Event()

    def write(self, completion: Completion) -> None:
        """Append a completion as it now stands; its verdict may be missing."""
        arm, key = self._wanted.arm, self._keys[completion.prompt_id, completion.index]
        sample = BenchSample(completion, key, self._wanted.task, arm.model_name, arm.config)
        self._journal.append(bench_sample_row(sample))

    async def judge_again(self, left: Sequence[tuple[Request, Completion]]) -> None:
        """Judge what earlier attempts decoded and could not judge, or did not get to judge."""
        async with open_task_group() as judging:
            for request, completion in left:
                await self._wait_for_judges()
                self._hand_over(judging, request.prompt, completion)

    async def decode(self, todo: Sequence[Request], total: int) -> list[Request]:
        """Try each request once; returns those that ended in an error."""
        evaluator, models = self._evaluator, self._evaluator.models
        label = f"{evaluator.stage} {self._wanted.label}"
        by_name = {(r.prompt.id, r.index): r for r in todo}
        failed: list[Request] = []
        done = total - len(todo)

        async def feed() -> AsyncIterator[Request]:
            for request in todo:
                await self._wait_for_judges()
                yield request

        engine = models.engine(self._wanted.arm.model)
        completions = collect(engine, models.tokenizer, models.eos_ids, feed())
        evaluator.progress(label, done, total)
        async with open_task_group() as judging, contextlib.aclosing(completions):  # pyright: ignore[reportArgumentType]
            async for completion in completions:
                request = by_name[completion.prompt_id, completion.index]
                if completion.finish == "error":
                    failed.append(request)
                    continue
                verdict = judge_structure(completion)
                completion = dataclasses.replace(completion, verdict=verdict)
                self.write(completion)
                if verdict is None:
                    self._hand_over(judging, request.prompt, completion)
                done += 1
                evaluator.progress(label, done, total)
        return failed

    async def _wait_for_judges(self) -> None:
        """Wait while too many completions have no verdict yet."""
        while self._pending >= self._evaluator.pending:
            self._judged.clear()
            await self._judged.wait()

    def _hand_over(
        self, judging: asyncio.TaskGroup, prompt: Prompt, completion: Completion
    ) -> None:
        self._pending += 1
        judging.create_task(self._judge(prompt, completion))

    async def _judge(self, prompt: Prompt, completion: Completion) -> None:
        try:
            verdict = judge_structure(completion) or await self._evaluator.retries.ask(
                lambda: self._evaluator.judge(prompt, completion.answer)
            )
        finally:
            self._pending -= 1
            self._judged.set()
        if completion.verdict is None or verdict.ok is not None:  # null again says nothing new
            self.write(dataclasses.replace(completion, verdict=verdict))


def judge_structure(completion: Completion) -> Verdict | None:
    """False for a completion that has no answer to judge; None: a judge must be asked."""
    if completion.finish != "stop":
        return Verdict.of(False, f"did not finish: {completion.finish}", "structure")
    if not completion.answer.strip():
        because = "no answer: the thought never closed, or nothing follows it"
        return Verdict.of(False, because, "structure")
    return None
