"""Prompts of IFEval's kind: mixed as there, none of its text, no rules that exclude each other."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from deimos.prompts.decontaminate import runs, words
from deimos.prompts.references import check_form
from deimos.prompts.sources.ifeval import ifeval
from deimos.prompts.sources.ifeval_like import ifeval_like, tasks
from deimos.prompts.sources.ifeval_rules import MIX, RULES, SIZES, conflict
from deimos.recipe import RecipeError

DATA = Path(__file__).parents[4] / "shared" / "data" / "ifeval"
real = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real IFEval is not here (../shared/data/ifeval)"
)


def rules(prompt):
    return prompt.reference["instruction_id_list"]


def test_the_same_seed_draws_the_same_distinct_prompts():
    first = ifeval_like(take=None, seed=0)
    assert len(first) == 541 == len({p.messages[0]["content"] for p in first})
    assert ifeval_like(take=50, seed=0) == first[:50]
    assert ifeval_like(take=None, seed=1) != first
    with pytest.raises(RecipeError, match="accepted: up to 5,000"):
        ifeval_like(take=5001, seed=0)


def test_the_mix_is_ifevals():
    assert sum(SIZES) == 541 and set(MIX) == set(RULES)
    found = ifeval_like(take=None, seed=0)
    assert Counter(len(rules(p)) for p in found) == dict(enumerate(SIZES, 1))
    counts, total = Counter(rule for p in found for rule in rules(p)), sum(map(sum, MIX.values()))
    apart = sum(abs(counts[rule] - sum(there)) for rule, there in MIX.items()) / 2
    assert apart / total < 0.02


def test_rules_that_exclude_each_other_never_meet():
    for seed in range(3):
        for prompt in ifeval_like(take=None, seed=seed):
            assert not any(conflict(a, b) for a, b in combinations(rules(prompt), 2)), rules(prompt)


def test_every_rule_says_what_its_arguments_say():
    """Numbers, words and phrases of the arguments all stand in the prompt."""
    for prompt in ifeval_like(take=None, seed=2):
        said = prompt.messages[0]["content"]
        check_form(prompt.kind, prompt.reference)
        for rule, given in zip(rules(prompt), prompt.reference["kwargs"], strict=True):
            for key, value in given.items():
                if key in ("relation", "capital_relation", "let_relation"):
                    assert ("at least" if value == "at least" else "fewer than") in said
                elif key != "language":
                    for part in value if isinstance(value, list) else [value]:
                        assert re.search(rf"{re.escape(str(part))}", said, re.IGNORECASE), (
                            rule,
                            said,
                        )


def test_words_of_a_task_are_used_by_one_rule():
    for prompt in ifeval_like(take=None, seed=0):
        used = []
        for given in prompt.reference["kwargs"]:
            used += [*given.get("keywords", ()), *given.get("forbidden_words", ())]
            used += [given["keyword"]] if "keyword" in given else []
        assert len(used) == len(set(used))


def test_there_are_more_than_150_tasks_and_a_prompt_begins_with_its_own():
    assert len([task for task in tasks() if not task.decides]) >= 150
    assert all(len(set(task.words)) == 5 for task in tasks())
    texts = {task.text for task in tasks()}
    assert all(ifeval_like.asked(p) in texts for p in ifeval_like(take=100, seed=0))


@real
def test_nothing_of_ifeval_is_in_it():
    theirs = [words(p.messages[0]["content"]) for p in ifeval(take=None, seed=0, path=str(DATA))]
    whole = {" ".join(said) for said in theirs}
    grams = {run for said in theirs for run in runs(tuple(said), 13)}
    for seed in range(3):
        for prompt in ifeval_like(take=None, seed=seed):
            said = tuple(words(prompt.messages[0]["content"]))
            assert " ".join(said) not in whole
            assert not set(runs(said, 13)) & grams


@real
def test_the_frozen_mix_is_what_ifeval_has():
    found = {rule: [0, 0, 0] for rule in MIX}
    for prompt in ifeval(take=None, seed=0, path=str(DATA)):
        for rule in rules(prompt):
            found[rule][len(rules(prompt)) - 1] += 1
    assert {rule: tuple(counts) for rule, counts in found.items()} == dict(MIX)


def test_rules_arguments_and_conflicts_are_lm_evals():
    """Held to the installed lm-eval: the frozen table has all its conflicts, its rules take ours."""
    pytest.importorskip("lm_eval")
    pytest.importorskip("langdetect")
    from deimos.graders.ifeval_arguments import check_rules

    seen = set()
    for prompt in ifeval_like(take=None, seed=0):
        if not set(rules(prompt)) <= seen:
            check_rules(rules(prompt), prompt.reference["kwargs"])
            seen |= set(rules(prompt))
    assert seen == set(MIX)
    from lm_eval.tasks.ifeval import instructions_registry as theirs

    assert set(theirs.INSTRUCTION_DICT) == set(MIX)
    for one, others in theirs.INSTRUCTION_CONFLICTS.items():
        assert all(conflict(one, other) for other in others), one
