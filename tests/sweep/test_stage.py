"""The whole stage on a scripted engine, with real journals, judge and files."""

import dataclasses
import json

import pytest
import yaml

from deimos.pipeline.wiring import refuse_tests
from deimos.recipe import RecipeError, parse
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import Artifacts
from deimos.store.journal import read, read_rows
from deimos.store.sweep_rows import TrialRow

GRID = {"temperature": [0.0, 1.0, 1.5], "top_k": [0, 20], "repetition_penalty": [1.0, 1.1]}


def rows_of(job, model="tuned"):
    return [row for row in read_rows(job.out / "trials.jsonl") if row["model"] == model]


def test_the_whole_sweep(job, run, world):
    j = job(parameters=GRID, block=16)
    counts = run(j)
    locked = yaml.safe_load((j.out / "locked.yaml").read_text())
    for model in ("base", "tuned"):
        part = locked[model]
        assert part["decoding"]["repetition_penalty"] == 1.1, "as accurate, and half as long"
        assert part["decoding"]["temperature"] in (0.0, 1.0) and part["decoding"]["top_k"] == 0
        assert part["decoding"]["max_tokens"] == 200 and part["think_budget"] is None
        assert part["accuracy"] == pytest.approx(0.75) and part["n"] == 48
        low, high = part["accuracy_ci"]
        assert low < 0.75 < high
        assert part["tokens_mean"] == min(t["tokens_mean"] for t in part["tied"])
        assert part["decoding"].items() <= part["tied"][0].items() or len(part["tied"]) > 1
    assert (locked["strategy"], locked["objective"], locked["price"]) == (
        "coordinate",
        "accuracy",
        None,
    )
    assert locked["items"] == 48 and locked["version"] == 1
    assert locked["evaluations"] == counts["evaluations"] == len(world.decoded)
    assert Artifacts({"sweep": j.out}).locked() == locked

    rows = rows_of(j)
    assert set(TrialRow.__annotations__) == set(rows[0])
    assert rows[0]["parameter"] == "" and rows[0]["value"] is None
    hot = next(r for r in rows if r["value"] == 1.5)
    assert hot["dropped_at"] in (16, 32, 48) and hot["items"] == hot["dropped_at"]
    assert "e-value" in hot["because"] and hot["e_value"] > 20
    assert not hot["pareto"] and any(row["pareto"] for row in rows)
    assert sum(row["decoded"] for row in rows) * 2 == counts["evaluations"]
    configs = [json.dumps(row["config"], sort_keys=True) for row in rows if row["decoded"]]
    assert len(set(configs)) == len(configs), "no config is decoded twice"


def test_all_values_see_the_same_items_in_the_same_order(job, run, world):
    j = job(parameters=GRID)
    run(j)
    orders: dict[tuple[str, object], list[str]] = {}
    for path in (j.out / "samples").iterdir():
        names = list(dict.fromkeys(row["prompt_id"] for row in read(path)))
        orders[path.stem] = names
    longest = max(orders.values(), key=len)
    for names in orders.values():
        for start in range(0, len(names), 16):
            assert set(names[start : start + 16]) == set(longest[start : start + 16])


def test_what_greedy_decoding_makes_inert_is_skipped_and_said(job, run):
    j = job(locked={"temperature": 0.0}, parameters={"top_k": [0, 20], "top_p": [0.9], "min_p": [0.1],
                                                      "presence_penalty": [1.5]})  # fmt: skip
    counts = run(j)
    locked = yaml.safe_load((j.out / "locked.yaml").read_text())
    said = {(each["model"], each["parameter"]) for each in locked["skipped"]}
    assert said == {(m, p) for m in ("base", "tuned") for p in ("top_p", "top_k", "min_p")}
    assert all("temperature 0" in each["because"] for each in locked["skipped"])
    assert any(line.startswith("top_k (base): at temperature 0") for line in counts["skipped"])
    assert {row["parameter"] for row in rows_of(j)} == {"", "presence_penalty"}


def test_budgets_are_cut_from_longer_answers(job, run, world):
    j = job(locked={"temperature": 0.0}, parameters={"max_tokens": [8, 150, 400]})
    run(j)
    rows = {row["value"]: row for row in rows_of(j)}
    assert {None, 8, 150, 400} == set(rows)
    assert rows[None]["decoded"] == 48 and rows[150]["decoded"] == rows[400]["decoded"] == 0
    assert rows[8]["dropped_at"] and rows[8]["accuracy"] == 0, "cut before any answer"
    assert rows[150]["accuracy"] == rows[400]["accuracy"] == rows[None]["accuracy"]
    assert len(world.decoded) == 2 * 48


def test_a_think_budget_decodes_only_the_answers_behind_closed_thoughts(job, run, world):
    j = job(locked={"temperature": 0.0}, parameters={"think_budget": [None, 5, 500]})
    run(j)
    rows = {row["value"]: row for row in rows_of(j)}
    assert rows[500]["decoded"] == 0, "no thought is that long"
    assert rows[5]["decoded"] > 0 and rows[5]["config"]["think_budget"] == 5
    assert set(rows) == {None, 5, 500}


def test_a_price_makes_the_shorter_config_best(job, run):
    j = job(parameters={"repetition_penalty": [1.0, 1.1]}, objective={"price_per_token": 500.0})
    run(j)
    locked = yaml.safe_load((j.out / "locked.yaml").read_text())
    assert (locked["objective"], locked["price"]) == ("price_per_token", 500.0)
    assert locked["tuned"]["decoding"]["repetition_penalty"] == 1.1
    assert len(locked["tuned"]["tied"]) == 1, "at that price the longer one is shown to be worse"
    start = next(row for row in rows_of(j) if row["parameter"] == "")
    assert start["e_value"] > 1


def test_run_again_it_decodes_nothing_and_says_the_same(job, run, world):
    j = job(parameters=GRID)
    run(j)
    files = {name: (j.out / name).read_bytes() for name in ("trials.jsonl", "locked.yaml")}
    asked = len(world.decoded)
    run(j)
    assert len(world.decoded) == asked
    again = read_rows(j.out / "trials.jsonl")
    assert [r["accuracy"] for r in again] == [
        r["accuracy"] for r in map(json.loads, files["trials.jsonl"].splitlines())
    ]


def test_take_limits_the_items_and_the_seed_orders_them(job, run, world):
    j = job(parameters={"repetition_penalty": [1.1]}, take=20)
    assert run(j)["items"] == 20
    first = {prompt for _, prompt, _ in world.decoded}
    assert len(first) == 20
    j = job(parameters={"repetition_penalty": [1.1]}, take=20, seed=1)
    world.decoded.clear()
    run(dataclasses.replace(j, out=j.out / "other"))
    assert {prompt for _, prompt, _ in world.decoded} != first
    assert run(job(parameters={"top_k": [5]}, take=49))["items"] == 48  # all that there are


def test_only_the_prompts_stages_own_dev_split_decides(job, run):
    j = job(parameters={"repetition_penalty": [1.1]})
    dev = j.inputs["prompts"] / "dev.jsonl"
    dev.write_text(dev.read_text() + dev.read_text().splitlines()[0] + "\n")
    with pytest.raises(RecipeError, match="is not the dev split that a prompts stage wrote"):
        run(j)
    (j.inputs["prompts"] / "record.json").unlink()
    with pytest.raises(RecipeError, match="decides by dev prompts only"):
        run(j)


def test_what_the_benchmark_asks_is_refused(job, run):
    def check(prompts):
        raise RecipeError("sweep: 3 of 5 problems are among the dev prompts")

    with pytest.raises(RecipeError, match="3 of 5 problems"):
        run(job(parameters={"top_k": [5]}), check)


def test_optuna_tries_whole_configs(job, run, world):
    pytest.importorskip("optuna", reason="needs the extra: deimos-llm[sweep]")
    j = job(parameters=GRID, strategy="optuna", trials=12)
    counts = run(j)
    rows = rows_of(j)
    assert 1 < len(rows) <= 12 and rows[0]["config"]["temperature"] == 1.0, "the start is first"
    assert {row["round"] for row in rows} == {0} and {row["parameter"] for row in rows} == {""}
    assert counts["evaluations"] == len(world.decoded)
    locked = yaml.safe_load((j.out / "locked.yaml").read_text())
    assert locked["strategy"] == "optuna" and locked["tuned"]["n"] == 48
    again = len(world.decoded)
    run(j)
    assert len(world.decoded) == again, "the same seed proposes the same, and that is there"


def test_dev_prompts_that_are_test_problems_are_refused_also_if_contamination_is_allowed(world):
    def recipe(start):
        task = {
            "name": "sums",
            "source": {"source": "sweep_script_sums", "take": 12, "options": {"start": start}},
        }
        return parse({
            "name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "sweep_script_sums"}]},
            "bench": {"tasks": [task]}, "sweep": {}, "allow_contamination": True,
        })  # fmt: skip

    dev = [world.problem(i) for i in range(20)]
    with pytest.raises(
        RecipeError, match=r"sweep: 8 of 12 problems of bench\.tasks 'sums' are among"
    ):
        refuse_tests(recipe(12), Runtime(), dev, "sweep")
    refuse_tests(recipe(20), Runtime(), dev, "sweep")
