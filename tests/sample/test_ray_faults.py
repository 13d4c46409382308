"""Sampling on a real Ray cluster of two nodes, and what becomes of it when parts of it are killed.

The reference is the same recipe without a cluster. The engine is seeded, so the golds must be the
same ones, token ids included; they may differ by arithmetic's rounding alone, and none does here.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.sample.folders import Run, assert_kept, assert_same

from deimos.store.journal import read

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'deimos-llm[ray]'")

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

KILLS = int(os.environ.get("DEIMOS_TEST_KILLS", "2"))
"""Random moments at which the driver is killed."""


@dataclass
class Two:
    """A head that runs nothing, and two nodes of one processor each."""

    cluster: Any
    nodes: list[Any]

    @property
    def sets(self) -> list[str]:
        address = f"runtime.cluster.address={self.cluster.address}"
        return [address, "runtime.cluster.actors=2"]

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=80 << 20))

    def actors(self) -> list[psutil.Process]:
        return actors_below(psutil.Process())


def actors_below(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children(recursive=True):
        try:
            if "ray::Worker" in " ".join(child.cmdline()):
                found.append(child)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's own spelling; else the actors wait for the tests beside these.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80 << 20}
    )
    both = Two(cluster, [])
    both.add()
    both.add()
    yield both
    started = psutil.Process().children(recursive=True)
    cluster.shutdown()
    left = psutil.wait_procs(started, timeout=30)[1]
    assert left == [], "nothing of the cluster lives on"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("alone") / "run")
    run.finish()
    return run


def test_two_nodes_choose_what_one_process_chooses(two: Two, alone: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", two.sets)
    process = run.start()
    run.wait_for(process, 20)
    nodes = {actor.ppid() for actor in two.actors()}
    assert len(nodes) == 2, "an actor on each node"
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert_same(run, alone)
    assert run.counts()["actors_lost"] == 0
    assert eventually(lambda: not two.actors()), "actors end with their driver"
    files = {path: path.read_bytes() for path in run.out.rglob("*") if path.is_file()}
    assert "sample: complete" in run.finish()
    assert {path: path.read_bytes() for path in files} == files


def test_a_killed_actors_prompts_are_finished_elsewhere(
    two: Two, alone: Run, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run", two.sets)
    process = run.start()
    run.wait_for(process, 30)
    two.actors()[0].kill()
    before = run.journals()
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "an actor was lost" in said and run.counts()["actors_lost"] == 1
    assert_kept(run, before)
    assert_same(run, alone)


def test_a_killed_nodes_prompts_are_finished_elsewhere(
    two: Two, alone: Run, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run", two.sets)
    process = run.start()
    run.wait_for(process, 30)
    two.cluster.remove_node(two.nodes.pop(), allow_graceful=False)
    before = run.journals()
    said = process.communicate()[0]
    two.add()
    assert process.returncode == 0, said
    assert run.counts()["actors_lost"] == 1
    assert_kept(run, before)
    assert_same(run, alone)


def test_a_driver_killed_at_random_moments_goes_on(two: Two, alone: Run, tmp_path: Path) -> None:
    rng, kills, tries = random.Random(5), 0, 0
    while kills < KILLS:
        tries += 1
        run, before = Run(tmp_path / str(tries), two.sets), []
        while kills < KILLS:
            process = run.start()
            time.sleep(rng.uniform(2, 16))
            at_kill = run.journals()
            if process.poll() is not None:
                break
            run.kill(process)
            kills += 1
            before.append(at_kill)
        run.finish()
        written = [journals for journals in before if journals]
        for journals in written:
            assert_kept(run, journals)
        assert_same(run, alone)
        assert bool(run.cut_short()) >= bool(written), "a killed attempt is told"
        assert eventually(lambda: not two.actors()), "no actor outlives its driver"


def test_an_interrupted_driver_says_so_and_ends_its_actors(two: Two, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", two.sets)
    process = run.start()
    run.wait_for(process, 10)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert "run the same command to resume" in said and "Traceback" not in said
    assert eventually(lambda: not two.actors())


def test_a_cluster_of_its_own_is_gone_with_the_run(alone: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", ["runtime.cluster.address=local", "runtime.cluster.actors=2"])
    process = run.start()
    run.wait_for(process, 5)
    mine = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in p.name() for p in mine)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert_same(run, alone)
    assert psutil.wait_procs(mine, timeout=30)[1] == []


def test_a_cluster_of_its_own_that_lost_its_node_ends_the_run(alone: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", ["runtime.cluster.address=local", "runtime.cluster.actors=2"])
    process = run.start()
    run.wait_for(process, 5)
    mine = psutil.Process(process.pid).children(recursive=True)
    node = next(p for p in mine if "raylet" in p.name())
    for victim in (*node.children(recursive=True), node):  # its actors, too, as with a machine
        victim.kill()
    said = process.communicate(timeout=900)[0]
    assert process.returncode == 1 and "run the same command" in said, said[-3000:]
    assert "Traceback" not in said
    run.finish()
    assert_same(run, alone)


def test_no_cluster_and_no_place_are_one_sentence_each(two: Two, tmp_path: Path) -> None:
    nowhere = Run(tmp_path / "nowhere", ["runtime.cluster.address=127.0.0.1:1"])
    said = nowhere.finish(code=2)
    assert "runtime.cluster.address = '127.0.0.1:1'" in said and "Traceback" not in said
    sets = [*two.sets, "runtime.cluster.gpus_per_actor=1", "runtime.cluster.patience=3"]
    said = Run(tmp_path / "greedy", sets).finish(code=1)
    assert "no actor found a place in the cluster for 3 seconds" in said
    assert f"Ray cluster at {two.cluster.address}: 3 nodes, 2 CPUs, 0 GPUs" in said
    own = ["runtime.cluster.address=local", "runtime.cluster.gpus_per_actor=0.5"]
    said = Run(tmp_path / "own", own).finish(code=2)
    assert "runtime.cluster.gpus_per_actor = 0.5: this machine, which is" in said
    assert "Traceback" not in said


BROKEN = """
from deimos.recipe import RecipeError

def refuses(ref, runtime, **options):
    raise RecipeError("runtime.engine: this engine is closed today")

def dies(ref, runtime, **options):
    import os
    os._exit(3)
"""


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("refuses", 2, "error: runtime.engine: this engine is closed today"),
        ("dies", 1, "every actor died 3 times without finishing anything"),
    ],
)
def test_an_engine_that_never_opens_ends_the_run(
    two: Two, tmp_path: Path, name: str, code: int, sentence: str
) -> None:
    engine = tmp_path / "broken.py"
    engine.write_text(BROKEN)
    run = Run(tmp_path / "run", [*two.sets, f"runtime.engine={engine}:{name}"])
    said = run.finish(code=code)
    assert sentence in said and "Traceback" not in said


def test_the_bench_on_two_nodes_has_the_rows_of_one_process(
    two: Two, alone: Run, tmp_path: Path
) -> None:
    """Same samples and accuracies; seconds aside, which are measured. Both go on from one sample."""
    small = [
        *(f"bench.tasks.{i}.source.take=5" for i in range(4)), "train.epochs=1", "sweep.take=16",
        "bench.settings=[equal]", "bench.timing_problems=4", "bench.timing_concurrency=2",
    ]  # fmt: skip
    ours = Run(tmp_path / "ours", [*small, *two.sets], until="bench")
    theirs = Run(tmp_path / "theirs", small, until="bench")
    for run in (ours, theirs):
        shutil.copytree(alone.out, run.out)
    theirs.finish()
    ours.finish()
    mine, others = (run.folder("bench") for run in (ours, theirs))
    assert [*mine.glob("samples/*")]
    for path in mine.glob("samples/*.jsonl"):
        samples, expected = (
            {
                (r["prompt_id"], r["index"], r["key"]): (r["completion_ids"], r["ok"])
                for r in read(p)
            }
            for p in (path, others / "samples" / path.name)
        )
        assert samples == expected and samples
    for name in ("bench.jsonl", "by_config.jsonl"):
        rows, expected = (
            [
                {k: v for k, v in json.loads(line).items() if "seconds" not in k}
                for line in (folder / name).read_text().splitlines()
            ]
            for folder in (mine, others)
        )
        assert rows == expected and rows
    engines = {row["engine"] for path in mine.glob("samples/*.jsonl") for row in read(path)}
    assert all(name.startswith("local/") for name in engines)
