"""The local engine on tiny random models: what it says must not depend on how it was batched."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.engines.runs import (
    CLOSE,
    EOS,
    OPEN,
    OPENED,
    PLAIN,
    VOCABULARY,
    check_streams,
    feed,
    generate,
    make_jobs,
    run,
    share_of_differing_tokens,
)

from deimos.engines.base import Done, Engine, Event, Job, Key, Progress
from deimos.engines.local import batch
from deimos.engines.local.cache import BlockCache
from deimos.engines.local.engine import LocalEngine, local
from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.thinking import Shape, StreamSplitter, Tags, ThinkIds, render, split
from deimos.types import Sampling

HOT = Sampling(temperature=1.0, top_k=20, top_p=0.95, max_tokens=48)


def engine_of(model: Any, max_batch: int = 64, **options: Any) -> LocalEngine:
    return LocalEngine(model, {EOS}, max_batch=max_batch, **options)


def test_it_is_an_engine(tiny_model: Any) -> None:
    engine = engine_of(tiny_model)
    assert isinstance(engine, Engine)
    assert engine.name.startswith("local/transformers-")


@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid"])
def test_tokens_do_not_depend_on_the_batch(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    jobs = make_jobs(64 if which == "tiny_model" else 24, HOT, per_prompt=4)
    batched = run(engine_of(model), jobs)
    alone = run(engine_of(model, max_batch=1), jobs[::8])
    shuffled = random.Random(1).sample(jobs, len(jobs))
    in_waves = run(engine_of(model, max_batch=17, block_rows=5, merge_waste=3), shuffled)
    part = {key: batched[key] for key in alone}
    assert share_of_differing_tokens(part, alone) <= 0.005
    assert share_of_differing_tokens(batched, in_waves) <= 0.005


def test_a_new_key_may_draw_as_another_one(tiny_model: Any) -> None:
    jobs = make_jobs(3, Sampling(max_tokens=12))
    ends = run(engine_of(tiny_model), jobs)
    renamed = [replace(j, key=Key(f"new-{i}", 4), drawn_as=j.key) for i, j in enumerate(jobs)]
    again = run(engine_of(tiny_model), renamed)
    assert [again[r.key].completion_ids for r in renamed] == [
        ends[j.key].completion_ids for j in jobs
    ]
    own = run(engine_of(tiny_model), [replace(r, drawn_as=None) for r in renamed])
    assert {k: e.completion_ids for k, e in own.items()} != {
        k: e.completion_ids for k, e in again.items()
    }


def test_candidates_and_seeds_differ(tiny_model: Any) -> None:
    jobs = make_jobs(8, HOT, per_prompt=8)
    ends = run(engine_of(tiny_model), jobs)
    assert len({end.completion_ids for end in ends.values()}) == 8
    other = run(engine_of(tiny_model), [replace(job, seed=8) for job in jobs])
    assert all(other[key].completion_ids != ends[key].completion_ids for key in ends)


@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid", "tiny_sliding"])
def test_greedy_is_what_generate_says(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    jobs = make_jobs(6, Sampling(temperature=0.0, max_tokens=24))
    ours = run(engine_of(model), jobs)
    model.set_attn_implementation("sdpa")
    assert all(list(ours[job.key].completion_ids) == generate(model, job) for job in jobs)


@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid"])
@pytest.mark.parametrize("kept", [1, 30])
def test_going_on_from_ids_changes_nothing(
    which: str, kept: int, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(which)
    jobs = make_jobs(12, replace(HOT, presence_penalty=0.5), per_prompt=2)
    whole = run(engine_of(model), jobs)
    resumed = run(
        engine_of(model), [replace(j, done_ids=whole[j.key].completion_ids[:kept]) for j in jobs]
    )
    assert share_of_differing_tokens(whole, resumed) <= 0.005


def test_ids_so_far_are_told_now_and_then_and_are_what_is_said_in_the_end(tiny_model: Any) -> None:
    told: dict[Key, list[tuple[int, ...]]] = {}

    def note(event: Progress | Done) -> None:
        if isinstance(event, Progress) and event.completion_ids is not None:
            told.setdefault(event.key, []).append(event.completion_ids)

    ends = run(engine_of(tiny_model, checkpoint_seconds=0.0), make_jobs(6, HOT), note)
    assert told.keys() == ends.keys()
    for key, parts in told.items():
        assert all(part == ends[key].completion_ids[: len(part)] for part in parts)
    quiet: list[Progress | Done] = []
    run(engine_of(tiny_model, checkpoint_seconds=3600), make_jobs(6, HOT), quiet.append)
    assert not any(isinstance(e, Progress) and e.completion_ids for e in quiet)


def test_a_finished_job_comes_back_as_it_is(tiny_model: Any) -> None:
    job, full, empty = make_jobs(3, replace(HOT, max_tokens=3))
    ends = run(
        engine_of(tiny_model),
        [
            replace(job, done_ids=(5, EOS)),
            replace(full, done_ids=(5, 6, 7)),
            replace(empty, prompt_ids=()),
        ],
    )
    assert (ends[job.key].finish, ends[job.key].completion_ids) == ("stop", (5, EOS))
    assert (ends[full.key].finish, ends[full.key].completion_ids) == ("length", (5, 6, 7))
    assert ends[empty.key].finish == "error"
    assert "no tokens" in ends[empty.key].error


def test_ends_are_where_they_should_be(tiny_model: Any) -> None:
    for end in run(engine_of(tiny_model, max_batch=8), make_jobs(40, HOT)).values():
        *body, last = end.completion_ids
        assert EOS not in body
        assert end.finish == ("stop" if last == EOS else "length")
        assert end.finish == "stop" or len(end.completion_ids) == HOT.max_tokens


def test_think_cap_at_admission_is_exact(tiny_model: Any) -> None:
    for think in (PLAIN, OPENED):
        free = run(engine_of(tiny_model), make_jobs(24, HOT, think=think))
        capped = run(
            engine_of(tiny_model),
            [replace(j, think_cap=20) for j in make_jobs(24, HOT, think=think)],
        )
        for key, end in capped.items():
            ids = free[key].completion_ids
            thought = [i for i in ids if i != EOS]
            if think is OPENED and CLOSE in ids:
                thought = thought[: thought.index(CLOSE)]
            if len(thought) > 20:
                assert end.finish == "stopped"
                assert end.completion_ids == ids[:21]
            else:
                assert end == replace(free[key], seconds=end.seconds)


def test_a_tag_of_several_tokens_is_followed(tiny_model: Any) -> None:
    plain = run(engine_of(tiny_model), make_jobs(24, HOT))
    # The tag is two tokens that some completion has next to each other.
    tags = (end.completion_ids[8:10] for end in plain.values())
    tag = next(t for t in tags if len({*t} - {EOS, OPEN}) == 2)
    think = ThinkIds(Shape.OPEN, (OPEN,), tag, {OPEN: "<b>", tag[0]: "</", tag[1]: "b>"})
    told: dict[Key, int] = {}

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress):
            told[event.key] = event.tokens

    ends = run(engine_of(tiny_model), make_jobs(24, HOT, think=think), on_event)
    wanted: dict[Key, int] = {}
    for key, end in ends.items():
        pairs = [*itertools.pairwise(end.completion_ids)]
        if tag in pairs:
            wanted[key] = pairs.index(tag) + 2
    assert wanted
    assert told == wanted


def test_a_cap_below_what_is_there_stops_at_once(tiny_model: Any) -> None:
    engine = engine_of(tiny_model)
    job = make_jobs(1, HOT)[0]
    ids = run(engine, [job])[job.key].completion_ids[:10]
    end = run(engine, [replace(job, done_ids=ids, think_cap=9)])[job.key]
    assert (end.finish, end.completion_ids) == ("stopped", ids)


def test_stop_and_cap_take_effect_before_the_next_token(tiny_model: Any) -> None:
    long = replace(HOT, max_tokens=400)
    jobs = make_jobs(6, long, think=OPENED)
    engine = engine_of(tiny_model)
    engine.eos_ids = frozenset()  # nothing ends by itself
    first = jobs[0].key

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Done) or event.completion_ids is not None:
            return  # ids so far, told now and then by the clock
        seen.append(event)
        if event.key != first or len(seen) > 1:
            return
        engine.cap(first, 0)

    seen: list[Progress] = []
    ends = run(engine, jobs, on_event)
    closed = {event.key: event.tokens for event in seen}
    assert len(closed) == len(seen), "a thought closes once"
    for key, tokens in closed.items():
        assert ends[key].completion_ids.index(CLOSE) == tokens - 1


def test_stop_gives_the_place_back(tiny_model: Any) -> None:
    engine = engine_of(tiny_model, max_batch=2)
    jobs = [replace(j, sampling=replace(HOT, max_tokens=300)) for j in make_jobs(4, HOT)]
    lengths: dict[Key, int] = {}

    async def main() -> None:
        engine.eos_ids = frozenset()
        stream = engine.sample(feed(jobs))
        task = asyncio.create_task(_stop_later(engine, jobs[0].key))
        async for event in stream:
            if isinstance(event, Done):
                lengths[event.key] = len(event.completion_ids)
                assert event.finish == ("stopped" if event.key == jobs[0].key else "length")
        await task

    asyncio.run(main())
    assert 0 < lengths.pop(jobs[0].key) <= 6
    assert set(lengths.values()) == {300}


async def _stop_later(engine: LocalEngine, key: Key) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    engine.stop(key)
    engine.stop(Key("nobody", 3))


def test_a_lower_cap_stops_a_running_candidate(tiny_model: Any) -> None:
    engine = engine_of(tiny_model)
    job = make_jobs(1, replace(HOT, max_tokens=300))[0]

    async def main() -> Done:
        engine.eos_ids = frozenset()
        stream = engine.sample(feed([job]))
        asyncio.get_running_loop().call_soon(engine.cap, job.key, 40)
        asyncio.get_running_loop().call_soon(engine.cap, job.key, 60)  # only ever lowered
        (end,) = [event async for event in stream if isinstance(event, Done)]
        return end

    # The calls come before the job is there; a second pair comes while it runs.
    assert asyncio.run(main()).finish == "length"

    async def again() -> Done:
        stream = engine.sample(feed([job]))
        task = asyncio.create_task(_cap_later(engine, job.key))
        (end,) = [event async for event in stream if isinstance(event, Done)]
        await task
        return end

    end = asyncio.run(again())
    assert (end.finish, len(end.completion_ids)) == ("stopped", 41)


async def _cap_later(engine: LocalEngine, key: Key) -> None:
    for _ in range(8):
        await asyncio.sleep(0)
    engine.cap(key, 40)
    engine.cap(key, 60)


def test_jobs_are_pulled_only_into_places(tiny_model: Any) -> None:
    pulled = finished = 0

    async def main() -> None:
        nonlocal pulled, finished

        async def lazily() -> Any:
            nonlocal pulled
            for job in make_jobs(20, HOT):
                pulled += 1
                yield job

        async for event in engine_of(tiny_model, max_batch=4).sample(lazily()):
            assert pulled - finished <= 4
            finished += isinstance(event, Done)

    asyncio.run(main())
    assert finished == 20


def test_other_tasks_run_beside_it(tiny_model: Any) -> None:
    turns = 0

    async def main() -> int:
        async def beside() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(beside())
        engine = engine_of(tiny_model)
        longest = 0
        async for event in engine.sample(feed(make_jobs(4, HOT))):
            if isinstance(event, Done):
                longest = max(longest, len(event.completion_ids))
        task.cancel()
        return longest

    assert asyncio.run(main()) <= turns


def test_a_feeder_that_waits_for_an_answer(tiny_model: Any) -> None:
    jobs = make_jobs(5, HOT)
    answered: asyncio.Queue[Key] = asyncio.Queue()

    async def one_by_one() -> Any:
        for job in jobs:
            yield job
            assert await answered.get() == job.key

    async def main() -> list[Key]:
        ends: list[Key] = []
        async for event in engine_of(tiny_model).sample(one_by_one()):
            if isinstance(event, Done):
                ends.append(event.key)
                answered.put_nowait(event.key)
        return ends

    assert asyncio.run(main()) == [job.key for job in jobs]


def test_a_feeder_s_error_reaches_the_caller(tiny_model: Any) -> None:
    async def broken() -> Any:
        yield make_jobs(1, HOT)[0]
        raise LookupError("no more prompts")

    async def main() -> None:
        async for _ in engine_of(tiny_model).sample(broken()):
            pass

    with pytest.raises(LookupError, match="no more prompts"):
        asyncio.run(main())


def test_one_sample_at_a_time(tiny_model: Any) -> None:
    engine = engine_of(tiny_model)

    async def main() -> None:
        first = engine.sample(feed(make_jobs(2, HOT)))
        await anext(first)
        with pytest.raises(RuntimeError, match="one sample"):
            await anext(engine.sample(feed([])))
        await first.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        assert [e async for e in engine.sample(feed([]))] == []

    asyncio.run(main())


def test_rows_with_their_own_sampling(tiny_model: Any) -> None:
    mix = [
        Sampling(temperature=0.0, max_tokens=30),
        Sampling(temperature=0.7, top_p=0.8, max_tokens=30),
        Sampling(temperature=1.3, min_p=0.05, repetition_penalty=1.2, max_tokens=30),
        Sampling(top_k=5, frequency_penalty=0.3, max_tokens=30),
    ]
    jobs = [replace(j, sampling=mix[i % 4]) for i, j in enumerate(make_jobs(24, HOT))]
    together = run(engine_of(tiny_model), jobs)
    for i in range(4):
        apart = run(engine_of(tiny_model), jobs[i::4])
        part = {key: together[key] for key in apart}
        assert share_of_differing_tokens(apart, part) <= 0.005


@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid"])
def test_out_of_memory_costs_time_and_nothing_else(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = request.getfixturevalue(which)
    jobs = make_jobs(24, HOT, per_prompt=3)
    calm = run(engine_of(model), jobs)
    engine = engine_of(model)
    forward, most = type(model).forward, 0

    def cramped(self: Any, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        nonlocal most
        out = forward(self, input_ids=input_ids, **kwargs)
        if input_ids.shape[0] > 7:  # after the caches were written, as it happens
            raise torch.OutOfMemoryError("out of memory")
        most = max(most, input_ids.shape[0])
        return out

    monkeypatch.setattr(type(model), "forward", cramped)
    assert share_of_differing_tokens(calm, run(engine, jobs)) <= 0.005
    assert most > 1


def test_out_of_memory_for_a_single_sequence_is_its_error(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = type(tiny_model).forward

    def cramped(self: Any, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        if input_ids.shape[1] > 30:
            raise torch.OutOfMemoryError("no room\nfor long prompts")
        return forward(self, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(tiny_model), "forward", cramped)
    jobs = make_jobs(16, replace(HOT, max_tokens=4))
    ends = run(engine_of(tiny_model), jobs)
    for job in jobs:
        assert (ends[job.key].finish == "error") == (len(job.prompt_ids) > 31)
    assert any("no room" in end.error for end in ends.values())


@pytest.mark.parametrize("short", [1, 2, 3, 5])
@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid"])
def test_out_of_memory_while_a_wave_s_blocks_are_allocated_loses_no_job(
    which: str, short: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wave of 24 is six blocks of four: memory runs out at one of them, the first time."""
    model = request.getfixturevalue(which)
    jobs = make_jobs(24, HOT, per_prompt=3)
    calm = run(engine_of(model), jobs)
    add, blocks = BlockCache.add, itertools.count(1)

    def cramped(self: BlockCache, prefixes: Any) -> None:
        if next(blocks) == short:
            raise torch.OutOfMemoryError("out of memory")
        add(self, prefixes)

    monkeypatch.setattr(BlockCache, "add", cramped)
    ends = run(engine_of(model, block_rows=4), jobs)
    assert not [end.error for end in ends.values() if end.error]
    assert share_of_differing_tokens(calm, ends) <= 0.005


def test_out_of_memory_while_rows_are_added_or_grow_loses_no_job(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch's own arrays run out of memory: the first time rows come, and as one of them grows."""
    jobs = make_jobs(24, HOT, per_prompt=3)
    calm = run(engine_of(tiny_model), jobs)
    zeros, calls = np.zeros, itertools.count(1)
    short: set[int] = set()

    def cramped(shape: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(shape, tuple) and shape[0] > 7:
            at = next(calls)
            if at in (1, 3, 4):
                short.add(at)
                raise MemoryError
        return zeros(shape, *args, **kwargs)

    monkeypatch.setattr(batch.np, "zeros", cramped)
    ends = run(engine_of(tiny_model), jobs)
    assert len(short) > 1
    assert not [end.error for end in ends.values() if end.error]
    assert share_of_differing_tokens(calm, ends) <= 0.005


def test_a_sequence_alone_is_tried_without_kept_prompts_before_it_is_an_error(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts that are kept for later candidates take memory, too."""
    (job, other) = make_jobs(2, replace(HOT, max_tokens=4))
    add, blocks = BlockCache.add, itertools.count(1)

    def cramped(self: BlockCache, prefixes: Any) -> None:
        if next(blocks) == 2:
            raise torch.OutOfMemoryError("out of memory")
        add(self, prefixes)

    monkeypatch.setattr(BlockCache, "add", cramped)
    answered: asyncio.Queue[Key] = asyncio.Queue()

    async def one_by_one() -> Any:
        yield job
        await answered.get()
        yield other

    async def main() -> dict[Key, Done]:
        ends = {}
        async for event in engine_of(tiny_model).sample(one_by_one()):
            if isinstance(event, Done):
                ends[event.key] = event
                answered.put_nowait(event.key)
        return ends

    ends = asyncio.run(main())
    assert [end.error for end in ends.values()] == ["", ""]


def test_nothing_goes_beyond_the_model_s_context(tiny_model: Any) -> None:
    """One prompt is longer, one fills it, one leaves room for three tokens; the others go on."""
    long, full, tight, *rest = make_jobs(12, replace(HOT, max_tokens=40))
    engine = engine_of(tiny_model)
    engine.eos_ids = frozenset()
    context = engine.context
    assert context == 512
    long = replace(long, prompt_ids=(5,) * 400_000)
    full = replace(full, prompt_ids=(5,) * context)
    tight = replace(tight, prompt_ids=(5,) * (context - 3))
    again = replace(rest[0], prompt_ids=(5,) * (context - 2), done_ids=(6, 7))
    ends = run(engine, [long, full, tight, again, *rest[1:]])
    for job, tokens in ((long, "400,000"), (full, "512")):
        assert ends[job.key].finish == "error"
        assert (
            f"the prompt has {tokens} tokens, and the model's context is 512" in ends[job.key].error
        )
    assert (ends[tight.key].finish, len(ends[tight.key].completion_ids)) == ("length", 3)
    assert (ends[again.key].finish, ends[again.key].completion_ids) == ("length", (6, 7))
    assert {len(ends[job.key].completion_ids) for job in rest[1:]} == {40}


def test_layers_that_cannot_be_held_are_refused() -> None:
    from transformers import AutoModelForCausalLM, Lfm2Config

    config = Lfm2Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, full_attn_idxs=[1],
    )  # fmt: skip
    with pytest.raises(ValueError, match="cannot decode layers of type conv"):
        engine_of(AutoModelForCausalLM.from_config(config))


def test_tokens_are_streamed_to_jobs_that_ask_and_change_nothing(tiny_model: Any) -> None:
    plain = make_jobs(12, HOT, per_prompt=3)
    unasked = run(engine_of(tiny_model, max_batch=5), plain)
    jobs = [replace(job, stream=i % 3 > 0) for i, job in enumerate(plain)]
    jobs[1] = replace(jobs[1], done_ids=unasked[jobs[1].key].completion_ids[:3])
    events: list[Event] = []
    asked = run(engine_of(tiny_model, max_batch=5), jobs, events.append)
    tokens = check_streams(jobs, events)
    assert share_of_differing_tokens(asked, unasked) <= 0.005
    assert all(len(token.token_ids) == 1 for sent in tokens.values() for token in sent)


def test_tokens_are_streamed_once_when_memory_runs_out(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is taken apart twice, once right behind a step whose tokens have been taken in."""
    jobs = [replace(job, stream=True) for job in make_jobs(8, HOT, per_prompt=4)]
    engine = engine_of(tiny_model, max_batch=8)
    steps, tidied = itertools.count(), itertools.count()
    step, tidy = engine.step, engine.tidy

    def short_step(*args: Any) -> Any:
        if next(steps) == 6:
            raise torch.OutOfMemoryError("out of memory")
        return step(*args)

    def short_tidy(*args: Any) -> None:
        if next(tidied) == 3:
            raise torch.OutOfMemoryError("out of memory")
        tidy(*args)

    monkeypatch.setattr(engine, "step", short_step)
    monkeypatch.setattr(engine, "tidy", short_tidy)
    events: list[Event] = []
    run(engine, jobs, events.append)
    check_streams(jobs, events)
    assert next(tidied) > 4


def test_the_labs_reasoner_streams_its_text() -> None:
    """For real: what ``StreamSplitter`` makes of the tokens is what ``split`` makes of the whole."""
    ref = ModelRef(str(lab_path()))
    tokenizer = load_tokenizer(ref)
    engine = local(ref, Runtime(device="cpu", max_batch=4, threads=1))
    messages = [{"role": "user", "content": "what is 12 + 30 ?"}]
    rendered = render(tokenizer, messages, tags=Tags(), thinking=None)
    sampling = Sampling(temperature=0.7, max_tokens=160)
    jobs = [
        Job(Key("p", i), rendered.ids, sampling, 5, rendered.think, stream=True) for i in range(4)
    ]
    events: list[Event] = []
    ends = run(engine, jobs, events.append)
    tokens = check_streams(jobs, events)
    for key, end in ends.items():
        said = [i for i in end.completion_ids if i not in engine.eos_ids]
        whole = split(tokenizer.decode(said), rendered.shape, rendered.tags)
        splitter = StreamSplitter(rendered.shape, rendered.tags)
        pieces = [
            piece
            for token in tokens[key]
            for piece in splitter.push(
                tokenizer.decode([i for i in token.token_ids if i not in engine.eos_ids])
            )
        ]
        pieces += splitter.finish()
        assert "".join(text for part, text in pieces if part == "think") == whole.think
        assert "".join(text for part, text in pieces if part == "answer") == whole.answer
