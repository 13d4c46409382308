"""Math references that no answer could meet are refused, and no benchmark's own are."""

from pathlib import Path

import pytest

from deimos.graders.math import math
from deimos.graders.references import check_math_reference
from deimos.prompts.references import check_form, check_reference

DATA = Path(__file__).parents[2].parent / "shared" / "data"

UNMEETABLE = [
    ("?", "no letter, digit or symbol"),
    (" - ", "no letter, digit or symbol"),
    ("<<5+13=18>>18", "calculator's notes"),
    ("NaN", "a missing value"), ("nan", "a missing value"), ("$\\text{NaN}$", "a missing value"), ("-inf", "a missing value"),
    ("null", "a missing value"), ("N/A", "a missing value"), ("#DIV/0!", "a missing value"),
    ("She has 9 + 9 = 18 eggs.\n#### 18", "a whole solution"), ("#### 18", "a whole solution"),
    ("So we get $x = 3$, thus $\\boxed{3}$ is it.", "a whole solution"),
    ("The answer is 18.", "a sentence"), ("Answer: 18", "a sentence"),
    ("$$", "is empty"), ("$ $", "is empty"), ("\\text{ }", "is empty"), ("\\boxed{}", "is empty"), ("...", "is empty"),
    ("\\frac{1}{2", "braces that don't close"), ("1}{2}", "braces that don't close"),
    ("rac{1}{2}", "the middle of a TeX command"), ("3\ufffd4", "a damaged text"), ("3\x004", "a damaged text"),
]  # fmt: skip
TAKEN = [
    "18", "\\frac{1}{2}", "\\infty", "-\\infty", "\\emptyset", "\\{\\}", "{}", "\\text{None}", "none", "undefined",
    "\\text{no solution}", "n/a", "\\boxed{18}", "$\\boxed{\\frac{1}{2}}$", "x = 3", "\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}",
    "2007+\\frac{\\}{p}i2", "\\left\\{ 1 \\right.", "[0, 1)", "6.5e3", "Nantes", "information", "\\text{Yes}", "12 \\text{ cm}^2",
]  # fmt: skip


@pytest.mark.parametrize(("reference", "said"), UNMEETABLE)
def test_what_no_answer_could_meet(reference, said):
    with pytest.raises(ValueError, match=said):
        check_math_reference(reference)


@pytest.mark.parametrize("reference", TAKEN)
def test_odd_and_possible_ones_are_taken(reference):
    check_math_reference(reference)


@pytest.mark.parametrize(
    ("kind", "reference", "said"),
    [
        ("math", "\frac{1}{2}", r"where \\frac was meant"),
        ("math", "3 \times 4", r"where \\times was meant"),
        ("choice", {"letter": "E", "options": ["x", "y", "z"]}, "is none of A, B, C"),
        ("code", {"tests": ["assert f(2) =="], "entry_point": "f"}, "not Python"),
        ("code", {"tests": "f(2) == 5"}, "assert nothing"),
        ("code", {"tests": "assert f(2) == 5", "setup": "def ("}, "not Python"),
        ("code", {"tests": "assert 1 + 1 == 2"}, "use nothing that a program could define"),
        ("code", {"tests": "assert f(2) == 5", "entry_point": "f(2)"}, "is no name"),
        ("code", {"tests": [3]}, "must be text"),
        ("code", {"tests": "  "}, "must not be empty"),
        ("instruction", {"instruction_id_list": ["no:rule"], "kwargs": [{}]}, "no such rule"),
        ("instruction", {"instruction_id_list": [3], "kwargs": [{}]}, "no such rule"),
        ("instruction", {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [3]}, "must be an object"),
        ("instruction", {"instruction_id_list": ["startend:quotation"], "kwargs": [{}, {}]}, "arguments for 2"),
    ],
)  # fmt: skip
def test_every_kind_s_grader_says_so(kind, reference, said):
    with pytest.raises(ValueError, match=said):
        check_reference(kind, kind, reference)
    check_reference(kind, "deimos.graders.check:check", reference)  # not ours: no check of its own


@pytest.mark.parametrize(
    ("number", "written"),
    [(72, "72"), (7.5, "7.5"), (-0.25, "-0.25"), (72.0, "72"), (0.1, "1/10"), (1e22, "10^{22}"), (1e-5, "0.00001")],
)  # fmt: skip
def test_numbers_of_json_are_references(number, written):
    check_reference("math", "math", number)
    reference = check_form("math", number)
    assert math(f"\\boxed{{{written}}}", reference).ok is True
    assert math("\\boxed{7.6}", reference).ok is False


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), True, None, [7.5]])
def test_what_is_no_finite_number_is_refused(number):
    with pytest.raises(ValueError, match="a math reference must be"):
        check_reference("math", "math", number)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_the_benchmarks_own_are_taken():
    from deimos.prompts.load import load_source
    from deimos.recipe import SourceSettings

    sets = {
        "gsm8k": ("gsm8k/train.jsonl", {"split": "train"}), "math": ("math/test.jsonl", {"split": "test"}),
        "math500": ("math500/test.jsonl", {}), "aime": ("aime/aime24.jsonl", {}),
        "ifeval": ("ifeval/input_data.jsonl", {}), "mbpp": ("mbpp/mbpp.jsonl", {"split": "test"}),
        "humaneval": ("humaneval/HumanEval.jsonl", {}), "mmlu_pro": ("mmlu_pro/test_504.jsonl", {}),
    }  # fmt: skip
    for name, (path, options) in sets.items():
        block = SourceSettings(source=name, options={"path": str(DATA / path), **options})
        for prompt in load_source(block, 0):
            check_reference(prompt.kind, prompt.kind, prompt.reference)
    train = DATA / "math" / "train.jsonl.gz"
    block = SourceSettings(source="math", options={"path": str(train), "split": "train"})
    for prompt in load_source(block, 0):
        check_math_reference(prompt.reference)
