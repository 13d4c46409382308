"""What chat templates ignore of what they are given: real templates (trl's), and ones that hide it."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.test_thinking import build

from deimos.chat_template import TemplateArguments
from deimos.recipe import RecipeError, parse
from deimos.thinking import Shape, Tags, ThinkingError, render

TAGS = Tags()
ASK = [{"role": "user", "content": "What is 6 x 7?"}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *ASK]
TURNS = [*ASK, {"role": "assistant", "content": "42"}, {"role": "user", "content": "And 6 x 8?"}]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_TURN = CHATML.partition("{% if add")[0]
"""Ignores the request to begin the assistant's turn, though its text may mention it."""
NO_SYSTEM = (
    "{# system #}{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PARTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEEPSEEK_31 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}{% else %}<|Assistant|>"
    "{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|>{{ '<think>' if thinking else '</think>' }}{% endif %}"
)
"""The switch of DeepSeek-V3.1's template: of another name, and off unless it is on."""
OPENS_IF_TOLD = (
    "{# enable_thinking <think> </think> #}{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    "{% if thinking %}<think>\n{% endif %}"
)
"""Mentions what it does not read; without its own switch the model answers at once."""
MISTRAL = (
    "<s>{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
"""Has no generation prompt and needs none: the user's turn ends where the assistant begins."""
STRIPS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""No switch: the model always thinks, and thoughts of earlier turns are left out."""


def real(name: str) -> str:
    spec = find_spec("trl")
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


def refused(text: str, messages=ASK, *, tags=None, thinking=None, template=None) -> str:
    with pytest.raises(ThinkingError) as caught:
        render(build(text, single=True), messages, tags=tags, thinking=thinking, template=template)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("thinking", [None, True, False])
def test_a_template_without_the_assistant_s_turn_is_refused(thinking):
    for text in (NO_TURN, "{# add_generation_prompt #}" + NO_TURN):
        sentence = refused(text, tags=TAGS if thinking is not None else None, thinking=thinking)
        assert "ignores add_generation_prompt" in sentence
        assert "<|im_start|>assistant" in sentence


@pytest.mark.parametrize("messages", [ASK, TURNS])
def test_a_template_that_needs_no_header_is_taken(messages):
    tokenizer = build(MISTRAL, single=True)
    assert render(tokenizer, messages, tags=None, thinking=None).text.endswith("[/INST]")


def test_messages_that_are_dropped_are_refused():
    assert "drops the system message: put its text into the user's" in refused(NO_SYSTEM, SYSTEM)
    tokenizer = build(NO_SYSTEM, single=True)
    assert render(
        tokenizer, ASK, tags=None, thinking=None
    ).text  # without one there is nothing to drop
    only_last = "{{ messages[-1].content }}{% if add_generation_prompt %}:{% endif %}"
    assert "drops the user message: leave it out" in refused(only_last, TURNS)


@pytest.mark.parametrize("template", [PARTS, real("smolvlm"), real("idefics3"), real("llava_next")])
def test_content_that_is_dropped_because_it_is_text_is_refused(template):
    for thinking, tags in ((None, None), (True, TAGS), (False, TAGS)):
        sentence = refused(template, tags=tags, thinking=thinking)
        assert "drops content that is plain text (the user's)" in sentence


def test_another_prompt_is_looked_at_again():
    tokenizer = build(NO_SYSTEM, single=True)
    render(tokenizer, ASK, tags=None, thinking=None)
    for _ in range(2):
        with pytest.raises(ThinkingError, match="drops the system message"):
            render(tokenizer, SYSTEM, tags=None, thinking=None)
    tokenizer.chat_template = NO_TURN
    with pytest.raises(ThinkingError, match="add_generation_prompt"):
        render(tokenizer, ASK, tags=None, thinking=None)


def test_a_switch_of_another_name_is_named():
    hint = "set model.thinking_key to thinking (the template's own switch)"
    for template in (DEEPSEEK_31, OPENS_IF_TOLD):
        sentence = refused(template, tags=TAGS, thinking=True)
        assert sentence.startswith("model.thinking is true but ") and hint in sentence
    assert hint in refused(OPENS_IF_TOLD, tags=TAGS, thinking=False)


def test_a_switch_that_the_recipe_names_is_used():
    named = TemplateArguments(thinking_key="thinking")
    tokenizer = build(DEEPSEEK_31, single=True)
    for thinking, shape in ((True, Shape.OPEN), (False, Shape.SHUT), (None, Shape.SHUT)):
        rendered = render(tokenizer, ASK, tags=TAGS, thinking=thinking, template=named)
        assert rendered.shape is shape
    sentence = refused(real("qwen3"), tags=TAGS, thinking=False, template=named)
    assert "set model.thinking_key to enable_thinking" in sentence


def test_mentioning_a_switch_is_not_having_one():
    mentions = "{# enable_thinking <think> </think> #}" + CHATML
    assert "knows neither <think> nor enable_thinking" in refused(
        mentions, tags=TAGS, thinking=True
    )


def test_a_model_that_always_thinks_needs_no_switch():
    tokenizer = build(STRIPS, single=True)
    assert render(tokenizer, ASK, tags=TAGS, thinking=True).shape is Shape.FREE


def test_arguments_of_the_recipe_reach_the_template():
    tokenizer = build(real("qwen3_8"), single=True)
    low = TemplateArguments(fixed={"reasoning_effort": "low"})
    given = render(tokenizer, ASK, tags=TAGS, thinking=True, template=low)
    assert "Reasoning effort is set to low" in given.text
    one_call = render(
        tokenizer,
        ASK,
        tags=TAGS,
        thinking=True,
        template=low,
        arguments={"reasoning_effort": "medium"},
    )
    assert one_call.text == render(
        tokenizer, ASK, tags=TAGS, thinking=True, arguments={"reasoning_effort": "medium"}
    ).text  # fmt: skip


RECIPE = {"name": "t", "prompts": {"sources": [{"source": "lab"}]}}


def test_the_recipe_names_switch_and_arguments():
    model = {
        "id": "lab",
        "thinking_key": "thinking",
        "template_kwargs": {"reasoning_effort": "low"},
    }
    settings = parse({**RECIPE, "model": model}).model
    assert settings.template_arguments().with_thinking(True) == {
        "reasoning_effort": "low", "thinking": True,
    }  # fmt: skip
    assert parse({**RECIPE, "model": settings.model_dump(mode="json")}).model == settings


def test_a_recipe_without_them_keeps_its_identity():
    dumped = parse({**RECIPE, "model": {"id": "lab"}}).model.model_dump(mode="json")
    assert not {"thinking_key", "template_kwargs"} & {*dumped}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"thinking_key": "a b"}, "model.thinking_key = 'a b': must match"),
        ({"thinking_key": "messages"}, "model.thinking_key: 'messages' is set by rendering itself"),
        ({"template_kwargs": {"tokenize": True}}, "model.template_kwargs: 'tokenize' is set by"),
        (
            {"template_kwargs": {"enable_thinking": True}},
            "model.template_kwargs.enable_thinking: this is the switch of thinking",
        ),
        (
            {"template_kwargs": {"levels": [1]}},
            "model.template_kwargs.levels = [1]: must be text, a number, true, false or null",
        ),
        ({"template_kwargs": {"a b": 1}}, "model.template_kwargs: 'a b' must be a name"),
        ({"template_kwargs": [1]}, "model.template_kwargs = [1]: must be a mapping"),
    ],
)
def test_names_that_no_template_can_have_are_refused(model, sentence):
    with pytest.raises(RecipeError) as caught:
        parse({**RECIPE, "model": {"id": "lab", **model}})
    assert sentence in str(caught.value)
