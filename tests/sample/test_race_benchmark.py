"""The benchmark's arithmetic, on a table small enough to count by hand."""

import importlib.util
import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from deimos.recipe import Recipe, parse
from deimos.store.candidates import journal_for
from deimos.store.journal import Journal
from deimos.store.schema import completion_row
from deimos.types import Completion, Verdict

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"{name}_benchmark", ROOT / f"benchmarks/{name}.py"
    )
    assert spec and spec.loader
    sys.path.insert(0, str(ROOT / "benchmarks"))  # its neighbours
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"{name}_benchmark"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return script("race")


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
    text = benchmark.grid_table(cells, benchmark.worst(cells), "command")
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


def test_adaptive_n_is_beside_the_race_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adaptive, page = script("adaptive_n"), tmp_path / "adaptive-n.md"
    adaptive.main(["--prompts", "4", "--out", str(page)])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(last) == ["coverage_lost", "length_lost", "n", "tokens_saved"]
    assert last["n"] == 36
    assert last["coverage_lost"] == 0, "without give_up, who has a right one among max gets it"
    assert "| n: 8 | 8.00 | 0.0% |" in page.read_text()


def test_a_raced_folder_says_nothing_of_a_fixed_number(tmp_path: Path) -> None:
    with Journal(journal_for(tmp_path, {"graders": {}})) as journal:
        journal.append(completion_row(replace(POOL[0], finish="outpaced", verdict=None)))
    with pytest.raises(SystemExit, match=r"sample it with sample\.exhaustive=true"):
        script("adaptive_n").main(["--sample", str(tmp_path), "--out", str(tmp_path / "x.md")])


def test_scale_is_reckoned_from_its_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scale, page = script("scale"), tmp_path / "scale.md"
    half, whole = (scale.results(1_000_000, gpus) for gpus in (50, 100))
    assert half["gpu_days"].number == pytest.approx(whole["gpu_days"].number)
    assert float(half["hours"].value) > float(whole["hours"].value)
    scale.main(["--out", str(page)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["journal_tb"] > 1
    scale.main(["--read", "50", "--out", str(page)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 50
    assert page.read_text().count("<!-- end of") == 2
