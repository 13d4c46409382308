"""What `import deimos` offers, and what published cards and files import."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import deimos
from deimos.store.journal import write_rows

STUB = Path(deimos.__file__).with_suffix(".pyi")


def test_every_public_name_is_there_documented_and_in_the_types():
    typed = {
        alias.name
        for node in ast.walk(ast.parse(STUB.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(deimos.__all__) <= set(dir(deimos))
    assert [name for name in deimos.__all__ if not getattr(deimos, name).__doc__] == []
    with pytest.raises(AttributeError, match="no attribute 'Sampler'"):
        deimos.Sampler  # noqa: B018


def test_no_public_name_loads_torch():
    code = (
        "import deimos, sys; [getattr(deimos, name) for name in deimos.__all__]; "
        "print({'torch', 'transformers', 'lm_eval'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_published_cards_import():
    from deimos.lab.weights import lab_path  # the only name of ours in any card so far

    assert (lab_path() / "model.safetensors").is_file()


def test_a_run_is_loaded_by_its_plan_or_by_what_ran_last(tmp_path):
    (tmp_path / "recipe.yaml").touch()
    for number, folder in enumerate(("select-00000001", "select-00000002"), 1):
        (tmp_path / folder).mkdir()
        write_rows(tmp_path / folder / "verdicts.jsonl", [])
        record = {"stage": "select", "number": number}
        (tmp_path / folder / "record.json").write_text(json.dumps(record))
    assert deimos.load_run(tmp_path).folders["select"].name == "select-00000002"
    plan = {"stages": [{"folder": "select-00000001"}]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    run = deimos.load_run(tmp_path)
    assert run.folders["select"].name == "select-00000001"
    assert list(run.verdicts()) == [] and run.prompts  # a stage that has not run is empty
    with pytest.raises(ValueError, match="is not a run folder"):
        deimos.load_run(tmp_path / "select-00000001")
