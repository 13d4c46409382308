"""The presentation filter beside fifty labelled answers: a change of either is noticed."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from deimos.store.journal import read_rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = ROOT / "benchmarks/presentation.py"
    spec = importlib.util.spec_from_file_location("presentation_benchmark", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["presentation_benchmark"] = module
    spec.loader.exec_module(module)
    return module


def test_the_labels_are_fifty_half_of_each_and_varied(benchmark: ModuleType) -> None:
    rows = read_rows(benchmark.LABELS)
    assert [row["n"] for row in rows] == list(range(1, 51))
    assert Counter(row["presentable"] for row in rows) == {True: 25, False: 25}
    assert {row["kind"] for row in rows} == {"math", "choice", "instruction", "code"}
    assert all(row["why"] for row in rows)
    assert len({row["answer"] for row in rows}) == 50


def test_the_filter_agrees_and_errs_where_it_was_found_to(benchmark: ModuleType) -> None:
    judged = benchmark.judge_all(benchmark.LABELS, benchmark.LEAST)
    assert benchmark.confusion(judged) == {
        "kept_presentable": 22,
        "rejected_presentable": 3,
        "kept_unpresentable": 9,
        "rejected_unpresentable": 16,
    }
    assert [one.row["n"] for one in judged if one.wrong] == [
        2, 6, 15, 24, 26, 28, 36, 42, 45, 47, 48, 50,
    ]  # fmt: skip
    assert all(one.verdict.because for one in judged if not one.verdict.ok)


def test_an_answer_is_rejected_for_its_length_by_words_and_signs(benchmark: ModuleType) -> None:
    assert benchmark.tokens_in("It is 4, or 5.") == 7
    too_long = [
        one.row["n"]
        for one in benchmark.judge_all(benchmark.LABELS, benchmark.LEAST)
        if "tokens, more than" in one.verdict.because
    ]
    assert too_long == [22, 40]


def test_the_script_writes_the_page_and_ends_with_one_json_object(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "presentation.md"
    benchmark.main(["--out", str(out)])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["error_rate"], last["n"]) == (0.24, 50)
    assert last["error_rate_ci"][0] < 0.24 < last["error_rate_ci"][1]
    page = out.read_text()
    assert "| presentable | 22 | 3 |" in page and "24.0% of n = 50" in page
    assert page.count("| not presentable | keeps |") == 9
    committed = (ROOT / "docs/results/presentation.md").read_text()
    assert "| not presentable | 9 | 16 |" in committed, "the page in docs/results is out of date"
