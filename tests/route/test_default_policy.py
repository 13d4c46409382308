"""What the shipped policy makes of prompts that it was not fitted on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deimos.route.policy import default_policy

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
TALK = {"knowledge", "chat"}
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def choose(text: str):
    return default_policy().choose([{"role": "user", "content": text}])


def test_requests_made_by_hand():
    made = rows(ROOT / "benchmarks/data/requests.jsonl")
    assert len(made) == 200
    kinds = [(row["kind"], choose(row["text"]).kind) for row in made]
    right = sum(found == kind or {found, kind} <= TALK for kind, found in kinds)
    assert right >= 180


def test_nothing_that_it_is_fitted_on_is_tried():
    fitted = (ROOT / "benchmarks/data/router_fit.txt").read_text("utf-8")
    assert not [
        row["text"]
        for row in rows(ROOT / "benchmarks/data/requests.jsonl")
        if row["text"] in fitted
    ]


SETS: dict[str, tuple[str, Callable[[dict], str]]] = {
    "gsm8k": ("gsm8k/test.jsonl", lambda row: row["question"]),
    "math": ("math/test.jsonl", lambda row: row["problem"]),
    "humaneval": ("humaneval/HumanEval.jsonl", lambda row: row["prompt"]),
    "mbpp": ("mbpp/mbpp.jsonl", lambda row: row["text"] if 11 <= row["task_id"] <= 510 else ""),
}


@real_data
@pytest.mark.parametrize("name", SETS)
def test_what_takes_reasoning_keeps_its_thought(name):
    file, text_of = SETS[name]
    choices = [choose(text) for row in rows(DATA / file) if (text := text_of(row))]
    assert sum(c.kind == "reasoning" for c in choices) >= 0.99 * len(choices)
    assert sum(c.mode == "on" for c in choices) >= 0.99 * len(choices)


@real_data
def test_strict_formats_go_off():
    choices = [choose(row["prompt"]) for row in rows(DATA / "ifeval/input_data.jsonl")]
    assert sum(c.kind == "format" for c in choices) >= 0.97 * 541
    assert sum(c.mode == "off" for c in choices) >= 0.97 * 541
