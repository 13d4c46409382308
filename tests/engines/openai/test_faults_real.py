"""Whole runs over scripted servers that break: journal, counts, golds and report of each fault.

The servers say, seed by seed, what the local engine said in an exhaustive run, so what is kept must be
what that run kept, token ids included.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engines.openai.scripted_server import Fault, ScriptedServer
from tests.sample.folders import Run, assert_kept, assert_same

from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.store.journal import read

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

OPTIONS = (
    "runtime.engine=openai", "runtime.engine_options.model=m", "runtime.engine_options.retries=60",
    "runtime.engine_options.backoff=0.01", "runtime.engine_options.backoff_max=0.1",
    "runtime.engine_options.probe_every=0.05", "runtime.engine_options.stall=1",
    "runtime.engine_options.concurrency=4",
)  # fmt: skip


class Said:
    """What every candidate of a run says, known by the seed of the request, also of one gone on with."""

    def __init__(self, run: Run) -> None:
        self.tokenizer = load_tokenizer(ModelRef(str(lab_path())))
        self.eos: int = self.tokenizer.eos_token_id
        rows = [*run.rows(), *read(run.folder("sample") / "dev.jsonl")]
        self.whole = {row["seed"]: tuple(row["completion_ids"]) for row in rows}
        self.left = {
            int.from_bytes(hashlib.sha256(f"{seed}+{n}".encode()).digest()[:4], "big") >> 1: ids[n:]
            for seed, ids in self.whole.items()
            for n in range(1, len(ids))
        }
        assert len(self.whole) == len(rows)

    def script(self, prompt: tuple[int, ...], body: dict[str, Any]) -> Sequence[int]:
        if not body.get("stream"):  # a look at the server
            return self.tokenizer.encode("1 + 1")
        time.sleep(0.02)
        return self.whole.get(body["seed"]) or self.left[body["seed"]]

    def server(self) -> ScriptedServer:
        return ScriptedServer(self.script, lambda i: self.tokenizer.decode([i]), eos=self.eos)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("calm") / "run", ["sample.exhaustive=true"])
    run.finish()
    return run


@pytest.fixture(scope="module")
def said(calm: Run) -> Said:
    return Said(calm)


@pytest.fixture
def servers(said: Said) -> Iterator[tuple[ScriptedServer, ScriptedServer]]:
    with said.server() as one, said.server() as two:
        yield one, two


def over(out: Path, *servers: ScriptedServer) -> Run:
    urls = ",".join(f'"{server.url}"' for server in servers)
    return Run(out, [*OPTIONS, f"runtime.engine_options.urls=[{urls}]"])


def goes_through(run: Run, calm: Run, rows: int) -> None:
    """In one go, with what the journal held after so many rows kept."""
    process = run.start()
    run.wait_for(process, rows)
    before = run.journals()
    told = process.communicate()[0]
    assert process.returncode == 0, told[-3000:]
    assert_kept(run, before)
    assert_same(run, calm)


STREAMS: dict[str, Callable[[random.Random], Fault]] = {
    "500": lambda rng: Fault("status", status=500),
    "429": lambda rng: Fault("status", status=429, Retry_After="1"),
    "hang": lambda rng: Fault("hang", rng.randrange(20)),
    "reset": lambda rng: Fault("reset", rng.randrange(40)),
    "garbage": lambda rng: Fault("garbage", rng.randrange(40)),
    "half an event": lambda rng: Fault("half", rng.randrange(40)),
    "truncated body": lambda rng: Fault("truncated", rng.randrange(40)),
}
SHARE = {"429": 0.05, "hang": 0.05}
"""Of requests that meet the fault; seldom, where each costs a second."""


@pytest.mark.parametrize("kind", STREAMS)
def test_a_fault_of_streams_costs_no_candidate(
    kind: str, servers: Any, calm: Run, tmp_path: Path
) -> None:
    rng = random.Random(kind)
    for server in servers:
        server.faults.extend(
            STREAMS[kind](rng) if rng.random() < SHARE.get(kind, 0.3) else Fault("none")
            for _ in range(80)
        )
        server.faults[rng.randrange(10, 20)] = STREAMS[kind](rng)  # at least this one
    run = over(tmp_path / "run", *servers)
    goes_through(run, calm, rows=20)
    reported = run.report()
    for server in servers:
        assert f"Server {server.url}: " in reported
    assert "failed and were asked again" in reported


def test_a_server_killed_and_started_again(servers: Any, calm: Run, tmp_path: Path) -> None:
    one, _ = servers
    run = over(tmp_path / "run", *servers)

    def kill(n: int) -> None:
        if n == 1500:
            threading.Thread(target=lambda: (one.kill(), time.sleep(0.5), one.start())).start()

    one.on_token = kill
    goes_through(run, calm, rows=10)
    assert ", lost once" in run.report()


def test_one_of_two_dead_from_the_start(servers: Any, calm: Run, tmp_path: Path) -> None:
    one, two = servers
    run = over(tmp_path / "run", one, two)
    two.kill()
    run.finish()
    assert_same(run, calm)
    assert f"Server {two.url}: 0 requests" in run.report()


def test_a_wrong_model_name_decodes_nothing_and_the_right_one_goes_on(
    servers: Any, calm: Run, tmp_path: Path
) -> None:
    run = over(tmp_path / "run", *servers)
    told = run.finish("runtime.engine_options.model=x", code=2)
    assert "does not serve 'x' but 'm': set runtime.engine_options.model" in told
    assert not any(server.requests for server in servers)
    run.finish()
    assert_same(run, calm)


def test_all_servers_lost_ends_the_run_and_it_goes_on(
    servers: Any, calm: Run, tmp_path: Path
) -> None:
    run = over(tmp_path / "run", *servers)
    process = run.start("runtime.engine_options.patience=1")
    run.wait_for(process, 20)
    for server in servers:
        server.kill()
    told = process.communicate()[0]
    assert process.returncode == 1 and "run again to resume" in told, told[-3000:]
    before = run.journals()
    for server in servers:
        server.start()
    run.finish()
    assert_kept(run, before)
    assert_same(run, calm)
    assert "An attempt at sampling was cut short" in run.report()


def test_a_run_killed_over_servers_that_break(servers: Any, calm: Run, tmp_path: Path) -> None:
    rng = random.Random(9)
    for server in servers:
        server.faults.extend(
            STREAMS[rng.choice(["500", "reset", "half an event"])](rng)
            if rng.random() < 0.3
            else Fault("none")
            for _ in range(200)
        )
    run = over(tmp_path / "run", *servers)
    for rows in (15, 40, 70):
        process = run.start()
        run.wait_for(process, rows)
        run.kill(process)
        before = run.journals()
    run.finish()
    assert_kept(run, before)
    assert_same(run, calm)
    assert "3 attempts at sampling were killed" in run.report()
