"""Rows by task and kind: what each is about, its numbers by hand, and what is left out of which."""

import numpy as np
import pytest

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome
from deimos.route.tables import Modes, group_prompts, tabulate
from deimos.types import Prompt


def prompt(task: str, kind: str, i: int) -> Prompt:
    ask = [{"role": "user", "content": f"{task} {kind} {i}"}]
    return Prompt.of(task=task, kind=kind, messages=ask, reference="1")


def outcome(p: Prompt, ok: bool | None, tokens: int, finish: str = "stop") -> Outcome:
    return Outcome(
        problem=f"{p.task}/{p.id}", task=p.task, thinking=True, index=0, ok=ok, finish=finish,
        think_tokens=tokens - 10, answer_tokens=8, total_tokens=tokens, chars=4 * tokens,
        empty_think=False,
    )  # fmt: skip


SUMS = [prompt("sums", "math", i) for i in range(10)]
ARC = [prompt("arc", "choice", i) for i in range(10)]
GSM = [prompt("gsm8k", "math", i) for i in range(4)]


def names(prompts):
    return [(g.task, g.kind, len(g.prompts)) for g in group_prompts(prompts)]


def test_rows_are_about_everything_each_kind_and_each_task():
    assert names([*SUMS, *ARC, *GSM]) == [
        ("all", "all", 24), ("all", "math", 14),
        ("arc", "choice", 10), ("gsm8k", "math", 4), ("sums", "math", 10),
    ]  # fmt: skip
    assert names(SUMS) == [("all", "all", 10), ("sums", "math", 10)]
    mixed = [*SUMS, *(prompt("sums", "code", i) for i in range(3))]
    assert names(mixed) == [
        ("all", "all", 13), ("sums", "all", 13), ("sums", "code", 3), ("sums", "math", 10),
    ]  # fmt: skip


def modes(on, off):
    return {"tuned": Modes(on, off, {"temperature": 0.0})}


def test_a_rows_numbers_by_hand():
    on = [outcome(p, i != 0, 100 + i) for i, p in enumerate(SUMS)]
    off = [outcome(p, i > 2, 20, "length" if i == 9 else "stop") for i, p in enumerate(SUMS)]
    pooled, own = tabulate(modes(on, off), group_prompts(SUMS), 0.02)
    assert {k: v for k, v in pooled.items() if k not in ("task", "kind")} == {
        k: v for k, v in own.items() if k not in ("task", "kind")
    }
    assert (own["n"], own["comparisons"], own["level"]) == (10, 1, 0.95), "one set of prompts"
    assert (own["on"]["accuracy"], own["off"]["accuracy"], own["delta"]) == (0.9, 0.7, 0.2)
    assert own["delta_ci"] == own["delta_bounds"] == list(stats.tango(2, 0, 10))
    assert own["tokens_delta"] == pytest.approx(84.5)
    assert own["tokens_delta_ci"] == list(stats.mean_difference(np.arange(80.0, 90.0)).ci)
    assert (own["on"]["total_tokens_median"], own["off"]["total_tokens_mean"]) == (104.5, 20.0)
    assert (own["on"]["finished"], own["off"]["finished"]) == (1.0, 0.9)
    assert (own["recommended"], own["split"], own["margin"]) == ("either", "dev", 0.02)


def test_the_more_sets_are_compared_the_wider_what_decides():
    prompts = [*SUMS, *ARC, *GSM]
    on = [outcome(p, i != 0, 100) for i, p in enumerate(prompts)]
    off = [outcome(p, i > 9, 20) for i, p in enumerate(prompts)]
    rows = tabulate(modes(on, off), group_prompts(prompts), 0.02)
    assert {(r["comparisons"], r["level"]) for r in rows} == {(5, 0.99)}
    pooled = rows[0]
    assert pooled["delta_bounds"] == list(stats.tango(9, 0, 24, level=0.99))
    assert pooled["delta_bounds"][0] < pooled["delta_ci"][0]
    assert pooled["recommended"] == "on" and {r["task"]: r for r in rows}["arc"]["delta"] == 0


def test_what_could_not_be_judged_is_in_no_accuracy_and_in_all_tokens():
    on = [outcome(p, None if i < 3 else True, 100) for i, p in enumerate(SUMS)]
    off = [outcome(p, None if i == 9 else i == 8, 20) for i, p in enumerate(SUMS)]
    (row, _) = tabulate(modes(on, off), group_prompts(SUMS), 0.02)
    assert (row["n"], row["on"]["unjudged"], row["off"]["unjudged"]) == (6, 3, 1)
    assert row["on"]["accuracy"] == 1 and row["off"]["accuracy"] == pytest.approx(1 / 6)
    assert row["delta"] == pytest.approx(5 / 6) and row["tokens_delta"] == 80

    nothing = tabulate(modes([outcome(p, None, 9) for p in SUMS], off), group_prompts(SUMS), 0.02)
    assert nothing[0]["n"] == 0 and nothing[0]["delta"] is None
    assert nothing[0]["recommended"] == "either" and "judged" in nothing[0]["because"]


def test_modes_that_answered_other_prompts_are_not_compared():
    on, off = ([outcome(p, True, 9) for p in part] for part in (SUMS, SUMS[1:]))
    with pytest.raises(stats.PairingError, match="thinking off lacks 1"):
        tabulate(modes(on, off), group_prompts(SUMS), 0.02)
