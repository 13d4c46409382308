"""What a policy is worth on test problems: rows from outcomes by hand, and the whole stage."""

import dataclasses
import json
import re

import pytest

from deimos.bench import stage
from deimos.bench.routed import GivenPolicy, RouteDecision, RoutedProblem, tabulate_routed
from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.evaluate.outcomes import Outcome
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.runs.artifacts import Artifacts
from deimos.store.journal import read_rows

asked: list[tuple[str, str]] = []


def outcome(ok: bool | None, tokens: int, task="sums", i=0) -> Outcome:
    return Outcome(f"{task}/{i}", task, True, 0, ok, "stop", 0, tokens, tokens, tokens, None)


def problem(task, on, off, *, goes_off, margin, i=0) -> RoutedProblem:
    """``on`` and ``off``: right or wrong, and tokens."""
    return RoutedProblem(
        task, outcome(*on, task, i), outcome(*off, task, i), RouteDecision(goes_off, margin)
    )


def rows_of(problems) -> dict[tuple[str, str, str], dict]:
    return {(r["task"], r["way"], r["against"]): r for r in tabulate_routed(problems, "p-1")}


HAND = [
    problem("a", (True, 100), (True, 10), goes_off=True, margin=0.4),
    problem("a", (False, 100), (True, 10), goes_off=True, margin=0.3),
    problem("a", (True, 100), (False, 10), goes_off=False, margin=0.1),
    problem("b", (True, 200), (False, 20), goes_off=False, margin=-0.2),
    problem("b", (True, 200), (False, 20), goes_off=True, margin=0.2),
    problem("b", (False, 50), (False, 20), goes_off=False, margin=-0.3),
    problem("b", (None, 999), (True, 1), goes_off=True, margin=0.5),  # not judged
]


def test_every_way_by_hand():
    rows = rows_of(HAND)
    routed = rows["all", "routed", "always_on"]
    assert (routed["n"], routed["off"]) == (6, 0.5)
    assert routed["accuracy"] == pytest.approx(4 / 6)
    assert routed["total_tokens_mean"] == pytest.approx((10 + 10 + 100 + 200 + 20 + 50) / 6)
    assert routed["accuracy_delta"] == 0.0
    assert routed["total_tokens_reduction"] == pytest.approx(1 - 390 / 750)
    assert rows["all", "routed", "always_off"]["accuracy_delta"] == pytest.approx(2 / 6)
    on = rows["all", "always_on", "always_on"]
    assert (on["accuracy"], on["accuracy_delta"], on["off"]) == (pytest.approx(4 / 6), 0.0, 0.0)
    # a: two right in both modes, OFF cheaper; b: ON more accurate
    assert rows["all", "task_oracle", "always_on"]["off"] == 0.5
    best = rows["all", "prompt_oracle", "always_on"]
    assert best["accuracy"] == pytest.approx(5 / 6)
    assert best["total_tokens_mean"] == pytest.approx((10 + 10 + 100 + 200 + 200 + 20) / 6)
    assert rows["b", "routed", "always_on"]["accuracy_delta"] == pytest.approx(-1 / 3)


def test_no_way_is_better_than_the_prompts_oracle():
    rows = rows_of(HAND)
    for (task, _, against), row in rows.items():
        if against == "always_on":
            assert row["accuracy"] <= rows[task, "prompt_oracle", "always_on"]["accuracy"]


def test_risk_rises_with_coverage_as_margins_fall():
    curve = rows_of(HAND)["all", "routed", "always_on"]["curve"]
    assert [point["coverage"] for point in curve] == [i / 6 for i in range(7)]
    assert [point["margin"] for point in curve] == [0.0, 0.4, 0.3, 0.2, 0.1, -0.2, -0.3]
    assert curve[0]["risk"] is None and curve[2]["risk"] == 0.0
    assert curve[3]["risk"] == pytest.approx(1 / 3) and curve[6]["risk"] == pytest.approx(3 / 6)
    assert curve[6]["accuracy"] == pytest.approx(2 / 6) and curve[0]["accuracy"] == pytest.approx(
        4 / 6
    )
    assert all(row["curve"] == [] for (_, way, _), row in rows_of(HAND).items() if way != "routed")


def test_without_judged_problems_there_are_no_rows():
    assert tabulate_routed([HAND[-1]], "p-1") == []


@engine("routed_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """With thinking on all is right; off is short, and wrong on odd numbers."""
    tokenizer = load_tokenizer(ref)
    model = "tuned" if ref.adapter else "base"

    def script(job: Job) -> tuple[int, ...]:
        prompt = tokenizer.decode(job.prompt_ids)
        off = prompt.rstrip().endswith("</think>")
        asked.append((model, "off" if off else "on"))
        i = int(re.findall(r"What is (\d+) plus", prompt)[-1])
        said = f"The answer is \\boxed{{{2 * i + (off and i % 2)}}}."
        thought = "" if off else "<think>\nlet me see let me see\n</think>\n\n"
        return tuple(tokenizer(f"{thought}{said}<|im_end|>", add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


def even_goes_off(prompt) -> RouteDecision:
    even = int(re.findall(r"\d+", prompt.messages[-1]["content"])[0]) % 2 == 0
    return RouteDecision(even, 0.1 if even else -0.1)


def run(job, judge, policy):
    asked.clear()
    job = dataclasses.replace(
        job, runtime=job.runtime.model_copy(update={"engine": "routed_script"})
    )
    stage.run(job, judge=judge, policy=policy)
    return read_rows(job.out / "routed.jsonl")


def test_the_stage_measures_the_runs_policy(job, judge):
    j = job(settings=["ship"], repeats=1, timing_problems=0)
    rows = run(j, judge, GivenPolicy("mine-1", even_goes_off))
    found = {(r["way"], r["against"]): r for r in rows if r["task"] == "all"}
    routed = found["routed", "always_on"]
    assert (routed["policy"], routed["n"], routed["accuracy"], routed["off"]) == (
        "mine-1",
        12,
        1.0,
        0.5,
    )
    assert routed["total_tokens_reduction"] > 0.2
    assert found["always_off", "always_on"]["accuracy_delta"] == -0.5
    assert found["prompt_oracle", "always_on"]["total_tokens_mean"] == routed["total_tokens_mean"]
    # ON is what the benchmark decoded already; OFF was decoded once.
    assert asked.count(("tuned", "off")) == 12 and asked.count(("tuned", "on")) == 12
    assert Artifacts({"bench": j.out}).routed() == rows
    first = (j.out / "routed.jsonl").read_bytes()
    assert run(j, judge, GivenPolicy("mine-1", even_goes_off)) == rows and asked == []
    assert (j.out / "routed.jsonl").read_bytes() == first
    assert json.loads(first.splitlines()[0])["split"] == "test"


def test_without_a_policy_nothing_more_is_decoded(job, judge):
    assert run(job(settings=["ship"], repeats=1, timing_problems=0), judge, None) == []
    assert {mode for _, mode in asked} == {"on"}
