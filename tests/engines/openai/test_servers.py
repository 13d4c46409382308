"""Servers as the pool sees them, and the small rules of waiting; no sockets."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deimos.engines.openai.options import Options, options_of
from deimos.engines.openai.servers import Card, ModelServer, ServerPool, ServersLost
from deimos.engines.openai.stream import Fault, draw_wait, parse_retry_after
from deimos.planning.check import check
from deimos.recipe import RecipeError, load
from deimos.recipe.runtime import Runtime

URLS = ("http://a/v1", "http://b/v1")
GOOD = Card("m", True, "scripted")
LOST = Fault("server", "lost the connection")


class Looks:
    """Answers looks as it is told to: a card, or a fault."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {f"http://{name}/v1": answer for name, answer in answers.items()}

    async def __call__(self, url: str) -> Card:
        answer = self.answers[url]
        if isinstance(answer, Fault):
            raise answer
        return answer


def opened(looks: Looks, **options: Any) -> ServerPool:
    quick = {"backoff": 0.0, "backoff_max": 0.0, "probe_every": 0.001, "patience": 0.2}
    pool = ServerPool(Options(urls=tuple(looks.answers), **{**quick, **options}))
    asyncio.run(pool.open(looks))
    return pool


def take(pool: ServerPool) -> ModelServer | None:
    async def place() -> ModelServer | None:
        task = asyncio.ensure_future(pool.take_place())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if task.done():
            return task.result()
        task.cancel()
        return None

    return asyncio.run(place())


def test_one_that_is_not_there_at_the_start_is_named(caplog: pytest.LogCaptureFixture) -> None:
    opened(Looks(a=GOOD, b=Fault("server", "cannot be reached")))
    assert "server http://b/v1 cannot be reached; the others begin without it" in caplog.text


def test_requests_go_to_the_least_loaded_up_to_the_bound() -> None:
    pool = opened(Looks(a=GOOD, b=GOOD), concurrency=2)
    assert pool.places == 4
    taken = [take(pool) for _ in range(4)]
    assert [s.url for s in taken if s] == [*URLS, *URLS]
    assert take(pool) is None
    first = taken[1]
    assert first
    pool.release(first)
    assert take(pool) is first


def test_a_circuit_opens_is_tried_by_one_and_closes() -> None:
    looks = Looks(a=GOOD)
    pool = opened(looks, failures=3, concurrency=8)
    server = pool.servers[URLS[0]]
    for _ in range(2):
        pool.note_failure(server, LOST)
    pool.note_token(server, whole=True)
    for _ in range(2):
        pool.note_failure(server, LOST)
    assert server.state == "up", "failures in a row are counted"
    pool.note_failure(server, LOST)
    assert (server.state, pool.places, take(pool)) == ("down", 0, None)
    looks.answers[server.url] = LOST
    asyncio.run(pool.look_at(server, looks))
    assert server.state == "down"
    looks.answers[server.url] = GOOD
    asyncio.run(pool.look_at(server, looks))
    assert (server.state, pool.places) == ("trial", 1)
    assert take(pool) is server and take(pool) is None
    pool.note_failure(server, LOST)
    assert server.state == "down", "a failed trial opens it again"
    asyncio.run(pool.look_at(server, looks))
    pool.note_token(server, whole=False)
    assert (server.state, pool.places) == ("up", 8)


def test_late_failures_of_a_lost_server_count_for_nothing() -> None:
    pool = opened(Looks(a=GOOD), failures=1)
    server = pool.servers[URLS[0]]
    for _ in range(9):
        pool.note_failure(server, LOST)
    assert server.failures == 1


def test_a_server_that_asks_to_wait_gets_nothing_meanwhile() -> None:
    pool = opened(Looks(a=GOOD, b=GOOD), backoff_max=1000)
    a, b = pool.servers.values()
    pool.note_failure(a, Fault("busy", "answered 429", retry_after=math.inf))
    assert a.state == "up", "busy is no failure"
    assert [take(pool), take(pool)] == [b, b]


def test_one_of_two_answers_and_the_other_may_come_later() -> None:
    looks = Looks(a=LOST, b=GOOD)
    pool = opened(looks)
    a, b = pool.servers.values()
    assert (a.state, b.state) == ("down", "up")
    looks.answers[a.url] = GOOD
    asyncio.run(pool.look_at(a, looks))
    assert a.usable


def test_one_that_comes_later_must_give_ids_as_the_others_do() -> None:
    looks = Looks(a=LOST, b=GOOD)
    pool = opened(looks)
    a = pool.servers[URLS[0]]
    looks.answers[a.url] = Card("m", False, "scripted")
    asyncio.run(pool.look_at(a, looks))
    assert a.state == "unfit" and "does not give token ids" in a.why


def test_giving_up_needs_every_server_to_fail_twice() -> None:
    pool = opened(Looks(a=GOOD, b=GOOD))
    a, b = pool.servers.values()
    wrong = Fault("unfit", "does not serve 'm' but 'x'")
    for server in (a, b):
        pool.note_failure(server, wrong)
    assert not pool.is_hopeless(), "it may be starting again"
    for server in (a, b):
        asyncio.run(pool.look_at(server, Looks(a=wrong, b=wrong)))
    assert pool.is_hopeless()
    assert pool.describe("as the recipe wants") == (
        "no server has answered as the recipe wants: http://a/v1 does not serve 'm' but 'x'; "
        "http://b/v1 does not serve 'm' but 'x'"
    )


def test_nobody_there_and_nobody_fit_are_two_errors() -> None:
    with pytest.raises(ServersLost, match=r"within 0\.2 seconds: http://a/v1 lost the connection"):
        opened(Looks(a=LOST))
    with pytest.raises(RecipeError, match="server http://a/v1 answered 404"):
        opened(Looks(a=Fault("unfit", "answered 404"), b=GOOD))


def test_the_file_of_servers_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("http://b/v1/ # the other\n\n")
    pool = ServerPool(Options(urls=(URLS[0],), urls_file=str(file)))
    pool.reread()
    assert tuple(pool.servers) == URLS
    file.write_text("not a url\n")
    pool.reread()
    assert [s.state for s in pool.servers.values()] == ["new", "new"], "a bad file changes nothing"
    file.write_text("")
    pool.reread()
    assert [s.state for s in pool.servers.values()] == ["new", "gone"]
    file.write_text(URLS[1])
    pool.reread()
    assert [s.state for s in pool.servers.values()] == ["new", "new"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), ("1.5", 1.5), ("0", 0), ("-3", 0), ("1e999", math.inf), ("nan", None),
        ("soon", None), ("", None), (None, None), (" 7 ", 7),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60), ("Thu, 01 Jan 2026 00:01:00", 60),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0), ("Thu, 99 Foo 2026", None),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_waits_grow_up_to_their_limit_and_are_spread() -> None:
    waits = [[draw_wait(n, 1.0, 8.0) for _ in range(200)] for n in (0, 1, 2, 3, 99)]
    assert [math.ceil(max(w)) for w in waits] == [1, 2, 4, 8, 8]
    assert all(0 <= min(w) < max(w) / 4 for w in waits)


def test_options_are_looked_at_in_a_plan() -> None:
    recipe, _ = load(Path(__file__).parents[3] / "recipes" / "lab.yaml")
    good = {"urls": [URLS[0]], "concurrency": 4}
    check(recipe, Runtime(engine="openai", engine_options=good))
    with pytest.raises(RecipeError, match=r"runtime\.engine_options\.concurrency = 0"):
        check(recipe, Runtime(engine="openai", engine_options={**good, "concurrency": 0}))
    assert options_of(good).concurrency == 4


def test_what_befell_the_servers_is_told() -> None:
    pool = opened(Looks(a=GOOD, b=LOST), failures=2)
    a, b = pool.servers.values()
    for _ in range(3):
        assert take(pool) is a
    for _ in range(3):  # the last one was under way when the server was given up
        pool.note_failure(a, Fault("server", "hung up"))
    assert pool.facts() == [
        {"url": a.url, "state": "down", "requests": 3, "faults": 3, "lost": 1,
         "last_fault": "hung up"},
        {"url": b.url, "state": "down", "requests": 0, "faults": 0, "lost": 1,
         "last_fault": "lost the connection"},
    ]  # fmt: skip
