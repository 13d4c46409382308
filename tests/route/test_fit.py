"""Policies that are fitted on planted outcomes: what pays goes OFF, what does not, does not."""

import json
import random

import pytest

from deimos.route.fit import Paired, fit_policy, fit_recogniser
from deimos.route.policy import default_policy, read_policy, write_policy

pytest.importorskip("sklearn")
THINGS = [
    "cats",
    "trees",
    "stars",
    "roads",
    "bells",
    "ships",
    "clouds",
    "songs",
    "doors",
    "hats",
    "keys",
    "lamps",
    "rings",
    "maps",
]


def sums(n: int, rng: random.Random) -> list[str]:
    return [
        f"Tom has {rng.randint(2, 99)} {rng.choice(THINGS)} and buys {rng.randint(2, 99)} more every day for "
        f"{rng.randint(2, 9)} days. How many does he have?"
        for _ in range(n)
    ]


def notes(n: int, rng: random.Random) -> list[str]:
    return [
        f"Write a note about {rng.choice(THINGS)} in exactly {rng.randint(2, 9)} sentences and don't use the "
        f'word "{rng.choice(THINGS)}".'
        for _ in range(n)
    ]


def answered(texts, rng, *, on: float, off: float, on_tokens=200, off_tokens=40) -> list[Paired]:
    return [
        Paired(t, rng.random() < on, rng.random() < off, on_tokens + rng.randint(0, 9), off_tokens + rng.randint(0, 9))
        for t in texts
    ]  # fmt: skip


def fitted(paired, margin=0.02):
    return fit_policy("planted", "made up", paired, margin, default_policy())


def modes(policy, texts) -> list[str]:
    return [policy.choose([{"role": "user", "content": text}]).mode for text in texts]


def test_kinds_that_pay_go_off_and_others_stay_on():
    rng = random.Random(1)
    policy = fitted(
        answered(sums(200, rng), rng, on=0.9, off=0.3)
        + answered(notes(200, rng), rng, on=0.4, off=0.8)
    )
    assert set(modes(policy, sums(50, rng))) == {"on"}
    assert modes(policy, notes(50, rng)).count("off") >= 48
    assert {s.kind: s.gain_bound > 0 for s in policy.strata} == {"format": True, "reasoning": False}
    (shown,) = (s for s in policy.strata if s.kind == "format")
    assert shown.evidence["n"] == 200 and shown.evidence["delta_ci"][1] < 0


def test_within_a_kind_the_prompts_that_pay_are_told_apart():
    rng = random.Random(2)
    easy = [f"How much is {rng.randint(1, 9)} plus {rng.randint(1, 9)}?" for _ in range(400)]
    policy = fitted(
        answered(sums(400, rng), rng, on=0.95, off=0.2) + answered(easy, rng, on=1.0, off=1.0)
    )
    assert modes(policy, easy[:50]).count("off") >= 45
    assert set(modes(policy, sums(50, rng))) == {"on"}


@pytest.mark.parametrize("seed", range(6))
def test_nothing_goes_off_if_the_modes_are_alike(seed):
    rng = random.Random(seed)
    policy = fitted(
        answered(sums(60, rng), rng, on=0.6, off=0.6)
        + answered(notes(60, rng), rng, on=0.6, off=0.6)
    )
    assert {*modes(policy, sums(30, rng) + notes(30, rng))} == {"on"}


def test_fewer_tokens_pay_only_if_accuracy_is_shown_to_hold():
    rng = random.Random(3)
    few, many = (
        fitted(answered(notes(n, rng), rng, on=1.0, off=1.0), margin=0.05) for n in (30, 400)
    )
    assert set(modes(few, notes(20, rng))) == {"on"}
    assert modes(many, notes(20, rng)).count("off") >= 19


def test_the_base_is_taken_for_kinds_that_the_adapter_loses():
    rng = random.Random(8)
    paired = answered(sums(200, rng), rng, on=0.5, off=0.1)
    paired += answered(notes(200, rng), rng, on=0.8, off=0.2)
    base_right = [rng.random() < (0.9 if i < 200 else 0.8) for i in range(400)]
    policy = fit_policy("planted", "made up", paired, 0.02, default_policy(), base_right)
    assert {s.kind: s.gain_bound > 0 for s in policy.base} == {"reasoning": True, "format": False}
    choices = [
        policy.choose([{"role": "user", "content": t}]) for t in sums(20, rng) + notes(20, rng)
    ]
    assert [c.base for c in choices].count(True) >= 18
    assert not any(c.base for c in choices[20:])


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_prompts_make_a_policy_that_abstains(n):
    rng = random.Random(4)
    policy = fitted(answered(notes(n, rng), rng, on=0.0, off=1.0))
    assert policy.strata == []
    assert set(modes(policy, notes(5, rng))) == {"on"}


def test_prompts_unlike_the_runs_abstain():
    rng = random.Random(5)
    policy = fitted(answered(notes(200, rng), rng, on=0.2, off=0.9))
    foreign = "Explain in lowercase, below ninety syllables, how glaciers carve fjords."
    choice = policy.choose([{"role": "user", "content": foreign}])
    assert choice.mode == "on" and "unlike" in choice.reason


def test_a_fit_is_the_same_every_time_and_plain_numbers(tmp_path):
    rng = random.Random(6)
    paired = answered(sums(40, rng), rng, on=0.9, off=0.3) + answered(
        notes(40, rng), rng, on=0.3, off=0.9
    )
    first, second = fitted(paired), fitted(paired)
    assert first.row() == second.row()
    write_policy(tmp_path / "policy.json", first)
    read = read_policy(tmp_path / "policy.json")
    texts = sums(10, rng) + notes(10, rng)
    assert modes(read, texts) == modes(first, texts)
    assert json.loads((tmp_path / "policy.json").read_text())["name"] == "planted"


def test_a_recogniser_tells_kinds_apart():
    rng = random.Random(7)
    talk = [f"I love {a} and my {b}, do you?" for a in THINGS for b in THINGS[:6]]
    facts = [f"Who invented {a}, and when was it?" for a in THINGS for _ in range(6)]
    texts = [*sums(80, rng), *notes(80, rng), *facts, *talk]
    kinds = ["reasoning"] * 80 + ["format"] * 80 + ["knowledge"] * len(facts) + ["chat"] * len(talk)
    recogniser = fit_recogniser(texts, kinds)
    from deimos.route.features import find_features

    scores = recogniser.score(
        find_features("Tom has 4 pots and buys 5 more. How many does he have?")
    )
    assert max(scores) == scores[0]
