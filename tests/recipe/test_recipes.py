"""The packaged recipes: each begins with its own command, loads, and plans every stage."""

import json
from pathlib import Path

import pytest

from deimos.bench.tasks import list_questions, read_tasks
from deimos.pipeline.stages import ALL, plan
from deimos.prompts.stage import gather
from deimos.recipe import RecipeError, load, validate
from deimos.recipe.runtime import Runtime

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
DATA = Path(__file__).parents[3] / "shared" / "data"
LOCAL = {
    "gsm8k": "gsm8k", "arc": "arc", "ifeval": "ifeval", "mbpp": "mbpp", "mbpp_plus": "mbppplus",
    "humaneval_plus": "humanevalplus", "math500": "math500", "aime": "aime", "mmlu_pro": "mmlu_pro",
    "math": "math/test.jsonl",
}  # fmt: skip
"""Where the files of each source lie in the shared data."""
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_its_command_and_plans_every_stage(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# deimos run recipes/{path.name}")
    recipe, runtime = load(path)
    validate(Runtime, runtime, "runtime")
    assert recipe.name == path.stem
    names = [planned.stage.name for planned in plan(recipe)]
    assert names == [name for name in ALL if name in names]
    assert {"prompts", "sample", "select", "train", "bench", "report"} <= {*names}


def a4(name, *sets):
    """A recipe of the A4 family on the local files."""
    found, _ = load(FOLDER / f"{name}.yaml")
    sources = [("prompts.sources", i, s) for i, s in enumerate(found.prompts.sources)]
    tests = [("bench.tasks", i, t.source) for i, t in enumerate(found.bench.tasks)]
    local = [
        f"{key}.{i}.{'source.' if key == 'bench.tasks' else ''}options.path={DATA / LOCAL[s.source]}"
        for key, i, s in [*sources, *tests]
        if s.source in LOCAL
    ]
    few = ["bench.tasks.4.source.take=200"]  # the shared MMLU-Pro is a part of it
    return load(FOLDER / f"{name}.yaml", [*local, *few, *sets])[0]


def test_the_a4_recipes_have_the_cards_settings():
    clean, literal = (
        load(FOLDER / f"{name}.yaml")[0] for name in ("deimos-a4", "deimos-a4-literal")
    )
    for section in ("model", "sample", "select", "train", "bench"):
        assert getattr(clean, section) == getattr(literal, section), section
    assert clean.model.id == "Qwen/Qwen3.5-4B" and clean.sample.n == 8
    drawn = clean.sample.sampling
    assert (drawn.temperature, drawn.top_p, drawn.top_k) == (1.0, 0.95, 20)
    assert (clean.train.lora.r, clean.train.epochs, clean.train.learning_rate) == (64, 1, 3e-5)
    assert {t.name: t.thinking for t in clean.bench.tasks}["ifeval"] is False
    assert not clean.allow_contamination and not literal.allow_contamination
    tests = {"ifeval", "humaneval", "humaneval_plus", "mbpp_plus", "math500", "aime"}
    named = {source.source for source in clean.prompts.sources}
    assert not named & tests, "the clean recipe names no test set"
    assert all(s.options.get("split") != "test" for s in clean.prompts.sources)


@real
def test_the_clean_recipe_has_5133_prompts_less_what_overlaps_with_its_tests():
    recipe = a4("deimos-a4")
    train, dev, overlaps = gather(recipe, tests=list_questions(read_tasks(recipe)))
    prompts = [*train, *dev, *(found.prompt for found in overlaps)]
    kinds = {kind: sum(p.kind == kind for p in prompts) for kind in {p.kind for p in prompts}}
    assert kinds == {"math": 3000, "choice": 1118, "instruction": 541, "code": 474}
    assert len(overlaps) <= 20, [(f.overlap.task, f.overlap.matched) for f in overlaps]
    assert all(p.licence and ":" in p.source for p in prompts)


@real
def test_the_literal_recipe_is_refused_unless_contamination_is_allowed():
    recipe = a4("deimos-a4-literal")
    tests = list_questions(read_tasks(recipe))
    with pytest.raises(RecipeError, match=r"541 of 541 ifeval prompts .* --allow-contamination"):
        gather(recipe, tests=tests)
    allowed = a4("deimos-a4-literal", "allow_contamination=true")
    train, dev, overlaps = gather(allowed, tests=tests)
    tasks = {}
    for prompt in [*train, *dev]:
        tasks[prompt.task] = tasks.get(prompt.task, 0) + 1
    assert tasks == {
        "gsm8k": 3000, "arc_challenge": 1118, "ifeval": 541, "humaneval_plus": 164, "mbpp_plus": 378,
    }, json.dumps(tasks)  # fmt: skip
    assert sum(found.prompt.task == "ifeval" for found in overlaps) == 541, "kept, and told"
