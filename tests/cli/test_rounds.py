"""``--rounds``: which recipe each round runs, where, and when the chain ends."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from deimos.cli.rounds import next_sets, run_rounds
from deimos.recipe import RecipeError, load, parse, write_yaml

PLAIN = {
    "name": "t", "model": {"id": "lab", "tags": None, "thinking": None},
    "prompts": {"sources": [{"source": "lab"}]},
}  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(write_yaml(PLAIN))
    return path


def chain(
    recipe: Path, out: Path, verdicts: list[str], rounds: int
) -> list[tuple[Path, list[str]]]:
    """The rounds that were run, each leaving the gain stage's verdict in its run folder."""
    ran: list[tuple[Path, list[str]]] = []

    def run_one(name: str, folder: Path, sets: Sequence[str]) -> None:
        loaded, _ = load(Path(name), sets)
        gain = folder / "gain-00000000"
        gain.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(write_yaml(loaded.model_dump(mode="json")))
        (gain / "record.json").write_text(json.dumps({"stage": "gain", "number": 1}))
        verdict = verdicts[len(ran)]
        (gain / "gain.json").write_text(
            json.dumps({"verdict": verdict, "because": f"it is {verdict}"})
        )
        ran.append((folder, [*sets]))

    run_rounds(str(recipe), out, [], rounds, run_one)
    return ran


def test_each_round_starts_from_the_one_before_in_a_folder_beside_it(recipe, tmp_path, capsys):
    ran = chain(recipe, tmp_path / "x", ["go on", "go on", "go on"], 3)
    assert [folder.name for folder, _ in ran] == ["x", "x-round-2", "x-round-3"]
    found = [load(recipe, sets)[0] for _, sets in ran]
    assert all(r.gain for r in found), "what decides is measured"
    assert [r.model.run for r in found] == [None, str(tmp_path / "x"), str(tmp_path / "x-round-2")]
    assert [r.name for r in found] == ["t", "t-round-2", "t-round-3"]
    said = capsys.readouterr().out
    assert "stopped" not in said
    assert f"3 of 3 rounds are done; {tmp_path / 'x-round-3'} is the last" in said


@pytest.mark.parametrize("out", [".", "../x"])
def test_rounds_lie_beside_a_folder_without_a_name_of_its_own(recipe, tmp_path, monkeypatch, out):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    ran = chain(recipe, Path(out), ["go on", "go on"], 2)
    assert [folder.resolve() for folder, _ in ran] == [tmp_path / "x", tmp_path / "x-round-2"]


@pytest.mark.parametrize(("verdict", "kept"), [("worse", "the model of"), ("little", "is kept")])
def test_the_chain_ends_early_and_says_why(recipe, tmp_path, capsys, verdict, kept):
    ran = chain(recipe, tmp_path / "x", ["go on", verdict, "go on"], 3)
    assert len(ran) == 2
    said = capsys.readouterr().out
    assert f"stopped after round 2 of 3: it is {verdict}" in said and kept in said


def test_a_taught_model_thinks_in_its_tags_from_the_second_round_on():
    taught = parse({**PLAIN, "train": {"teach": {"open": "<t>", "close": "</t>"}}})
    sets = next_sets(taught, Path("runs/t"), 2)
    assert "train.teach=null" in sets
    model = json.loads(sets[0].removeprefix("model="))
    assert (model["tags"], model["thinking"]) == ({"open": "<t>", "close": "</t>"}, True)
    assert model["run"] == "runs/t" and "id" not in model


def test_until_is_refused_with_rounds(recipe, tmp_path):
    with pytest.raises(RecipeError, match="--until 'train'"):
        run_rounds(str(recipe), tmp_path, [], 2, lambda *one: None, "train")
