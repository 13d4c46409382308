"""HumanEval(+) and MBPP(+): what the sandbox needs stands in the reference, own solutions pass.

The solutions run here, in this process: they are the authors' own, not a model's.
"""

import json
from pathlib import Path

import pytest

from deimos.prompts.load import load_source, solutions_of
from deimos.prompts.sources.humaneval import (
    humaneval,
    humaneval_plus,
)
from deimos.prompts.sources.mbpp import entry_point, mbpp, mbpp_plus
from deimos.recipe import RecipeError, SourceSettings

DATA = Path(__file__).parents[4] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")
HUMANEVAL = {
    "prompt": "import math\n\ndef half(x):\n    return x / 2\n\ndef twice(x):\n    \"\"\"Twice x.\"\"\"\n",
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert half(candidate(3)) == 3\n",
}  # fmt: skip
MBPP = {
    "task_id": 601,
    "text": "Write a python function to add one.",
    "code": "def helper(x):\r\n    return x\r\ndef add_one(x):\r\n    return helper(x) + 1",
    "test_setup_code": "",
    "test_list": ["assert set([add_one(1)]) == {2}", "assert add_one(2) == 3"],
    "challenge_test_list": ["assert add_one(-1) == 0"],
}


def write(tmp_path, *rows):
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "x.jsonl")


def passes(answer, reference):
    """Run set-up, an answer's block and the tests, in this order, in one place."""
    place = {"__name__": "place"}
    exec(reference.get("setup", ""), place)
    exec(answer.removeprefix("```python\n").removesuffix("\n```"), place)
    tests = reference["tests"]
    exec(tests if isinstance(tests, str) else "\n".join(tests), place)
    if isinstance(tests, str):  # HumanEval's form; some of MBPP's own functions are called check
        place["check"](place[reference["entry_point"]])


def test_a_humaneval_prompt_has_its_helpers_as_set_up(tmp_path):
    path = write(tmp_path, HUMANEVAL)
    (prompt,) = humaneval(take=None, seed=0, path=path)
    assert prompt.reference["setup"] == HUMANEVAL["prompt"] == humaneval.asked(prompt)
    assert prompt.reference["entry_point"] == "twice"
    assert f"```python\n{HUMANEVAL['prompt']}```" in prompt.messages[0]["content"]
    ((answer, same),) = humaneval.solutions(path=path)
    assert same == prompt
    passes(answer, prompt.reference)


def test_an_mbpp_prompt_shows_the_functions_name_and_an_example(tmp_path):
    path = write(tmp_path, MBPP, {**MBPP, "task_id": 11, "text": "Another."})
    (prompt,) = mbpp(take=None, seed=0, path=path)
    content = prompt.messages[0]["content"]
    assert "`add_one`" in content and MBPP["test_list"][0] in content
    assert MBPP["test_list"][1] not in content and mbpp.asked(prompt) == "add one."
    assert prompt.reference == {"tests": MBPP["test_list"], "entry_point": "add_one"}
    (harder,) = mbpp(take=None, seed=0, path=path, challenge=True)
    assert harder.reference["tests"][-1] == "assert add_one(-1) == 0"
    ((answer, _),) = mbpp.solutions(path=path, challenge=True)
    passes(answer, harder.reference)
    assert len(mbpp(take=None, seed=0, path=path, split="test")) == 1


def test_a_comparison_that_nothing_asserts_is_asserted(tmp_path):
    test = (
        "def assertion(out, exp, atol):\n    if isinstance(out, bool):\n        exact_match = out == exp\n"
        "    else:\n        exact_match = exp == (out is not None)\n\n\nassertion(add_one(1), True, 0)\n"
    )
    (prompt,) = mbpp_plus(take=None, seed=0, path=write(tmp_path, {**MBPP, "test": test}))
    assert "(out is not None)\n    assert exact_match\n" in prompt.reference["tests"]
    exec(f"def add_one(x):\n    return True\n{prompt.reference['tests']}", {})
    with pytest.raises(AssertionError):
        exec(f"def add_one(x):\n    return None\n{prompt.reference['tests']}", {})


def test_set_up_that_needs_the_candidates_class_stands_before_the_tests(tmp_path):
    row = {**MBPP, "test_setup_code": "n = Node(1)", "code": "class Node: ..\ndef add_one(x): ..."}
    row["code"] = "class Node:\n    def __init__(self, n): ...\ndef add_one(x):\n    return x + 1"
    (usual,) = mbpp(take=None, seed=0, path=write(tmp_path, {**row, "task_id": 602}))
    assert usual.reference["setup"] == "n = Node(1)\n"
    (odd,) = mbpp(take=None, seed=0, path=write(tmp_path, {**row, "task_id": 927}))
    assert odd.reference["tests"][0] == "n = Node(1)" and "setup" not in odd.reference
    ((answer, _),) = mbpp.solutions(path=write(tmp_path, {**row, "task_id": 927}))
    passes(answer, odd.reference)


def test_the_function_that_the_assertions_call():
    assert entry_point("def a(): ...\ndef b(): ...", ["assert len(b()) == a()"]) in ("a", "b")
    assert entry_point("def a(): ...", ["assert other() == 1"]) is None
    assert entry_point("def a(:", ["assert a() == 1"]) is None


@pytest.mark.parametrize(
    ("load", "row", "message"),
    [
        (humaneval, {**HUMANEVAL, "test": ""}, "needs the text 'test'"),
        (mbpp, {**MBPP, "test_list": []}, "needs assertions in 'test_list'"),
        (mbpp, {**MBPP, "test_list": ["assert x"]}, "call no function that its 'code' defines"),
        (mbpp, {**MBPP, "task_id": "1"}, "needs the number 'task_id'"),
        (mbpp_plus, {**MBPP, "test_list": "assert"}, "'test_list' must be a list of texts"),
    ],
)
def test_faulty_rows_are_told(tmp_path, load, row, message):
    with pytest.raises(RecipeError, match=message):
        load(take=None, seed=0, path=write(tmp_path, row))


def test_right_answers_come_with_the_prompts_that_are_asked_for(tmp_path):
    block = SourceSettings(source="humaneval", options={"path": write(tmp_path, HUMANEVAL)})
    prompts = load_source(block, 0)
    ((answer, reference),) = solutions_of(block, prompts)
    assert "return 2 * x" in answer and reference == prompts[0].reference
    assert solutions_of(block, []) == []
    with pytest.raises(RecipeError, match="'ifeval_like' has no right answers to check with"):
        solutions_of(
            SourceSettings(source="ifeval_like"),
            load_source(SourceSettings(source="ifeval_like", take=3), 0),
        )


@real
def test_the_real_ones_are_complete():
    folder = str(DATA / "mbpp")
    full = [len(mbpp(take=None, seed=0, split=s, path=folder)) for s in
            ("train", "validation", "test", "prompt")]  # fmt: skip
    clean = [len(mbpp(take=None, seed=0, split=s, subset="sanitized", path=folder)) for s in
             ("train", "validation", "test", "prompt")]  # fmt: skip
    assert (full, clean) == ([374, 90, 499, 10], [120, 43, 257, 7])  # two of 500 are alike
    assert len(humaneval(take=None, seed=0, path=str(DATA / "humaneval"))) == 164
    assert len(humaneval_plus(take=None, seed=0, path=str(DATA / "humanevalplus"))) == 164
    assert len(mbpp_plus(take=None, seed=0, path=str(DATA / "mbppplus"))) == 378


@real
def test_the_real_solutions_pass_their_own_tests():
    for answer, prompt in humaneval.solutions(path=str(DATA / "humaneval")):
        passes(answer, prompt.reference)
    for subset in ("full", "sanitized"):
        for split in ("train", "prompt"):
            for answer, prompt in mbpp.solutions(
                path=str(DATA / "mbpp"), split=split, subset=subset
            ):
                passes(answer, prompt.reference)
