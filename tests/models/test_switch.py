"""The thinking switch of real chat templates (trl's), and of small ones that hide it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from deimos.lab.tokenizer import TEMPLATE
from deimos.models.switch import NO_SWITCH, Switch, SwitchError, find_switch


def real(name: str) -> str:
    spec = find_spec("trl")  # finds the package without importing it
    assert spec and spec.origin
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qwen3", "enable_thinking"),
        ("qwen3_5_think", "enable_thinking"),
        ("qwen3_5_nothink", "enable_thinking"),
        ("qwen3_6", "enable_thinking"),
        ("qwen3_8", "enable_thinking+reasoning_effort=xhigh/"),
        ("qwen3_8_training", "enable_thinking+reasoning_effort=xhigh/"),
        ("gptoss", "reasoning_effort=medium/low"),
        ("nemotron_3_super", "enable_thinking"),
        ("gemma4_v5", "enable_thinking"),
        ("glm4moe", "enable_thinking"),
        ("qwen2_5", "none"),
        ("qwen3_instruct_2507", "none"),  # its comment has the word
        ("deepseek_r1_distill", "none"),
        ("lfm2_2_5_v2", "none"),  # `thinking` is a variable of its own
        ("llama3_2", "none"),
    ],
)
def test_real_templates(name, text):
    assert str(find_switch(real(name))) == text


def test_the_labs_own_template():
    assert find_switch(TEMPLATE) == Switch.parse("enable_thinking")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ '<think>' if thinking else '</think>' }}", "thinking"),
        ("{% if enable_thinking %}{% endif %}x", "none"),  # mentioned, and nothing made of it
        ("{# enable_thinking #}x", "none"),
        ("{% if enable_thinking %}", "none"),  # cannot be parsed
        ("{{ {'low': 'Brief.', 'high': 'Long.'}[reasoning_effort or 'high'] }}", "reasoning_effort=high/low"),
        ("{{ raise_exception('never') }}", "none"),
    ],
)  # fmt: skip
def test_a_switch_is_what_changes_the_prompt(template, text):
    assert str(find_switch(template)) == text


def test_a_name_of_the_recipes_own_is_tried_first():
    template = "{{ '<think>' if deep_mode else '</think>' }}"
    assert find_switch(template) == NO_SWITCH
    assert str(find_switch(template, "deep_mode")) == "deep_mode"


@pytest.mark.parametrize(
    "text", ["none", "thinking", "reasoning_effort=medium/low", "enable_thinking+reasoning_effort=xhigh/"]
)  # fmt: skip
def test_a_switch_is_written_as_it_is_read(text):
    assert str(Switch.parse(text)) == text


@pytest.mark.parametrize("text", ["", "enable thinking", "reasoning_effort=low", "a=/", "a=1/2/3"])
def test_other_texts_are_refused_in_one_sentence(text):
    with pytest.raises(SwitchError, match="accepted: none, enable_thinking") as fault:
        Switch.parse(text)
    assert "\n" not in str(fault.value)


def test_no_switch_is_false():
    assert not NO_SWITCH and not NO_SWITCH.arguments("off")
    assert Switch.parse("reasoning_effort=medium/low").ends_thinking is False
