"""The cluster's own logic without Ray: shards, who writes where, taking over, and who does what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sample.test_stage import Kitchen, tokenizer  # noqa: F401

from deimos.engines.echo import EchoEngine
from deimos.engines.multiplex import Shared
from deimos.engines.ray.cluster import connect
from deimos.engines.ray.ledger import DEATHS, LOSSES, ClusterError, Ledger, WorkItem
from deimos.graders.worker.pool import Judge
from deimos.recipe import RecipeError, Sample, validate
from deimos.recipe.runtime import Cluster, Runtime
from deimos.runs.artifacts import read_prompts, write_prompts
from deimos.sample.model import OpenModel, made_with_of, make_decode
from deimos.sample.ray import DEV_PASS, RaceWorker, ShardTask, WorkerConfig, shards_at_once
from deimos.sample.shards import (
    Segment,
    ShardFiles,
    count_prompts,
    shard_size,
    split_shards,
    wait_until_closed,
)
from deimos.select.function_words import function_word_rate
from deimos.store.candidates import completion_files, filters_of, journal_for, read_candidates
from deimos.store.journal import Journal, read
from deimos.store.names import CONSTANTS


@pytest.fixture
def kitchen(tmp_path: Path, tokenizer: Any) -> Iterator[Kitchen]:  # noqa: F811
    with Judge({"math": "math"}) as judge:
        yield Kitchen(tmp_path, tokenizer, judge)


class Actors:
    """Workers as actors are, in this process, over the kitchen's scripts."""

    def __init__(self, kitchen: Kitchen, **sets: Any) -> None:
        self.kitchen, self.job = kitchen, kitchen.job(**sets)
        self.engines: list[EchoEngine] = []
        job = self.job
        self.config = WorkerConfig(
            job.recipe, job.runtime, job.model_path, job.inputs["prompts"], job.out,
            made_with_of(job, kitchen.tokenizer),
            journal_for(job.out, filters_of(job.recipe.select)).stem,
            lambda job: contextlib.nullcontext(kitchen.filters(job)), function_word_rate,
        )  # fmt: skip

    def worker(self) -> RaceWorker:
        engine = EchoEngine(self.kitchen.script, max_batch=4)
        self.engines.append(engine)
        words = self.kitchen.tokenizer
        eos = frozenset({words.eos_token_id})
        model = OpenModel(Shared(engine), words, make_decode(words, eos, engine.name))
        return RaceWorker(self.config, self.job, model, self.config.open_gates(self.job))

    def tasks(self, constants: Any, size: int = 1) -> list[ShardTask]:
        return [
            ShardTask(s, constants) for s in split_shards(self.config.prompts / "train.jsonl", size)
        ]

    async def all(self, workers: int = 2) -> dict[str, int]:
        """Shards in turn to each of some workers, all at once."""
        made = [self.worker() for _ in range(workers)]
        constants = await made[0](DEV_PASS)
        tasks = self.tasks(constants)
        counts = await asyncio.gather(*(made[i % workers](task) for i, task in enumerate(tasks)))
        return {key: sum(count[key] for count in counts) for key in counts[0]}

    @property
    def tokens(self) -> int:
        return sum(engine.tokens for engine in self.engines)


def outcome(kitchen: Kitchen) -> dict[tuple[str, int], tuple[Any, ...]]:
    pool = read_candidates(kitchen.folder / "sample")
    return {
        key: (c.completion.completion_ids, c.completion.verdict, c.key)
        for key, c in pool.items()
        if c.completion.finish == "stop"
    }


def test_two_actors_choose_what_one_process_chooses(kitchen: Kitchen, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = Kitchen(tmp_path / "alone", kitchen.tokenizer, kitchen.judge)
    before = alone.sample()
    alone.select()
    counts = asyncio.run(Actors(kitchen).all())
    assert counts["completions"] == before["completions"] == 20
    kitchen.select()
    assert kitchen.golds() == alone.golds() and len(kitchen.golds()) == 5
    ours, theirs = (
        json.loads((k.folder / "sample" / CONSTANTS).read_text()) for k in (kitchen, alone)
    )
    assert ours == theirs
    names = [path.name for path in completion_files(kitchen.folder / "sample")]
    assert names == [f"00000_{n:06}_000.jsonl" for n in range(5)]
    assert outcome(kitchen).keys() >= {(g, i) for g, i in kitchen.golds().items()}
    assert not [*(kitchen.folder / "sample" / "partial").glob("*")]


def test_a_shard_whose_actor_died_goes_on_where_it_stopped(kitchen: Kitchen) -> None:
    actors = Actors(kitchen)

    async def die_and_take_over() -> None:
        first = actors.worker()
        constants = await first(DEV_PASS)
        [task] = actors.tasks(constants, size=5)
        work = asyncio.create_task(first(task))
        while not (files := completion_files(actors.job.out)) or len([*read(files[0])]) < 8:
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])
        kept = files[0].read_bytes()
        held = {(r["prompt_id"], r["index"]) for r in read(files[0]) if r["finish"] == "stop"}
        kitchen.begun.clear()
        counts = await actors.worker()(task)
        assert counts["completions"] == 20
        assert files[0].read_bytes() == kept, "nobody writes another's segment"
        assert held.isdisjoint(kitchen.begun), "what it holds is not decoded again"

    asyncio.run(die_and_take_over())
    names = [path.name for path in completion_files(actors.job.out)]
    assert names == ["00000_000000_000.jsonl", "00000_000000_001.jsonl"]
    kitchen.select()
    assert set(kitchen.golds().values()) == {3} and len(kitchen.golds()) == 5


def test_a_finished_race_decodes_nothing_and_leaves_no_files_when_run_again(
    kitchen: Kitchen,
) -> None:
    first = asyncio.run(Actors(kitchen).all())
    files = {p: p.read_bytes() for p in (kitchen.folder / "sample").rglob("*.jsonl")}
    again = Actors(kitchen)
    assert asyncio.run(again.all(workers=3)) == first
    assert again.tokens == 0
    assert {p: p.read_bytes() for p in (kitchen.folder / "sample").rglob("*.jsonl")} == files


def test_with_and_without_a_cluster_by_turns(kitchen: Kitchen) -> None:
    """A run in one process is cut short, a cluster goes on, and one process finds all done."""
    whole = kitchen.sample()
    path = kitchen.folder / "sample/completions/00000.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:9]))
    held = {(r["prompt_id"], r["index"]) for r in read(path) if r["finish"] == "stop"}
    kitchen.begun.clear()
    actors = Actors(kitchen)
    assert asyncio.run(actors.all())["completions"] == whole["completions"]
    assert actors.tokens and held.isdisjoint(kitchen.begun)
    assert kitchen.sample()["completions"] == whole["completions"] and kitchen.tokens == 0
    kitchen.select()
    assert set(kitchen.golds().values()) == {3} and len(kitchen.golds()) == 5


def test_changed_filters_judge_segments_anew(kitchen: Kitchen, tmp_path: Path) -> None:
    asyncio.run(Actors(kitchen).all())
    grader = tmp_path / "never.py"
    grader.write_text(
        "from deimos import Verdict\n"
        "def judge(answer, reference):\n"
        "    return Verdict.of(False, 'not today')\n"
    )
    strict = {"select": {"graders": {"math": f"{grader}:judge"}}}
    with Judge({"math": f"{grader}:judge"}) as judge:
        kitchen.judge = judge
        counts = asyncio.run(Actors(kitchen, **strict).all())
    assert (counts["completions"], counts["passed"], counts["outpaced"]) == (20, 0, 0)
    files = {path.stem[:5] for path in completion_files(kitchen.folder / "sample")}
    assert files == {"00000", "00001"}


def test_a_candidate_that_two_actors_decoded_counts_once_the_first_one(kitchen: Kitchen) -> None:
    asyncio.run(Actors(kitchen).all())
    before = read_candidates(kitchen.folder / "sample")
    files = ShardFiles(kitchen.folder / "sample", 2)
    with contextlib.closing(files.new_completions("00000")) as zombie:
        for row in read(files.completions()[0]):
            if row["finish"] == "stop":
                zombie.append({**row, "text": "decoded again", "completion_ids": [1, 2]})
    assert read_candidates(kitchen.folder / "sample") == before


def test_an_engines_failure_never_hides_what_another_segment_holds(kitchen: Kitchen) -> None:
    asyncio.run(Actors(kitchen).all())
    before = read_candidates(kitchen.folder / "sample")
    files = ShardFiles(kitchen.folder / "sample", 1)
    with contextlib.closing(files.new_completions("00000")) as journal:
        for row in read(files.completions()[0]):
            journal.append({**row, "finish": "error", "verdict": None})
    assert read_candidates(kitchen.folder / "sample") == before


@pytest.mark.parametrize(("prompts", "size"), [(0, 1), (1, 1), (40, 1), (640, 6), (10**8, 2500)])
def test_shards_are_few_and_small(prompts: int, size: int) -> None:
    assert shard_size(prompts) == size


def test_shards_cover_the_file_once_whatever_is_in_it(kitchen: Kitchen, tmp_path: Path) -> None:
    prompts = [replace(p, source="ä\u2028\x85 end") for p in kitchen.prompts]
    path = tmp_path / "p.jsonl"
    write_prompts(path, prompts)
    assert count_prompts(path) == 25
    for size in (1, 4, 25, 100):
        found = [*split_shards(path, size)]
        assert [p for shard in found for p in shard.read(path)] == read_prompts(path) == prompts
        assert [s.number for s in found] == [*range(-(-25 // size))]
        assert max(s.prompts for s in found) <= size


def test_a_segment_is_claimed_by_its_first_record_and_never_shared(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path, 7)
    first, second, idle = (files.new_partial() for _ in range(3))
    second.append({"a": 1})
    first.append({"a": 2})
    for segment in (first, second, idle):
        segment.close()
    assert (first.path, second.path, idle.path) == (
        tmp_path / "partial/000007_001.jsonl", tmp_path / "partial/000007_000.jsonl", None,
    )  # fmt: skip
    assert [[row["a"] for row in read(path)] for path in files.partials()] == [[1], [2]]


def test_who_takes_over_waits_for_a_writer_that_lives_on(tmp_path: Path) -> None:
    segment = Segment(iter([tmp_path / "a.jsonl"]))
    segment.append({"a": 1})
    path = segment.path
    assert path

    async def wait() -> list[str]:
        told: list[str] = []
        waiting = asyncio.create_task(wait_until_closed([path, tmp_path / "gone"]))
        for _ in range(3):
            await asyncio.sleep(0)
        told.append("waits" if not waiting.done() else "went on")
        segment.close()
        await waiting
        return told

    assert asyncio.run(wait()) == ["waits"]
    with Journal(path):
        asyncio.run(wait_until_closed([path], seconds=0))  # and not for ever


def test_an_actor_has_enough_shards_to_fill_its_batch() -> None:
    assert shards_at_once(256, Sample(n=8), 6) == 1 + 6
    assert shards_at_once(4, Sample(n=8), 2500) == 2


def given(ledger: Ledger, *items: str) -> dict[str, int]:
    """Each item to whom it is given."""
    places = {}
    for item in items:
        place = ledger.find_free()
        assert place is not None
        ledger.give(place, WorkItem(item))
        places[item] = place
    return places


def test_work_goes_to_open_actors_with_the_least_to_do_up_to_a_bound() -> None:
    ledger = Ledger(3, in_flight=2)
    assert ledger.find_free() is None
    ledger.opened(0)
    ledger.opened(2)
    assert given(ledger, "a", "b", "c", "d") == {"a": 0, "b": 2, "c": 0, "d": 2}
    assert ledger.find_free() is None and ledger.busy


def test_the_first_actor_that_opens_leaves_the_others_their_share() -> None:
    ledger = Ledger(2, in_flight=100)
    ledger.left = 6
    ledger.opened(0)
    given(ledger, "a", "b", "c")
    assert ledger.find_free() is None
    ledger.opened(1)
    assert given(ledger, "d") == {"d": 1}


def test_what_is_timed_goes_to_one_actor_and_to_the_next_where_that_is_given_up() -> None:
    ledger = Ledger(2, in_flight=2)
    ledger.alone = True
    ledger.opened(0)
    ledger.opened(1)
    assert given(ledger, "a", "b") == {"a": 0, "b": 0}
    assert ledger.find_free() is None
    for _ in range(DEATHS):
        ledger.died(0, "killed")
    assert ledger.find_free() == 1


def test_what_a_dead_actor_held_comes_back_before_anything_new() -> None:
    ledger = Ledger(2, in_flight=2)
    ledger.opened(0)
    ledger.opened(1)
    given(ledger, "a", "b", "c")
    assert ledger.died(0, "killed")
    assert ledger.find_free() == 1
    assert [e.item for e in iter(ledger.take_returned, None)] == ["a", "c"]
    assert ledger.lost == 1


def test_an_actor_that_never_gets_anywhere_is_given_up_and_then_all_are() -> None:
    ledger = Ledger(2, in_flight=1)
    assert [ledger.died(0, "out of memory") for _ in range(DEATHS)] == [True, True, False]
    ledger.opened(1)
    for _ in range(2 * DEATHS):  # dies often, but not without having done something
        entry = WorkItem("a")
        ledger.give(1, entry)
        ledger.finished(1, entry)
        assert ledger.died(1, "pre-empted")
        ledger.opened(1)
    assert [ledger.died(1, "killed") for _ in range(DEATHS - 2)] == [True] * (DEATHS - 2)
    with pytest.raises(ClusterError, match=r"3 times without finishing anything.*: no GPU"):
        ledger.died(1, "no GPU")


def test_an_item_that_kills_whoever_takes_it_ends_the_work() -> None:
    ledger = Ledger(9, in_flight=1)
    for place in range(9):
        ledger.opened(place)
    poison = WorkItem("shard 3 (2 prompts)")
    for place in range(LOSSES - 1):
        ledger.give(place, poison)
        ledger.died(place, "crashed")
        assert ledger.take_returned() is poison
    ledger.give(8, poison)
    with pytest.raises(ClusterError, match=r"5 actors died.* shard 3 \(2 prompts\); .*: crashed"):
        ledger.died(8, "crashed")


@pytest.mark.parametrize(
    ("cluster", "sentence"),
    [
        ({"adress": "auto"}, "unknown key 'runtime.cluster.adress': did you mean 'address'?"),
        ({"address": "nowhere"}, "runtime.cluster.address = 'nowhere'"),
        ({"actors": 0}, "runtime.cluster.actors = 0"),
        ({"gpus_per_actor": 1.5}, "gpus_per_actor = 1.5: a fraction of one GPU, or whole GPUs"),
    ],
)
def test_a_wrong_setting_is_one_sentence(cluster: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        validate(Runtime, {"cluster": cluster}, "runtime")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001", "10.0.0.1:6379"])
def test_addresses(address: str) -> None:
    assert Cluster(address=address, actors=8, gpus_per_actor=0.5).address == address


def test_without_ray_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    sentence = r"needs Ray.*pip install 'deimos-llm\[ray\]'"
    with pytest.raises(RecipeError, match=sentence), connect(Cluster()):
        pass
