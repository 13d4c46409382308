"""Templates with a switch, without one, and with one that does nothing; trl's are real models'."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from deimos.evaluate.switch import explain_no_switch
from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.thinking import Tags, ThinkingError

TAGS = Tags()
ASK = [{"role": "user", "content": "What is 6 x 7?"}]
MENTIONS = "{# enable_thinking <think> #}{% for m in messages %}{{ m.content }}{% endfor %}"
SYSTEM = "{% if enable_thinking %}detailed{% else %}/no_think{% endif %}\n{{ messages[0].content }}"
SHUT_ANYWAY = "{{ messages[0].content }}{{ '!' if enable_thinking }}<think>\n\n</think>\n\n"


@pytest.fixture
def explain():
    tokenizer = load_tokenizer(ModelRef(str(lab_path())))

    def explain(template: str, tags: Tags | None = TAGS) -> str:
        tokenizer.chat_template = template
        return explain_no_switch(tokenizer, ASK, tags)

    return explain


def real(name: str) -> str:
    spec = find_spec("trl")
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


@pytest.mark.parametrize("name", ["qwen3", "qwen3_5_think", "qwen3_5_nothink"])
def test_real_templates_with_a_switch(explain, name):
    assert explain(real(name)) == ""


def test_the_lab_has_a_switch():
    assert explain_no_switch(load_tokenizer(ModelRef(str(lab_path()))), ASK, TAGS) == ""


@pytest.mark.parametrize(
    ("template", "because"),
    [
        (MENTIONS, "renders the same prompt with enable_thinking true and false"),
        (SYSTEM, "with enable_thinking false the rendered prompt does not end with </think>"),
        (SHUT_ANYWAY, "with enable_thinking true the rendered prompt still ends with </think>"),
    ],
)
def test_templates_without_a_switch_say_what_they_rendered(explain, template, because):
    assert because in explain(template)


def test_real_templates_without_a_switch(explain):
    assert "renders the same prompt" in explain(real("qwen2_5"))
    assert "does not think in tags" in explain(real("qwen2_5"), None)
    assert "does not think in tags" in explain(real("qwen3"), None)


def test_a_template_that_refuses_is_an_error_and_no_missing_switch(explain):
    with pytest.raises(ThinkingError, match="refuses the messages: no"):
        explain("{{ raise_exception('no') }}")
