"""The benchmark's arithmetic, on a table small enough to count by hand."""

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from deimos.candidates import journal_for
from deimos.journal import Journal
from deimos.recipe import Recipe, parse
from deimos.rows import completion_row
from deimos.types import Completion, Verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("race_benchmark", ROOT / "benchmarks/race.py")
    assert spec and spec.loader
    sys.path.insert(0, str(ROOT / "benchmarks"))  # its neighbours
    module = importlib.util.module_from_spec(spec)
    sys.modules["race_benchmark"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    sources = {"sources": [{"source": "lab"}]}
    return parse({"name": "t", "model": {"id": "lab"}, "prompts": sources})


def one(prompt: str, index: int, think: int, answer: int, ok: bool = True) -> Completion:
    ids = tuple(range(think + answer + 3))
    return Completion(
        prompt, index, 0, "", "a", "", (1,), ids, think, answer, "stop", None, 0.0, "test",
        Verdict(ok, "", "presentation" if ok else "correctness"),
    )  # fmt: skip


POOL = [one("a", 0, 5, 2), one("a", 1, 20, 2), one("a", 2, 9, 2, ok=False)] + [
    one("b", i, 10, 2, ok=False) for i in range(3)
]


def test_the_oracle_stops_everybody_where_the_winner_ended(
    benchmark: ModuleType, recipe: Recipe
) -> None:
    assert benchmark.oracle_tokens(POOL, recipe) == 3 * 10 + 3 * 15


def test_a_replay_counts_raced_and_exhaustive(benchmark: ModuleType, recipe: Recipe) -> None:
    result = benchmark.replay(POOL, recipe)
    assert (result.exhaustive, result.same_gold, result.gold, result.n) == (94, True, 1, 2)
    assert result.oracle <= result.raced < result.exhaustive
    late = benchmark.replay(POOL, recipe, lag=5)
    assert result.raced < late.raced <= late.exhaustive
    assert late.same_gold


def test_a_replay_of_a_big_random_table_saves_about_half(
    benchmark: ModuleType, recipe: Recipe
) -> None:
    rng = random.Random(0)
    pool = [
        one(f"p{p}", i, int(rng.lognormvariate(3, 0.6)), 5, rng.random() < 0.67)
        for p in range(60)
        for i in range(8)
    ]
    line = benchmark.replay(pool, recipe).line()
    assert line["same_gold"]
    assert line["raced_over_exhaustive"] < 0.65
    assert 1 <= line["raced_over_oracle"] < 1.15


def test_the_grid_keeps_the_same_golds_however_late_verdicts_are(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = benchmark.grid(5, 16)
    assert len(cells) == 27
    assert all(cell.same_gold for cell in cells.values())
    for pass_rate in benchmark.PASS_RATES:
        raced = [cells[pass_rate, 0.6, lag].raced for lag in benchmark.LAGS]
        assert raced[0] < raced[2] <= cells[pass_rate, 0.6, 0].exhaustive
    text = benchmark.grid_table(cells, "command")
    assert text.count("| yes |") == 27


def test_the_command_replays_a_folder_and_ends_with_one_json_object(
    benchmark: ModuleType, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(journal_for(tmp_path, {"graders": {}})) as journal:
        for completion in POOL:
            journal.append(completion_row(completion))
    recipe_file = tmp_path / "r.yaml"
    recipe_file.write_text(recipe.model_dump_json())
    out = tmp_path / "race.md"
    benchmark.main(["--replay", str(tmp_path), "--recipe", str(recipe_file), "--out", str(out)])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(last) == ["n", "raced_over_exhaustive", "raced_over_oracle", "same_gold"]
    assert "| oracle | 75 |" in out.read_text()
