"""A stage that only some recipes have, added by one file: planned, launched and read by the next."""

import importlib
import json
import os

import pytest

from deimos.recipe import parse
from deimos.runs.folder import RunFolder
from deimos.runs.launch import run_stages
from deimos.runs.plan import plan_stages, select_stages

PACKAGE = """
import json, sys
from deimos.pipeline.process import main
from deimos.pipeline.stages import STAGES as OURS
from deimos.runs.plan import Stage

def shorten(job):
    rows = [json.loads(row) for row in (job.inputs["prompts"] / "train.jsonl").open()]
    words = [row["messages"][-1]["content"].split()[0] for row in rows]
    (job.out / "words.txt").write_text("\\n".join(words))
    return {"words": len(words)}

def count(job):
    short = job.inputs.get("shorten")
    (job.out / "count.txt").write_text(str(len((short / "words.txt").read_text().split())) if short else "all")
    return {}

STAGES = (
    OURS[0],
    Stage("shorten", version=1, needs=("prompts",), keys=("prompts",), run=shorten,
          when=lambda recipe: recipe.name.startswith("short")),
    Stage("count", version=1, needs=("prompts", "shorten"), keys=("name",), run=count),
)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], STAGES))
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The module above, importable here and in the stages' processes."""
    (tmp_path / "toy_stages.py").write_text(PACKAGE)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("toy_stages")


def carry_out(toy, tmp_path, name):
    """Run a recipe of this name to its end: stage to folder, and the lines that were said."""
    rows = [{"prompt": f"Add {n}", "kind": "math", "reference": str(n)} for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"source": "jsonl", "options": {"path": str(tmp_path / "rows.jsonl")}}
    recipe = parse({"name": name, "model": {"id": "lab"}, "prompts": {"sources": [source]}})
    plan, said = plan_stages(toy.STAGES, recipe), []
    with RunFolder.begin(tmp_path / name, recipe, {}, plan) as run:
        run_stages(run, select_stages(plan, "count"), module="toy_stages", say=said.append)
        return {planned.stage.name: run.folder(planned) for planned in plan}, said


def test_an_optional_stage_runs_if_the_recipe_has_it_and_is_no_need_of_others_if_not(toy, tmp_path):
    with_it, said = carry_out(toy, tmp_path, "short-prompts")
    assert list(with_it) == ["prompts", "shorten", "count"]
    assert any(line.startswith("shorten: done") and "words" in line for line in said), said
    found = (with_it["shorten"] / "words.txt").read_text().split()
    assert set(found) == {"Add"} and (with_it["count"] / "count.txt").read_text() == str(len(found))

    without, said = carry_out(toy, tmp_path, "plain")
    assert list(without) == ["prompts", "count"]
    assert (without["count"] / "count.txt").read_text() == "all"
    assert not any("shorten" in line for line in said)
    assert without["prompts"].name == with_it["prompts"].name, "the same prompts, the same identity"


def test_a_complete_optional_stage_is_left_alone(toy, tmp_path):
    carry_out(toy, tmp_path, "short-prompts")
    _, said = carry_out(toy, tmp_path, "short-prompts")
    assert [line.split(":")[1].split()[0] for line in said] == ["complete"] * 3, said
