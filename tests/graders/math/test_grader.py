"""Right and wrong answers to math references, at once or by a worker; hostile ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.math import fast, fast_unevaluated, math, math_unevaluated
from deimos.graders.math.limits import find_exceeded_limit

RIGHT = [
    (r"Tom has \boxed{42} apples.", "42"),
    (r"\boxed{42.0}", "42"),
    (r"\boxed{\$1,234}", "1234"),
    (r"\boxed{18 \text{ eggs}}", "18"),
    (r"It is \boxed{\frac{1}{2}}, that is \boxed{0.5}", r"\frac12"),
    ("The answer is 42.", "42"),
    ("work\n#### 42", "42"),
    ("Tom has 42 apples.", "42"),
    ("Some work with 3 and 4.\nTom has 42 apples.", "42"),
    ("42", "42"),
    (r"\boxed{073}", "73"),
    (r"\boxed{50\%}", "0.5"),
    (r"\boxed{\text{Evelyn}}", r"\text{Evelyn}"),
    (r"\boxed{Evelyn}", r"\text{Evelyn}"),
    (r"\boxed{\left( 3, \frac{\pi}{2} \right)}", r"\left( 3, \frac{\pi}{2} \right)"),
    (r"\boxed{x=5}", "5"),
    (r"\boxed{73}", "073"),
    (r"The answer is $\$18.90$.", r"\$18.90"),
]
WRONG = [
    (r"\boxed{41}", "42"),
    (r"\boxed{42} or rather \boxed{43}", "43"),
    ("The answer is 42. No, the answer is 43.", "43"),
    ("", "42"),
    ("no number", "42"),
    ("3 + 39 = 43", "43"),
    (r"\boxed{}", "42"),
    (r"\boxed{42", "43"),
    (r"\boxed{18 million}", "18"),
    (r"\boxed{0.333}", r"\frac{1}{3}"),
    (r"\boxed{\text{neve}}", r"\text{even}"),
    (r"\boxed{1 2}", "12.0"),
]
SYMBOLIC = [
    (r"\boxed{2\sqrt{3}}", r"\sqrt{12}", True),
    (r"\boxed{x+1}", "1+x", True),
    (r"\boxed{(\frac{\pi}{2}, 3)}", r"(3,\frac{\pi}{2})", False),
    (r"\boxed{\{2,1\}}", r"\{1,2\}", True),
    (r"\boxed{3.141593}", r"\pi", False),
    (r"\boxed{2x}", "2y", False),
    (r"\boxed{x+1} and \boxed{1+x}", "1+x", True),
    (r"\boxed{x+2} and \boxed{1+x}", "1+x", False),
    (r"\boxed{\begin{pmatrix} \frac{1}{2} \\ 3 \end{pmatrix}}", r"\begin{pmatrix} 1/2 \\ 3 \end{pmatrix}", True),
    (r"\boxed{nonsense +* 3}", "x^2", False),
]  # fmt: skip
OTHER_FORMS = [
    ("3:1", "3"), ("2:3", "0.66666666666667"), ("4:30", "2:15"), ("12:00", "12"), ("12 34", "46"), ("1 000", "0"),
    ("11011_2", "11011_3"), ("1011_2", "1_3"), ("22_{10}", "22_5"), (r"\{5,6\}", "(5,6)"), ("6,5", "(5,6)"), ("(1,2,3)", "3,2,1"),
    ("(1,2,3)", r"\{1,2,3\}"), ("x=2,y=1", "1,2"), ("1,1,2", "1,2"), ("on", "no"), ("BA", "AB"),
    ("3 km", "3 m"), (r"3\text{ cm}", r"3\text{ m}"), ("2 hours", "2 minutes"), ("5 cents", r"\$5"),
    ("[1,2]", "(1,2)"), ("(6,5)", "(5,6)"), ("x>3", "x<3"), ("a-b", "b-a"), ("5 or 6", "5"), ("0.3", r"0.\overline{3}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\1\end{pmatrix}"),
]  # fmt: skip
"""Pairs of which math-verify takes the most for equal."""
SAME_FORMS = [
    ("5,6", "(5,6)"), ("6:2", "3:1"), (r"\frac{2}{3}", "2:3"), ("11011", "11011_2"), (r"11011_2", r"11011_{2}"),
    ("x=1,y=2", "1,2"), ("2,1", "1,2"), (r"\pm 2", "2,-2"), ("3 meters", "3 m"), ("3", r"3\text{ cm}"),
    (r"3\text{ cm}^2", r"3\text{ square cm}"), (r"\$5", "5 dollars"), ("5", r"\log_2 32"), (r"\frac 1 2", "0.5"),
    ("1 1/2", "1.5"), (r"0.\overline{3}", r"\frac13"), ("12, 10, 6", "12,10,6"), ("Yes", r"\text{yes}"), ("YES", "yes"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OTHER_FORMS)
def test_forms_that_differ_are_never_equal_whichever_is_the_reference(one, other):
    assert math(f"\\boxed{{{one}}}", other).ok is not True
    assert math(f"\\boxed{{{other}}}", one).ok is not True
    assert fast(f"\\boxed{{{one}}}", other) is None or not fast(f"\\boxed{{{one}}}", other).ok


def test_a_reference_without_a_base_is_in_base_ten_and_one_with_a_base_may_be_met_without():
    assert math(r"\boxed{42_7}", "42").ok is False
    assert math(r"\boxed{42}", "42_7").ok is True
    assert math(r"\boxed{42_{10}}", "42").ok is True


@pytest.mark.parametrize(("one", "other"), SAME_FORMS)
def test_forms_that_say_the_same_are_equal(one, other):
    assert math(f"\\boxed{{{one}}}", other).ok is True


@pytest.mark.parametrize(("answer", "right"), RIGHT)
def test_right_is_told_in_process(answer, right):
    assert fast(answer, right).ok is True
    assert math(answer, right).ok is True


@pytest.mark.parametrize(("answer", "right"), WRONG)
def test_wrong_is_never_right(answer, right):
    assert math(answer, right).ok is False
    told = fast(answer, right)
    assert told is None or told.ok is False


@pytest.mark.parametrize(("answer", "right", "ok"), SYMBOLIC)
def test_what_needs_more_than_reading_is_left_to_a_worker(answer, right, ok):
    assert fast(answer, right) is None
    assert math(answer, right).ok is ok


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_integers_are_always_decided_in_process(said, right):
    """The race must not wait for a worker on the lab's and GSM8K's answers."""
    assert fast(f"Tom has \\boxed{{{said}}} apples.", str(right)).ok is (said == right)
    assert fast(f"\\boxed{{{said:,}}}", str(said)).ok is True


@given(st.text(max_size=60), st.integers(0, 999))
def test_a_second_box_with_another_number_is_never_right(between, right):
    answer = f"\\boxed{{{right}}} {between} \\boxed{{{right + 1}}}"
    for reference in (right, right + 1):
        verdict = fast(answer, str(reference))
        assert verdict is None or not verdict.ok


@pytest.mark.parametrize(
    "hostile",
    [
        "9^{9^{9}}", "9**9**9", "10^{10^8}", "2^{99999999}", "99999999!", "((9!)!)!", "(10^9)!", "9" * 1000,
        "{" * 5000, "(" * 60 + ")" * 60, "x" * 3000, "1\x002", "__import__('os').system('true')",
        "().__class__.__bases__", '"a"', "`a`",
    ],
)  # fmt: skip
def test_hostile_expressions_are_refused_unread(hostile):
    assert find_exceeded_limit(hostile)
    assert (
        math(f"\\boxed{{{hostile}}}" if "{" * 9 not in hostile else f"answer is {hostile}", "4").ok
        is False
    )


@pytest.mark.parametrize(
    "code", ["open('{0}','w')", "exec(chr(40))", "print(1) or open('{0}', 'w')", "sys.exit"]
)
def test_no_text_runs_as_python(tmp_path, code):
    canary = tmp_path / "canary"
    assert math(f"\\boxed{{{code.format(canary)}}}", "4").ok is False
    assert math(f"The answer is {code.format(canary)}", "x^2").ok is False
    assert not canary.exists()


def test_an_unreadable_reference_is_null_not_wrong():
    assert math(r"\boxed{4}", r"\cdot 4").ok is None
    assert math(r"\boxed{4x}", "9^{9^{9}}").ok is None
    assert math(r"\boxed{9^{9^{9}}}", "9^{9^{9}}").ok is True


def test_an_equal_expression_far_beyond_the_limits_of_the_event_loop_is_left_to_the_worker():
    assert fast("word " * 10_000 + r"\boxed{4}", "4") is None
    assert math("word " * 10_000 + r"\boxed{4}", "4").ok is True


def test_an_unevaluated_number_counts_for_the_lax_grader_only():
    answer = r"\boxed{17 \cdot 23}"
    assert math(answer, "391").ok is False
    assert "not worked out" in math(answer, "391").because
    assert math_unevaluated(answer, "391").ok is True
    assert fast(answer, "391").ok is False
    assert fast_unevaluated(answer, "391").ok is True
    assert math_unevaluated(r"\boxed{17 \cdot 24}", "391").ok is False


@pytest.mark.parametrize(
    "answer",
    [
        "x^" * 900 + "x",
        "x" + "!" * 1500,
        "-" * 1500 + "x",
        "2500!",
        "\\frac{1}{0}",
        "\\sum_{k=1}^{5000} k^x",
        "x^{99999999}",
        "(2001)!x",
    ],
)
def test_an_answer_that_cannot_be_worked_out_is_wrong_not_null(answer):
    for reference in ("7", "x+1", "\\sqrt{2}", "1, 2", "(1, x)"):
        assert math(f"\\boxed{{{answer}}}", reference).ok is False


@pytest.mark.parametrize(
    "reference", ["2500!+x", "\\int_0^1 x dx", "\\frac{1", "\\sum_{k=1}^{5000} k^x", ""]
)
def test_a_reference_that_cannot_be_worked_out_is_null_but_met_by_its_own_text(reference):
    assert math("\\boxed{7x}", reference).ok is None
    if reference.count("{") == reference.count("}") and reference:
        assert math(f"\\boxed{{{reference}}}", reference).ok is True
