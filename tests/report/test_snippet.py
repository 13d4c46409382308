"""The program that the card shows: it compiles, says what the recipe says, and runs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import runfolder

from deimos.recipe import parse
from deimos.report import snippet, stage
from deimos.report.results import RunResults
from deimos.runs.artifacts import Artifacts


def run_of(model=None, bench=None, trained=True):
    settings = runfolder.recipe().model_dump(mode="json")
    settings["model"] |= model or {}
    settings["bench"] |= bench or {}
    folders = {"train": Path("run/train-0123abcd")} if trained else {}
    return RunResults("lab", parse(settings), Artifacts(folders), {}, [], [], [], [], {}, [])


def shown(**settings):
    text = snippet.snippet(run_of(**settings))
    assert text is not None
    compile(text, "card", "exec")
    return text


def test_base_revision_template_and_adapter_are_the_recipes():
    text = shown(
        model={"id": "Qwen/Qwen3-0.6B", "revision": "c1899de", "thinking": False, "dtype": "auto"}
    )
    assert 'base = "Qwen/Qwen3-0.6B"' in text
    assert text.count('revision="c1899de"') == 2
    assert "enable_thinking=False" in text
    assert '"train-0123abcd/adapter"' in text
    assert "deimos" not in text


def test_what_the_recipe_leaves_out_is_left_out():
    text = shown(model={"id": "a/b", "revision": None, "thinking": None})
    assert "revision" not in text and "enable_thinking" not in text


def test_the_locked_config_is_what_it_decodes_with():
    assert "max_new_tokens=77, repetition_penalty=1.0, do_sample=False" in shown(
        bench={"budget": 77}
    )
    locked = {"temperature": 0.6, "top_p": 0.9, "top_k": 0, "presence_penalty": 1.5}
    text = shown(bench={"locked": locked})
    assert "do_sample=True, temperature=0.6, top_p=0.9, top_k=0, min_p=0.0" in text
    assert "# presence_penalty 1.5: generate has none; vLLM has" in text


def test_a_name_from_a_recipe_cannot_end_its_string():
    hostile = 'a"); print("owned'
    assert f"base = {json.dumps(hostile)}\n" in shown(model={"id": hostile})


def test_without_an_adapter_there_is_no_program(reported, tmp_path):
    assert snippet.snippet(run_of(trained=False)) is None
    folders = {name: folder for name, folder in reported.folders.items() if name != "train"}
    stage.run(tmp_path, folders, reported.recipe)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "nothing has been trained" in card and "```python" not in card


def test_the_program_in_the_card_runs_on_the_lab(tmp_path):
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    from deimos.lab.weights import lab_path

    folders = runfolder.write_run(tmp_path, problems=12)
    base = AutoModelForCausalLM.from_pretrained(lab_path())
    tiny = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(base, tiny).save_pretrained(folders["train"] / "adapter")
    settings = runfolder.recipe().model_dump(mode="json")
    settings["bench"]["budget"] = 24
    stage.run(tmp_path, folders, parse(settings))
    card = (tmp_path / "MODEL_CARD.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", card, re.S)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
