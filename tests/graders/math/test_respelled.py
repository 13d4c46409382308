"""An answer means the same however it is dressed, spaced or delimited."""

import pytest

from deimos.graders.math import math

ANSWERS = [
    "42", "-\\frac{3}{4}", "2\\sqrt{3}", "\\frac{\\pi}{4}", "x^2-4x+4", "(1,2)", "[0,1)", "(-\\infty,3]\\cup(5,\\infty)", "1,2,3", "30^\\circ",
    "12\\text{ cm}^2", "11011_2", "3:2", "50\\%", "\\text{even}", "y=2x+1", "x\\ge 5", "\\{1,2\\}", "3-4i", "4:30\\text{ p.m.}", "\\$18.90",
    "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "1 \\pm \\sqrt{19}", "7,\\!000", "60^\\circ, 120^\\circ", "\\text{June 20}",
]  # fmt: skip
WAYS = {
    "dollars": "${}$", "double dollars": "$${}$$", "brackets": "\\({}\\)", "display": "\\[ {} \\]", "style": "\\displaystyle {}",
    "bold": "\\boldsymbol{{{}}}", "colour": "\\textcolor{{red}}{{{}}}", "switch": "{{\\bf {}}}", "size": "\\Large {}", "full stop": "{}.",
    "blanks": "  {}  ", "thin space": "\\, {} \\,", "row break": "{} \\\\", "phantom": "{}\\phantom{{0}}", "box": "\\boxed{{{}}}",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_dress_changes_nothing(answer, way):
    verdict = math(f"So it is \\boxed{{{way.format(answer)}}}.", answer)
    assert verdict.ok is True, verdict.because
    other = ANSWERS[ANSWERS.index(answer) - 1]
    assert math(f"So it is \\boxed{{{way.format(answer)}}}.", other).ok is False
