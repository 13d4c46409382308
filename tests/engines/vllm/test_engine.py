"""The vllm engine over a scripted vLLM: everything of ours, without the package.

What the package itself does is in test_real.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, make_dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest
from tests.engines.openai.test_engine import LAB, World, check_whole
from tests.engines.runs import check_streams, feed, run

from deimos.engines.base import Done, Engine, Event, Job, Key, Progress
from deimos.engines.vllm.engine import VLLMEngine, vllm
from deimos.engines.vllm.host import VLLMLost
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Runtime
from deimos.types import Sampling

ARGUMENTS = (
    "model", "revision", "tokenizer_revision", "dtype", "max_num_seqs", "generation_config",
    "enable_prefix_caching", "disable_log_stats", "seed", "kv_cache_memory_bytes", "enable_lora",
    "max_lora_rank", "max_model_len", "enforce_eager", "trust_remote_code",
)  # fmt: skip
AsyncEngineArgs = make_dataclass("AsyncEngineArgs", [(name, Any, None) for name in ARGUMENTS])


class ScriptedLLM:
    """What the engine uses of ``AsyncLLM``; one token an output, a step a turn of the loop."""

    started: list[ScriptedLLM] = []
    script: Callable[..., Any] = staticmethod(lambda prompt, params: ())
    fails: Callable[[int], BaseException | None] = staticmethod(lambda n: None)
    holds: Callable[[int], bool] = staticmethod(lambda n: False)
    """Whether the n-th request says a token and then nothing more."""

    def __init__(self, arguments: Any) -> None:
        self.arguments = arguments
        self.model_config = SimpleNamespace(max_model_len=arguments.max_model_len or 10**6)
        self.errored = False
        self.ended = False
        self.loaded: list[Any] = []
        self.requests: list[SimpleNamespace] = []
        self.aborted: list[str] = []
        ScriptedLLM.started.append(self)

    @classmethod
    def from_engine_args(cls, arguments: Any) -> ScriptedLLM:
        if arguments.model == "/":
            raise ValueError("no such architecture.\nsecond line")
        return cls(arguments)

    async def add_lora(self, request: Any) -> None:
        self.loaded.append(request)

    def shutdown(self, timeout: float | None = None) -> None:
        self.ended = True

    async def generate(
        self, prompt: Any, params: Any, request_id: str, *, lora_request: Any
    ) -> AsyncIterator[Any]:
        n = len(self.requests)
        self.requests.append(
            SimpleNamespace(prompt=prompt, params=params, lora=lora_request, id=request_id)
        )
        ids = tuple(self.script(tuple(prompt["prompt_token_ids"]), params))[: params.max_tokens]
        try:
            for i, token in enumerate(ids):
                await asyncio.sleep(0)
                if failure := self.fails(n):
                    self.errored = isinstance(failure, SystemError)
                    raise failure
                last = i == len(ids) - 1
                reason = None
                if last:
                    reason = "stop" if token in params.stop_token_ids else "length"
                piece = SimpleNamespace(token_ids=[token], finish_reason=reason)
                yield SimpleNamespace(outputs=[piece], finished=last)
                if i == 5 and self.holds(n):
                    await asyncio.Event().wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.aborted.append(request_id)
            raise


def package(on_cpu: bool = True) -> dict[str, ModuleType]:
    """Modules of a vLLM that is scripted."""

    def module(name: str, **content: Any) -> ModuleType:
        made = ModuleType(name)
        made.__path__ = []
        made.__dict__.update(content)
        return made

    def parameters(**fields: Any) -> SimpleNamespace:
        return SimpleNamespace(**fields)

    def lora(name: str, number: int, path: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, number=number, path=path)

    found = [
        module("vllm", __version__="1.2.3"),
        module("vllm.engine"),
        module("vllm.engine.arg_utils", AsyncEngineArgs=AsyncEngineArgs),
        module("vllm.v1"),
        module("vllm.v1.engine"),
        module("vllm.v1.engine.async_llm", AsyncLLM=ScriptedLLM),
        module("vllm.platforms", current_platform=SimpleNamespace(is_cpu=lambda: on_cpu)),
        module(
            "vllm.sampling_params",
            SamplingParams=parameters,
            RequestOutputKind=SimpleNamespace(DELTA="delta"),
        ),
        module("vllm.lora"),
        module("vllm.lora.request", LoRARequest=lora),
        module("vllm.config"),
        module("vllm.config.lora", MaxLoRARanks=Literal[1, 8, 16]),
    ]
    return {made.__name__: made for made in found}


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_tokenizer(ModelRef(LAB)))


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch, world: World) -> Iterator[None]:
    for name, made in package().items():
        monkeypatch.setitem(sys.modules, name, made)
    monkeypatch.setattr(ScriptedLLM, "started", [])
    monkeypatch.setattr(
        ScriptedLLM, "script", staticmethod(lambda prompt, params: world.script(prompt, {}))
    )
    yield
    gc.collect()
    assert all(llm.ended for llm in ScriptedLLM.started), "every engine has been ended"


def made(adapter: str | None = None, *, max_batch: int = 8, **options: Any) -> VLLMEngine:
    runtime = Runtime(engine="vllm", max_batch=max_batch)
    return vllm(ModelRef(LAB, adapter=adapter), runtime, **options)


def adapter_of(folder: Path, rank: int) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return str(folder)


def test_it_is_an_engine(world: World) -> None:
    engine = made()
    assert isinstance(engine, Engine)
    assert engine.name == "vllm/1.2.3+cpu"
    assert engine.capabilities.token_ids and engine.capabilities.resumes
    check_whole(world, run(engine, world.jobs(20)), 20)
    assert engine.facts() == {
        "requests": 20, "aborted": 0, "refused": 0,
        "tokens": sum(len(world.completion(i)) for i in range(20)),
    }  # fmt: skip


def test_it_works_on_one_event_loop_after_the_other(world: World) -> None:
    engine = made()
    for _ in range(3):
        check_whole(world, run(engine, world.jobs(3)), 3)
    assert len(ScriptedLLM.started) == 1


def test_jobs_are_pulled_as_there_are_places(world: World) -> None:
    engine = made(max_batch=3)
    jobs, pulled, done, most = world.jobs(12), 0, 0, 0

    async def lazily() -> AsyncIterator[Job]:
        nonlocal pulled, most
        for job in jobs:
            pulled += 1
            most = max(most, pulled - done)
            yield job

    async def main() -> None:
        nonlocal done
        async for event in engine.sample(lazily()):
            done += isinstance(event, Done)

    asyncio.run(main())
    assert (done, most) == (12, 3)
    assert ScriptedLLM.started[0].arguments.max_num_seqs == 3


def test_a_thought_that_outgrows_its_cap_is_aborted(world: World) -> None:
    engine = made()
    jobs = [
        Job(j.key, j.prompt_ids, j.sampling, j.seed, j.think, think_cap=7) for j in world.jobs(6)
    ]
    ends = run(engine, jobs)
    for key, end in ends.items():  # candidate i thinks for 5 + i tokens
        if key.index <= 2:
            assert (end.finish, end.completion_ids) == ("stop", world.completion(key.index))
        else:
            assert (end.finish, end.completion_ids) == ("stopped", world.completion(key.index)[:8])
    assert len(ScriptedLLM.started[0].aborted) == 3 == engine.facts()["aborted"]


def test_stop_and_a_lowered_cap_abort_what_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedLLM, "holds", staticmethod(lambda n: n in (3, 4)))
    engine = made(checkpoint_seconds=0.02)

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress) and event.tokens == 6:  # as many as one that hangs has said
            if event.key.index == 3:
                engine.stop(event.key)
            elif event.key.index == 4:
                engine.cap(event.key, 2)
        engine.stop(Key("nobody", 0))

    ends = run(engine, world.jobs(5), on_event)
    assert {k.index: e.finish for k, e in ends.items()} == {
        0: "stop", 1: "stop", 2: "stop", 3: "stopped", 4: "stopped",
    }  # fmt: skip
    assert len(ScriptedLLM.started[0].aborted) == 2


def test_progress_tells_the_closed_thought_and_the_ids_so_far(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedLLM, "holds", staticmethod(lambda n: True))
    engine = made(checkpoint_seconds=0.02)
    told: list[Progress] = []

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress):
            told.append(event)
            if event.completion_ids is not None:
                engine.stop(event.key)

    (end,) = run(engine, world.jobs(1), on_event).values()
    whole = world.completion(0)
    assert end.finish == "stopped" and end.completion_ids == whole[:6]
    closed, kept = told
    assert (closed.tokens, closed.think_closed, closed.think_tokens) == (6, True, 5)
    assert kept.completion_ids == whole[:6]


def test_it_goes_on_from_ids(world: World) -> None:
    engine = made()
    whole = world.completion(0)
    (job,) = world.jobs(1, repetition_penalty=1.1, max_tokens=50)
    begun = Job(job.key, job.prompt_ids, job.sampling, job.seed, job.think, done_ids=whole[:3])
    (end,) = run(engine, [begun]).values()
    assert (end.finish, end.completion_ids) == ("stop", whole)
    (request,) = ScriptedLLM.started[0].requests
    assert request.prompt["prompt_token_ids"] == [*job.prompt_ids, *whole[:3]]
    assert request.params.max_tokens == 47
    ended = Job(job.key, job.prompt_ids, job.sampling, job.seed, job.think, done_ids=whole)
    (end,) = run(engine, [ended]).values()
    assert (end.finish, end.completion_ids) == ("stop", whole)
    assert engine.facts()["requests"] == 1, "nothing was left to ask"


@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty"])
def test_under_a_penalty_over_output_it_begins_again(world: World, name: str) -> None:
    engine = made()
    (job,) = world.jobs(1, **{name: 0.5})
    begun = Job(job.key, job.prompt_ids, job.sampling, job.seed, job.think, world.completion(0)[:3])
    (end,) = run(engine, [begun]).values()
    assert end.completion_ids == world.completion(0)
    (request,) = ScriptedLLM.started[0].requests
    assert request.prompt["prompt_token_ids"] == [*job.prompt_ids]


def test_every_sampling_parameter_reaches_vllm(world: World) -> None:
    sampling = Sampling(0.7, 0.9, 11, 0.03, 1.2, 0.4, 0.2, 33)
    engine = made()
    (job,) = world.jobs(1)
    run(engine, [Job(job.key, job.prompt_ids, sampling, 5, job.think)])
    (request,) = ScriptedLLM.started[0].requests
    sent = vars(request.params)
    assert {name: sent[name] for name in asdict(sampling)} == asdict(sampling)
    assert sent["stop_token_ids"] == sorted(engine.eos_ids) and world.eos in engine.eos_ids
    assert sent["seed"] is None, "vLLM's CPU build crashes on seeds"


def test_on_a_gpu_every_request_has_its_seed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, other in package(on_cpu=False).items():
        monkeypatch.setitem(sys.modules, name, other)
    engine = made()
    assert engine.capabilities.seeds and engine.name == "vllm/1.2.3+cuda"
    jobs = world.jobs(2)
    begun = Job(
        jobs[1].key, jobs[1].prompt_ids, jobs[1].sampling, 8, jobs[1].think,
        world.completion(1)[:2],
    )  # fmt: skip
    run(engine, [jobs[0], begun])
    first, second = (request.params.seed for request in ScriptedLLM.started[0].requests)
    assert first == jobs[0].seed
    assert second not in (8, None), "the same seed behind kept ids would draw them again"


def test_what_vllm_refuses_ends_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ScriptedLLM, "fails", staticmethod(lambda n: ValueError("too hot") if n == 1 else None)
    )
    ends = run(made(), world.jobs(3))
    assert [ends[Key("p", i)].finish for i in range(3)] == ["stop", "error", "stop"]
    assert ends[Key("p", 1)].error == "vLLM refuses the request: too hot"


def test_a_dead_engine_fails_the_call_and_keeps_the_ids(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedLLM, "holds", staticmethod(lambda n: n == 0))
    monkeypatch.setattr(
        ScriptedLLM, "fails", staticmethod(lambda n: SystemError() if n == 2 else None)
    )
    engine = made(max_batch=2)  # the third request comes when the second is done
    told: list[Progress | Done] = []
    with pytest.raises(VLLMLost, match=r"has died.*run again to resume"):
        run(engine, world.jobs(3), told.append)
    kept = [e for e in told if isinstance(e, Progress) and e.completion_ids]
    assert [(e.key.index, e.completion_ids) for e in kept] == [(0, world.completion(0)[:6])]


def test_a_caller_that_leaves_aborts_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedLLM, "holds", staticmethod(lambda n: n > 0))
    engine = made()

    async def main() -> None:
        events = engine.sample(feed(world.jobs(4)))
        async for event in events:
            if isinstance(event, Done):
                while len(ScriptedLLM.started[0].requests) < 4:
                    await asyncio.sleep(0)
                break
        with pytest.raises(RuntimeError, match="one sample"):
            await anext(engine.sample(feed([])))
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert len(ScriptedLLM.started[0].aborted) == 3
    monkeypatch.setattr(ScriptedLLM, "holds", staticmethod(lambda n: False))
    check_whole(world, run(engine, world.jobs(4)), 4)


def test_a_feeder_that_fails_fails_the_call(world: World) -> None:
    async def broken() -> AsyncIterator[Job]:
        yield world.jobs(1)[0]
        raise LookupError("no more")

    async def main() -> None:
        async for _ in made().sample(broken()):
            pass

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(main())


def test_a_prompt_and_budget_that_do_not_fit_are_said(world: World) -> None:
    with pytest.raises(RecipeError, match="max_tokens = 100: this vLLM holds 64 tokens, prompt"):
        run(made(max_model_len=64), world.jobs(1))


def test_one_prompt_that_is_too_long_ends_no_run(world: World) -> None:
    jobs = world.jobs(2)
    jobs[0] = replace(jobs[0], prompt_ids=(1,) * 60)
    ends = run(made(max_model_len=150), jobs)
    told = ends[jobs[0].key]
    assert (told.finish, told.completion_ids) == ("error", ())
    assert told.error.startswith("this vLLM holds 150 tokens: prompt (60) and max_tokens (100)")
    assert ends[jobs[1].key].finish != "error"


def test_base_and_tuned_are_one_process(world: World, tmp_path: Path) -> None:
    base = made()
    check_whole(world, run(base, world.jobs(2)), 2)
    tuned = made(adapter_of(tmp_path / "a", 4))
    first, second = ScriptedLLM.started
    assert (first.arguments.enable_lora, first.ended) == (None, True)
    assert (second.arguments.enable_lora, second.arguments.max_lora_rank) == (True, 8)
    check_whole(world, run(tuned, world.jobs(2)), 2)
    check_whole(world, run(base, world.jobs(2)), 2)
    used = [r.lora and r.lora.path for r in second.requests]
    assert used == [str(tmp_path / "a")] * 2 + [None] * 2
    assert [r.path for r in second.loaded] == [str(tmp_path / "a")]
    del base
    gc.collect()
    assert not second.ended
    check_whole(world, run(tuned, world.jobs(2)), 2)


def test_adapters_that_cannot_be_served_are_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (adapter_of(tmp_path / "great", 17), "rank 16"),
        (str(tmp_path / "empty"), "has no rank"),
        (str(tmp_path / "nowhere"), "no such folder"),
    ):
        with pytest.raises(RecipeError, match=words):
            made(folder)


def test_arguments_reach_vllm_and_wrong_ones_are_said() -> None:
    engine = made(enforce_eager=True, enable_prefix_caching=False)
    asked = ScriptedLLM.started[0].arguments
    assert (asked.enforce_eager, asked.enable_prefix_caching) == (True, False)
    assert (asked.dtype, asked.generation_config) == ("bfloat16", "vllm")
    del engine
    for options, words in (
        ({"nonsense": 1}, "engine_options.nonsense: vLLM has no engine argument"),
        ({"dtype": "half"}, "engine_options.dtype is set elsewhere: model.dtype"),
        ({"max_num_seqs": 3}, "runtime.max_batch"),
        ({"trust_remote_code": True}, "trust_remote_code is not accepted"),
        ({"checkpoint_seconds": 0}, "checkpoint_seconds = 0: must be a number above 0"),
    ):
        with pytest.raises(RecipeError, match=words):
            made(**options)
    with pytest.raises(RecipeError, match=r"device = 'cuda': .* built for cpu"):
        vllm(ModelRef(LAB), Runtime(device="cuda"))
    assert len(ScriptedLLM.started) == 1


def test_a_cpu_gives_the_cache_a_share_of_its_memory() -> None:
    engine = made()
    assert 0 < ScriptedLLM.started[0].arguments.kv_cache_memory_bytes < 2**50
    del engine
    gc.collect()
    made(kv_cache_memory_bytes=5)
    assert ScriptedLLM.started[1].arguments.kv_cache_memory_bytes == 5


def test_no_vllm_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in package():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vllm", None)  # what an import of a missing package comes to
    with pytest.raises(RecipeError, match=r"vLLM is not installed in this Python .*runtime.python"):
        vllm(ModelRef(LAB), Runtime())


def test_tokens_are_streamed_to_jobs_that_ask(world: World) -> None:
    jobs = [replace(job, stream=job.key.index != 2) for job in world.jobs()]
    jobs[3] = replace(jobs[3], done_ids=world.completion(3)[:4])
    jobs[4] = replace(jobs[4], think_cap=3)
    events: list[Event] = []
    ends = run(made(max_batch=4), jobs, events.append)
    tokens = check_streams(jobs, events)
    assert not tokens[jobs[2].key] and len(tokens[jobs[0].key]) == len(world.completion(0))
    assert ends[jobs[3].key].completion_ids == world.completion(3)
    assert ends[jobs[4].key].finish == "stopped"
