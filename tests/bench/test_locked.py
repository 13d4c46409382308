"""A benchmark at what a sweep has locked: which decodings there are, and what their rows say."""

import dataclasses

import pytest

from deimos.bench import stage, suites
from deimos.bench.decodings import decodings_of
from deimos.recipe import Bench, write_yaml
from deimos.store.journal import read_rows, write_atomic
from deimos.store.sweep_rows import DecodingConfig
from deimos.types import Sampling

GREEDY = Sampling(temperature=0.0, max_tokens=400)
WARM = Sampling(temperature=0.5, top_k=20, repetition_penalty=1.1, max_tokens=30)


@pytest.fixture
def swept(job, tmp_path):
    """Makes the job of a bench after a sweep that locked these configs."""

    def make(base: Sampling, tuned: Sampling, **bench: object):
        j = job(timing_problems=0, repeats=1, **bench)
        parts = {
            name: {"decoding": dataclasses.asdict(sampling), "think_budget": None}
            for name, sampling in (("base", base), ("tuned", tuned))
        }
        write_atomic(tmp_path / "sweep" / "locked.yaml", write_yaml({"version": 1, **parts}))
        return dataclasses.replace(j, inputs={**j.inputs, "sweep": tmp_path / "sweep"})

    return make


def rows_of(job, judge):
    stage.run(job, judge=judge)
    return {
        name: read_rows(job.out / f"{name}.jsonl") for name in ("bench", "compare", "by_config")
    }


def test_both_models_are_decoded_at_each_ones_locked_config(swept, judge):
    job = swept(GREEDY, WARM)
    rows = rows_of(job, judge)
    assert {row["config"] for row in rows["by_config"]} == {"recommended", "locked", "base_locked"}
    assert sorted(path.stem for path in (job.out / "samples").iterdir()) == sorted(
        f"sums-{model}-{config}"
        for model in ("base", "tuned")
        for config in ("recommended", "locked", "base_locked")
    )
    for row in rows["by_config"]:
        if "model" in row and row["config"] == "locked":
            wanted = {**dataclasses.asdict(WARM), "max_tokens": 400}
            assert row["decoding"] == wanted, "ample in equal, whatever it ships with"


def test_ship_takes_the_tuned_model_at_its_own_max_tokens(swept, judge):
    whole = rows_of(swept(GREEDY, dataclasses.replace(WARM, max_tokens=400)), judge)["bench"]
    job = swept(GREEDY, dataclasses.replace(WARM, max_tokens=12))
    cut = rows_of(job, judge)["bench"]

    def ship(rows, model):
        return next(
            r for r in rows if (r["setting"], r["model"], r["task"]) == ("ship", model, "all")
        )

    assert ship(whole, "tuned")["finished"] == 1 and ship(whole, "tuned")["budget"] == 400
    assert ship(cut, "tuned")["finished"] < 1, "twelve tokens are not enough for every answer"
    assert ship(cut, "tuned")["budget"] == ship(cut, "tuned")["decoding"]["max_tokens"] == 12
    assert ship(cut, "base") == ship(whole, "base") and ship(cut, "base")["budget"] == 400
    equal = [row for row in cut if row["setting"] == "equal" and row["model"] == "tuned"]
    assert all(row["finished"] == 1 for row in equal), "equal stays ample"


def test_a_larger_locked_budget_is_everybodys(swept, judge):
    job = swept(GREEDY, dataclasses.replace(WARM, max_tokens=600))
    assert {row["budget"] for row in rows_of(job, judge)["bench"] if row["setting"] == "equal"} == {
        600
    }


def test_equal_locked_configs_are_one_decoding():
    greedy = DecodingConfig(GREEDY)
    both = decodings_of(Bench(budget=400), {"base": greedy, "tuned": greedy})
    assert list(both.named) == ["recommended", "locked"]
    other = decodings_of(Bench(budget=400), {"base": DecodingConfig(GREEDY, 50), "tuned": greedy})
    assert list(other.named) == ["recommended", "locked", "base_locked"]
    assert other.values()["base_locked"]["think_budget"] == 50
    assert "think_budget" not in other.values()["locked"]
    assert suites.count_completions(Bench(), other, 10) == 60
