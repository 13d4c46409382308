"""Text of others stays text in a card: read back by a Markdown reader, it is what it was."""

import pytest
from card_reader import READER
from hypothesis import example, given
from hypothesis import strategies as st

from deimos.report import markdown

ATTACKS = [
    "a | b", "`code`", "``` fence", "<script>alert(1)</script>", "<!-- comment", "&lt;b&gt;", "<br>",
    "[x](javascript:alert(1))", "](javascript:alert(1))", "![x](https://e.example/p.png)",
    "https://e.example/", "www.e.example", "javascript:alert(1)", "mail me@e.example", "@everyone",
    "# heading", "## Licence", "- item", "+ item", "1. item", "2) item", "> quote", "=====", "---",
    "{{ 7 * 7 }}", "{% raw %}", "$x^2$", "\\(x\\)", "~~gone~~", "**bold** _it_", "^1", "\\", "\\|",
    "<https://e.example>", "[ref]: https://e.example", "a\\", "*" * 50, "_a_b_", "| - | - |",
]  # fmt: skip
HIDDEN = {
    "a\u202eb": "a[U+202E]b", "a\u200bb": "a[U+200B]b", "\ufeffa": "[U+FEFF]a", "a\x00b": "a[U+0000]b",
    "a\x1b[31m": "a[U+001B][31m", "\ud800": "[U+D800]", "a\u2066b": "a[U+2066]b", "\u3164": "[U+3164]",
    "\U000e0041": "[U+E0041]",
}  # fmt: skip
READABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from(" |")
)


def seen(markup):
    """What a reader of a line sees, which must be text and nothing else."""
    (paragraph,) = [t for t in READER.parse(markup) if t.type == "inline"]
    assert {c.type for c in paragraph.children} <= {"text", "text_special"}, paragraph.children
    return "".join(c.content for c in paragraph.children)


@pytest.mark.parametrize("text", ATTACKS)
def test_a_line_is_read_back_as_the_text_it_was(text):
    assert seen(markdown.cell(text)) == text
    assert seen(f"x {markdown.cell(text)} y") == f"x {text} y"
    rows = READER.parse(f"| a | b |\n|---|---|\n| {markdown.cell(text)} | 2 |\n")
    assert [t.content for t in rows if t.type == "inline"][3] == "2"


@given(READABLE)
@example("a\\|b")
@example("0. a")
def test_any_line_is_read_back(text):
    line = " ".join(text.split())
    if line and len(line) <= markdown.LONGEST:
        assert seen(markdown.cell(line)) == line


@pytest.mark.parametrize("text", HIDDEN, ids=ascii)
def test_what_cannot_be_seen_is_written_out(text):
    assert markdown.show_hidden(text) == HIDDEN[text]
    assert seen(markdown.cell(text)) == HIDDEN[text]
    assert HIDDEN[text] in markdown.block(text) and HIDDEN[text] in markdown.code(text)
    markdown.block(text).encode()


def test_text_of_any_script_stays():
    text = "naïve Ünïcödé 漢字 العربية हिन्दी 😀 é — “x” × −"
    assert markdown.show_hidden(text) == text == seen(markdown.cell(text))


def test_lines_become_one_and_long_ones_are_cut():
    assert markdown.cell("a\n\n# b\r\nc\u2028d") == "a \\# b c d"
    assert len(markdown.cell("x" * 10**6)) == markdown.LONGEST
    assert markdown.cell("x" * 10**6).endswith("…")
    assert len(markdown.prose("x" * 2000)) == 2000


@pytest.mark.parametrize(
    "text", ["", "x", "```\ncode\n```", "`" * 12, "~~~", "    indented", "# h\n"]
)
def test_a_block_holds_the_text_and_ends_behind_it(text):
    tokens = READER.parse(f"{markdown.block(text, 'text')}\n\n## Next")
    assert tokens[0].type == "fence" and tokens[0].content.rstrip("\n") == text.rstrip("\n")
    assert [t.type for t in tokens[1:]] == ["heading_open", "inline", "heading_close"]


@given(st.text())
@example("\r")
@example("\n---\n")
def test_any_block_ends_where_it_should(text):
    tokens = READER.parse(f"{markdown.block(text, 'text')}\n\n## Next")
    assert [t.type for t in tokens] == ["fence", "heading_open", "inline", "heading_close"]


@pytest.mark.parametrize("text", ["a", "`", "a`b", "``", "`a", "a`", "a | b", "<b>", "x\ny"])
def test_a_code_span_holds_the_text(text):
    (paragraph,) = [t for t in READER.parse(f"x {markdown.code(text)} y") if t.type == "inline"]
    (code,) = [c for c in paragraph.children if c.type == "code_inline"]
    assert code.content == " ".join(text.split())
