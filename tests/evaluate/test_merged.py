"""``model: {run: …}``: what another run has trained, merged once and named by its content."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from deimos.evaluate.merged import check_tags, merge_model, model_path
from deimos.lab.weights import lab_path
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.pipeline.identity import model_data
from deimos.pipeline.stages import plan
from deimos.planning.arguments import load_recipe, prepare, run_path
from deimos.recipe import Recipe, RecipeError, parse, write_yaml
from deimos.thinking import Tags


def recipe_of(name: str, model: dict, **train: object) -> Recipe:
    lab = {"source": "lab", "take": 40}
    return parse({"name": name, "model": model, "prompts": {"sources": [lab]}, "train": train})


def leave_run(path: Path, recipe: Recipe, adapter: Path | None) -> Path:
    """A run folder as a finished train stage leaves it."""
    path.mkdir()
    (path / "recipe.yaml").write_text(write_yaml(recipe.model_dump(mode="json")))
    if adapter:
        folder = path / "train-00000000"
        shutil.copytree(adapter, folder / "adapter")
        record = {"stage": "train", "number": 1, "files": {}, "fingerprint": "0"}
        (folder / "record.json").write_text(json.dumps(record))
    return path


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the lab model that changes what it says by a little."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForCausalLM.from_pretrained(lab_path(), dtype=torch.float32)
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(str(folder))
    return folder


def logits_of(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(5, 25)[None]).logits


def test_a_runs_model_is_merged_once_and_is_what_was_trained(tmp_path, adapter):
    first = leave_run(tmp_path / "first", recipe_of("first", {"id": "lab"}), adapter)
    recipe = recipe_of("second", {"run": str(first)})
    folder = Path(model_path(recipe))
    assert folder.parent == first and folder.name.startswith("merged-")
    assert not folder.exists(), "a plan needs no weights"
    merge_model(recipe)
    made = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    merge_model(recipe)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == made
    base = load_model(ModelRef(str(lab_path()), dtype="float32"), "cpu")
    wanted = logits_of(PeftModel.from_pretrained(base, str(adapter)))
    found = logits_of(load_model(ModelRef(str(folder), dtype="float32"), "cpu"))
    assert torch.allclose(found, wanted, atol=1e-4)
    assert not torch.allclose(
        found, logits_of(load_model(ModelRef(str(lab_path()), dtype="float32"), "cpu")), atol=1e-2
    )
    assert json.loads((folder / "merged_from.json").read_text())["base"] == "lab"
    assert not [p for p in first.iterdir() if p.name.endswith(".tmp")]


def test_the_identity_is_that_of_base_and_adapter(tmp_path, adapter):
    first = leave_run(tmp_path / "first", recipe_of("first", {"id": "lab"}), adapter)
    again = leave_run(tmp_path / "again", recipe_of("again", {"id": "lab"}), adapter)
    recipes = [recipe_of("second", {"run": str(run)}) for run in (first, again)]
    assert model_data(recipes[0]) == model_data(recipes[1]), "the same content from another place"
    before = plan(recipes[0])[1].fingerprint
    weights = first / "train-00000000" / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    assert model_data(recipes[0]) != model_data(recipes[1])
    assert plan(recipes[0])[1].fingerprint != before, "another adapter, another sample stage"


def test_a_run_that_stands_on_a_run_is_merged_through(tmp_path, adapter):
    first = leave_run(tmp_path / "first", recipe_of("first", {"id": "lab"}), adapter)
    second = leave_run(tmp_path / "second", recipe_of("second", {"run": str(first)}), adapter)
    recipe = recipe_of("third", {"run": str(second)})
    merge_model(recipe)
    assert Path(model_path(recipe)).is_dir()
    assert Path(model_path(recipe_of("second", {"run": str(first)}))).is_dir()


def test_a_taught_runs_model_opens_the_thought_by_itself(tmp_path, adapter):
    taught = shutil.copytree(adapter, tmp_path / "taught")
    plain = load_tokenizer(ModelRef(str(lab_path())))
    plain.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    tags = Tags("<thought>", "</thought>")
    teach_tokenizer(plain, tags).save_pretrained(taught)
    model = {"id": "lab", "tags": None, "thinking": None}
    source = recipe_of("first", model, teach={"open": tags.open, "close": tags.close})
    first = leave_run(tmp_path / "first", source, taught)
    recipe = recipe_of("second", {"run": str(first)})
    merge_model(recipe)
    tokenizer = load_tokenizer(ModelRef(model_path(recipe)))
    ask = [{"role": "user", "content": "hello"}]
    on, off = (
        tokenizer.apply_chat_template(ask, tokenize=False, add_generation_prompt=True, **switch)
        for switch in ({}, {"enable_thinking": False})
    )
    assert on == "user: hello\nassistant: <thought>\n"
    assert off == "user: hello\nassistant: <thought>\n\n</thought>\n\n"


@pytest.mark.parametrize("trained", [True, False])
def test_what_is_no_trained_run_is_refused_in_one_sentence(tmp_path, trained):
    run = tmp_path / "first"
    if trained:
        leave_run(run, recipe_of("first", {"id": "lab"}), None)
    wanted = "has not trained a model yet" if trained else "is not a run folder"
    with pytest.raises(RecipeError, match=f"model.run = .*{wanted}"):
        plan(recipe_of("second", {"run": str(run)}))


def test_a_run_cannot_start_from_itself(tmp_path, adapter):
    leave_run(tmp_path / "a", recipe_of("a", {"run": str(tmp_path / "b")}), adapter)
    leave_run(tmp_path / "b", recipe_of("b", {"run": str(tmp_path / "a")}), adapter)
    with pytest.raises(RecipeError, match="starts, over others, from itself"):
        model_path(recipe_of("c", {"run": str(tmp_path / "a")}))


def test_a_run_is_not_begun_from_what_it_trains_itself(tmp_path, adapter):
    first = leave_run(tmp_path / "a", recipe_of("a", {"id": "lab"}), adapter)
    second = leave_run(tmp_path / "b", recipe_of("b", {"run": str(first)}), adapter)
    kept = (first / "recipe.yaml").read_bytes()
    for run in (first, second):
        sets = ("model.id=null", f"model.run={run}")
        fault = r"would start from what it trains itself: .* --out"
        with pytest.raises(RecipeError, match=fault), prepare(str(first), None, sets, "train"):
            pass
        with pytest.raises(RecipeError, match="would start from what it trains itself"):
            run_path(str(first), None, load_recipe(str(first), sets)[0])
    assert (first / "recipe.yaml").read_bytes() == kept, "nothing was written"
    run_path(str(first), tmp_path / "c", load_recipe(str(first), sets)[0])


@pytest.mark.parametrize(
    ("tags", "taught", "fault"),
    [
        ({"open": "<w>", "close": "</w>"}, {"open": "<w>", "close": "</w>"}, None),
        ({"open": "<think>", "close": "</think>"}, {"open": "<w>", "close": "</w>"}, "open: '<w>'"),
        (None, {"open": "<w>", "close": "</w>"}, "open: '<w>', close: '</w>'"),
        (None, None, None),
        ({"open": "<think>", "close": "</think>"}, None, "null, and thinking: null"),
    ],
)
def test_the_tags_are_those_that_the_run_was_trained_with(tmp_path, adapter, tags, taught, fault):
    plain = {"id": "lab", "tags": None, "thinking": None}
    source = recipe_of("a", plain, **({"teach": taught} if taught else {}))
    first = leave_run(tmp_path / "a", source, adapter)
    recipe = recipe_of(
        "b", {"run": str(first), "tags": tags, "thinking": None if tags is None else True}
    )
    if fault is None:
        return check_tags(recipe)
    with pytest.raises(RecipeError, match=f"model.tags: .* other ones: set them to .*{fault}"):
        check_tags(recipe)


def test_everybody_who_reads_the_folder_reads_the_merged_weights(tmp_path, adapter):
    first = leave_run(tmp_path / "first", recipe_of("first", {"id": "lab"}), adapter)
    recipe = recipe_of("second", {"run": str(first)})
    merge_model(recipe)
    folder = Path(model_path(recipe))
    assert {path.stat().st_mode for path in folder.iterdir()} == {
        (folder / "config.json").stat().st_mode
    }


def test_one_origin_is_named():
    for model, wanted in (
        ({}, r"model\.id is missing"),
        ({"id": "lab", "run": "runs/x"}, "one of them says where"),
        ({"run": "runs/x", "revision": "abc"}, r"model\.revision"),
    ):
        with pytest.raises(RecipeError, match=wanted):
            recipe_of("t", model)


def test_keys_that_came_later_leave_identities_as_they_were_while_null():
    values = recipe_of("t", {"id": "lab"}).model_dump(mode="json")
    assert "run" not in values["model"] and "teach" not in values["train"]
    assert "min_ratio" not in values["select"]
    assert recipe_of("t", {"run": "x"}).model_dump(mode="json")["model"]["run"] == "x"
