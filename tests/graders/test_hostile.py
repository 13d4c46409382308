"""Hostile pairs among others: all get a verdict, nothing runs, no wrong one is called right."""

GOLDS = ["42", "\\frac{1}{2}", "x+1", "(3,\\frac{\\pi}{2})", "\\{1,2\\}", "2\\sqrt{3}", "-7", "1,2,3", "50\\%", "\\text{even}",
         "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "x^2-4x+4", "[0,1)", "3:2", "11011_2", "\\$18.90", "90^\\circ", "5\\text{ cm}",
         "\\frac{3}{4}", "10!", "2^{10}", "\\infty", "\\log_2 3", "-\\frac{1}{3}", "i", "6-5i", "\\text{(A)}", "0.25", "1000000"]  # fmt: skip


def test_two_hundred_pairs(script, tmp_path):
    hostile = script("hostile")
    canary = tmp_path / "canary"
    pairs = hostile.pairs_of(200, 0.15, GOLDS, canary)
    assert sum(pair.right is None for pair in pairs) == 30
    result = hostile.judge_all(pairs, workers=2, timeout=2.0)
    assert len(result.verdicts) == 200
    assert result.wrong_correct == []
    assert [(p.answer, v.because) for p, v in result.rejected_right] == []
    assert not canary.exists()


def test_every_sort_and_the_canary_are_there(script, tmp_path):
    hostile = script("hostile")
    canary = tmp_path / "canary"
    pairs = list(hostile.hostile(canary))
    assert {p.sort for p in pairs} == {
        "tower",
        "factorial",
        "without end",
        "code",
        "signs",
        "megabyte",
        "depth",
    }
    assert sum(str(canary) in p.answer for p in pairs) > 8
    assert max(len(p.answer) for p in pairs) > 900_000
    namespace = {}
    exec(f"open('{canary}','w').write('x')", namespace)  # what the code would do, if it ran
    assert canary.exists()


def test_a_section_replaces_itself_and_nothing_else(script, tmp_path):
    pages = script("_pages")
    page = tmp_path / "page.md"
    for name, text in (("one", "first"), ("two", "second"), ("one", "third")):
        pages.write_section(name, text, page)
    text = page.read_text()
    assert "third" in text and "second" in text and "first" not in text
    assert text.index("third") < text.index("second")
