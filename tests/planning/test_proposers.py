"""What a plan refuses of proposers, instead of the sample stage after hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deimos.planning.check import check
from deimos.recipe import Recipe, RecipeError, parse
from deimos.recipe.runtime import Runtime


def recipe(*proposers: dict[str, Any], **more: Any) -> Recipe:
    sample = {"proposers": [{"kind": "plain", "n": 2}, *proposers]}
    sources = {"sources": [{"source": "lab"}]}
    given = {"name": "t", "model": {"id": "lab"}, "prompts": sources, "sample": sample}
    return parse({**given, **more})


@pytest.mark.parametrize(
    ("teacher", "fault"),
    [
        ({"path": "/nowhere/big"}, r"'rewrite': teacher.path '/nowhere/big': no such folder"),
        ({"path": "a/b", "engine": "locl"}, r"teacher.engine: unknown engine 'locl'.*'local'"),
        ({"path": "a/b", "engine_options": {"x": 1}}, r"unknown key 'teacher.engine_options.x'"),
        ({"url": "localhost", "name": "b"}, r"teacher.url: 'localhost' is not a base URL"),
        (
            {"url": "http://localhost:1/v1", "name": "b", "api_key_env": "NO_SUCH_KEY"},
            r"teacher.api_key_env: environment variable NO_SUCH_KEY is not set",
        ),
    ],
)
def test_a_teacher_that_cannot_be_opened_is_refused(teacher: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        check(recipe({"kind": "rewrite", "teacher": teacher}), Runtime())


def test_a_teacher_may_be_the_lab_and_not_a_folder_without_a_model(tmp_path: Path) -> None:
    check(recipe({"kind": "rewrite", "teacher": {"path": "lab"}}), Runtime())
    with pytest.raises(RecipeError, match=r"teacher.path = .*holds no model"):
        check(recipe({"kind": "rewrite", "teacher": {"path": str(tmp_path)}}), Runtime())


def test_examples_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shots.jsonl"
    path.write_text('{"question": "a"}\n')
    with pytest.raises(RecipeError, match=r"line 1: answer = null"):
        check(recipe({"kind": "few_shot", "exemplars": str(path)}), Runtime())
    path.write_text('{"question": "a", "answer": "b"}\n')
    check(recipe({"kind": "few_shot", "exemplars": str(path)}, {"kind": "rewrite"}), Runtime())
    path.write_text("[1]\n")
    bench = {"baselines": ["few_shot"], "exemplars": str(path)}
    with pytest.raises(
        RecipeError, match=r"bench.exemplars = .*, line 1 = \[1\]: must be a JSON object"
    ):
        check(recipe(bench=bench), Runtime())
