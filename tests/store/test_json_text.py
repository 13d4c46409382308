"""JSON that somebody else wrote: read, or one line about why not."""

import pytest

from deimos.store.json_text import DEEPEST, read_json, refuse_lost_backslash


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true, "\\u00d7"]}', {"a": [1, 2.5, None, True, "×"]}),
        (b"\xef\xbb\xbf[1]", [1]),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1), None),
        ('"' + "[" * 100_000 + '"', "[" * 100_000),
        ("[" + ", ".join(["{}"] * 1000) + "]", [{}] * 1000),
    ],
)
def test_what_is_read(text, value):
    found = read_json(text)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON: Expecting property name .* at column 2"),
        ("[\n1,\n]", "at line 3 column 1"),
        ('{"text": "1", "text": "2"}', "'text' is named twice in one object"),
        ('[{"a": {"b": 1, "b": 1}}]', "'b' is named twice in one object"),
        ("NaN", "not valid JSON: it has no NaN"),
        ("-1e999", "the number -1e999 is too large"),
        ("1" * 5000, "the number 1{20}… has 5,000 digits: at most 4,300 are accepted"),
        ('{"reference": -' + "1" * 4301 + "}", "the number -1{19}… has 4,301 digits: at most"),
        (b"\xff", "not UTF-8 text: byte 1 is 0xff"),
        ("[" * 100_000, "nested more than 200 levels deep"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 200 levels deep"),
        ('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), "nested more than 200 levels deep"),
        (
            '{"a": ["x", {"b": "say \\ud800 now"}]}',
            r"half a surrogate pair, '\\ud800', .* 'say \\ud8",
        ),
        ('{"\\udfff": 1}', "half a surrogate pair"),
        ('"\ud800"', "half a surrogate pair"),
    ],
)
def test_what_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence) as fault:
        read_json(text)
    assert "\n" not in str(fault.value)


def test_half_pairs_are_read_where_a_model_may_have_written_them():
    assert read_json('"\\ud800"', half_surrogates=True) == "\ud800"


@pytest.mark.parametrize(
    "text",
    ["\frac12", "x\beta", "a \times b", "2\theta", "\text{cm}", "3 \rho", "x \neq 2", "\nabla f", "\right)", "\x07lpha"],
)  # fmt: skip
def test_tex_with_one_backslash_is_refused(text):
    with pytest.raises(ValueError, match="was meant: in JSON a backslash is written twice"):
        refuse_lost_backslash(text)


@pytest.mark.parametrize(
    "text",
    ["\\frac12", "1\t2", "a\nb", "1 \\\\\nu", "x\tothers", "\n\nThis", "\tTen", "\r\n3", "1 &\ni", "a\texts b"],
)  # fmt: skip
def test_white_space_is_no_damage(text):
    refuse_lost_backslash(text)
