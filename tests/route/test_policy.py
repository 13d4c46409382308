"""What a policy decides from its numbers, and what files it accepts."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from deimos.route.policy import (
    KINDS,
    MOST_BYTES,
    LinearModel,
    Policy,
    PolicyError,
    Stratum,
    default_policy,
    read_policy,
    write_policy,
)

FORMAT, MATH = "Reply as JSON, in lowercase.", "How many apples are 3 + 4?"


def policy(strata, *, sure=4.0, **changes) -> Policy:
    """Recognises formats and quantities by two rules alone."""
    rules = {"formatted": (0.0, sure, 0.0, 0.0), "quantity": (sure, 0.0, 0.0, 0.0)}
    recogniser = LinearModel((0.0,) * len(KINDS), rules, {})
    return Policy("mine", "made up", recogniser, strata, -0.06, **changes)


def ask(chosen: Policy, text: str):
    return chosen.choose([{"role": "user", "content": text}])


def test_what_is_shown_to_gain_goes_off():
    chosen = policy([Stratum("format", None, 0.03, "better unthought")])
    choice = ask(chosen, FORMAT)
    assert (choice.mode, choice.kind) == ("off", "format")
    assert (
        choice.margin > 0
        and "better unthought" in choice.reason
        and "strict format" in choice.reason
    )


def test_nothing_measured_stays_on():
    choice = ask(policy([Stratum("format", None, 0.03, "better")]), MATH)
    assert (choice.mode, choice.kind) == ("on", "reasoning")
    assert choice.margin < 0


@pytest.mark.parametrize("bound", [0.0, -0.02])
def test_a_bound_that_does_not_clear_zero_abstains(bound):
    assert ask(policy([Stratum("format", None, bound, "not shown")]), FORMAT).mode == "on"


def test_an_uncertain_kind_abstains():
    unsure = policy([Stratum("format", None, 0.03, "better")], sure=0.5)
    choice = ask(unsure, FORMAT)
    assert choice.mode == "on" and choice.margin < 0 and "uncertain" in choice.reason


def test_within_a_kind_the_expected_gain_decides():
    strata = [Stratum("format", None, -0.1, "loses"), Stratum("format", 0.5, 0.1, "gains")]
    gains = LinearModel((0.0,), {"cased": (0.7,)}, {})
    chosen = policy(strata, gains=gains)
    assert ask(chosen, FORMAT).mode == "off"
    assert ask(chosen, "Reply as JSON.").mode == "on"


def test_prompts_unlike_those_that_were_measured_abstain():
    gains = LinearModel((0.0,), {}, {})
    chosen = policy([Stratum("format", None, 0.1, "gains")], gains=gains, familiar=0.1)
    choice = ask(chosen, FORMAT)
    assert choice.mode == "on" and "unlike" in choice.reason


def test_kinds_that_the_adapter_loses_go_to_the_base():
    chosen = policy([], base=[Stratum("reasoning", None, 0.05, "the base is more accurate (n=90)")])
    choice = ask(chosen, MATH)
    assert (choice.mode, choice.base) == ("on", True) and "base is more accurate" in choice.reason
    assert not ask(chosen, FORMAT).base
    unsure = policy([], sure=0.5, base=chosen.base)
    assert not ask(unsure, MATH).base
    assert not ask(policy([], base=[Stratum("reasoning", None, -0.05, "not shown")]), MATH).base


@pytest.mark.parametrize("messages", [[], None, [{"role": "user", "content": " "}], "x"])
def test_without_a_text_it_abstains(messages):
    choice = policy([Stratum("format", None, 0.1, "gains")]).choose(messages)
    assert (choice.mode, choice.margin) == ("on", 0.0)


def test_a_policy_is_written_as_it_is_read(tmp_path):
    path = tmp_path / "policy.json"
    written = policy(
        [Stratum("format", 0.25, 0.03, "better", {"n": 7})],
        gains=LinearModel((0.5,), {"cased": (0.125,)}, {12: (-0.25,)}),
        familiar=0.5,
        switch="enable_thinking",
    )
    write_policy(path, written)
    assert read_policy(path).row() == written.row()
    assert read_policy(path).identity == written.identity != replace(written, name="x").identity


def test_a_policy_that_is_too_large_is_not_written(tmp_path):
    buckets = dict.fromkeys(range(200000), (0.123,))
    huge = policy([], gains=LinearModel((0.0,), {}, buckets))
    with pytest.raises(PolicyError, match="at most 2,000,000"):
        write_policy(tmp_path / "policy.json", huge)
    assert not (tmp_path / "policy.json").exists()


def damage(change) -> str:
    row = policy([Stratum("format", None, 0.1, "gains")]).row()
    change(row)
    return json.dumps(row)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}", "3", '"policy"',
        damage(lambda row: row.update(features=0)),
        damage(lambda row: row.update(kinds=["math"])),
        damage(lambda row: row["strata"][0].update(kind="math")),
        damage(lambda row: row["strata"][0].update(gain_bound="much")),
        damage(lambda row: row["strata"][0].pop("because")),
        damage(lambda row: row["recogniser"].update(bias=[1])),
        damage(lambda row: row["recogniser"]["rules"].update(unheard=[1, 2, 3, 4])),
        damage(lambda row: row["recogniser"]["buckets"].update({"-1": [1, 2, 3, 4]})),
        damage(lambda row: row.update(unmeasured=None)),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(PolicyError, match=r"policy\.json") as fault:
        read_policy(path)
    assert "\n" not in str(fault.value)


def test_a_missing_policy_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="cannot be read"):
        read_policy(tmp_path / "policy.json")


def test_the_shipped_policy_names_its_evidence():
    shipped = default_policy()
    assert "2505.11423" in shipped.evidence and "Deimos-A4" in shipped.evidence
    assert [stratum.kind for stratum in shipped.strata] == ["format"]
    assert len(json.dumps(shipped.row())) < MOST_BYTES


def test_serving_needs_the_standard_library_only():
    program = (
        "import sys\n"
        "from deimos.serve.router import decide\n"
        "decide([{'role': 'user', 'content': 'Hello there.'}])\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'torch', 'transformers', 'jinja2', 'pydantic', 'yaml', 'pickle'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
