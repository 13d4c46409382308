"""What is counted: another noun is another answer; number, articles and adjectives make no difference."""

import pytest

from deimos.graders.math import math

RIGHT = [
    # noun
    ("\\boxed{5}", "5 apples"),
    ("\\boxed{5 apples}", "5"),
    ("\\boxed{5 apple}", "5 apples"),
    ("\\boxed{5 red apples}", "5 apples"),
    ("\\boxed{12 children}", "12 child"),
    ("\\boxed{3 boxes}", "3 box"),
    ("\\boxed{4 knives}", "4 knife"),
    ("\\boxed{6 cherries}", "6 cherry"),
    ("\\boxed{10\\text{ cups of flour}}", "10\\text{ cups}"),
    ("\\boxed{10 pieces of candy}", "10 candies"),
    ("\\boxed{10 pieces of candy}", "10 pieces"),
    ("\\boxed{12 people}", "12 persons"),
    ("\\boxed{12 people}", "12 person"),
    ("\\boxed{7\\text{ ways}}", "7\\text{ way}"),
    ("\\boxed{7\\text{ of the apples}}", "7\\text{ apples}"),
    ("\\boxed{7 apples left}", "7 apples"),
    ("\\boxed{7 apples in total}", "7 apples"),
    ("\\boxed{7 total}", "7 apples"),
    ("\\boxed{10 kg of apples}", "10 kg"),
    ("\\boxed{10 Apples}", "10 apples"),
    ("\\boxed{$5}", "5 dollars"),
    ("\\boxed{10 apples}", "10 apples per day"),
    ("\\boxed{10 feet tall}", "10 feet"),
    ("\\boxed{10 years old}", "10 years"),
    ("\\boxed{9 square units}", "9"),
    ("\\boxed{9 square units}", "9\\text{ units}^2"),
    ("\\boxed{3 dozen eggs}", "36 eggs"),
    # noun
    ("\\boxed{25 mpg}", "25 miles per gallon"),
    ("\\boxed{5\\text{ pounds}}", "5 lb"),
    ("\\boxed{18 arrangements}", "18 ways"),
    ("\\boxed{30 students in the class}", "30 students"),
    ("\\boxed{5 tickets}", "5 ticket"),
    ("\\boxed{3 buses}", "3 bus"),
    ("\\boxed{12 hr}", "12 hours"),
    ("\\boxed{7 days}", "7 day"),
    ("\\boxed{8 wolves}", "8 wolf"),
    ("\\boxed{6 women}", "6 woman"),
    ("\\boxed{5 cookies}", "5 cookie"),
    ("\\boxed{1 box}", "1 boxes"),
    ("\\boxed{2 classes}", "2 class"),
    ("\\boxed{65 \\text{ children tickets }}", "65 children tickets"),
    ("\\boxed{40}", "40\\text{ points}"),
    ("\\boxed{40 points}", "40\\text{ points}"),
    # geno
    ("\\boxed{2\\text{Rr}}", "2\\text{Rr}"),
    ("\\boxed{5\\text{ Apples}}", "5\\text{ apples}"),
    ("\\boxed{\\text{MONDAY}}", "\\text{Monday}"),
]
WRONG = [
    # noun
    ("\\boxed{10\\text{ apples}}", "10\\text{ pears}"),
    ("\\boxed{5 apples}", "5 pears"),
    ("\\boxed{5 boys}", "5 girls"),
    ("\\boxed{10\\text{ cups of flour}}", "10\\text{ cups of sugar}"),
    ("\\boxed{12 hours}", "12 apples"),
    ("\\boxed{12 apples}", "12 hours"),
    ("\\boxed{10 kg of apples}", "10 kg of pears"),
    ("\\boxed{10 kg of apples}", "10 g of apples"),
    ("\\boxed{10 red apples}", "10 red pears"),
    ("\\boxed{10 cats}", "10 dogs"),
    ("\\boxed{10 apples per day}", "10 apples per hour"),
    ("\\boxed{10\\text{ students}}", "10\\text{ teachers}"),
    ("\\boxed{3 dozen eggs}", "36 hens"),
    # noun
    ("\\boxed{10 pairs of socks}", "10 socks"),
    ("\\boxed{10 boxes of pens}", "10 pens"),
    ("\\boxed{10 slices of pizza}", "10 pizzas"),
    ("\\boxed{4 girls}", "4 boys"),
    ("\\boxed{20 something}", "20"),
    ("\\boxed{12\\text{ square feet}}", "12\\text{ tiles}"),
    ("\\boxed{7 days}", "7 weeks"),
    ("\\boxed{6 women}", "6 men"),
    ("\\boxed{$5}", "5 apples"),
    ("\\boxed{9 monkeys}", "9 donkeys"),
    ("\\boxed{10 \\text{edges}}", "10 \\text{ vertices}"),
    # geno
    ("\\boxed{2\\text{RR}}", "2\\text{Rr}"),
    ("\\boxed{3\\text{AaBb}}", "3\\text{AABB}"),
    ("\\boxed{\\text{RRYY}}", "\\text{rryy}"),
    ("\\boxed{\\text{Tt}}", "\\text{tt}"),
    ("\\boxed{2\\text{CO}}", "2\\text{Co}"),
    ("\\boxed{\\text{RRYY}}", "\\text{RrYy}"),
    ("\\boxed{4\\text{TT}}", "4\\text{tt}"),
    ("\\boxed{4\\text{Ww}}", "4\\text{ww}"),
]
"""(answer, reference)"""


@pytest.mark.parametrize(("answer", "reference"), RIGHT)
def test_it_says_the_same(answer, reference):
    verdict = math(answer, reference)
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize(("answer", "reference"), WRONG)
def test_it_says_something_else_or_nothing(answer, reference):
    assert math(answer, reference).ok is False
