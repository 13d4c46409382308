"""Good files are read; each fault is told in one sentence with its line."""

import json

import pytest

from deimos.prompts.sources.jsonl import jsonl
from deimos.recipe import RecipeError

MATH = {"prompt": "1+1?", "kind": "math", "reference": "2"}
CHOICE = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which?"}],
    "kind": "choice", "reference": {"letter": "b", "options": ["x", "y", "z"]}, "task": "quiz",
}  # fmt: skip


def read(tmp_path, *lines, **options):
    path = tmp_path / "own.jsonl"
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )
    return jsonl(**({"take": None, "seed": 0, "path": str(path)} | options))


def test_rows_become_prompts(tmp_path):
    prompts = {p.kind: p for p in read(tmp_path, MATH, "", CHOICE)}
    math, choice = prompts["math"], prompts["choice"]
    assert math.messages == ({"role": "user", "content": "1+1?"},)
    assert (math.task, math.reference, math.source) == ("own", "2", "own.jsonl")
    assert (choice.task, choice.reference["letter"], len(choice.messages)) == ("quiz", "B", 2)


def test_kind_task_and_instruction_by_option(tmp_path):
    (prompt,) = read(
        tmp_path,
        {"prompt": "1+1?", "reference": 2},
        kind="math",
        task="sums",
        instruction="Box it.",
    )
    assert (prompt.kind, prompt.task, prompt.reference) == ("math", "sums", "2")
    assert prompt.messages[-1]["content"] == "1+1?\n\nBox it."


def test_odd_white_space_inside_a_text_is_no_line_end(tmp_path):
    (prompt,) = read(tmp_path, '\ufeff{"prompt": "a\u2028b", "kind": "math", "reference": "2"}')
    assert prompt.messages[0]["content"] == "a\u2028b"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": ', "line 2: not valid JSON: .* at column"),
        ("7", "line 2: must be an object, not a number"),
        ({"prompt": "q", "reference": "2"}, "line 2: the key 'kind' is missing"),
        (
            {"prompt": "q", "kind": "maths", "reference": "2"},
            "line 2: kind is 'maths': accepted: math, choice",
        ),
        ({"prompt": "q", "kind": "math"}, "line 2: the key 'reference' is missing"),
        ({"kind": "math", "reference": "2"}, "line 2: needs either 'prompt' or 'messages'"),
        ({**MATH, "messages": []}, "line 2: needs either"),
        ({**MATH, "prompt": " "}, "line 2: prompt must be a text"),
        ({**MATH, "prompt": 3}, "line 2: prompt must be a text"),
        ({**MATH, "refrence": "2"}, "line 2: unknown key 'refrence'"),
        (
            {**MATH, "reference": {"letter": "A"}},
            "line 2: a math reference must be a text .* not an object",
        ),
        ({**MATH, "reference": [1.5]}, "line 2: a math reference must be a text"),
        ({**MATH, "reference": ""}, "line 2: a math reference must not be blank"),
        (
            {**CHOICE, "reference": "B"},
            "line 2: a choice reference must be an object with letter, options",
        ),
        (
            {**CHOICE, "reference": {"letter": "D", "options": ["x", "y", "z"]}},
            "'D' is none of A, B, C",
        ),
        (
            {**CHOICE, "reference": {"letter": "A", "options": ["x", "y"]}},
            "must be 3 to 10 texts, not 2",
        ),
        (
            {**CHOICE, "reference": {"letter": "BB", "options": ["x", "y", "z"]}},
            "'BB' must be one letter alone, of A to C",
        ),
        (
            {**CHOICE, "reference": {"letter": "(B)", "options": ["x", "y", "z"]}},
            r"'\(B\)' must be one letter alone: 'B'",
        ),
        (
            {**CHOICE, "reference": {"letter": 1, "options": ["x", "y", "z"]}},
            "a choice reference's 'letter' must be a text, not a number",
        ),
        (
            {**CHOICE, "reference": {"options": ["x", "y"]}},
            "a choice reference needs 'letter'",
        ),
        (
            {**CHOICE, "reference": {"letter": "A", "options": ["x", 2, "z"]}},
            "choice option 2 must be a text, not a number",
        ),
        (
            {"prompt": "q", "kind": "instruction", "reference": "x"},
            "an instruction reference must be an object",
        ),
        ({**CHOICE, "messages": [{"role": "robot", "content": "q"}]}, "line 2: role is 'robot'"),
        (
            {**CHOICE, "messages": [{"role": "assistant", "content": "q"}]},
            "line 2: the last message must be",
        ),
        (
            {"prompt": "q", "kind": "code", "reference": {}},
            "line 2: a code reference needs 'tests'",
        ),
        ({**MATH, "task": 3}, "line 2: task must be a text"),
        (MATH, "line 2: the same prompt stands on line 1"),
    ],
)
def test_faults_name_their_line(tmp_path, line, message):
    with pytest.raises(RecipeError, match=message) as caught:
        read(tmp_path, MATH, line)
    assert "\n" not in str(caught.value)


def test_files_that_hold_nothing(tmp_path):
    with pytest.raises(RecipeError, match="has no prompts"):
        read(tmp_path, "")
    with pytest.raises(RecipeError, match=r"'gone\.jsonl' does not exist"):
        jsonl(take=None, seed=0, path="gone.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read as UTF-8"):
        jsonl(take=None, seed=0, path=str(tmp_path / "bytes.jsonl"))
