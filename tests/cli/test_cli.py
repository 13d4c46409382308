"""The command line: every verb explains itself, judges, checks, copies, plans."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from deimos.cli.main import app, main

VERBS = [
    "run",
    "plan",
    "status",
    "prompts",
    "sample",
    "select",
    "train",
    "bench",
    "report",
    "grade",
    "check",
    "doctor",
    "demo",
    "init",
    "lab",
]
OWN = """
from deimos import Verdict, grader

@grader("shout")
def shout(answer, reference):
    return Verdict.of(answer == reference.upper(), "shouted or not")

examples = [("A", "a"), ("B", "b")]
"""


def say(*words, stdin=None):
    return CliRunner().invoke(app, list(words), input=stdin)


def ended(monkeypatch, capsys, *words):
    """Exit code and standard error of the console script."""
    monkeypatch.setattr(sys, "argv", ["deimos", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


def test_help_names_every_verb_and_where_to_begin():
    text = say("--help").output
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", text)] == []
    assert "deimos demo" in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_of_its_own(verb):
    shown = say(verb, "--help")
    assert shown.exit_code == 0 and len(shown.output.splitlines()) > 4


@pytest.mark.parametrize(
    "verb", ["run", "plan", "prompts", "sample", "select", "train", "bench", "report"]
)
def test_verbs_over_stages_take_the_same_flags(verb):
    command = typer.main.get_command(app).commands[verb]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {"recipe", "--out", "--set", "--allow-contamination", "--allow-weak-sandbox"} <= flags


def test_select_goes_by_the_recipe_that_allows_contamination(tmp_path, monkeypatch, capsys):
    """Without the flag it would ask for the stages of another recipe."""
    row = {"prompt": "What is 1+1?", "kind": "math", "reference": "2"}
    rows = [{**row, "prompt": f"What is {n}+{n} and nothing else at all?"} for n in range(6)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"source": "jsonl", "options": {"path": "own.jsonl"}}
    data = {
        "name": "own", "model": {"id": "lab", "dtype": "float32"}, "prompts": {"sources": [own]},
        "bench": {"tasks": [{"name": "same", "source": own}]},
    }  # fmt: skip
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(data))
    monkeypatch.chdir(tmp_path)
    assert ended(monkeypatch, capsys, "prompts", "own.yaml")[0] == 2
    assert ended(monkeypatch, capsys, "prompts", "own.yaml", "--allow-contamination")[0] == 0
    allowed = ("select", "own.yaml", "--allow-contamination")
    code, error = ended(monkeypatch, capsys, *allowed, "--preview")
    assert code == 2 and "run `deimos sample`" in error, error
    assert ended(monkeypatch, capsys, *allowed)[0] == 2
    frozen = yaml.safe_load((tmp_path / "runs/own/recipe.yaml").read_text())
    assert frozen["allow_contamination"] is True


def test_grade_adds_a_verdict_to_each_row(tmp_path):
    rows = [
        {"text": "2+2\n</think>\nIt is \\boxed{4}.", "reference": "4", "mine": 1},
        {"text": "<think>\n2+2\n</think>\nIt is \\boxed{5}.", "reference": "4"},
        {"text": "2+2 is \\boxed{4}", "reference": "4"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    shown = say("grade", str(file), "--kind", "math")
    assert shown.exit_code == 0, shown.output
    graded = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [row["verdict"]["ok"] for row in graded] == [True, False, False]
    assert graded[2]["verdict"]["stage"] == "structure", "an unclosed thought has no answer"
    assert graded[0]["mine"] == 1


def test_grade_reads_standard_input_and_plain_texts():
    row = json.dumps(
        {"text": "The answer is B.", "reference": {"letter": "B", "options": ["x", "y", "z"]}}
    )
    shown = say("grade", "-", "--kind", "choice", "--plain", stdin=row)
    assert json.loads(shown.stdout)["verdict"]["ok"] is True


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("math", None), ("math", {"letter": "B"}), ("math", ["4"]), ("math", " "), ("choice", "B"),
     ("choice", {"letter": "B"}), ("instruction", {"instruction_id_list": ["x"]}), ("code", "assert 1")],
)  # fmt: skip
def test_a_reference_of_the_wrong_form_is_null_and_told(kind, reference):
    row = json.dumps({"text": "The answer is B.", "reference": reference})
    shown = say("grade", "-", "--kind", kind, "--plain", stdin=row)
    verdict = json.loads(shown.stdout)["verdict"]
    assert shown.exit_code == 0 and verdict["ok"] is None
    assert f" {kind} reference" in verdict["because"]


def test_half_a_surrogate_pair_is_graded_and_written():
    rows = '{"text": "4 \\ud800", "reference": "4"}\n{"text": "It is 4.", "reference": "\\ud800"}'
    shown = say("grade", "-", "--kind", "math", "--plain", stdin=rows)
    assert shown.exit_code == 0, shown.output
    assert "\\ud800" in shown.stdout and len(shown.stdout.splitlines()) == 2


def test_a_text_without_any_thought_is_told_about_plain():
    row = json.dumps({"text": "The answer is 4.", "reference": "4"})
    assert (
        "--plain"
        in json.loads(say("grade", "-", "--kind", "math", stdin=row).stdout)["verdict"]["because"]
    )


def test_grade_is_told_other_think_tags():
    texts = (
        "[THINK]a[/THINK]\\boxed{4}",
        "a[/THINK]\\boxed{4}",
        "[THINK]\\boxed{4}",
        "<think>a</think>4",
    )
    rows = "\n".join(json.dumps({"text": text, "reference": "4"}) for text in texts)
    command = ("grade", "-", "--kind", "math", "--open-tag", "[THINK]", "--close-tag", "[/THINK]")
    shown = say(*command, stdin=rows)
    assert shown.exit_code == 0, shown.output
    verdicts = [json.loads(line)["verdict"] for line in shown.stdout.splitlines()]
    assert [v["ok"] for v in verdicts] == [True, True, False, False]
    one = say("grade", "-", "--kind", "math", "--close-tag", "</thought>", stdin=json.dumps(
        {"text": "<think>a</thought>\\boxed{4}", "reference": "4"}))  # fmt: skip
    assert json.loads(one.stdout)["verdict"]["ok"] is True


@pytest.mark.parametrize("tags", [
    ("--plain", "--open-tag", "[T]"), ("--plain", "--close-tag", "</think>"),
    ("--open-tag", ""), ("--close-tag", "<think>"), ("--open-tag", " [T]"),
])  # fmt: skip
def test_tags_that_grade_cannot_use_are_one_sentence(monkeypatch, capsys, tags):
    code, said = ended(monkeypatch, capsys, "grade", "-", "--kind", "math", *tags)
    assert code == 2 and said.startswith("error: ") and said.count("\n") == 1
    assert "--open-tag" in said and "--close-tag" in said


def test_grade_takes_a_grader_by_path(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    row = json.dumps({"text": "HI", "reference": "hi"})
    spec = f"{tmp_path}/own.py:shout"
    shown = say("grade", "-", "--kind", "math", "--plain", "--grader", spec, stdin=row)
    assert json.loads(shown.stdout)["verdict"]["ok"] is True


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("grade", "none.jsonl", "--kind", "math"), "'none.jsonl' does not exist"),
        (("grade", "-", "--kind", "maths"), "must be one of math, choice"),
        (("plan", "nowhere"), "'nowhere' does not exist"),
        (("plan", "lab", "--set", "sample.n=0"), "sample.n = 0"),
        (("plan", "lab", "--set", "runtime.device=tpu"), "runtime.device = 'tpu'"),
        (("check", "mth"), "did you mean 'math'?"),
        (("status", "nowhere"), "not a run folder"),
        (("check", "math", "--option", "path=x"), "--option belongs to a source"),
        (("check", "math", "--source", "gsm8k", "--option", "x"), "--option 'x' must look like"),
    ],
)
def test_faults_of_the_user(monkeypatch, capsys, words, sentence):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    code, error = ended(monkeypatch, capsys, *words)
    assert code == 2 and sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b'{"text": 1, "reference": 2}',
        b'{"text": "x"}',
        b'{"text": "x", "reference": NaN}',
    ],
)
def test_grade_names_a_line_that_is_no_row(monkeypatch, capsys, line):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    code, error = ended(monkeypatch, capsys, "grade", "-", "--kind", "math")
    assert code == 2 and "line 1" in error


def test_check_accepts_what_is_shipped_and_says_what_is_next():
    shown = say("check", "math", "--take", "6")
    assert shown.exit_code == 0, shown.output
    assert "next: deimos run lab" in shown.output


def test_check_takes_the_examples_beside_a_grader():
    example = Path(__file__).parents[2] / "examples" / "102_own_grader.py"
    shown = say("check", f"{example}:roman")
    assert shown.exit_code == 0 and "ok, 3 examples" in shown.output
    assert "ok" in say("check", "choice", "--take", "6").output


def test_packaged_recipes_are_found_by_names_with_dots(tmp_path, monkeypatch, capsys):
    assert say("init", "qwen2.5-0.5b-gsm8k", str(tmp_path / "my.yaml")).exit_code == 0
    code, error = ended(monkeypatch, capsys, "init", "nosuch", str(tmp_path / "x.yaml"))
    assert code == 2 and "no packaged recipe 'nosuch'" in error


def test_check_takes_a_sources_own_right_answers(tmp_path):
    rows = [{"question": f"{n}?", "answer": f"#### {n}"} for n in range(5)]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = say("check", "math", "--source", "gsm8k", "--option", f"path={file}")
    assert "gsm8k: math: ok, 5 examples" in shown.output


def test_check_finds_a_grader_that_accepts_anything(tmp_path):
    text = (
        "def yes(answer, reference):\n    from deimos import Verdict\n    return Verdict.of(True)\n"
    )
    (tmp_path / "own.py").write_text(text)
    shown = say("check", f"{tmp_path}/own.py:yes", "--take", "4")
    assert shown.exit_code == 1 and "FAULTY" in shown.output


def test_plan_lists_the_stages_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = say("plan", "lab")
    assert [line.split()[0] for line in shown.output.splitlines()[:7]] == [
        "prompts", "sample", "select", "train", "sweep", "bench", "report",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_init_prints_the_schema_that_editors_read():
    shown = say("init", "--schema")
    assert shown.exit_code == 0
    schema = json.loads(shown.output)
    for file in (Path(__file__).parents[2] / "recipes").glob("*.yaml"):
        recipe = yaml.safe_load(file.read_text())
        assert recipe["runtime"], "a recipe whose runtime block editors would see"
        assert faults(recipe, schema, schema) == []
    assert faults({"runtime": {"max_batch": "many"}}, schema, schema) == [
        "name missing", "model missing", "prompts missing", "many is no integer",
    ]  # fmt: skip
    assert "engin unknown" in faults({"runtime": {"engin": "local"}}, schema, schema)


KINDS = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
    "object": dict, "null": type(None),
}  # fmt: skip


def faults(value, schema, root):
    """As much of JSON schema as a recipe's needs: references, types, keys, choices."""
    if ref := schema.get("$ref"):
        return faults(value, root["$defs"][ref.removeprefix("#/$defs/")], root)
    if choices := schema.get("anyOf"):
        return min((faults(value, choice, root) for choice in choices), key=len)
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (value is True and kind == "integer")):
        return [f"{value} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{value} is none of {schema['enum']}"]
    found = []
    if isinstance(value, dict):
        found += [f"{key} missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            found += [f"{key} unknown"] if inner is False else []
            found += faults(item, inner, root) if isinstance(inner, dict) else []
    for item in value if isinstance(value, list) else ():
        found += faults(item, schema.get("items", {}), root)
    return found


def test_init_copies_a_recipe_and_overwrites_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert say("init", "lab").exit_code == 0
    shipped = Path(__file__).parents[2] / "recipes" / "lab.yaml"
    assert Path("lab.yaml").read_text() == shipped.read_text()
    code, error = ended(monkeypatch, capsys, "init", "lab")
    assert code == 2 and "exists already" in error


def test_doctor_says_what_is_here():
    shown = say("doctor")
    assert shown.exit_code == 0 and "versions: python" in shown.output
    assert "sandbox: " in shown.output and "open files: " in shown.output
