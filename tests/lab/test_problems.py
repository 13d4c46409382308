"""The lab's problems: right by independent means, disjoint between splits, stable from a seed."""

import hashlib
import itertools
import random

import pytest

from deimos.graders.worker.pool import Judge
from deimos.lab.problem import SHARES, split_of
from deimos.lab.problems import draw
from deimos.lab.source import KINDS, lab
from deimos.recipe import RecipeError
from deimos.types import Verdict


def problems(split, kind, n=300, seed=0):
    rng = random.Random(seed)
    return [draw(rng, split, kind) for _ in range(n)]


@pytest.mark.parametrize("kind", KINDS)
def test_splits_share_no_skeleton(kind):
    skeletons = {s: {p.skeleton for p in problems(s, kind)} for s in SHARES}
    assert not skeletons["base"] & skeletons["train"]
    assert not skeletons["base"] & skeletons["test"]
    assert not skeletons["train"] & skeletons["test"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_problem_belongs_to_exactly_the_split_it_was_drawn_for(kind):
    for split in SHARES:
        assert all(split_of(p.skeleton) == split for p in problems(split, kind, 100))


def test_the_shares_cover_every_skeleton_once():
    assert sorted(b for share in SHARES.values() for b in share) == list(range(100))


def test_math_and_choice_of_one_skeleton_are_in_one_split():
    rng, again = random.Random(4), random.Random(4)
    for _ in range(50):
        asked, chosen = draw(rng, "test", "math"), draw(again, "test", "choice")
        assert asked.skeleton == chosen.skeleton


def test_the_source_is_stable_distinct_and_split():
    first, again = lab(take=80, seed=3), lab(take=80, seed=3)
    assert first == again
    assert len({p.id for p in first}) == 80
    assert [p.kind for p in first[:4]] == list(KINDS)
    test = lab(take=80, seed=3, split="test")
    assert {p.messages[0]["content"] for p in first}.isdisjoint(
        p.messages[0]["content"] for p in test
    )


def story(prompt) -> str:
    """The question of a math or choice prompt, without the options."""
    return prompt.messages[0]["content"].partition("\n")[0]


def test_math_and_choice_share_no_story_in_the_test_split():
    """They did: 1,100 test problems were 825 questions, because both kinds drew from one seed."""
    asked = {
        kind: {story(p) for p in lab(take=275, seed=0, split="test", kinds=[kind], steps=[4])}
        for kind in KINDS
    }
    assert sum(map(len, asked.values())) == len(set().union(*asked.values())) == 1100
    mixed = lab(take=120, seed=5, split="test", kinds=["math", "choice"], steps=[2])
    of = {kind: {story(p) for p in mixed if p.kind == kind} for kind in ("math", "choice")}
    assert of["math"].isdisjoint(of["choice"])
    again = lab(take=300, seed=6, split="test", kinds=["choice"], steps=[2])
    assert of["math"].isdisjoint(story(p) for p in again)  # whatever the seed


def test_the_train_split_is_as_it_was():
    """Golds and published runs stand on it."""
    ids = "".join(p.id for p in lab(take=200, seed=0))
    assert hashlib.sha256(ids.encode()).hexdigest()[:16] == "9c2a02e99390a897"


def test_a_problems_level_is_its_number_of_steps():
    assert {p.level for p in lab(take=8, seed=0, steps=[4])} == {"4"}


def test_the_source_refuses_what_it_does_not_have():
    with pytest.raises(RecipeError, match="split 'dev' must be train or test"):
        lab(take=1, seed=0, split="dev")
    with pytest.raises(RecipeError, match=r"kinds \['essay'\] must be among math, choice, "):
        lab(take=1, seed=0, kinds=["essay"])
    with pytest.raises(RecipeError, match=r"steps \[0\]"):
        lab(take=1, seed=0, steps=[0])


def test_longer_problems_have_more_clauses():
    rng = random.Random(1)
    for kind in KINDS:
        for steps in (2, 4):
            assert len(draw(rng, "train", kind, [steps]).clauses) == steps


@pytest.fixture(scope="module")
def judge():
    with Judge({kind: kind for kind in KINDS}, timeout=10) as judge:
        yield judge


def judged(judge: Judge, kind: str, pairs) -> list[Verdict]:
    waiting = [judge.submit(kind, answer, reference) for answer, reference in pairs]
    return [verdict.result() for verdict in waiting]


@pytest.mark.parametrize("kind", KINDS)
def test_every_own_answer_passes_its_grader(judge, kind):
    drawn = problems("test", kind, 40, seed=7)
    verdicts = judged(judge, kind, [(p.answer, p.reference) for p in drawn])
    assert [v.because for v in verdicts if v.ok is not True] == []


@pytest.mark.parametrize("kind", ["instruction", "code"])
def test_the_answer_to_another_problem_mostly_fails(judge, kind):
    """Some notes keep another's rules by chance, and some chains of changes come to one."""
    drawn = problems("test", kind, 40, seed=8)
    others = [(p.answer, q.reference) for p, q in itertools.pairwise(drawn)]
    assert sum(v.ok is False for v in judged(judge, kind, others)) > 0.8 * len(others)
