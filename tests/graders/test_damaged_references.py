"""Math references that are damaged formulas are refused, and what is only unusual is not."""

import json
import re

import pytest

from deimos.cli.grading import check_source
from deimos.graders.math import check_reference
from deimos.recipe import RecipeError

DAMAGED = [
    "(1,2", "\\left(1,2", "x=", "=3", "\\frac12 +", "a))", "[]", "\\undefined{3}", "3^{10000}",
    "()", "3 +", "x >", "> 3", "\\le 5", "1,2)", "[1,2", "3^", "\\sqrt", "\\frac{1}", "\\frac{}{}", "x^{}", "\\sqrt{}",
    "3 \\cdot", "\\times 3", "\\cup", "|x", "3/", "x = = 3", ",3", "f(x)=", "f(x", "(,)", "(1,)", "x\\in", "\\pm",
    "\\begin{pmatrix}1\\\\2", "\\langle 1,2", "\\lfloor 2", "\\lceil x", "x_", "a) 5", "3)", "*3", "\\foo", "\\answer{3}",
    "\\int", "\\ldots", "$\\lim$", "...", "5 or", "or 5", "5 \\text{ and }", "=\\frac12",
    "2^{2^{2^{10}}}", "10^{999999}", "\\left(3\\right",
    "1/0", "\\frac{1}{0}", "0/0", "-\\frac{7}{0}", "\\frac10", "5 \\div 0", "3\\frac{1}{0}", "\\frac{x}{0}", "\\frac{1}{2-2}",
    "\\frac{1}{x-x}", "(1/0, 2)", "x = \\dfrac{4}{0}", "\\frac{3}{\\sqrt{0}}", "0^{-1}", "\\ln 0", "\\log_3 0", "2/0\\text{ cm}",
]  # fmt: skip
TAKEN = [
    "[0,1)", "(0,1]", "\\{\\}", "\\emptyset", "\\alpha", "\\int_0^1 x\\,dx", "\\lim_{x\\to 0} x", "\\R", "\\mathbb{R}",
    "2^{1000}", "\\frac{1}{2004!}", "\\pir^2", "\\frac{1}{7}\\triangleABC", "\\begin{pmatrix}5\\12\\end{pmatrix}", "3,{}4",
    "\\{x : x > 3\\}", "\\left[0,1\\right)", "\\lceil x \\rceil", "f(x)=x+1", "x \\in (0, 3]", "\\text{Paris (France)}",
    "\\frac{0}{5}", "\\frac{1}{x}", "\\frac{1}{x-1}", "0.5", "1/0.5", "\\frac{2}{0!}", "x \\ne 0", "1:0", "0^2", "x^{-1}", "\\log_{10} x", "\\log 1",
    "\\mathbb{Z}^+", "P(A|B)", "P(A \\mid B)", "P(X=1 \\mid Y)", "^{14}\\text{C}", "z^*", "A^{*}", "\\int x", "1 \\text{ or } 2",
    "\\underbrace{1+1}_{2}", "5!", "-3", "\\pm 3", "|x|", "\\sqrt[3]{2}", "x > 3", "12\\text{ kWh}",
]  # fmt: skip


@pytest.mark.parametrize("reference", DAMAGED)
def test_half_a_formula_is_refused(reference):
    with pytest.raises(ValueError, match=r"^the reference "):
        check_reference(reference)


@pytest.mark.parametrize("reference", TAKEN)
def test_an_unusual_formula_is_taken(reference):
    check_reference(reference)


@pytest.mark.parametrize("reference", DAMAGED)
def test_check_names_the_line(tmp_path, reference):
    rows = [{"prompt": f"{n}?", "kind": "math", "reference": r} for n, r in enumerate(("1", "2", reference))]  # fmt: skip
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RecipeError, match=r"p\.jsonl line 3: .*" + re.escape(repr(reference)[1:4])):
        check_source("math", "jsonl", [f"path={tmp_path / 'p.jsonl'}"], 100)
