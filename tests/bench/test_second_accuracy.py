"""Three judges of the same math answers."""

import pytest

from deimos.bench.second_accuracy import second_accuracy, second_accuracy_delta
from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome
from deimos.types import SecondOpinion


def answer(problem, ok, plain=None, verify=None, *, kind="math", finish="stop"):
    second = None if plain is None else SecondOpinion(plain, verify)
    return Outcome(f"t/{problem}", "t", True, 0, ok, finish, 9, 5, 20, 40, False, "", second, kind)


BASE = [
    answer(0, True, True, True),
    answer(1, True, False, True),  # the plain match misses it
    answer(2, False, False, True),  # math-verify alone accepts it
    answer(3, False, finish="length"),  # wrong by any judge
    answer(4, True, True, None),  # math-verify could not say
    answer(5, None, True, True),  # not judged
    answer(6, True, kind="choice"),
]
TUNED = [answer(i, True, True, True) for i in range(6)] + [answer(6, False, kind="choice")]


def test_each_judges_accuracy_of_the_same_answers():
    found = second_accuracy(BASE)
    assert {k: (v["accuracy"], v["n"]) for k, v in found.items()} == {
        "ours": (0.6, 5), "plain": (0.4, 5), "math_verify": (0.75, 4),
    }  # fmt: skip
    assert found["plain"]["accuracy_ci"] == list(stats.wilson(0.4, 5))


def test_each_judges_paired_difference_and_how_often_they_differ():
    found = second_accuracy_delta(BASE, TUNED)
    assert found["ours"]["accuracy_delta"] == pytest.approx(0.4) and found["ours"]["n"] == 5
    assert found["plain"]["accuracy_delta"] == pytest.approx(0.6)
    assert found["plain"]["accuracy_delta_ci"] == pytest.approx(stats.tango(3, 0, 5))
    assert found["math_verify"]["accuracy_delta"] == pytest.approx(0.25)
    assert (found["answers"], found["differ"]) == (11, pytest.approx(2 / 11))
    assert found["plain_differs"] == found["math_verify_differs"] == pytest.approx(1 / 11)


def test_without_second_opinions_there_is_nothing_to_say():
    own = [answer(i, True) for i in range(4)]  # a grader of the recipe's own
    assert second_accuracy(own) is None and second_accuracy_delta(own, own) is None
    choice = [answer(i, True, kind="choice") for i in range(4)]
    assert second_accuracy(choice) is None
    cut = [answer(0, False, finish="length")]
    assert second_accuracy(cut) is None
