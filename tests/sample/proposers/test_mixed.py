"""Mixed proposers in one race: what is kept is what decoding everything would have kept."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sample.proposers.mixed import MIXED, RIGHT, MixedWorld

from deimos.engines.base import Key
from deimos.store.journal import read
from deimos.types import Prompt, Verdict

FOLDERS = itertools.count()


class Interrupted(RuntimeError):
    """Ends an attempt in the middle of its searches."""


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    share_right=st.sampled_from([0.2, 0.6, 0.9]),
    sets=st.fixed_dictionaries(
        {
            "sample": st.fixed_dictionaries({"probe": st.sampled_from([0, 0, 1])}),
            "select": st.fixed_dictionaries(
                {
                    "function_words": st.just(False),
                    "min_pass": st.sampled_from([1, 1, 2]),
                    "min_think_tokens": st.sampled_from([0, 0, 12]),
                }
            ),
        }
    ),
    order=st.permutations(MIXED),
)
def test_raced_and_exhaustive_keep_the_same_golds(
    tokenizer: Any, tmp_path: Path, seed: int, share_right: float, sets: Any, order: Any
) -> None:
    kept: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    for exhaustive in (True, False):
        world = MixedWorld(tmp_path / str(next(FOLDERS)), tokenizer, seed, share_right=share_right)
        sample = {"proposers": order, **sets["sample"], "exhaustive": exhaustive}
        counts.append(world.sample(**{**sets, "sample": sample}))
        world.select(**{**sets, "sample": sample})
        kept.append(
            {
                name: (g["index"], g["proposer"], g["completion_ids"])
                for name, g in world.golds().items()
            }
        )
    assert kept[0] == kept[1]
    assert counts[1]["decoded_tokens"] <= counts[0]["decoded_tokens"]
    assert counts[0]["outpaced"] == 0


def test_every_proposer_can_win(tokenizer: Any, tmp_path: Path) -> None:
    winners: Counter[str] = Counter()
    for seed in range(12):
        world = MixedWorld(tmp_path / str(seed), tokenizer, seed, prompts=4)
        world.sample()
        world.select()
        winners.update(gold["proposer"] for gold in world.golds().values())
    assert set(winners) == {"plain", "instruction", "few_shot", "rewrite", "prune"}


def test_plain_proposers_make_the_candidates_of_a_recipe_without_any(
    tokenizer: Any, tmp_path: Path
) -> None:
    rows: list[dict[Key, Any]] = []
    for name, sample in (("n", {"n": 3}), ("plain", {"proposers": [{"kind": "plain", "n": 3}]})):
        world = MixedWorld(tmp_path / name, tokenizer, 5)
        world.proposers = []
        counts = world.sample(sample={"proposers": None, **sample})
        assert ("proposers" in counts) == (name == "plain")
        found = {Key(r["prompt_id"], r["index"]): r for r in world.rows()}
        rows.append({k: (r["key"], r["seed"], r["completion_ids"]) for k, r in found.items()})
        assert {r["proposer"] for r in world.rows()} == {"plain"}
    assert rows[0] == rows[1]
    assert len(rows[0]) == 9


def test_a_resumed_run_decodes_nothing_again(tokenizer: Any, tmp_path: Path) -> None:
    world = MixedWorld(tmp_path, tokenizer, 3)
    counts = world.sample()
    tokens = world.tokens
    again = world.sample()
    assert world.tokens == tokens
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in counts.items() if k != "seconds"
    }


def test_an_interrupted_search_goes_on_from_its_steps(tokenizer: Any, tmp_path: Path) -> None:
    whole = MixedWorld(tmp_path / "whole", tokenizer, 8, share_right=0.9)
    whole.sample()
    whole.select()
    world = MixedWorld(tmp_path / "parts", tokenizer, 8, share_right=0.9)
    asked = 0

    async def failing(prompt: Prompt, answer: str) -> Verdict:
        nonlocal asked
        asked += 1
        if asked > 13:  # the race over sampled candidates is over, the searches are not
            raise Interrupted
        return Verdict(answer == RIGHT, "compared")

    with pytest.raises(Interrupted):
        world.sample(failing)
    before = len([*read(tmp_path / "parts" / "sample" / "steps.jsonl")])
    assert before
    world.sample()
    world.select()
    assert world.golds() == whole.golds()
    steps = [(r["key"], r["step"]) for r in read(tmp_path / "parts" / "sample" / "steps.jsonl")]
    assert len(steps) == len(set(steps)) > before


def test_another_filter_judges_anew_and_decodes_only_what_is_missing(
    tokenizer: Any, tmp_path: Path
) -> None:
    fresh = MixedWorld(tmp_path / "fresh", tokenizer, 11)
    stricter = {
        "select": {"function_words": False, "answer_max": {"math": 400}, "min_think_tokens": 13}
    }
    fresh.sample(**stricter)
    fresh.select(**stricter)
    world = MixedWorld(tmp_path / "regraded", tokenizer, 11)
    world.sample()
    world.select()
    assert world.golds() != fresh.golds()
    kept = (tmp_path / "regraded" / "sample" / "exemplars.jsonl").read_bytes()
    world.sample(**stricter)
    world.select(**stricter)
    assert (tmp_path / "regraded" / "sample" / "exemplars.jsonl").read_bytes() == kept, "frozen"
    golds, anew = world.golds(), fresh.golds()
    assert golds.keys() == anew.keys()
    sampled = ("plain", "instruction")
    for name, gold in golds.items():
        assert gold["think_tokens"] >= 13
        if gold["proposer"] in sampled and anew[name]["proposer"] in sampled:
            assert gold["completion_ids"] == anew[name]["completion_ids"]
