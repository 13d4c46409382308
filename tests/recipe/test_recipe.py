"""Recipes: one clear sentence for each way to get one wrong; what is shipped loads."""

from pathlib import Path

import pytest
import yaml

from deimos.recipe import AdaptiveN, Recipe, RecipeError, apply_set, load, parse, schema, validate
from deimos.recipe.runtime import Runtime

SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
LEAST = {"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}


def least(**more):
    return {**LEAST, **more}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_loads_and_begins_with_its_own_command(path):
    recipe, runtime = load(path)
    validate(Runtime, runtime)
    assert path.read_text().startswith(f"# deimos run recipes/{path.name}")
    assert recipe.name == path.stem


def test_there_are_shipped_recipes():
    assert "lab.yaml" in [path.name for path in SHIPPED]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (least(trian={}), "unknown key 'trian': did you mean 'train'?"),
        (least(train={"lora": {"rank": 3}}), "unknown key 'train.lora.rank': accepted: alpha,"),
        (least(train={"learning_rates": 3}), "did you mean 'learning_rate'?"),
        (least(sample={"n": 0}), "sample.n = 0: must be at least 1"),
        (least(sample={"n": "many"}), "sample.n = 'many':"),
        (least(sample={"n": {"max": 0}}), "sample.n.max = 0: must be at least 1"),
        (least(sample={"n": {"mx": 8}}), "unknown key 'sample.n.mx': did you mean 'max'?"),
        (least(sample={"n": {"max": 3, "min": 5}}), "sample.n.min = 5: must be at most max (3)"),
        (least(sample={"n": {"give_up": 5}}), "sample.n.give_up = 5: must be at most 4, the last"),
        (least(sample={"n": {"give_up": 7, "min": 3}}), "give_up = 7: must be at most 6, the last"),
        (least(sample={"n": {"give_up": 1, "min": 8}}), "give_up = 1: must be null if all 8"),
        (
            least(sample={"n": {"stop_when": {"gain_below": 1}}}),
            "sample.n.stop_when.gain_below = 1:",
        ),
        (least(sample={"n": {}, "exhaustive": True}), "sample.n must be a number then"),
        (least(sample={"n": {}, "probe": 5}), "sample.probe = 5: must be at most sample.n.min (4)"),
        (least(name="a b"), "name = 'a b':"),
        ({"name": "r", "model": {"id": "m"}}, "prompts is missing: it is required"),
        (least(model={}), "model.id is missing"),
        (least(select={"graders": {"maths": "math"}}), "select.graders.maths"),
        (least(select={"policy": "median"}), "select.policy 'median' needs the whole pool"),
        (least(train={"packing": True}), "train.packing = true: must be false"),
        (least(bench={"tasks": [{"name": "t", "sauce": 1}]}), "bench.tasks.0."),
        (
            least(bench={"baselines": ["few_shot"]}),
            "bench.baselines: few_shot shows worked examples: name their file in bench.exemplars",
        ),
        (
            least(bench={"exemplars": "shots.jsonl"}),
            "bench.exemplars = 'shots.jsonl' is for the baseline few_shot",
        ),
        (
            least(model={"id": "m", "tags": None}, bench={"baselines": ["budget"]}),
            "bench.baselines: budget closes a thought, but model.tags is null",
        ),
        (
            least(
                model={"id": "m", "thinking": False},
                bench={"baselines": ["low_effort"], "tasks": [{"name": "t", "lm_eval": "gsm8k"}]},
            ),
            "bench.baselines: low_effort shortens a thought, but thinking is off in every test task",
        ),
    ],
)
def test_faults_are_one_sentence_naming_key_value_and_what_is_accepted(data, sentence):
    with pytest.raises(RecipeError) as fault:
        parse(data)
    assert sentence in str(fault.value)
    assert "\n" not in str(fault.value)


def test_candidates_are_a_number_or_a_rule():
    assert parse(least(sample={"n": 3})).sample.candidates == 3
    assert parse(least(sample={"n": {"give_up": 6, "min": 3}})).sample.candidates == 8
    ruled = parse(least(sample={"n": {"max": 6, "stop_when": {"gain_below": 0.1}}}))
    assert ruled.sample.candidates == 6
    assert parse(ruled.model_dump(mode="json")) == ruled, "frozen in the run folder, and read again"
    assert ruled.sample.model_dump()["n"] == {
        "max": 6, "min": 4, "stop_when": {"gain_below": 0.1}, "give_up": None,
    }  # fmt: skip


def test_sets_reach_into_lists_and_make_sections():
    data = least()
    apply_set(data, "prompts.sources.0.take=7")
    apply_set(data, "train.lora.r=16")
    apply_set(data, "model.tags=null")
    recipe = parse(data)
    assert recipe.prompts.sources[0].take == 7
    assert recipe.train.lora.r == 16
    assert recipe.model.tags is None


@pytest.mark.parametrize(
    "item",
    ["sample.n", "=3", "prompts.sources.4.take=1", "name.first=x", "name.a.b=1", "x=[1", "a.b=: :"],
)
def test_sets_that_cannot_be_applied_are_one_sentence(item):
    with pytest.raises(RecipeError, match="--set"):
        parse_with(item)


def parse_with(item):
    data = yaml.safe_load(yaml.safe_dump(LEAST))
    apply_set(data, item)
    return parse(data)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [", "not valid YAML"), ("- 1", "must be a mapping"), ("", "must be a mapping")],
)
def test_files_that_are_no_recipe(tmp_path, text, sentence):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=sentence):
        load(path)
    with pytest.raises(RecipeError, match="does not exist"):
        load(tmp_path / "none.yaml")


def test_runtime_is_beside_the_recipe_and_checked_too(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({**LEAST, "runtime": {"max_batch": 4}}))
    recipe, runtime = load(path, ["runtime.threads=2"])
    assert validate(Runtime, runtime).threads == 2
    assert "runtime" not in recipe.model_dump()
    with pytest.raises(RecipeError, match=r"did you mean 'engine'"):
        validate(Runtime, {"engin": "x"})


def test_what_is_dumped_is_read_back_as_the_same_recipe():
    recipe = parse(LEAST)
    assert parse(recipe.model_dump(mode="json")) == recipe


def test_the_schema_refuses_unknown_keys_and_describes_sections():
    described = schema()
    assert described["additionalProperties"] is False
    assert set(LEAST) <= set(described["required"])
    assert described["$defs"]["Train"]["properties"]["max_length"]["minimum"] == 2
    assert (
        "once this many have failed"
        in described["$defs"]["AdaptiveN"]["properties"]["give_up"]["description"]
    )


def test_the_least_number_of_candidates_gives_way_to_a_smaller_most():
    for most, least_number in ((1, 1), (3, 3), (8, 4)):
        recipe = Recipe.model_validate(least(sample={"n": {"max": most}}))
        assert isinstance(recipe.sample.n, AdaptiveN) and recipe.sample.n.min == least_number


def test_test_problems_may_be_judged_by_other_graders_than_candidates():
    recipe = parse(least(bench={"graders": {"math": "math_unevaluated"}}))
    assert recipe.select.graders["math"] == "math"
    assert recipe.bench_graders["math"] == "math_unevaluated"
    assert recipe.bench_graders["code"] == "code"
    assert parse(least()).bench_graders == recipe.select.graders
