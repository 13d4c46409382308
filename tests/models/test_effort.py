"""The lowest effort of real chat templates (trl's), and of templates that hide it."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from deimos.models.effort import find_lowest_effort, read_template


def real(name: str) -> str:
    spec = find_spec("trl")  # finds the package without importing it
    assert spec and spec.origin
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "lowest"),
    [
        ("qwen3_8", "low"),
        ("qwen3_8_training", "low"),  # with transformers' generation blocks
        ("gptoss", "low"),
        ("qwen3", None),
        ("qwen2_5", None),
        ("nemotron_3_super", None),  # a switch of another name
        ("muse_glimmer", None),  # only its prose has the words
        ("deepseek_r1_distill", None),
    ],
)
def test_real_templates(name, lowest):
    assert find_lowest_effort(real(name)) == lowest


@pytest.mark.parametrize(
    ("template", "lowest"),
    [
        ("{% set e = reasoning_effort or 'high' %}{% if e == 'medium' %}Short.{% endif %}", "medium"),
        ("{% if reasoning_effort in ['minimal', 'high'] %}{{ reasoning_effort }}{% endif %}", "minimal"),
        ("{{ {'low': 'Brief.', 'high': 'Long.'}[reasoning_effort] }}", "low"),
        ("{% set ns = namespace(e=1) %}{% set ns.e = reasoning_effort %}{% if ns.e == 'low' %}x{% endif %}", "low"),
        # Nothing below the default: it can only be raised.
        ("{% if reasoning_effort == 'max' %}Think as long as you can.{% endif %}", None),
        # An error message is no way to pass it on, and an image's detail is no effort.
        ("{{ raise_exception('no ' ~ reasoning_effort) }}{% if detail == 'low' %}x{% endif %}", None),
        ("{# reasoning_effort: low #}{{ messages[0].content }}", None),
        ("{% if reasoning_effort == 'low' %}", None),  # cannot be parsed
    ],
)  # fmt: skip
def test_levels_are_read_from_the_template(template, lowest):
    assert find_lowest_effort(template) == lowest


def test_the_template_is_found_as_transformers_finds_it(tmp_path):
    assert read_template(tmp_path) is None
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": "one"}))
    assert read_template(tmp_path) == "one"
    named = [{"name": "tool_use", "template": "two"}, {"name": "default", "template": "three"}]
    config.write_text(json.dumps({"chat_template": named}))
    assert read_template(tmp_path) == "three"
    (tmp_path / "chat_template.jinja").write_text("four")
    assert read_template(tmp_path) == "four"
