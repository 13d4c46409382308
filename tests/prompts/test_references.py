"""A reference that no answer could meet is refused when it is read, with file and line."""

import json

import pytest

from deimos.prompts.load import load_source
from deimos.prompts.references import check_references
from deimos.recipe import RecipeError, SourceSettings

GRADERS = {kind: kind for kind in ("math", "choice", "instruction", "code")}
GOOD = {
    "math": {"prompt": "1+1?", "kind": "math", "reference": "2"},
    "code": {"prompt": "Write f.", "kind": "code", "reference": {"tests": "assert f(1) == 2"}},
    "instruction": {
        "prompt": "No comma!", "kind": "instruction",
        "reference": {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    },
}  # fmt: skip
RULE = {"instruction_id_list": ["length_constraints:number_words"]}


def write(path, *rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n")
    return path


def read(source, graders=GRADERS, **options):
    block = SourceSettings(source=source, options=options)
    check_references(load_source(block, 0), graders, block, "prompts.sources")


@pytest.mark.parametrize(
    ("kind", "reference", "said"),
    [
        ("math", "NaN", "a missing value"),
        ("math", "9 + 9 = 18\n#### 18", "a whole solution"),
        ("math", "$$", "is empty"),
        ("math", "\frac{1}{2}", r"in JSON a backslash is written twice"),
        ("code", {"tests": "f(1) == 2"}, "assert nothing"),
        ("code", {"tests": "assert f(1) ="}, "not Python"),
        ("code", {"tests": "assert f(1) == 2", "entry_point": "f()"}, "is no name"),
        ("instruction", {"instruction_id_list": ["no_comma"], "kwargs": [{}]}, "no such rule"),
        ("instruction", {**RULE, "kwargs": [{"num_words": 2.5, "relation": "at least"}]}, "whole number"),
    ],
)  # fmt: skip
def test_a_line_of_a_file(tmp_path, kind, reference, said):
    bad = {**GOOD[kind], "reference": reference}
    path = write(tmp_path / "own.jsonl", GOOD[kind], "", bad)
    with pytest.raises(RecipeError, match=f"^own.jsonl line 3: .*{said}"):
        read("jsonl", path=str(path))


def test_one_backslash_in_json(tmp_path):
    for command, name in (("frac{1}{2}", "frac"), ("theta", "theta"), ("neq 3", "neq"), ("beta", "beta"), ("rho", "rho")):  # fmt: skip
        line = f'{{"prompt": "q", "kind": "math", "reference": "\\{command}"}}'
        path = write(tmp_path / "own.jsonl", line)
        with pytest.raises(RecipeError, match=rf"line 1: the reference has .* where \\{name} was"):
            read("jsonl", path=str(path))


def test_a_row_of_a_data_set(tmp_path):
    rows = [{"question": f"{n}?", "answer": f"So. #### {a}"} for n, a in enumerate(("2", "NaN"))]
    path = write(tmp_path / "train.jsonl", *rows)
    with pytest.raises(RecipeError, match=r"^train.jsonl:train row 2: .* a missing value"):
        read("gsm8k", path=str(path))
    rows = [{"problem": "p", "answer": "2"}, '{"problem": "q", "answer": "\\theta"}']
    path = write(tmp_path / "test.jsonl", *rows)
    with pytest.raises(RecipeError, match=r"^test.jsonl:test row 2: .* where \\theta was meant"):
        read("math500", path=str(path))


def test_a_row_of_any_folder(tmp_path):
    pytest.importorskip("datasets")
    folder = tmp_path / "sums"
    folder.mkdir()
    rows = [{"question": f"{n}?", "answer": a} for n, a in enumerate(("2", "so\n#### 18"))]
    write(folder / "train.jsonl", *rows)
    with pytest.raises(RecipeError, match=r"^sums:train row 2: .* a whole solution"):
        read("hub", dataset=str(folder), kind="math", split="train", licence="MIT")


def test_a_source_that_cannot_say_where(tmp_path):
    (tmp_path / "own.py").write_text(
        "from deimos import Prompt\n\n"
        "def own(*, take, seed):\n"
        "    said = [{'role': 'user', 'content': 'How many?'}]\n"
        "    yield Prompt.of(task='own', kind='math', messages=said, reference='nan')\n"
    )
    with pytest.raises(RecipeError, match=r"^prompts.sources: own: 'How many\?': .* missing value"):
        read(f"{tmp_path / 'own.py'}:own")


def test_the_grader_that_judges_decides(tmp_path):
    path = write(tmp_path / "own.jsonl", {**GOOD["math"], "reference": "NaN"})
    read("jsonl", {"code": "code"}, path=str(path))
    (tmp_path / "mine.py").write_text(
        "from deimos import Verdict, grader\n\n"
        "def check(reference):\n"
        "    if 'q' not in reference:\n"
        "        raise ValueError('it has no q')\n\n"
        "@grader('mine', check_reference=check)\n"
        "def mine(answer, reference):\n"
        "    return Verdict.of(answer == reference)\n"
    )
    mine = {"math": f"{tmp_path / 'mine.py'}:mine"}
    with pytest.raises(RecipeError, match=r"own.jsonl line 1: it has no q"):
        read("jsonl", mine, path=str(path))
    path = write(tmp_path / "own.jsonl", {**GOOD["math"], "reference": "q NaN"})
    read("jsonl", mine, path=str(path))
