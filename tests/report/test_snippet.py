"""The programs that the card shows: they compile and say what the run says; test_blocks runs them."""

import ast
import shlex
from pathlib import Path

import pytest
import runfolder

from deimos.recipe import SamplingSettings, parse
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
    """The programs of a card, each of which compiles."""
    found = snippet.quick_starts(run_of(**settings))
    for program in (found.on, found.off, found.ask):
        compile(program or "", "card", "exec")
    return found


def test_base_revision_template_and_adapter_are_the_recipes():
    found = shown(model={"id": "Qwen/Qwen3-0.6B", "revision": "c1899de", "dtype": "auto"})
    for program, thinking in ((found.on, True), (found.off, False)):
        assert 'base = "Qwen/Qwen3-0.6B"' in program
        assert program.count('revision="c1899de"') == 2
        assert (
            f"enable_thinking={thinking}, add_generation_prompt=True, return_dict=True" in program
        )
        assert "chat_template_kwargs" not in program
        assert '"train-0123abcd/adapter"' in program
        assert "deimos" not in program
    words = shlex.split(found.serve)
    assert words[:3] == ["vllm", "serve", "Qwen/Qwen3-0.6B"]
    assert words[words.index("--revision") + 1] == "c1899de"
    assert words[words.index("--lora-modules") + 1] == "tuned=train-0123abcd/adapter"
    assert '"chat_template_kwargs": {"enable_thinking": thinking}' in found.ask
    assert "for thinking in (True, False):" in found.ask


def test_the_template_s_own_switch_and_arguments_are_the_recipes():
    model = {"id": "a/b", "thinking_key": "thinking", "template_kwargs": {"style": 'a "b"', "n": 2}}
    found = shown(model=model)
    for program, thinking in ((found.on, True), (found.off, False)):
        assert f'style="a \\"b\\"", n=2, thinking={thinking}, add_generation' in program
    assert "tokenize=False, thinking=thinking)" in found.off  # the guard
    assert (
        '"chat_template_kwargs": {"style": "a \\"b\\"", "n": 2, "thinking": thinking}' in found.ask
    )
    assert "enable_thinking" not in found.on + found.off + found.ask
    found = shown(model={**model, "thinking": None})
    assert "n=2, add_generation" in found.on and '"n": 2}' in found.ask


def test_a_template_that_only_mentions_the_switch_has_none(tmp_path):
    ask = "{% for m in messages %}{{ m.content }}{% endfor %}"
    for text, knows in (
        (f"{{# enable_thinking #}}{ask}", False),
        (f"{ask}{{{{ '<think></think>' if enable_thinking is false }}}}", True),
        (f"{ask}{{{{ '<think></think>' if thinking is false }}}}", False),
        ("{% if", None),
    ):
        (tmp_path / "chat_template.jinja").write_text(text)
        run = run_of(model={"id": str(tmp_path)})
        assert snippet.knows_switch(run) is knows
        assert bool(snippet.say_no_switch(run)) is (knows is False)


def test_what_the_recipe_leaves_out_is_left_out():
    found = shown(model={"id": "a/b", "revision": None, "thinking": None})
    assert "revision" not in found.on + found.serve
    assert "enable_thinking" not in found.on + found.ask


def test_a_model_without_tags_has_no_switch_and_this_is_said():
    found = shown(model={"id": "a/b", "tags": None, "thinking": None})
    assert found.off is None and "there is no thinking to turn off" in found.no_switch
    assert "enable_thinking" not in found.on + found.ask


def test_a_template_is_read_for_its_switch_where_it_lies_here(tmp_path):
    for name, text, knows in (
        ("with", "{% if enable_thinking is false %}off{% endif %}", True),
        ("without", "{{ messages }}", False),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "chat_template.jinja").write_text(text)
        found = shown(model={"id": str(folder)})
        assert (found.off is None) is not knows
        assert ("does not read enable_thinking" in found.no_switch) is not knows
        assert "SystemExit" not in (found.off or "")
    assert "raise SystemExit" in shown(model={"id": "a/b"}).off  # not known here


def test_a_task_that_was_measured_with_thinking_off_proves_the_switch():
    run = run_of(model={"id": "a/b"})
    run.bench.append({"model": "base", "thinking": False})
    assert snippet.knows_switch(run) is True
    assert "SystemExit" not in snippet.quick_starts(run).off


def test_the_locked_config_is_what_it_decodes_with():
    found = shown(bench={"budget": 77})
    assert "max_new_tokens=77, repetition_penalty=1.0, do_sample=False" in found.on
    assert found.on.splitlines()[-2:] == found.off.splitlines()[-2:]
    locked = {"temperature": 0.6, "top_p": 0.9, "top_k": 0, "presence_penalty": 1.5}
    found = shown(bench={"locked": locked})
    assert "do_sample=True, temperature=0.6, top_p=0.9, top_k=0, min_p=0.0" in found.on
    assert "# presence_penalty 1.5: generate has none; vLLM has" in found.on
    assert "temperature=0.6, top_p=0.9, presence_penalty=1.5" in found.ask
    assert "presence_penalty" not in shown().on


def test_the_rows_say_what_was_decoded_with_and_not_the_recipe():
    run = run_of()
    swept = {
        **SamplingSettings(temperature=0.3, repetition_penalty=1.1).model_dump(),
        "max_tokens": 99,
    }
    rows = [{"model": "base", "config": "locked", "decoding": {**swept, "temperature": 0.9}},
            {"model": "tuned", "config": "recommended", "decoding": {**swept, "temperature": 0.8}},
            {"model": "tuned", "config": "locked", "decoding": swept}]  # fmt: skip
    run.by_config.extend(rows)
    found = snippet.quick_starts(run)
    assert "max_new_tokens=99, repetition_penalty=1.1, do_sample=True, temperature=0.3" in found.on
    assert "temperature=0.3" in found.ask and "max_tokens=99" in found.ask


HOSTILE = ['a"); print("owned', "x`id`$(id);y", "a\nb", "\u202ea", "a\x7fb", "é😀", "'; rm -rf /"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_from_a_recipe_cannot_end_its_string(name):
    found = shown(model={"id": name})
    (line,) = [line for line in found.on.splitlines() if line.startswith("base = ")]
    assert ast.literal_eval(line.removeprefix("base = ")) == name
    assert shlex.split(found.serve)[2] == name


def test_a_rank_that_vllm_does_not_serve():
    assert [snippet.served_rank(r) for r in (1, 2, 16, 17, 512, 513)] == [1, 8, 16, 32, 512, None]
    run = run_of()
    run.recipe.train.lora.__dict__["r"] = 600
    assert snippet.quick_starts(run).serve is None and snippet.quick_starts(run).ask is None


def test_without_an_adapter_there_is_no_program(reported, tmp_path):
    found = snippet.quick_starts(run_of(trained=False))
    assert (found.on, found.off, found.serve, found.ask) == (None, None, None, None)
    folders = {name: folder for name, folder in reported.folders.items() if name != "train"}
    stage.run(tmp_path, folders, reported.recipe)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "nothing has been trained" in card and "```python" not in card


def test_a_taught_model_is_asked_by_the_template_that_lies_with_its_adapter(tmp_path):
    folders = {"train": tmp_path / "train-0"}
    settings = {
        "name": "t", "model": {"id": "a/b", "tags": None, "thinking": None},
        "prompts": {"sources": [{"source": "lab"}]}, "train": {"teach": {}},
    }  # fmt: skip
    run = RunResults("t", parse(settings), Artifacts(folders), {}, [], [], [], [], {}, [])
    made = snippet.quick_starts(run)
    assert made.no_switch == ""
    for program in (made.on, made.off):
        assert program and "AutoTokenizer.from_pretrained(adapter)" in program
    assert made.off and "enable_thinking=False" in made.off
    assert made.serve and "--chat-template train-0/adapter/chat_template.jinja" in made.serve
