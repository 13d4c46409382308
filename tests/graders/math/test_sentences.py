"""Unboxed sentences: a number that is part of something larger, or of another thing, is no answer."""

import pytest

from deimos.graders.math import math

PARTS = [
    "√{}", "√({})", "∛{}", "\\sqrt{{{}}}", "{}π", "{} π", "{}\\pi", "{}$\\pi$", "{}²", "{}³", "{}½", "½·{}", "{}α",
    "{}₂", "{}‰", "−{}", "–{}", "-${}$", "±{}", "negative {}", "minus {}", "{} + x", "x − {}", "{}^x", "log {}", "ln {}",
    "sin {}", "f({})", "g'({})", "one {}th", "the square root of {}", "a third of {}", "half of {}", "double {}",
    "ten to the {}", "{} squared", "{} cubed", "{} factorial", "{} and a half", "{} modulo 9", "{} (mod 12)", "{} over 3",
    "{} times x", "{}! ways", "{}′", "$ {} $x", "{} to 9", "{} plus something",
]  # fmt: skip
"""What a total may be that is not the number in it."""
LEADS = ["So the total is {}.", "Hence the length is {}.", "The value is {}"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_an_expression_is_not_the_answer(part):
    for number in ("7", "12"):
        for lead in LEADS:
            text = lead.format(part.format(number))
            assert math(text, number).ok is False, text


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("So x is −7.", "-7"), ("So the slope is –2.", "-2"), ("So the total is negative 9.", "-9"),
        ("So the area is 7π.", "7\\pi"), ("Hence the area is 12π cm².", "12\\pi"), ("So the total is √11.", "\\sqrt{11}"),
        ("So the length is 2√3 cm.", "2\\sqrt3"), ("So the probability is ½.", "1/2"),
        ("So the radius is \\sqrt{5}.", "\\sqrt5"), ("Therefore, $p = 5$ or $p=9$.", "5,9"),
        ("So $a=1$, $a=2$ and $a=4$.", "1,2,4"), ("The answer is 7 and not 8.", "7"), ("The answer is actually 7.", "7"),
        ("The answer is, of course, 7.", "7"), ("The answer, therefore, is 7.", "7"), ("The answer turns out to be 7.", "7"),
        ("So she has a total of 7 apples.", "7"), ("In total they need 7.", "7"), ("It comes to 7 dollars.", "7"),
        ("Thus Ann pays $7 for it.", "7"), ("Therefore, the number of trailing zeros in 42! is 9.", "9"),
        ("Since all ten are on both lists, the number of them is 10.", "10"),
        ("All ways give the same answer, so I'm confident that 5 students came.", "5"),
        ("The answer is:\n\\begin{align*}\nx &= 5\n\\end{align*}", "5"),
        ("Thus, the distance between the two cities is 8 kilometers.", "8"),
    ],
)  # fmt: skip
def test_what_a_sentence_gives_is_found(text, reference):
    verdict = math(text, reference)
    assert verdict.ok is True, verdict.because


OTHER_THINGS = [
    "Twice the answer is 7.", "The square of the answer is 7.", "The negative of the answer is 7.",
    "The answer plus 1 is 7.", "The answer squared is 7.", "The last digit of the answer is 7.", "Half the answer is 7.",
    "The answer has 7 digits.", "The number of digits in the answer is 7.", "The answer modulo 10 is 7.",
    "My first answer was 7.", "The naive answer is 7.", "The trap answer is 7.", "The wrong answer: 7",
    "Possible answer: 7", "One answer is 7.", "An obvious answer is 7.", "The second-best answer is 7.",
    "I deny that the answer is 7.", "This is false: the answer is 7.", "Show that the answer is 7.",
    "Prove that x = 7.", "Find x such that f(x) = 7.", "We want $f(x)=7$.", "Set x = 7.", "We let $x=7$.", "For x = 7.",
    "Because x = 7.", "with $n=7$.", "until x = 7", "except x = 7", "One might think the answer is 7.", "You might get 7.",
    "Bob thinks the answer is 7.", "According to Bob, the answer is 7, but he is wrong.", "By no means is it 7.",
    "We reject x = 7.", "We discard $x=7$.", "This contradicts $x=7$.", "Therefore, contradiction with $x=7$.",
    "So $x=7$ is extraneous.", "So x=7 must be excluded.", "The answer is hardly 7.", "The answer can be 7.",
    "The answer is 7 (wrong).", "The answer is 7 (incorrect).", "The answer is 7. Actually no.",
    "The answer is 7. That can't be right.", "The answer is 7. No wait, it is not.", "The answer is 7, I guess.",
    "The answer was 7 in the previous problem.", "The problem number is 7.", "The answer is 7;8.", "The input is 7.",
    "The answer is at minimum 7.", "The answer is greater or equal 7.", "Under no circumstances is the answer 7.",
]  # fmt: skip


@pytest.mark.parametrize("text", OTHER_THINGS)
def test_another_thing_is_not_the_answer(text):
    assert math(text, "7").ok is False


@pytest.mark.parametrize(
    ("text", "reference", "ok"),
    [
        ("The intermediate value is \\boxed{3}. The final answer is \\boxed{9}.", "9", True),
        ("Step 1: $a=\\boxed{3}$.\nStep 2: $b=\\boxed{4}$.\nFinal: $\\boxed{5}$", "5", True),
        (
            "Let a = \\boxed{3}.\n\nSo b=\\boxed{6}.\n\nTherefore the answer is \\boxed{18}.",
            "18",
            True,
        ),
        ("First \\boxed{3}. No, it is \\boxed{4}.", "4", False),
        ("\\boxed{3}, or else the answer is \\boxed{9}.", "9", False),
        ("x = \\boxed{3}. But wait: the answer is \\boxed{9}.", "9", False),
        ("It is \\boxed{3}. The final answer is \\boxed{9}.", "9", False),
        ("\\boxed{5} and then \\boxed", "5", False),
        ("<answer>11, x=5</answer>", "x=5", False),
        ("<answer>7; n=12</answer>", "12", False),
        ("<answer>So the total is 12.</answer>", "12", True),
        ("\\boxed{0=0}", "0", False),
        ("The answer is $1,2$ or not.", "1,2", False),
        ("\\boxed{{3\\over4}}", "0.75", True),
        ("\\boxed{\\pi \\over 2}", "\\frac{\\pi}{2}", True),
        ("\\boxed{{n \\choose 2}}", "\\frac{n(n-1)}{2}", True),
        ("\\boxed{\\mathrm{\\pi}/2}", "\\frac\\pi2", True),
        ("\\boxed{\\ 7\\ }", "7", True),
        ("\\boxed{\\textcolor[rgb]{1,0,0}{7}}", "7", True),
        ("\\boxed{\\text{\\$7}}", "7", True),
        ("\\boxed{11\\textsuperscript{th}}", "11", True),
        ("\\boxed{1∕2}", "0.5", True),
    ],
)
def test_marked_answers(text, reference, ok):
    verdict = math(text, reference)
    assert verdict.ok is ok, verdict.because
