"""The route section: absent by default, its margin a fraction, in one sentence if it is not."""

import pytest

from deimos.pipeline.stages import names_of, plan
from deimos.recipe import RecipeError, apply_set, parse

PROMPTS = {"sources": [{"source": "lab"}], "decontaminate": {"enabled": False}}
LEAST = {"name": "r", "model": {"id": "m"}, "prompts": PROMPTS}


def fingerprints(**sections):
    return {p.stage.name: p.fingerprint for p in plan(parse({**LEAST, **sections}))}


def test_a_recipe_without_the_section_has_no_such_stage():
    assert parse(LEAST).route is None and "route" not in names_of(parse(LEAST))
    data = {**LEAST}
    apply_set(data, "route={}")
    recipe = parse(data)
    assert recipe.route is not None and recipe.route.margin == 0.02
    assert names_of(recipe)[-3:] == ["route", "bench", "report"]
    assert parse(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ({"margin": -0.1}, "route.margin = -0.1: must be at least 0"),
        ({"margin": 2}, "route.margin = 2: must be below 1"),
        ({"margin": "2%"}, "route.margin = '2%':"),
        ({"margn": 0.1}, "unknown key 'route.margn': did you mean 'margin'?"),
        (True, "route = true:"),
    ],
)
def test_faults_are_one_sentence(route, sentence):
    with pytest.raises(RecipeError) as fault:
        parse({**LEAST, "route": route})
    assert sentence in str(fault.value) and "\n" not in str(fault.value)


def test_what_a_routing_depends_on():
    before = fingerprints(route={})
    for same in ({"tasks": [{"name": "t", "source": {"source": "lab"}}]}, {"repeats": 3}):
        assert fingerprints(route={}, bench=same)["route"] == before["route"], "no test decides"
    for other in (
        {"budget": 99},
        {"locked": {"temperature": 0.6}},
        {"graders": {"math": "choice"}},
    ):
        assert fingerprints(route={}, bench=other)["route"] != before["route"]
    assert fingerprints(route={"margin": 0.1})["route"] != before["route"]
    assert fingerprints()["bench"] == before["bench"], "the benchmark reads nothing of it"
