"""The engine over servers, against real sockets: the protocol in full, and everything that breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.openai.scripted_server import Fault, ScriptedServer
from tests.engines.runs import check_streams, feed, run

from deimos.engines.base import Done, Engine, Event, Job, Key, Progress
from deimos.engines.openai.engine import OpenAIEngine, openai
from deimos.engines.openai.servers import ServersLost
from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.thinking import Shape, Tags, ThinkIds, render
from deimos.types import Sampling

LAB = str(lab_path())
WORDS = ["times", "half", "jar", "jars", "bags", "take", "away", "double", "halve", "seeds"]
"""Words that are a token each, a space before them included."""
QUICK = {
    "model": "m", "backoff": 0.01, "backoff_max": 0.05, "probe_every": 0.02, "patience": 60.0,
    "checkpoint_seconds": 0.05,
}  # fmt: skip
"""Waits so short that a test need not; patience so long that a slow machine fails nothing."""


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(ModelRef(LAB))


@pytest.fixture(scope="module")
def world(tokenizer: Any) -> World:
    return World(tokenizer)


class World:
    """Jobs over one prompt, and the script that tells what each candidate says."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        messages = [{"role": "user", "content": "what is 1 + 1 ?"}]
        self.rendered = render(tokenizer, messages, tags=Tags(), thinking=None)
        self.eos: int = tokenizer.eos_token_id
        (self.close,) = self.rendered.think.close_ids
        self.opened = ThinkIds(
            Shape.OPEN, (), self.rendered.think.close_ids, self.rendered.think.pieces
        )
        self.words: list[int] = tokenizer.convert_tokens_to_ids([f"\u0120{word}" for word in WORDS])
        self.mark: int = self.words.pop()
        """So many of them behind the prompt as a candidate's number says; none says it."""
        assert len({*self.words, self.mark}) == 10
        assert tokenizer.unk_token_id not in (*self.words, self.mark)

    def jobs(self, n: int = 6, **sampling: Any) -> list[Job]:
        chosen = Sampling(**{"max_tokens": 100, **sampling})
        prompts = [self.rendered.ids + (self.mark,) * (1 + i) for i in range(n)]
        return [
            Job(Key("p", i), prompt, chosen, 7 + i, self.opened) for i, prompt in enumerate(prompts)
        ]

    def completion(self, index: int, answer: int = 2) -> tuple[int, ...]:
        """Candidate i thinks for 5 + i tokens and answers with two."""
        think = [self.words[(index + k) % 9] for k in range(5 + index)]
        return (*think, self.close, *[self.words[k % 9] for k in range(answer)], self.eos)

    def is_job(self, prompt: tuple[int, ...]) -> bool:
        """Whether a prompt is one of the jobs', not that of a look at a server."""
        return prompt[: len(self.rendered.ids)] == self.rendered.ids

    def script(self, prompt: tuple[int, ...], body: dict[str, Any]) -> tuple[int, ...]:
        """What is left to say behind a prompt; a look at a server gets some words."""
        head = self.rendered.ids
        if not self.is_job(prompt):
            return tuple(self.words[:4])
        behind = prompt[len(head) :]
        marks = next((n for n, token in enumerate(behind) if token != self.mark), len(behind))
        whole, done = self.completion(marks - 1), behind[marks:]
        assert marks and whole[: len(done)] == done, "a prompt that no job has"
        return whole[len(done) :]

    def server(self, **kwargs: Any) -> ScriptedServer:
        return ScriptedServer(
            self.script, lambda i: self.tokenizer.decode([i]), eos=self.eos, **kwargs
        )


@pytest.fixture
def server(world: World) -> Iterator[ScriptedServer]:
    with world.server() as it:
        yield it


def engine_over(*servers: ScriptedServer, **options: Any) -> OpenAIEngine:
    urls = [s.url for s in servers]
    return openai(ModelRef(LAB), Runtime(), **{"urls": urls, **QUICK, **options})


def check_whole(world: World, ends: dict[Key, Done], n: int) -> None:
    assert sorted(key.index for key in ends) == list(range(n))
    for key, end in ends.items():
        assert (end.finish, end.error) == ("stop", "")
        assert end.completion_ids == world.completion(key.index)


def test_it_is_an_engine_and_is_registered(server: ScriptedServer) -> None:
    assert resolve("engine", "openai") is openai
    engine = engine_over(server)
    assert isinstance(engine, Engine)
    assert engine.name == "openai/scripted-1"
    assert engine.capabilities.token_ids and engine.capabilities.resumes


def test_completions_come_whole_and_requests_say_everything(
    world: World, server: ScriptedServer
) -> None:
    events: list[Event] = []
    sampling = {"temperature": 0.7, "top_k": 0, "top_p": 0.9, "min_p": 0.1}
    jobs = world.jobs(**sampling, repetition_penalty=1.1)
    check_whole(world, run(engine_over(server), jobs, events.append), 6)
    closed = {e.key.index: e.think_tokens for e in events if isinstance(e, Progress)}
    assert closed == {i: 5 + i for i in range(6)}
    for job in jobs:
        (body,) = [r for r in server.requests if tuple(r["prompt"]) == job.prompt_ids]
        assert body["seed"] == job.seed
        assert body["model"] == "m" and body["stream"] and body["n"] == 1
        assert body["max_tokens"] == 100 and body["top_k"] == -1
        assert body["repetition_penalty"] == 1.1 and world.eos in body["stop_token_ids"]


def test_seeds_are_left_out_where_a_server_dies_of_them(
    world: World, server: ScriptedServer
) -> None:
    engine = engine_over(server, seeds=False)
    assert not engine.capabilities.seeds
    check_whole(world, run(engine, world.jobs()), 6)
    assert not any("seed" in request for request in server.requests)


@pytest.mark.parametrize("way", ["crlf", "bytes", "comments", "twice", "no_done"])
def test_events_may_be_written_in_any_way(world: World, server: ScriptedServer, way: str) -> None:
    server.way = way
    check_whole(world, run(engine_over(server), world.jobs(3)), 3)
    assert len(server.requests) == 3


BROKEN = [
    "reset", "half", "truncated", "unchunked", "garbage", "number", "no_choices", "empty_choice",
    "error", "other_id", "other_index", "bad_ids", "abort", "deep",
]  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_stream_that_breaks_goes_on_from_the_ids_that_came(
    world: World, server: ScriptedServer, kind: str
) -> None:
    server.faults.extend([Fault(kind, 3), Fault(kind, 2)])
    jobs = world.jobs(1)
    check_whole(world, run(engine_over(server), jobs), 1)
    prompts = [len(r["prompt"]) - len(jobs[0].prompt_ids) for r in server.requests]
    first, second, third = prompts
    assert first == 0 and (second, third) == (3, 5)
    assert [r["max_tokens"] for r in server.requests] == [100, 97, 95]
    assert len({r["seed"] for r in server.requests}) == 3, "the same noise is not drawn again"


def test_penalties_over_the_output_make_a_broken_stream_begin_again(
    world: World, server: ScriptedServer
) -> None:
    server.faults.append(Fault("reset", 3))
    jobs = world.jobs(1, presence_penalty=1.5)
    check_whole(world, run(engine_over(server), jobs), 1)
    assert [len(r["prompt"]) for r in server.requests] == [len(jobs[0].prompt_ids)] * 2


@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_failing_answers_are_tried_again(world: World, server: ScriptedServer, status: int) -> None:
    server.faults.extend([Fault("status", status=status), Fault("html")])
    check_whole(world, run(engine_over(server), world.jobs(2)), 2)
    assert len(server.requests) == 4


@pytest.mark.parametrize("value", ["0", "-5", "99999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "x"])
def test_retry_after_is_heeded_within_limits(
    world: World, server: ScriptedServer, value: str
) -> None:
    server.faults.extend(Fault("status", status=429, retry_after=value) for _ in range(9))
    check_whole(world, run(engine_over(server, retries=2), world.jobs(3)), 3)
    assert len(server.requests) == 12, "being asked to wait is no failure"


def test_what_hangs_is_asked_again(world: World, server: ScriptedServer) -> None:
    server.faults.extend([Fault("hang"), Fault("hang", 3)])
    engine = engine_over(server, retries=10**6, failures=10**6)
    engine.options = engine.options.model_copy(update={"timeout": 0.5, "stall": 0.5})
    check_whole(world, run(engine, world.jobs(1)), 1)
    assert len(server.requests) >= 3


def test_what_is_refused_ends_as_an_error_and_never_as_an_answer(
    world: World, server: ScriptedServer
) -> None:
    server.faults.append(Fault("status", status=400))
    (end,) = run(engine_over(server), world.jobs(1)).values()
    assert end.finish == "error" and "answered 400: scripted" in end.error
    assert len(server.requests) == 1


def test_what_fails_again_and_again_ends_as_an_error(world: World) -> None:
    with world.server() as server:
        server.always = Fault("html")
        engine = engine_over(server, retries=2, failures=100)
        (end,) = run(engine, world.jobs(1)).values()
    assert end.finish == "error" and "stream of events" in end.error
    assert len(server.requests) == 3


def test_a_killed_server_comes_back_and_everything_goes_on(
    world: World, server: ScriptedServer
) -> None:
    killed = threading.Event()

    def kill(said: int) -> None:
        if said == 20 and not killed.is_set():
            killed.set()
            threading.Thread(target=lambda: (server.kill(), server.start())).start()

    server.on_token = kill
    check_whole(world, run(engine_over(server), world.jobs(12)), 12)
    assert killed.is_set()


def test_one_of_two_dead_from_the_start_is_fine(world: World, server: ScriptedServer) -> None:
    dead = world.server().start()
    dead.kill()
    check_whole(world, run(engine_over(dead, server), world.jobs(6)), 6)
    assert len(server.requests) == 6


def test_load_goes_to_the_least_loaded_and_never_over_the_bound(world: World) -> None:
    with world.server() as a, world.server() as b:
        engine = engine_over(a, b, concurrency=2)
        pulled = ended = most = 0

        async def lazily() -> Any:
            nonlocal pulled
            for job in world.jobs(20):
                pulled += 1
                yield job

        async def main() -> None:
            nonlocal ended, most
            async for event in engine.sample(lazily()):
                most = max(most, pulled - ended)
                ended += isinstance(event, Done)

        asyncio.run(main())
        assert ended == 20 and most <= 4
        assert len(a.requests) + len(b.requests) == 20
        assert min(len(a.requests), len(b.requests)) > 0


def test_servers_join_and_leave_by_a_file(world: World, tmp_path: Path) -> None:
    names, new = tmp_path / "urls.txt", tmp_path / "new"
    with world.server() as first, world.server() as second:
        names.write_text(f"# ours\n{first.url}\n")
        engine = openai(ModelRef(LAB), Runtime(), urls_file=str(names), **QUICK)

        async def jobs() -> AsyncIterator[Job]:
            for n, job in enumerate(world.jobs(20)):
                if n == 3:
                    new.write_text(second.url)
                    new.replace(names)
                    while not (s := engine.pool.servers.get(second.url)) or not s.usable:
                        await asyncio.sleep(0.01)
                yield job

        async def main() -> dict[Key, Done]:
            return {e.key: e async for e in engine.sample(jobs()) if isinstance(e, Done)}

        check_whole(world, asyncio.run(main()), 20)
        assert (len(first.requests), len(second.requests)) == (3, 17)
        assert engine.pool.servers[first.url].state == "gone"
        names.write_text("")
        engine.pool.reread()
        assert engine.pool.servers[second.url].usable, "half a file takes no server away"


def test_all_dead_is_said_after_patience_and_ids_are_told_first(
    world: World, server: ScriptedServer
) -> None:
    told: dict[Key, tuple[int, ...]] = {}
    server.faults.append(Fault("hang", 4))
    engine = engine_over(server, patience=0.5, checkpoint_seconds=1000)

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress) and event.completion_ids:
            told[event.key] = event.completion_ids

    with pytest.raises(ServersLost, match=r"for 0\.5 seconds: http.*run again to resume"):
        run(engine, world.jobs(1), on_event)
    server.faults.clear()
    ids = told.get(Key("p", 0), ())
    assert ids == world.completion(0)[: len(ids)]
    job = replace(world.jobs(1)[0], done_ids=ids)
    check_whole(world, run(engine_over(server), [job]), 1)


def test_the_last_server_lost_in_mid_run_is_said_at_once(
    world: World, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    long = 10**6
    whole = world.completion(0, answer=long)
    server.script = lambda prompt, body: whole if world.is_job(prompt) else world.words[:4]
    engine = engine_over(server, patience=0.5)

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress):
            server.kill()

    with pytest.raises(ServersLost, match="run again to resume"):
        run(engine, world.jobs(1, max_tokens=long), on_event)
    assert "no server has answered since: http" in caplog.text
    assert "waiting, 0.5 seconds at most" in caplog.text


def test_none_there_at_the_start_is_said(world: World) -> None:
    dead = world.server().start()
    dead.kill()
    with pytest.raises(ServersLost, match=r"within 0\.2 seconds: http.* cannot be reached"):
        engine_over(dead, patience=0.2)


def test_stop_closes_the_stream(world: World, server: ScriptedServer) -> None:
    long = 10**6
    whole = world.completion(0, answer=long)
    server.script = lambda prompt, body: whole if world.is_job(prompt) else world.words[:4]
    engine = engine_over(server)

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress):
            engine.stop(event.key)
            engine.stop(Key("nobody", 3))

    (end,) = run(engine, world.jobs(1, max_tokens=long), on_event).values()
    assert end.finish == "stopped" and end.completion_ids[:6] == world.completion(0)[:6]
    assert server.closed_early.acquire(timeout=60)
    assert server.said < long


def test_a_cap_is_held_to_and_its_ids_are_kept(world: World, server: ScriptedServer) -> None:
    equal, over, lowered, resumed = world.jobs(4)
    engine = engine_over(server)

    def on_event(event: Progress | Done) -> None:
        engine.cap(lowered.key, 50)

    ends = run(
        engine,
        [
            replace(equal, think_cap=5), replace(over, think_cap=3), replace(lowered, think_cap=2),
            replace(resumed, think_cap=1, done_ids=world.completion(3)[:4]),
        ],
        on_event,
    )  # fmt: skip
    assert {k.index: e.finish for k, e in ends.items()} == {
        0: "stop", 1: "stopped", 2: "stopped", 3: "stopped",
    }  # fmt: skip
    assert ends[over.key].completion_ids == world.completion(1)[:4]
    assert ends[resumed.key].completion_ids == world.completion(3)[:4]


def test_budgets_resuming_and_what_has_ended_before(world: World, server: ScriptedServer) -> None:
    short, going_on, ended, full = world.jobs(4)
    ends = run(
        engine_over(server),
        [
            replace(short, sampling=Sampling(max_tokens=4)),
            replace(going_on, done_ids=world.completion(1)[:4]),
            replace(ended, done_ids=world.completion(2)),
            replace(full, done_ids=world.completion(3)[:5], sampling=Sampling(max_tokens=5)),
        ],
    )
    assert ends[short.key].completion_ids == world.completion(0)[:4]
    assert ends[going_on.key].completion_ids == world.completion(1)
    assert [ends[j.key].finish for j in (short, going_on, ended, full)] == [
        "length", "stop", "stop", "length",
    ]  # fmt: skip
    assert len(server.requests) == 2


def test_text_only_is_tokenised_again_and_said_to_be_rendered(world: World) -> None:
    with world.server(ids=False) as server:
        server.faults.append(Fault("reset", 3))
        engine = engine_over(server)
        assert not engine.capabilities.token_ids and not engine.capabilities.resumes
        ends = run(engine, world.jobs(3))
    for key, end in ends.items():
        spelled = world.tokenizer.decode(world.completion(key.index)[:-1])
        assert (end.finish, end.text) == ("stop", spelled)
        assert end.completion_ids[-1] == world.eos
        assert world.tokenizer.decode(end.completion_ids[:-1]) == spelled


def test_a_text_is_stopped_by_its_cap_too(world: World) -> None:
    with world.server(ids=False) as server:
        long = 10**5
        words = (*world.words,) * (long // 9)
        server.script = lambda prompt, body: words if world.is_job(prompt) else world.words[:4]
        job = replace(world.jobs(1, max_tokens=long)[0], think_cap=40)
        (end,) = run(engine_over(server), [job]).values()
        assert end.finish == "stopped" and 40 < len(end.completion_ids) < long
        assert server.closed_early.acquire(timeout=60)


Change = Callable[[ScriptedServer], Any]
UNFIT: list[tuple[str, Change, dict[str, Any]]] = [
    (r"does not serve 'x' but 'm': set runtime\.engine_options\.model", lambda s: 0, {"model": "x"}),
    (r"counts \d+ prompt tokens where \d+ were sent", lambda s: setattr(s, "extra_prompt", 1), {}),
    ("echoes the prompt", lambda s: setattr(s, "echoes", True), {}),
    ("it serves another model", lambda s: setattr(s, "lies", True), {}),
    ("does not give token ids", lambda s: setattr(s, "ids", False), {"token_ids": True}),
    ("answered 401: wrong key", lambda s: setattr(s, "key", "secret"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "change", "options"), UNFIT)
def test_a_server_that_will_not_do_is_told_at_once(
    server: ScriptedServer, sentence: str, change: Change, options: dict[str, Any]
) -> None:
    change(server)
    with pytest.raises(RecipeError, match=sentence):
        engine_over(server, **options)


def test_a_base_url_that_lacks_its_path_is_guessed(server: ScriptedServer) -> None:
    bare = server.url.removesuffix("/v1")
    with pytest.raises(RecipeError, match=f"answered 404: Not Found .*may be {server.url}"):
        engine_over(server, urls=[bare])


def test_ids_and_text_are_not_mixed(world: World, server: ScriptedServer) -> None:
    with world.server(ids=False) as other:
        with pytest.raises(RecipeError, match="does not give token ids and others do"):
            engine_over(server, other)
        engine = engine_over(server, other, token_ids=False)
        ends = run(engine, world.jobs(4))
    assert {end.finish for end in ends.values()} == {"stop"}
    assert all(end.text for end in ends.values())


def test_text_without_its_tags_is_seen_through(world: World) -> None:
    with world.server(ids=False) as server:
        server.strips = (world.close,)
        with pytest.raises(RecipeError, match=r"strips </think> from its text"):
            run(engine_over(server), world.jobs(1))
        assert not server.requests


def test_a_reasoning_parser_is_seen_through(world: World, server: ScriptedServer) -> None:
    server.reasons = True
    with pytest.raises(RecipeError, match="start it without a reasoning parser"):
        run(engine_over(server), world.jobs(1))


def test_a_server_that_changes_its_model_gets_nothing_more(world: World) -> None:
    with world.server() as good, world.server() as changed:
        engine = engine_over(good, changed)
        changed.model = "other"
        changed.always = Fault("status", status=404)
        check_whole(world, run(engine, world.jobs(8)), 8)
        assert engine.pool.servers[changed.url].state == "unfit"


def test_what_does_not_fit_the_server_is_told(world: World) -> None:
    with world.server(max_model_len=50) as server:
        with pytest.raises(RecipeError, match="max_tokens = 100: the server holds 50 tokens"):
            run(engine_over(server), world.jobs(1))
        (end,) = run(engine_over(server), world.jobs(1, max_tokens=49)).values()
        assert end.finish == "error" and "holds 50 tokens" in end.error


def test_keys_come_from_the_environment_only(
    world: World, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "s3cret"
    monkeypatch.setenv("OUR_KEY", "s3cret")
    check_whole(world, run(engine_over(server, api_key_env="OUR_KEY"), world.jobs(2)), 2)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"api_key": "s3cret"}, "a recipe never holds a key"),
        ({"api_key_env": "sk-s3cret"}, "must be the name of an environment variable"),
        ({"api_key_env": "NOT_SET"}, "NOT_SET is not set"),
        ({"urls": ["http://me:s3cret@host/v1"]}, "holds a password"),
        ({"urls": ["localhost:8000"]}, "is not a base URL"),
        ({"urls": []}, "urls is missing"),
        ({"concurency": 3}, "did you mean 'concurrency'"),
    ]
    for options, sentence in bad:
        with pytest.raises(RecipeError, match=sentence) as caught:
            engine_over(server, **options)
        assert "s3cret" not in str(caught.value)


def test_an_adapter_is_served_or_loaded(
    world: World, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    ref = ModelRef(LAB, adapter=str(tmp_path))
    options = {"urls": [server.url], **QUICK}
    engine = openai(ref, Runtime(), **options)
    (asked,) = server.loaded
    assert asked["lora_path"] == str(tmp_path) and asked["lora_name"].startswith("deimos-")
    run(engine, world.jobs(1))
    assert server.requests[0]["model"] == asked["lora_name"]
    server.model = "tuned"
    run(openai(ref, Runtime(), **options, adapter_model="tuned"), world.jobs(1))
    assert server.requests[1]["model"] == "tuned"


def test_a_run_that_is_given_up_closes_every_stream(world: World, server: ScriptedServer) -> None:
    server.faults.extend(Fault("hang", 2) for _ in range(4))
    engine = engine_over(server, checkpoint_seconds=0.02)

    async def main() -> None:
        events = engine.sample(feed(world.jobs(4)))
        async for _ in events:
            break
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert len(engine.pool.servers) == 1
    assert all(s.flying == 0 for s in engine.pool.servers.values())
    check_whole(world, run(engine, world.jobs(4)), 4)


def test_tokens_are_streamed_to_jobs_that_ask(world: World, server: ScriptedServer) -> None:
    """A stream that breaks is continued, so no token comes twice; the end-of-turn token comes too."""
    server.faults.extend([Fault("reset", 3), Fault("truncated", 2)])
    jobs = [replace(job, stream=job.key.index != 2) for job in world.jobs()]
    jobs[3] = replace(jobs[3], done_ids=world.completion(3)[:4])
    jobs[4] = replace(jobs[4], think_cap=3)
    events: list[Event] = []
    ends = run(engine_over(server), jobs, events.append)
    tokens = check_streams(jobs, events)
    assert not tokens[jobs[2].key] and len(tokens[jobs[0].key]) > 5
    assert ends[jobs[3].key].completion_ids == world.completion(3)
    assert ends[jobs[4].key].finish == "stopped"


@pytest.mark.parametrize("ids", [True, False], ids=["penalty", "text"])
def test_what_begins_again_after_tokens_were_sent_ends_as_an_error(world: World, ids: bool) -> None:
    """Where ids cannot be continued from, what was sent could turn out to be something else."""
    with world.server(ids=ids) as server:
        engine = engine_over(server)
        server.faults.extend([Fault("reset", 3), Fault("reset", 3)])
        (asking,) = world.jobs(1, presence_penalty=0.5)
        asking, other = replace(asking, stream=True), world.jobs(2, presence_penalty=0.5)[1]
        events: list[Event] = []
        ends = run(engine, [asking, other], events.append)
        check_streams([asking, other], events)
    assert ends[asking.key].finish == "error" and "lost the connection" in ends[asking.key].error
    assert ends[other.key].finish == "stop"


def test_text_is_streamed_without_the_end_of_the_turn(world: World) -> None:
    mark = world.tokenizer.decode([world.eos])
    with world.server(ids=False) as server:
        text = world.tokenizer.decode
        server.spell = lambda i: text([i]) if i != world.eos else mark[:4]
        engine = engine_over(server)

        def said(i: int) -> str:  # the mark comes in two chunks, and what only begins like it too
            return {world.eos: mark[4:], world.mark: mark[:4]}.get(i, text([i]))

        server.spell = said
        whole = (*world.words[:3], world.mark, *world.words[3:5], world.mark, world.eos)
        server.script = lambda prompt, body: whole if world.is_job(prompt) else world.words[:4]
        job = replace(world.jobs(1)[0], stream=True)
        events: list[Event] = []
        (end,) = run(engine, [job], events.append).values()
        tokens = check_streams([job], events)[job.key]
    assert end.text == text(world.words[:3]) + mark[:4] + text(world.words[3:5])
    assert len(tokens) > 3
