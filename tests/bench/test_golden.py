"""The rows of a bench for fixed outcomes: the numbers stay what they were when the golden was made."""

import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from deimos.bench.decodings import decodings_of
from deimos.bench.stage import CutSamples, tabulate
from deimos.bench.suites import SHIPS, ArmName
from deimos.evaluate.outcomes import Outcome
from deimos.evaluate.timing import Timed
from deimos.recipe import parse

GOLDEN = Path(__file__).with_name("data") / "golden_rows.json"
TIGHT = 60


def outcomes(model: str, config: str, task: str, *, budget: int) -> list[Outcome]:
    """Ten problems; two samples each at the recommended sampler; some cut, some not judged."""
    rng = random.Random(f"{model} {config} {task}")
    made = []
    for problem in range(10):
        for index in range(2 if config == "recommended" else 1):
            think = rng.randrange(20, 200) // (1 if model == "base" else 3)
            answer = rng.randrange(4, 12)
            total = think + answer + 3
            ok = rng.choice([True, True, True, False, None])
            cut = total > budget
            made.append(
                Outcome(
                    problem=f"{task}/{problem:02}", task=task, thinking=True, index=index,
                    ok=False if cut else ok, finish="length" if cut else "stop",
                    think_tokens=min(think, budget), answer_tokens=0 if cut else answer,
                    total_tokens=min(total, budget), chars=4 * min(total, budget),
                    empty_think=rng.random() < 0.1,
                )
            )  # fmt: skip
    return made


def rows() -> dict[str, list[dict]]:
    bench = parse(
        {
            "name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]},
            "bench": {"repeats": 2, "budget": 150},
        }
    ).bench  # fmt: skip
    tasks = [SimpleNamespace(name=name, thinking=True, group=None) for name in ("sums", "words")]
    names = [(m, c) for m in ("base", "tuned") for c in ("recommended", "locked")]
    whole, tight = (
        {
            ArmName(m, c): [o for t in tasks for o in outcomes(m, c, t.name, budget=b)]
            for m, c in names
        }
        for b in (bench.budget, TIGHT)
    )
    rng = random.Random(0)
    timings = [
        Timed(p // 3, model, "sums", f"{p:02}", rng.uniform(1, 2) / (2 if model == "tuned" else 1), 50)
        for p in range(6)
        for model in ("base", "tuned")
    ]  # fmt: skip
    shipped = {arm: found for arm, found in whole.items() if SHIPS[arm.model] == arm.config}
    samples = CutSamples(whole, shipped, tight)
    made = tabulate(bench, decodings_of(bench), tasks, samples, timings, TIGHT)
    made = {name.removesuffix(".jsonl"): rows for name, rows in made.items()}
    made["budget_curve"] = made["budget_curve"][::17]
    return json.loads(json.dumps(made))


def test_rows_of_fixed_outcomes_are_those_of_the_golden():
    golden = json.loads(GOLDEN.read_text())
    made = rows()
    splits = made.pop("splits")
    assert {(r["config"], r["task"], r["value"]) for r in splits} >= {
        (config, task, value)
        for config in ("recommended", "locked")
        for task in ("all", "sums", "words")
        for value in ("all", "none")
    }
    assert all(r["selected_by"]["held_out"] for r in splits)
    assert made.keys() == golden.keys()
    for name in golden:
        assert len(made[name]) == len(golden[name])
        for new, old in zip(made[name], golden[name], strict=True):
            assert {key: new[key] for key in old} == {
                key: pytest.approx(value) if isinstance(value, float | list) else value
                for key, value in old.items()
            }
