"""Forms that say the same, and forms that repeat the task: chains, fractions, roots, regions, empty sets, units, frames."""

import pytest

from deimos.graders.math import math

RIGHT = [
    # chain
    ("\\boxed{x=2^3=8}", "8"),
    ("\\boxed{x=8}", "8"),
    ("\\boxed{x=y=8}", "x=8,y=8"),
    ("\\boxed{y=f(x)=2x+1}", "2x+1"),
    ("\\boxed{y=f(x)=2x+1}", "y=2x+1"),
    ("\\boxed{x=8,y=8}", "x=y=8"),
    # settled
    ("\\boxed{\\frac{2}{4}}", "\\frac12"),
    ("\\boxed{120/1}", "120"),
    ("\\boxed{2^{10}}", "1024"),
    ("\\boxed{\\frac{240}{2}=120}", "120"),
    ("\\boxed{\\sqrt{2}}", "\\sqrt2"),
    ("\\boxed{\\frac{50}{100}}", "50\\%"),
    ("\\boxed{\\sqrt{\\frac14}}", "\\frac12"),
    ("\\boxed{10^3}", "1000"),
    ("\\boxed{\\frac{7}{2}}", "3.5"),
    ("\\boxed{\\frac{14}{4}}", "3.5"),
    ("\\boxed{4^{-1}}", "0.25"),
    ("\\boxed{\\frac{100\\pi}{4}}", "25\\pi"),
    # settledtext
    ("So the total is 240/2 = 120.", "120"),
    # abs
    ("\\boxed{-2<x<2}", "|x|<2"),
    ("\\boxed{|x|<2}", "-2<x<2"),
    ("\\boxed{|x|<2}", "(-2,2)"),
    ("\\boxed{(-2,2)}", "|x|<2"),
    ("\\boxed{|x|>2}", "x<-2 or x>2"),
    ("\\boxed{x<-2 or x>2}", "|x|>2"),
    ("\\boxed{|x|\\le 2}", "[-2,2]"),
    ("\\boxed{1<x<5}", "|x-3|<2"),
    ("\\boxed{|x|<2}", "|x|<2"),
    ("\\boxed{\\lvert x \\rvert<2}", "-2<x<2"),
    ("\\boxed{2>|x|}", "-2<x<2"),
    ("\\boxed{(-\\infty,-3)\\cup(3,\\infty)}", "|x|>3"),
    # empty
    ("\\boxed{\\emptyset}", "\\text{no solution}"),
    ("\\boxed{\\text{no solution}}", "\\emptyset"),
    ("\\boxed{\\varnothing}", "\\text{no real solutions}"),
    ("\\boxed{\\text{No solutions}}", "\\text{no solution}"),
    ("\\boxed{\\text{no real solutions}}", "\\text{no solution}"),
    ("\\boxed{\\text{DNE}}", "\\text{does not exist}"),
    ("\\boxed{\\text{does not exist}}", "\\text{DNE}"),
    ("\\boxed{\\{\\}}", "\\text{no solution}"),
    ("\\boxed{\\text{the empty set}}", "\\emptyset"),
    ("\\boxed{\\text{undefined}}", "\\text{DNE}"),
    ("\\boxed{\\text{The limit does not exist}}", "\\text{DNE}"),
    ("\\boxed{\\text{None}}", "\\emptyset"),
    ("\\boxed{∅}", "\\text{no solution}"),
    # units
    ("\\boxed{5 m/s}", "5\\text{ m/s}"),
    ("\\boxed{5 meters per second}", "5\\text{ m/s}"),
    ("\\boxed{5\\text{ meters per second}}", "5\\text{ m/s}"),
    ("\\boxed{5\\ \\frac{\\text{m}}{\\text{s}}}", "5\\text{ m/s}"),
    ("\\boxed{5\\,m/s}", "5\\text{ m/s}"),
    ("\\boxed{5\\text{ m}/\\text{s}}", "5\\text{ m/s}"),
    ("\\boxed{5\\text{ m s}^{-1}}", "5\\text{ m/s}"),
    ("\\boxed{5\\text{ ms}^{-1}}", "5\\text{ m/s}"),
    ("\\boxed{5\\text{ m/s}}", "5"),
    ("\\boxed{5 m/s}", "5"),
    ("\\boxed{5\\ \\mathrm{m\\,s^{-1}}}", "5\\text{ m/s}"),
    ("\\boxed{5 meters/second}", "5\\text{ m/s}"),
    ("\\boxed{5 metre per second}", "5 m/s"),
    ("\\boxed{5 meters per second}", "5 m/s"),
    ("\\boxed{5\\frac{m}{s}}", "5\\text{ m/s}"),
    ("\\boxed{60 miles per hour}", "60 mph"),
    ("\\boxed{9.8 m/s^2}", "9.8\\text{ m/s}^2"),
    ("\\boxed{9.8 meters per second squared}", "9.8\\text{ m/s}^2"),
    # unitstext
    ("The answer is 5 m/s.", "5\\text{ m/s}"),
    ("The answer is 5 meters per second.", "5\\text{ m/s}"),
    ("The answer is 5 meters per second.", "5"),
    # frame
    ("\\framebox{29}", "29"),
    ("so \\framebox{29}.", "29"),
    ("\\framebox[2cm]{29}", "29"),
    # box
    ("\\boxed{|x-3|<2}", "|x-3|<2"),
    ("\\boxed{x=y=8}", "(8,8)"),
    ("\\boxed{\\frac{120}{1}}", "120"),
    ("\\boxed{5 km/h}", "5 kmh"),
    ("\\boxed{5\\text{ meters per second}}", "5 m/s"),
    ("\\boxed{5\\ \\text{m}\\cdot\\text{s}^{-1}}", "5 m/s"),
    ("\\boxed{\\text{zero}}", "0"),
]
WRONG = [
    # chain
    ("\\boxed{x=y=8}", "8"),
    ("\\boxed{a=b=5}", "5"),
    ("\\boxed{x=y=z=1}", "1"),
    ("\\boxed{x=y=8}", "x=8"),
    ("\\boxed{m=n=4}", "4"),
    # settled
    ("\\boxed{\\frac{240}{2}}", "120"),
    ("\\boxed{240/2}", "120"),
    ("\\boxed{\\sqrt{14400}}", "120"),
    ("\\boxed{\\sqrt[3]{1728}}", "12"),
    ("\\boxed{144^{1/2}}", "12"),
    ("\\boxed{-\\frac{14}{2}}", "-7"),
    ("\\boxed{-\\sqrt{49}}", "-7"),
    ("\\boxed{(\\frac42,3)}", "(2,3)"),
    ("\\boxed{\\frac{2^5}{2}}", "16"),
    ("\\boxed{x=\\frac{14}{2}}", "7"),
    ("\\boxed{\\frac{14}{2}}", "x=7"),
    ("\\boxed{8^{2/3}}", "4"),
    ("\\boxed{6/3, 5}", "2,5"),
    # settledtext
    ("The answer is 240/2.", "120"),
    ("The answer is $\\sqrt{14400}$.", "120"),
    ("So the total is 240/2.", "120"),
    ("#### 240/2", "120"),
    # abs
    ("\\boxed{|x|<2}", "-2<x<3"),
    ("\\boxed{|x|<2}", "-2\\le x\\le 2"),
    ("\\boxed{|x-3|<2}", "1<x<5"),
    ("\\boxed{|y|<2}", "-2<x<2"),
    ("\\boxed{|x|>2}", "-2<x<2"),
    # empty
    ("\\boxed{0}", "\\emptyset"),
    ("\\boxed{\\emptyset}", "0"),
    ("\\boxed{\\{0\\}}", "\\emptyset"),
    ("\\boxed{\\{\\emptyset\\}}", "\\emptyset"),
    ("\\boxed{\\text{no}}", "\\text{no solution}"),
    ("\\boxed{\\text{one solution}}", "\\text{no solution}"),
    ("\\boxed{\\text{infinitely many solutions}}", "\\text{no solution}"),
    ("\\boxed{\\text{no integer solutions}}", "\\text{no solution}"),
    # units
    ("\\boxed{5 m/s^2}", "5\\text{ m/s}"),
    ("\\boxed{5 km/h}", "5\\text{ m/s}"),
    ("\\boxed{5 meters per second}", "5\\text{ meters}"),
    ("\\boxed{5 s/m}", "5 m/s"),
    # unitstext
    ("The answer is 5 km/h.", "5\\text{ m/s}"),
    # frame
    ("\\framebox{29", "29"),
    ("\\boxed{3} \\framebox{29}", "3"),
    ("not \\framebox{29}", "29"),
    # box
    ("\\boxed{\\text{two}}", "3"),
    ("\\boxed{\\text{no}}", "1"),
    ("\\boxed{5 m/s}", "5m"),
    ("\\boxed{2 m/s}", "2\\text{ km/h}"),
    ("\\boxed{\\text{none}}", "0"),
    ("\\boxed{\\emptyset}", "\\text{DNE}"),
    ("\\boxed{\\text{no solutions}}", "x=2"),
    ("\\boxed{|x|>2}", "x>2"),
    ("\\boxed{x>2}", "|x|>2"),
    ("\\boxed{\\frac{6}{2}}", "3\\text{ cm}"),
    ("\\boxed{\\sqrt{9}}", "3,4"),
    ("\\boxed{16/4}", "4"),
]
"""(answer, reference)"""


@pytest.mark.parametrize(("answer", "reference"), RIGHT)
def test_it_says_the_same(answer, reference):
    verdict = math(answer, reference)
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize(("answer", "reference"), WRONG)
def test_it_says_something_else_or_nothing(answer, reference):
    assert math(answer, reference).ok is False
