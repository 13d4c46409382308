"""The house as drawn: arrows one way, small files and functions, a light start, a true tree."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "deimos"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = {
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "lm_eval",
    "math_verify",
    "sympy",
    "matplotlib",
    "numpy",
    "scipy",
}
MAX_FILE, MAX_FUNCTION, MEDIAN_FUNCTION = 400, 60, 12


def functions():
    """Length in lines and place of every function of the package."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
                yield (node.end_lineno or node.lineno) - node.lineno + 1, place


def test_imports_go_one_way():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def texts(tree):
    """Strings of a module that are no docstrings, and those behind a ``/`` (a path's part)."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {
        id(node.right)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.value, id(node) in parts, node.lineno


def test_files_of_a_run_are_named_in_one_module_only():
    from deimos.store import names

    known = {value for name, value in vars(names).items() if name.isupper()}
    found = [
        f"{file.relative_to(ROOT)}:{line} {text}"
        for file in FILES
        if file != SOURCE / "store" / "names.py"
        for text, is_part, line in texts(ast.parse(file.read_text(encoding="utf-8")))
        if text in known and (is_part or "." in text)
    ]
    assert found == []


def test_files_are_under_400_lines():
    lengths = {
        str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines()) for f in FILES
    }
    assert {file: n for file, n in lengths.items() if n > MAX_FILE} == {}


def test_functions_are_under_60_lines_and_mostly_short():
    found = sorted(functions())
    assert [place for length, place in found if length > MAX_FUNCTION] == []
    assert found[len(found) // 2][0] <= MEDIAN_FUNCTION


def test_every_module_says_what_it_is():
    bare = [f for f in FILES if not ast.get_docstring(ast.parse(f.read_text(encoding="utf-8")))]
    assert bare == []


def test_no_file_is_empty():
    assert [f for f in FILES if not f.read_text(encoding="utf-8").strip()] == []


@pytest.mark.parametrize(
    "code",
    [
        "import deimos",
        "import sys; sys.argv = ['deimos', '--help']; from deimos.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass",
        "import deimos.pipeline.stages, deimos.planning.arguments; deimos.pipeline.stages.plan("
        "deimos.planning.arguments.load_recipe('lab')[0])",
    ],
    ids=["import", "help", "plan"],
)
def test_a_light_start(code):
    code = f"import deimos.cli.main\n{code}\nimport sys; print('loaded:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split("loaded:")[-1].split()
    assert HEAVY & set(loaded) == set()


def test_help_does_not_even_load_the_recipe():
    code = "import sys, deimos.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"pydantic", "yaml"} & set(done.stdout.split()) == set()


def readme_tree():
    """Paths under src/deimos that the README's tree draws; None where it draws none."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        if re.search(r"^\s*src/deimos/", block, re.MULTILINE):
            return set(
                re.findall(r"(?:^|\s)([\w/]+\.py|\w+/)(?=\s|$)", block.split("src/deimos/", 1)[1])
            )
    return None


def test_the_readmes_tree_is_true():
    drawn = readme_tree()
    if drawn is None:
        pytest.skip("there is no README tree yet")
    here = {
        p.name + ("/" if p.is_dir() else "")
        for p in SOURCE.rglob("*")
        if "__pycache__" not in p.parts
    }
    top = {f.name for f in SOURCE.glob("*.py")} - {"__init__.py"}
    folders = {p.name + "/" for p in SOURCE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    places = {"tests/", "docs/", "recipes/", "examples/", "benchmarks/"}
    assert (top | folders) - drawn == set(), "not drawn"
    assert {d for d in drawn if d.split("/")[-1] and d not in here} == set(), "drawn but not there"
    assert {d for d in drawn if d.endswith("/")} - here - places == set(), "drawn but not there"


@pytest.fixture(scope="module")
def house():
    """What benchmarks/house.py finds in the working tree."""
    script = [sys.executable, ROOT / "benchmarks" / "house.py", "--json"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["package_circles", "module_circles", "upward"])
def test_imports_make_no_circle_and_never_go_up(house, name):
    assert house[name] == []


def test_the_top_level_and_every_room_fit_on_one_screen(house):
    assert house["top"] <= 5
    assert len(house["rooms"]) <= 24
    assert house["largest_room"] <= 24


def test_files_and_functions_are_short(house):
    assert house["file_median"] <= 180
    assert house["function_p90"] <= 35


def test_every_public_name_is_documented(house):
    assert house["undocumented"] == []


def test_nothing_is_written_twice(house):
    assert house["repeated"] == []


def test_no_class_name_stands_twice(house):
    assert house["twice"] == {}
