"""The grammar of thinking, held to real chat templates and a real byte-level tokenizer."""

import re
from datetime import date
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deimos.thinking import (
    Counts,
    Shape,
    Split,
    StreamSplitter,
    Tags,
    ThinkCounter,
    ThinkIds,
    ThinkingError,
    count,
    render,
    renders_date,
    shape_of,
    split,
)

TAGS = Tags()
OPEN, FREE, SHUT, PLAIN = Shape.OPEN, Shape.FREE, Shape.SHUT, Shape.PLAIN
ASK = ({"role": "user", "content": "What is 6 x 7?"},)
EOS = "<|im_end|>"
SPECIALS = ("<|im_start|>", EOS)
CORPUS = [
    "<|user|> let me think </think> the answer is 42. 6 x 7 = 42 < 43 > 41",
    "we think.</think>\n\nAnswer\n<think>\nfirst think\n",
    "a<think>b</think>c </think>\n" * 4,
]
# Qwen's own: lets punctuation swallow the line break behind it, so that ">\n" is one token.
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
EXACT = settings(
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    max_examples=150,
)


def template(name: str) -> str:
    """Text of a chat template as trl ships it."""
    spec = find_spec("trl")  # finds the package without importing it
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


def build(chat_template: str | None, *, single: bool, merges: int = 120):
    """A real fast byte-level BPE tokenizer; ``single``: tags are tokens of their own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(CORPUS, trainer)
    backend.add_special_tokens([*SPECIALS, *((TAGS.open, TAGS.close) if single else ())])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=EOS)
    tokenizer.chat_template = chat_template
    return tokenizer


QWEN3 = template("qwen3")
SINGLE = build(QWEN3, single=True)
MANY = build(QWEN3, single=False)
BOTH = pytest.mark.parametrize("tokenizer", [SINGLE, MANY], ids=["single", "many"])


def ids_of(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def grammar(tokenizer, shape: Shape) -> ThinkIds:
    """The ids that ``render`` finds for a tokenizer, for any shape."""
    found = render(tokenizer, ASK, tags=TAGS, thinking=None).think
    return ThinkIds(shape, found.open_ids, found.close_ids, found.pieces)


# --- the shape, read from the rendered prompt ---------------------------------------------------

ON_OFF_UNSAID = {
    "qwen2_5": (ThinkingError, ThinkingError, FREE),
    "qwen3": (FREE, SHUT, FREE),
    "qwen3_5_think": (OPEN, SHUT, OPEN),
    "qwen3_5_nothink": (OPEN, SHUT, SHUT),
    "qwen3_6": (OPEN, SHUT, OPEN),
    "qwen3_8": (OPEN, SHUT, OPEN),
    "deepseek_r1_distill": (OPEN, ThinkingError, OPEN),
    "glm4moe": (FREE, SHUT, FREE),
}
TABLE = [
    (name, thinking, expected)
    for name, row in ON_OFF_UNSAID.items()
    for thinking, expected in zip((True, False, None), row, strict=True)
]


@pytest.mark.parametrize(("name", "thinking", "expected"), TABLE)
def test_shape_of_real_templates(name, thinking, expected):
    tokenizer = build(template(name), single=True)
    if expected is ThinkingError:
        with pytest.raises(ThinkingError, match=r"model\.thinking"):
            render(tokenizer, ASK, tags=TAGS, thinking=thinking)
        return
    rendered = render(tokenizer, ASK, tags=TAGS, thinking=thinking)
    assert rendered.shape is expected
    assert ASK[0]["content"] in rendered.text
    assert rendered.think.open_ids == (tokenizer.convert_tokens_to_ids("<think>"),)
    assert rendered.think.close_ids == (tokenizer.convert_tokens_to_ids("</think>"),)


@pytest.mark.parametrize(
    ("name", "written"), [("gptoss", "2024-02-29"), ("llama3_2", "29 Feb 2024")]
)
def test_a_template_that_writes_the_date_writes_the_given_one(name, written):
    tokenizer = build(template(name), single=True)
    rendered = render(tokenizer, ASK, tags=None, thinking=None, today=date(2024, 2, 29))
    assert written in rendered.text
    assert written not in render(tokenizer, ASK, tags=None, thinking=None).text
    assert renders_date(tokenizer)


def test_other_templates_are_given_no_date():
    tokenizer = build(template("qwen3"), single=True)
    assert not renders_date(tokenizer)
    dated = render(tokenizer, ASK, tags=TAGS, thinking=True, today=date(2024, 2, 29))
    assert dated == render(tokenizer, ASK, tags=TAGS, thinking=True)


@pytest.mark.parametrize("thinking", [True, False, None])
@pytest.mark.parametrize("name", ["qwen2_5", "qwen3"])
def test_without_tags_every_prompt_is_plain(name, thinking):
    rendered = render(build(template(name), single=True), ASK, tags=None, thinking=thinking)
    assert (rendered.shape, rendered.tags, rendered.think) == (PLAIN, None, ThinkIds(PLAIN))


@pytest.mark.parametrize("name", ["qwen3", "qwen3_5_think", "qwen3_5_nothink"])
def test_rendered_ids_are_the_templates_own(name):
    tokenizer = build(template(name), single=True)
    theirs = tokenizer.apply_chat_template(
        [dict(m) for m in ASK], add_generation_prompt=True, return_dict=False, enable_thinking=True
    )
    rendered = render(tokenizer, ASK, tags=TAGS, thinking=True)
    assert list(rendered.ids) == theirs
    assert tokenizer.decode(rendered.ids) == rendered.text


def test_template_arguments_reach_the_template():
    tokenizer = build(template("qwen3_8"), single=True)
    low = render(tokenizer, ASK, tags=TAGS, thinking=True, arguments={"reasoning_effort": "low"})
    assert low.text != render(tokenizer, ASK, tags=TAGS, thinking=True).text


@pytest.mark.parametrize(
    ("prompt", "shape"),
    [
        ("user: <think>\n\nassistant:", FREE),  # tags that the user wrote don't count
        ("assistant: <think>", OPEN),
        ("assistant: <think> \n\n ", OPEN),
        ("assistant:\n<think></think>", SHUT),
        ("assistant: </think>", SHUT),  # DeepSeek turns thinking off with a lone close
        ("assistant: <think", FREE),
        ("", FREE),
    ],
)
def test_shape_is_read_from_the_end(prompt, shape):
    assert shape_of(prompt, TAGS) is shape
    assert shape_of(prompt, None) is PLAIN


def test_tags_are_data():
    tags = Tags("[THINK]", "[/THINK]")
    assert shape_of("[INST] hi [/INST][THINK]\n", tags) is OPEN
    assert split("a[/THINK]b</think>", OPEN, tags) == Split("a", "b</think>", True, "")


# --- errors -------------------------------------------------------------------------------------


def test_a_tokenizer_without_chat_template_is_refused():
    with pytest.raises(ThinkingError, match="chat template: has none"):
        render(build(None, single=True), ASK, tags=TAGS, thinking=True)


def test_several_templates_without_a_default_are_refused():
    tokenizer = build(None, single=True)
    tokenizer.chat_template = {"one": QWEN3, "two": QWEN3}
    with pytest.raises(ThinkingError, match="chat template: has none"):
        render(tokenizer, ASK, tags=TAGS, thinking=True)


def test_thinking_asked_of_a_template_that_knows_none_is_refused():
    with pytest.raises(ThinkingError, match="knows neither <think> nor enable_thinking"):
        render(build(template("qwen2_5"), single=True), ASK, tags=TAGS, thinking=True)


def test_thinking_asked_of_a_prompt_that_is_shut_anyway_is_refused():
    always_shut = "{{ messages[0].content }}<think></think>"
    with pytest.raises(ThinkingError, match="ends with </think>"):
        render(build(always_shut, single=True), ASK, tags=TAGS, thinking=True)


def test_what_the_template_refuses_is_one_sentence():
    tokenizer = build(template("qwen3_5_think"), single=True)
    with pytest.raises(ThinkingError, match="the chat template refuses the messages") as caught:
        render(tokenizer, ({"role": "wizard", "content": "?"},), tags=TAGS, thinking=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("opens", "closes"), [("", "</t>"), ("<t>", " </t>"), ("<t>", "<t>"), ("<t>", "<t>/")]
)
def test_impossible_tags_are_refused(opens, closes):
    with pytest.raises(ThinkingError, match=r"model\.tags"):
        Tags(opens, closes)


@pytest.mark.parametrize(("shape", "opens", "closes"), [(OPEN, (), ()), (FREE, (), (2,))])
def test_ids_that_could_never_open_or_close_are_refused(shape, opens, closes):
    with pytest.raises(ThinkingError, match="needs the ids"):
        ThinkIds(shape, opens, closes)


# --- split: the truth ---------------------------------------------------------------------------

WELL_FORMED = [
    (OPEN, "\nso 42\n</think>\n\nIt is 42.", Split("so 42", "It is 42.", True, "")),
    (OPEN, "</think>42", Split("", "42", True, "")),
    (OPEN, "so</think>\n  ", Split("so", "", True, "")),  # closed, and nothing said
    (OPEN, "so</think>\n    return x\n", Split("so", "    return x", True, "")),  # indentation
    (FREE, "<think>\nso\n</think>\n\n42", Split("so", "42", True, "")),
    (FREE, "\n \t<think>so</think>42", Split("so", "42", True, "")),  # blanks before the open
    (FREE, "<think></think>42", Split("", "42", True, "")),
    (SHUT, "\n42\n", Split("", "42", True, "")),
    (SHUT, "", Split("", "", True, "")),
    (PLAIN, "so it is 42", Split("", "so it is 42", True, "")),
    (PLAIN, "<think>x</think>y", Split("", "<think>x</think>y", True, "")),
]
UNFINISHED = [
    (OPEN, "so 42", "so 42"),
    (OPEN, "", ""),
    (OPEN, "so 42 </thi", "so 42"),  # half a tag at the end is no thought
    (OPEN, "if a <", "if a"),
    (OPEN, "if a </b", "if a </b"),
    (FREE, "<think>so", "so"),
    (FREE, "<think>", ""),
    (FREE, "\n<thi", ""),
    (FREE, "\n", ""),
    (FREE, "", ""),
]
TWICE, AGAIN, INSIDE = "closed twice", "opened again in the answer", "opened again inside"
MALFORMED = [
    (OPEN, "<think>so</think>42", Split("<think>so", "42", True, ""), INSIDE),
    (OPEN, "so <think>and", Split("so <think>and", "", False, ""), INSIDE),
    (OPEN, "so</think>4</think>2", Split("so", "4</think>2", True, ""), TWICE),
    (OPEN, "so</think></think>42", Split("so", "</think>42", True, ""), TWICE),
    (OPEN, "so</think><think>no</think>4", Split("so", "<think>no</think>4", True, ""), TWICE),
    (OPEN, "so</think>4<think>2", Split("so", "4<think>2", True, ""), AGAIN),
    (FREE, "so</think>42", Split("so", "42", True, ""), "does not begin with <think>"),
    (FREE, "It is 42.", Split("It is 42.", "", False, ""), "does not begin with <think>"),
    (FREE, "Hm <think>so</think>4", Split("Hm <think>so", "4", True, ""), "does not begin"),
    (FREE, "</think>42", Split("", "42", True, ""), "does not begin with <think>"),
    (FREE, "<think><think>so</think>4", Split("<think>so", "4", True, ""), INSIDE),
    (FREE, "<think>a<think></think>c</think>", Split("a<think>", "c</think>", True, ""), INSIDE),
    (FREE, "<think>so</think>4<think>", Split("so", "4<think>", True, ""), AGAIN),
    (SHUT, "<think>so</think>42", Split("so", "42", True, ""), "thinking is off"),
    (SHUT, "so</think>42", Split("so", "42", True, ""), "thinking is off"),
    (SHUT, "42 <think>or", Split("or", "42", True, ""), "thinking is off"),
]


@pytest.mark.parametrize(("shape", "text", "expected"), WELL_FORMED)
def test_split_of_well_formed_completions(shape, text, expected):
    assert split(text, shape, None if shape is PLAIN else TAGS) == expected


@pytest.mark.parametrize(("shape", "text", "think"), UNFINISHED)
def test_an_unfinished_thought_has_no_answer_and_is_not_malformed(shape, text, think):
    assert split(text, shape, TAGS) == Split(think, "", False, "")


@pytest.mark.parametrize(("shape", "text", "expected", "because"), MALFORMED)
def test_split_of_malformed_completions(shape, text, expected, because):
    found = split(text, shape, TAGS)
    assert because in found.malformed
    assert found == Split(expected.think, expected.answer, expected.closed, found.malformed)


def test_a_close_in_a_code_block_is_still_the_first_close():
    # Tags are not markup with an escape: the model that writes one has closed its thought.
    text = "In python:\n```\nprint('</think>')\n```\nso 42</think>\n42"
    found = split(text, OPEN, TAGS)
    assert found.think == "In python:\n```\nprint('"
    assert TWICE in found.malformed


@pytest.mark.parametrize("shape", [OPEN, FREE, SHUT])
@BOTH
def test_what_is_rendered_and_written_splits_back(tokenizer, shape):
    asked = build(template("qwen3_5_think"), single=True) if shape is OPEN else tokenizer
    prompt = render(asked, ASK, tags=TAGS, thinking=shape is not SHUT)
    assert prompt.shape is shape
    lead = "<think>\n" if shape is FREE else ""
    text = "It is 42." if shape is SHUT else f"{lead}six sevens\n</think>\n\nIt is 42."
    decoded = tokenizer.decode(ids_of(tokenizer, text), skip_special_tokens=False)
    assert split(decoded, prompt.shape, prompt.tags) == Split(
        "" if shape is SHUT else "six sevens", "It is 42.", True, ""
    )


# --- split: properties --------------------------------------------------------------------------

PARTS = "<think> </think> <thi </th nk> < > / think so 42 . é <|x|> **"
FRAGMENTS = st.sampled_from([*PARTS.split(" "), " ", "\n", "\n\n", "```\n"])
STARTS = st.sampled_from(["", "", "<think>", "\n <think>", "<think>\n"])
TEXTS = st.builds(
    lambda start, rest: start + "".join(rest), STARTS, st.lists(FRAGMENTS, max_size=12)
)
WORDS = TEXTS.map(lambda t: re.sub(r"</?think>", "", t)).filter(
    lambda t: not re.search(r"</?think>", t) and not t.endswith(("<", "/"))
)
THINKING = st.sampled_from([OPEN, FREE])


@EXACT
@given(TEXTS, st.sampled_from([OPEN, FREE, SHUT]))
def test_any_text_gives_one_split_that_keeps_the_rules(text, shape):
    found = split(text, shape, TAGS)
    if not found.malformed:
        assert "<think>" not in found.think + "\0" + found.answer
        assert "</think>" not in found.think + "\0" + found.answer
    else:
        assert "\n" not in found.malformed and not found.malformed.endswith(".")
    if shape is not SHUT and "</think>" not in text:
        assert (found.closed, found.answer) == (False, "")
    if shape is not SHUT and "</think>" in text:
        assert found.closed
        assert found.answer.strip() == text.split("</think>", 1)[1].strip()
    assert "</think>" not in found.think
    assert found.think == found.think.strip()


@EXACT
@given(TEXTS, st.sampled_from([OPEN, FREE, SHUT]))
def test_malformed_is_what_the_table_of_shapes_says(text, shape):
    # Written from the table, not from the code: so many opens, so many closes, the open leading.
    opens, closes = text.count("<think>"), text.count("</think>")
    if shape is SHUT:
        fine = (opens, closes) == (0, 0)
    elif shape is OPEN:
        fine = opens == 0 and closes <= 1
    else:
        leads = text.lstrip().startswith("<think>")
        may_lead = closes == 0 and "<think>".startswith(text.lstrip())
        fine = may_lead or (leads and opens == 1 and closes <= 1)
    assert (not split(text, shape, TAGS).malformed) == fine


@EXACT
@given(WORDS, WORDS, THINKING, st.sampled_from(["", "\n", "\n\n"]))
def test_thought_and_answer_come_back(think, answer, shape, gap):
    lead = "<think>" if shape is FREE else ""
    found = split(f"{lead}{gap}{think}{gap}</think>{gap}{answer}", shape, TAGS)
    assert not found.malformed and found.closed
    assert found.think == think.strip()
    assert found.answer.strip() == answer.strip()


@EXACT
@given(TEXTS, st.integers(min_value=0, max_value=60))
def test_cutting_a_text_never_gives_it_an_answer(text, at):
    for shape in (OPEN, FREE):
        cut = split(text[:at], shape, TAGS)
        assert cut.answer == "" or "</think>" in text[:at]


# --- counting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "ids", "expected"),
    [
        (OPEN, [5, 6, 2, 7, 9], Counts(2, 1)),
        (OPEN, [2, 7, 8, 9], Counts(0, 2)),
        (OPEN, [5, 6, 7, 8], Counts(4, 0)),
        (OPEN, [5, 2, 6, 2, 7], Counts(1, 3)),  # only the first close is a tag
        (OPEN, [], Counts(0, 0)),
        (FREE, [1, 5, 6, 2, 7, 9], Counts(2, 1)),
        (FREE, [1, 2, 9], Counts(0, 0)),
        (FREE, [1, 5, 6], Counts(2, 0)),
        (FREE, [5, 6, 2, 7], Counts(2, 1)),  # no leading open: the thought is what there is
        (FREE, [5, 1, 6, 2, 7], Counts(3, 1)),  # an open that doesn't lead is text
        (SHUT, [5, 6, 9], Counts(0, 2)),
        (PLAIN, [5, 6, 1, 2, 9], Counts(4, 4)),
    ],
)
def test_count_by_ids(shape, ids, expected):
    assert count(ids, ThinkIds(shape, (1,), (2,)), {9}) == expected


def test_tags_of_several_ids_match_as_sequences():
    think = ThinkIds(FREE, (1, 2, 3), (1, 4, 2, 3))
    assert count([1, 2, 3, 7, 1, 2, 3, 1, 4, 1, 4, 2, 3, 8], think, set()) == Counts(6, 1)


@pytest.mark.parametrize("shape", list(Shape))
def test_the_counter_starts_as_its_shape_says(shape):
    counter = ThinkCounter(ThinkIds(shape, (1,), (2,)))
    assert (counter.think_tokens, counter.closed) == (0, shape is SHUT)
    for token in (1, 5, 5, 2, 5):
        counter.push(token)
    think_tokens = {OPEN: 3, FREE: 2, SHUT: 0, PLAIN: 5}[shape]
    assert (counter.think_tokens, counter.closed) == (think_tokens, shape is not PLAIN)


@BOTH
def test_real_ids_count_without_tags_and_end_of_turn(tokenizer):
    thought, answer = "\nlet me think\n", "\n\nthe answer is 42."
    ids = ids_of(tokenizer, f"<think>{thought}</think>{answer}{EOS}")
    counts = count(ids, grammar(tokenizer, FREE), {tokenizer.eos_token_id})
    if tokenizer is SINGLE:
        expected = Counts(len(ids_of(tokenizer, thought)), len(ids_of(tokenizer, answer)))
        assert counts == expected
    assert 0 < counts.think_tokens < len(ids) and 0 < counts.answer_tokens < len(ids)


def test_a_close_that_shares_tokens_with_its_neighbours_is_seen():
    # Byte-level merges such as ".</" and ">\n" hide the tag from a plain search for its ids.
    ids = ids_of(MANY, "we think.</think>\n\nAnswer")
    think = grammar(MANY, OPEN)
    exact = ThinkIds(OPEN, think.open_ids, think.close_ids)
    assert count(ids, exact, set()).answer_tokens == 0  # the premise: ids alone don't match
    counts = count(ids, think, set())
    assert counts.think_tokens > 0 and counts.answer_tokens > 0


@BOTH
def test_a_tag_spelled_out_in_pieces_closes_too(tokenizer):
    # Decoded text can't tell a spelled-out tag from a special token, so neither may the counter.
    pieces = [tokenizer.convert_tokens_to_ids(c) for c in "</think>"]
    so, ends = ids_of(tokenizer, "so"), ids_of(tokenizer, "42")
    ids = so + pieces + ends
    assert split(tokenizer.decode(ids), OPEN, TAGS) == Split("so", "42", True, "")
    assert count(ids, grammar(tokenizer, OPEN), set()) == Counts(len(so), len(ends))


def spans(text: str, shape: Shape) -> tuple[int, int, int]:
    """Where the thought begins and ends and where the answer begins, in characters."""
    if shape is SHUT:
        return 0, 0, 0
    close = text.find("</think>")
    lead = len(text) - len(text.lstrip())
    leads = shape is FREE and text.startswith("<think>", lead)
    begins = lead + len("<think>") if leads else 0
    if close >= 0:
        return begins, close, close + len("</think>")
    if shape is FREE and "<think>".startswith(text[lead:]):
        return 0, 0, len(text) + 1  # nothing yet, or half an opening tag
    ends = next((n for n in range(7, 0, -1) if text[begins:].endswith("</think>"[:n])), 0)
    return begins, len(text) - ends, len(text) + 1


def test_a_token_that_holds_a_whole_tag_and_more_closes():
    tokenizer = build(QWEN3, single=False)
    tokenizer.add_tokens(["(</think>)"])
    so, ends = ids_of(tokenizer, "so"), ids_of(tokenizer, "42")
    ids = [*so, tokenizer.convert_tokens_to_ids("(</think>)"), *ends]
    assert split(tokenizer.decode(ids), OPEN, TAGS) == Split("so(", ")42", True, "")
    assert count(ids, grammar(tokenizer, OPEN), set()) == Counts(len(so), len(ends))


TRICKY = [
    "\n<think>so</think>42",
    "<think>\n",
    "<think><think>so</think>",
    "<think></think></think>42",
    "<think></think>\n\n42",
    "so</think>\n\n42",
    "so.</think>**42**",
    "so <</think>>42",
    "\nso",
    "<thi</think>42",
    "so </thi",
    "",
]
SHAPES = st.sampled_from([OPEN, FREE, SHUT])


def assert_count_is_of_the_tokens_inside(text, shape, tokenizer):
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    begins, ends, answers = spans(text, shape)
    think = [o for o in coded["offset_mapping"] if begins <= o[0] and o[1] <= ends]
    answer = [o for o in coded["offset_mapping"] if o[0] >= answers]
    ids = grammar(tokenizer, shape)
    assert count(coded["input_ids"], ids, set()) == Counts(len(think), len(answer))
    closed = split(tokenizer.decode(coded["input_ids"]), shape, TAGS).closed
    assert ThinkCounter(ids, coded["input_ids"]).closed == closed


@pytest.mark.parametrize("shape", [OPEN, FREE, SHUT])
@pytest.mark.parametrize("text", TRICKY)
@BOTH
def test_count_of_tricky_texts(text, shape, tokenizer):
    assert_count_is_of_the_tokens_inside(text, shape, tokenizer)


@EXACT
@given(TEXTS, SHAPES, st.sampled_from([SINGLE, MANY]))
def test_count_follows_split_on_any_text(text, shape, tokenizer):
    assert_count_is_of_the_tokens_inside(text, shape, tokenizer)


def test_tags_added_to_a_tokenizer_later_are_seen():
    tokenizer = build(QWEN3, single=False)
    before = render(tokenizer, ASK, tags=TAGS, thinking=True).think
    tokenizer.add_tokens([TAGS.open, TAGS.close], special_tokens=True)
    after = render(tokenizer, ASK, tags=TAGS, thinking=True).think
    assert len(before.close_ids) > 1
    assert after.close_ids == (tokenizer.convert_tokens_to_ids("</think>"),)


@EXACT
@given(WORDS, WORDS, THINKING)
def test_single_tokens_count_as_the_parts_counted_alone(think, answer, shape):
    lead = "<think>" if shape is FREE else ""
    ids = ids_of(SINGLE, f"{lead}{think}</think>{answer}{EOS}")
    counts = count(ids, grammar(SINGLE, shape), {SINGLE.eos_token_id})
    assert counts == Counts(len(ids_of(SINGLE, think)), len(ids_of(SINGLE, answer)))


@EXACT
@given(TEXTS, THINKING, st.sampled_from([SINGLE, MANY]), st.integers(0, 30))
def test_the_counter_never_runs_ahead_and_resumes_anywhere(text, shape, tokenizer, at):
    ids = ids_of(tokenizer, text)
    think = grammar(tokenizer, shape)
    counter, seen = ThinkCounter(think), [0]
    for n, token in enumerate(ids, 1):
        counter.push(token)
        seen.append(counter.think_tokens)
        assert counter.think_tokens == count(ids[:n], think, set()).think_tokens
    assert seen == sorted(seen)  # a cap can only be crossed for good
    resumed = ThinkCounter(think, ids[:at])
    for token in ids[at:]:
        resumed.push(token)
    assert (resumed.think_tokens, resumed.closed) == (counter.think_tokens, counter.closed)


@EXACT
@given(st.lists(st.integers(0, 4), max_size=20), THINKING)
def test_exact_sequences_agree_with_a_search_of_the_ids(ids, shape):
    close, opens = (2, 3), (2, 1)
    counts = count(ids, ThinkIds(shape, opens, close), {4})
    body = [i for i in ids if i != 4]
    if shape is FREE and tuple(body[:2]) == opens:
        body = body[2:]
    at = next((n for n in range(len(body)) if tuple(body[n : n + 2]) == close), None)
    if at is not None:
        assert counts == Counts(at, len(body) - at - 2)
    else:  # a 2 at the end may be half a tag
        assert counts == Counts(len(body) - (body[-1:] == [2]), 0)


# --- a stream ------------------------------------------------------------------------------------

ODD = Tags("ab", "bc")  # the one's end begins the other
PIECES = (
    "<think>",
    "</think>",
    "<thi",
    "nk>",
    "</",
    "<",
    "a",
    "b",
    "c",
    "ab",
    "bc",
    " ",
    "\n",
    "\r\n",
    "é ",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def streamed(text: str, cuts: list[int], shape: Shape, tags: Tags | None) -> tuple[str, str]:
    """What a splitter sends as thought and as answer if the text comes in pieces."""
    splitter = StreamSplitter(shape, tags)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    sent = [piece for a, b in pairwise(ends) for piece in splitter.push(text[a:b])]
    sent += splitter.finish()
    assert splitter.whole == split(text, shape, tags)
    assert all(piece for _, piece in sent)
    assert sorted(sent, key=lambda piece: piece[0] == "answer") == sent, (
        "a thought behind the answer"
    )
    think, answer = (
        "".join(text for part, text in sent if part == of) for of in ("think", "answer")
    )
    return think, answer


@settings(EXACT, max_examples=1500)
@given(
    TEXTS, st.lists(st.integers(0, 60)), st.sampled_from(Shape), st.sampled_from([TAGS, ODD, None])
)
def test_a_stream_is_split_as_its_whole_text_is(
    text: str, cuts: list[int], shape: Shape, tags: Tags | None
) -> None:
    whole = split(text, shape, tags)
    sent = streamed(text, cuts, shape, tags)
    if shape is not SHUT or not whole.malformed:
        assert sent == (whole.think, whole.answer)


@settings(EXACT, max_examples=1500)
@given(TEXTS, st.lists(st.integers(0, 60)))
def test_a_shut_stream_with_tags(text: str, cuts: list[int]) -> None:
    whole = split(text, SHUT, TAGS)
    head, close, tail = text.lstrip().partition(TAGS.close)
    if head.startswith(TAGS.open):
        expected = head.removeprefix(TAGS.open).strip(), split(tail, PLAIN, None).answer
    else:
        expected = "", split(text, PLAIN, None).answer
    if close and TAGS.open.startswith(
        head
    ):  # nothing, or half a tag, has come before the closing tag
        expected = whole.think, whole.answer
    assert streamed(text, cuts, SHUT, TAGS) == expected
    if close and head.startswith(TAGS.open):
        assert expected == (whole.think, whole.answer)


def test_a_stream_holds_back_no_more_than_it_must() -> None:
    splitter = StreamSplitter(FREE, TAGS)
    said = [
        splitter.push(chunk)
        for chunk in (
            "\n<th",
            "ink>",
            "\na",
            " b <",
            "c </thi",
            "nk",
            ">\n\n",
            "  x",
            "\n",
            "y<",
            "</think>",
        )
    ]
    assert said == [
        [], [], [("think", "a")], [("think", " b")], [("think", " <c")], [], [], [("answer", "  x")],
        [], [("answer", "\ny<")], [("answer", "</think>")],
    ]  # fmt: skip
    assert splitter.finish() == []
    assert splitter.whole is not None and "closed twice" in splitter.whole.malformed
