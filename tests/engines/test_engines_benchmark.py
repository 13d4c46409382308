"""The comparison of engines in benchmarks/engines.py, over pools written by hand."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # its neighbours, too
engines: Any = importlib.import_module("engines")

pytestmark = pytest.mark.filterwarnings("ignore:ks_2samp")  # many ties: the asymptotic value
PROMPTS = [f"p{i}" for i in range(24)]


def pool(passes: int = 6, longer: int = 0, golds: int = 24) -> Any:
    lengths = {p: [100 + 9 * i + 4 * k + longer for k in range(8)] for i, p in enumerate(PROMPTS)}
    return engines.Pool(
        dict.fromkeys(PROMPTS, passes), lengths, 0, dict.fromkeys(PROMPTS[:golds], 90 + longer),
        dict.fromkeys(PROMPTS, 8), dict.fromkeys(PROMPTS, 1000), None, 1.0, "test",
    )  # fmt: skip


def test_the_same_pool_twice_shows_nothing_and_is_not_certain_of_it():
    tested = engines.compared("other", pool(), pool())
    assert set(tested.p.values()) == {1.0}
    (low, high) = tested.apart["passes"].ci or (0, 0)
    assert tested.apart["passes"].value == 0 and low < 0 < high


def test_a_difference_is_the_engine_less_the_first_one_and_has_its_sign():
    tested = engines.compared("other", pool(), pool(passes=4, longer=3, golds=14))
    assert tested.apart["passes"].value == pytest.approx(-0.25)
    assert tested.apart["mean thought"].value == pytest.approx(3)
    assert tested.apart["kept thought"].value == pytest.approx(3), "of the 14 that both keep"
    assert tested.apart["prompts with a gold"].value == pytest.approx(-10 / 24)
    assert tested.p["prompts with a gold"] == pytest.approx(2 / 2**10)  # McNemar, 10 to 0
    assert tested.p["passes"] < 0.001 and tested.p["mean thought"] < 0.001
    # three tokens that every prompt has are lost among all thoughts, which are not paired
    assert tested.p["all thoughts"] > 0.5


def test_every_cell_of_the_table_has_its_own_corrected_value():
    tested = [engines.compared(n, pool(), pool(golds=g)) for n, g in (("one", 24), ("two", 14))]
    *_, one, two = engines.beside("local", tested)
    assert one.startswith("| one | +0.0 [−13.8, +13.8]; 1.000 (1.000) |")
    assert "| −41.7 [" in two and "; 0.002 (0.020) |" in two


def test_pools_of_other_prompts_are_not_compared():
    other = engines.Pool({"x": 1}, {"x": [1]}, 0, {}, {"x": 8}, {"x": 1}, None, 1.0, "test")
    with pytest.raises(SystemExit, match="has sampled other prompts"):
        engines.compared("other", pool(), other)
