"""Where an answer says what it is: in boxes, frames, statements and last lines, or nowhere."""

import re

import pytest

from deimos.graders.math import final_expressions, math

SAYS_SEVEN = [
    "ans: 7", "#### 7\nThe answer is 7.",
    r"so x = \boxed{7}", r"$x=\boxed{7}$", r"\boxed{7} cm", r"$\boxed{7}$.", r"- \boxed{7}", r"1. \boxed{7}", r"$\boxed{7}^\circ$",
    r"\[x = 14/2 = \boxed{7}\]", r"Suppose n is even. Then the answer is \boxed{7}.", r"\boxed{7} or 7.0", "\\boxed{7}\n#### 7",
    r"The number of integers less than 8 is $\boxed{7}$.", r"What is x? \boxed{7}", r"$\boxed{7}\text{ cm}$", r"$\mathbf{\boxed{7}}$",
    r"$$\begin{aligned} x &= 3+4 \\ &= \boxed{7} \end{aligned}$$", r"$\therefore \boxed{7}$", r"\boxed{7} <answer>7</answer>",
    "So Tom's total = 7.", "2x = 14, so x = 7.", "So the answer (in cm) = 7.", "Thus $x$ = 7.", "Hence n = 14 / 2 = 7.",
    "So a_1 = 7.", "Hence f(2) = 7.", "Thus AB = 7.", "5 apples + 2 apples = 7 apples",
    "So the total is 7.", "Tom has 7 apples.", "The answer is 7.", "Therefore, the answer is 7.",
    "The final answer is: 7", "**Answer:** 7", "Answer: $7$", "The answer is $7$ (not 8).",
    "The correct answer is 7, not 8.", "The answer is 7, which is the total.", "The answer is thus 7.",
    'The answer is:\n\n7', '## Answer\n7', '**Final Answer**\n\n$7$', "So 3 + 4 = 7.", "So x = 7.", "Hence $x = 7$.",
    'work\n7', 'work\n$$7$$', 'work\n\\[ x = 7 \\]', 'work\n\\[\n7\n\\]', "Thus the sum is 7 dollars.",
    "She makes $7 every day.", "Final Answer: The final answer is $7$. I hope it is correct.", "<answer>7</answer>",
    '<answer>\n$7$\n</answer>', "<answer>The answer is 7.</answer>", r"<think>x</think><answer>\boxed{7}</answer>",
    "#### 7", "#### $7", "The answer is 7 apples.", r"The answer is \(7\).", r"The answer is \[7\]",
    'The answer is 7\n\nI hope this helps!', "The answer is **7**.", "The answer is `7`", "So, the answer is 7!",
    "The answer to the question is 7.", "Our answer is therefore 7.", "The answer is then simply 7.",
    "Thus the answer is 7 because 3+4 is 7.", "The answer is 7 since 8 is too large.", "The answer is $7$, as 3+4=7.",
    "It takes 7 minutes.", "In total, he needs 7 boxes.", "The result is 7. I hope it is correct.", r"$\fbox{7}$",
    r"$$\boxed{7}$$", r"\boxed 7", r"\boxed{x=7}", r"\boxed{7.0}", r"\boxed{7\text{ apples}}",
    "Thus, the number of divisors of 196 is 7.", "So the value is $7$.", "The answer equals 7.", "answer = 7",
    "ANSWER: 7", "The answer is 7.00", r"\boxed{\text{7}}", r"\boxed{3+4=7}", "The answer is 3+4=7.",
    "The answer is x = 7.", "The answer is $x=7$.", "The answer: 7", "The answer is 7%.",
    "Therefore, she has a total of 7.", "It equals 7.", "7", "$7$", "x = 7", "The answer is 7: 3 apples and 4 pears.",
    "The answer is 7 — the sum of both.", "The answer is 7; see above.", "The answer is 7 in total.",
    "The answer is 7, so we are done.", r"The answer is \boxed{7}.",
]  # fmt: skip
DOES_NOT = [
    "The estimate is 7.", "~7", "≈7", "The answer is derived from 7.", "The answer is far from 7", "The answer is among 7.",
    "The answer is the number after 7.", "Nobody gets 7.", "after 7 tries I gave up", "7 squared", "A lower bound is 7.",
    "The answer is less 7.", "The answer is 7 cubed.", "7 point five", "#### 7\nThe answer is 9.", r"\boxed{7\text{ squared}}",
    "The answer is a number such as 7.", "7 when n is even", "7 -- just kidding, 9.",
    r"Is it \boxed{7}?", r"The answer is less than \boxed{7}.", r"The answer is at most \boxed{7}.", r"greater than $\boxed{7}$",
    r"A lower bound is \boxed{7}.", r"Suppose the answer is \boxed{7}.", r"We can rule out \boxed{7}.", r"\boxed{7} is too small.",
    r"\boxed{7}? No.", r"\boxed{7} or 9", r"\boxed{7}, maybe 9", "\\boxed{7}\n#### 9", r"\boxed{7} <answer>9</answer>",
    r"$x<\boxed{7}$", r"$x\approx\boxed{7}$", r"$-\boxed{7}$", r"$2\cdot\boxed{7}$", r"$\boxed{7}+1$", r"$\boxed{7}^2$",
    r"$\sqrt{\boxed{7}}$", r"\boxed{7}/2", r"\boxed{\approx 7}", r"$\frac{\boxed{7}}{2}$", r"$2\boxed{7}$", r"\[x \le \boxed{7}\]",
    "The answer is 7 (or 9).", "The answer is 7 (possibly 9).", "The answer is 7, but 9 is also possible.",
    "The answer is 7. Or 9.", "The answer is 7; alternatively, 9.", "The answer is 7. But the correct value is 9.",
    "The answer is 7.\n\nOops, I meant 9.",
    "2x = 7", "So 2x = 7.", "Hence x + y = 7.", "Thus $x^2=7$.", "n != 7", "n!=7", "So n != 7.", "So |x| = 7.",
    "So 2 x = 7.", "So ln x = 7", "Thus $2x$ = 7.", "So the square of x = 7.", "So twice x = 7", "So x y = 7.",
    "So x is not 7.", "So it is less than 7.", "See problem 7.", "I could not get 7.", "The wrong answer is 7",
    "Is it 7?", "Could it be 7?", "Maybe it is 7.", "Perhaps 7.", "It is at least 7.", "It is at most 7.",
    "x is more than 7.", "The answer is not 7.", "The answer isn't 7.", "The answer is less than 7.",
    "The answer is at least 7.", "The answer is more than 7.", "The answer might be 7.",
    "If the answer is 7, we are done.", "The answer is 7 or 8.", "The answer is 7, maybe 8.",
    "The answer is between 7 and 9.", "The answer is probably 7.", "The answer is about 7.", "Using equation 7.",
    "By theorem 7 we are done.", "In step 7 we add.", "The number is nearly 7.", "Try 7.", "Let x be 7.",
    "Suppose it is 7.", "The answer is 7?", "The answer can't be 7.", "It can't be 7.", "Not 7.", "No more than 7.",
    "The value exceeds 7.", "It is over 7.", "She never had 7.", "So the total is never 7.",
    "An incorrect answer is 7.", "The answer is 6, not 7.", "The answer is 6 (not 7).", "Tom guesses 7.",
    "7 is wrong.", "So it is 7 or more.", "Therefore it lies between 6 and 7.", "So the answer is either 7 or 8.",
    "One possible answer is 7.", "The answer is 7 if x is odd.", "We are given 7.", "The problem asks for 7 apples.",
    "The answer is 5. The answer is 7.", "The answer is 7. The answer is 5.", "The answer is 7. Wait, it is 8.",
    "The answer is 7. That is wrong.", "Hence it is different from 7.", "So it is divisible by 7.",
    "The answer is a multiple of 7.", "The answer is some number below 7.", r"Therefore x \neq 7.", r"So $x \neq 7$.",
    "So $x < 7$.", r"The total is $\approx 7$?", "The answer is unknown, like problem 7.", "It should be 7.",
    "It would be 7.", r"\boxed{5}, \boxed{6}, \boxed{7}", r"\boxed{7 \text{ or } 8}", r"\boxed{7?}",
    r"\boxed{\neq 7}", r"\boxed{x \neq 7}", r"\boxed{<7}", r"\boxed{\le 7}", r"\boxed{>7}", r"\boxed{\pm 7}",
    r"\boxed{7, 8}", r"not \boxed{7}", r"\boxed{7", r"\boxed{7}. Wait, no, 8.", r"\boxed{7} or \boxed{8}",
    "<answer>7 or 8</answer>", "<answer>7", "#### 7 or 8", "#### not 7", r"\boxed{5+2}", r"\boxed{\text{not } 7}",
    r"\boxed{7\text{ or maybe }8}", r"\boxed{7\text{, 8}}", r"\boxed{6 < 7}", r"\boxed{7 = 8}", r"\boxed{8 = 7}",
    r"\boxed{6 \to 7}", r"\boxed{7 \to 8}", "The answer is somewhere near 7.", "So the answer is 7 modulo 10.",
    "I doubt it is 7.", "Which is 7?", "So x = 7 is impossible.", "Then x = 7 would be too large.", "7 too small",
    "Compare with 7.", "So the remainder is not 7 but 6.", "So 3 + 5 = 7.", "The answer is 3 + 5 = 7.", "Then 7 < x.",
    "Therefore, the answer to problem 8 is on page 7.", "Answer: none of 5, 6, 7", "Answer: see 7",
    "So it is around 7.", "So we get roughly 7.",
    "I believe 7 is not correct", "It is false that x = 7", "x cannot equal 7", "7 is excluded", "All but 7",
    "7 is just an upper bound", "It's anything but 7", "Is the answer 7?", "Answer: not 7", "greater than 7",
    "The answer exceeds 7", "The answer is no more than 7", "As in example 7, we proceed.", "Refer to Table 7",
    "Chapter 7 covers this.", "I have 7 ideas", "There are 7 steps in this solution.", "We used 7 steps.",
    "This took 7 tries.", "Problem 7 is hard.", "So 7 fails.", "7 does not work.", "So the answer lies above 7.",
    "Thus x is at least 7.", "It is bounded by 7.", "So x is bounded by 7.", "The bound is 7?", "What is 7?",
    "Why 7?", "x ≠ 7", "x > 7", "x < 7", "The answer: x > 7", "The answer is x ≠ 7.", "The answer is $x<7$.",
    "So it is greater than $7$.", "So it is not $7$.", "See $7$.", "Is it $7$?", "The total is less than $7$.",
    "We know that it is under 7.", "I could not find it, but 7 came up.", "I was told 7.", "My friend got 7.",
    "The teacher says 7.", "The hint says 7.", "Without loss of generality take 7.", "Let n = 7.", "Take n = 7.",
    "When x = 7, it fails.", "If x = 7, then it works.", "For x = 7 we have a contradiction.",
    "So x = 7 does not hold.", "So x is close to 7.", "So x tends to 7.",
    "The limit of the first part is 7, but the answer is different.", "Not 7, but 8.", "The answer is not $7$.",
    "The answer is never 7.", "The answer is 8 instead of 7.", "The answer is 8, rather than 7.",
    "It is rather 8 than 7.", "The answer must not be 7.", "The answer would be 7 if we forgot one.",
    "The answer should not be 7.", "No answer is 7.", "None of the answers is 7.", "The previous answer is 7.",
    "Tom's answer is 7, but the right one is 8.", "His answer is 7.", "Tom's answer was 7.",
    "It is the same as in problem 7.", "The answer is the number in problem 7.", "The answer is in line 7.",
    "So 7 > 6.", "So 6 < 7.", "Hence $6 < 7$.", "The answer is 6 or, less likely, 7.", "The answer is odd, like 7.",
    "The answer is greater than 6 and less than 7.",
]  # fmt: skip
"""None of these says that the answer is 7: denied, bounded, asked, mentioned, one of several."""
OTHERS = [
    ("So we need at least 7 boxes.", "7", False),
    ("Therefore, at least 7 boxes are needed.", "7", False),
    ("Thus it takes 7 hours.", "7", True),
    ("Altogether 7.", "7", True),
    ("Hence there are 7 of them.", "7", True),
    ("The sum of the digits is 7.", "7", True),
    ("He therefore has 7 left.", "7", True),
    ("This gives 7.", "7", True),
    ("We get $x=7$.", "7", True),
    ("We get x = 7.", "7", True),
    ("Thus, x=7 or x=8.", "7", False),
    ("Thus x = 7 and y = 8.", "7", False),
    ("So the only solution is $x = 7$.", "7", True),
    ("Either 7 or 8.", "7", False),
    ("Not sure, 7?", "7", False),
    ("I think it is 7.", "7", True),
    ("My best guess is 7.", "7", False),
    ("7 (I guess)", "7", False),
    ("7, I think", "7", False),
    ("The minimum is 7 and the maximum is 9.", "9", False),
    ("The answers are 7 and 9.", "7, 9", True),
    ("The answers are 7 and 9.", "9", False),
    ("Answer: 7 or 9", "7,9", True),
    ("Answer: 7/9", r"\frac79", True),
    (r"Answer: $\frac{7}{9}$ (approximately 0.78)", r"\frac79", True),
    ("Answer: x = 7", "x=7", True),
    ("The answer is 7 cm.", r"7\text{ cm}", True),
    ("The answer is 7 m.", r"7\text{ cm}", False),
    (r"The answer is $7\text{ cm}^2$.", r"7\text{ cm}^3", False),
    ("The answer is 7,000.", "7000", True),
    ("The answer is 7.5.", "7.5", True),
    ("The answer is 7.5. Good.", "7.5", True),
    ("The answer is -7.", "-7", True),
    ("The answer is – 7.", "-7", True),
    ("The answer is $-7$.", "7", False),
    ("The answer is 7 × 8.", "56", False),
    ("The answer is 7 × 8 = 56.", "56", True),
    ("The answer is 17*23.", "391", False),
    ("answer is 7\nanswer is 7", "7", True),
    ("The answer is (B).", "B", True),
    (r"The answer is \text{(B)}", "B", True),
    ("The answer is B.", r"\text{(B)}", True),
    ("The answer is Monday.", r"\text{Monday}", True),
    ("The answer is not Monday.", r"\text{Monday}", False),
    ("So the day is Monday.", r"\text{Monday}", True),
    (r"\boxed{7} is wrong.", "7", False),
    (r"\boxed{7}. That is wrong, it's 8.", "7", False),
    (r"\boxed{7}. This is correct.", "7", True),
    (r"It is \boxed{7}, i.e. seven.", "7", True),
    ("\\boxed{7}\n\nLet me double-check: 3+4=7. Yes.", "7", True),
    (r"\boxed{7}. Wait, let me check. 3+4=7. Yes.", "7", True),
    (r"\boxed{7}. No wait, 8.", "7", False),
    (r"I considered \boxed{8} but the answer is \boxed{7}.", "7", False),
    (r"Answer: \boxed{7} (not 8)", "7", True),
    (r"The answer isn't \boxed{7}.", "7", False),
    (r"The answer is \boxed{7} or \boxed{8}.", "7, 8", True),
    (r"$\boxed{x = 7}$ and $\boxed{y = 8}$", "x=7, y=8", True),
    (r"$\boxed{x = 7}$ and $\boxed{y = 8}$", "(7,8)", True),
    (r"$\boxed{y = 7}$ and $\boxed{x = 8}$", "(7,8)", False),
    (r"a) \boxed{7} b) \boxed{8}", "8", False),
    (r"\boxed{7}\boxed{8}", "8", False),
    (r"\boxed{\boxed{7}}", "7", True),
    (r"\boxed{7} \boxed{", "7", False),
    (r"\boxed{7 and some words", "7", False),
    (r"\fbox{7} then \boxed{8", "7", False),
    ("<answer>7</answer><answer>8</answer>", "8", False),
    ("<answer>The answer is not 7</answer>", "7", False),
    ("<answer>I think 7</answer>", "7", False),
    ("#### 7\n#### 8", "8", False),
    ("#### 7 apples", "7", True),
    ("#### $7", "7", True),
    ("#### 7 or 8", "7", False),
    ("#### 1,000", "1000", True),
    (r"\boxed{(1,2)}. That is wrong.", "(1,2)", False),
    (r"\boxed{7}. I made an error. The answer is 8.", "7", False),
    ("Therefore $x \\geq 5$ is the solution.", "x \\geq 5", True),
    ("So the value is $\\frac{1}{2}$.", "\\frac{1}{2}", True),
    ("So the values are $3$ and $5$.", "3", False),
    ("The answer is $3$ and $5$.", "3, 5", True),
    ("The answer is $x<1$ or $x>2$.", "x<1 or x>2", True),
    ("The solutions are \\boxed{1} and \\boxed{2}.", "1, 2", True),
    ("The solutions are \\boxed{1} and \\boxed{2}.", "2", False),
    ("\\boxed{1}, \\boxed{2}, \\boxed{3}", "1, 2, 3", True),
    ("First \\boxed{5}. On reflection it is \\boxed{6", "6", False),
    ("The answer is east.", "\\text{east}", True),
    ("The answer is obvious. The answer is 5.", "5", True),
    ("<answer>\\boxed{5}</answer>", "5", True),
    ("<answer>5</answer> <answer>6", "5", False),
    ("So, \\[ \\frac{3}{4} \\]", "0.75", True),
    ("It is not \\[ \\frac{3}{4} \\]", "0.75", False),
    ("44 is the correct answer.", "44", True),
    ("So I am confident that $44$ is the answer.", "44", True),
    ("I don't think that 44 is the correct answer.", "44", False),
    (
        "Therefore, the remainder of 2004 divided by 12 is 0.\n\nI think that's the answer.",
        "0",
        True,
    ),
    ("Hence the degree of $f(x)$ is 3.", "3", True),
    ("Profit: $93 - $15 = $78.", "78", True),
]


@pytest.mark.parametrize("text", SAYS_SEVEN)
def test_the_answer_is_found(text):
    verdict = math(text, "7")
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize("text", DOES_NOT)
def test_what_does_not_say_seven_is_not_seven(text):
    assert math(text, "7").ok is False


@pytest.mark.parametrize(("text", "reference", "ok"), OTHERS)
def test_other_answers(text, reference, ok):
    assert math(text, reference).ok is ok


def test_numbers_of_the_last_line_count_for_numbers_only():
    assert final_expressions("It is east.\nWe go 5 km.", "x+1") == []
    assert final_expressions("It is 5 of 6.", "5") == []


WAYS = [
    "The answer is $F$.", "The answer is F.", "Therefore, the answer is \\(F\\).", "**Answer:** $F$", "Answer: F", "Final answer: $F$.",
    "So the final answer is:\n$$F$$", "#### F", "<answer>F</answer>", "<answer>$F$</answer>", "Hence, the solution is $F$.", "So we get $F$.",
    "The result is $F$.", "So the answer is **$F$**.", "The answer is: **F**", "Therefore the value is\n\\[\nF\n\\]", "\\fbox{F}",
    "The answer is $F$, as required.", "The answer is $F$ because of the above.", "The answer is\n\n$$F$$\n\nHope this helps!",
    "Final Answer: The final answer is $F$. I hope it is correct.", "The correct answer is $F$, not $99$.", "### Final Answer\n\n$F$",
    "The answer is therefore $F$.", "Thus, $F$ is the answer.", "So the answer must be $F$.", "answer: \\[F\\]", "Answer = $F$", "Therefore, $F$.",
    "$F$", "F", "work\n\n$F$", "The answer is $\\displaystyle F$.", "The answer is `F`.", "In conclusion, the answer is $F$.",
    "Thus the answer to the problem is $F$.",
]  # fmt: skip
FORMULAS = [
    "42", "-3", "3.5", "\\frac{1}{3}", "(1,2)", "x=7", "x^2+1", "\\text{even}", "[0,1)", "2, 5", "2\\sqrt{3}", "3+4i", "12\\text{ cm}",
    "x<1 or x>2", "\\begin{pmatrix}1\\\\4\\end{pmatrix}", "50\\%", "30^\\circ", "1,234", "\\infty", "3:2", "\\{1,9\\}",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_say_an_answer_says_it_and_no_other(way):
    for formula in FORMULAS:
        text = re.sub(r"\bF\b", lambda _, said=formula: said, way)
        passed = [reference for reference in FORMULAS if math(text, reference).ok]
        assert passed == [formula], text
