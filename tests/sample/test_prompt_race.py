"""Who leads, and who can no longer win."""

from deimos.sample.prompt_race import Bound
from deimos.types import Completion


def candidate(index: int, think: int, answer: int = 3) -> Completion:
    return Completion("p", index, 0, "", "", "", (), (), think, answer, "stop", None, 0.0, "test")


def test_nobody_is_beaten_before_a_winner() -> None:
    bound = Bound()
    assert bound.limit is None
    assert not bound.is_beaten(0, 10**9)


def test_only_a_strictly_longer_thought_is_beaten() -> None:
    bound = Bound()
    assert bound.add(candidate(0, 10))
    assert not bound.is_beaten(1, 10)
    assert bound.is_beaten(1, 11)


def test_a_limit_needs_min_pass() -> None:
    bound = Bound(min_pass=2)
    assert not bound.add(candidate(0, 5))
    assert bound.limit is None
    assert bound.add(candidate(1, 9))
    assert bound.limit == 5


def test_a_thought_too_short_to_keep_passes_but_stops_nobody() -> None:
    bound = Bound(min_pass=2, min_think_tokens=4)
    bound.add(candidate(0, 3))
    assert bound.limit is None
    bound.add(candidate(1, 8))
    assert (bound.limit, bound.winner and bound.winner.index) == (8, 1)


def test_ties_go_to_the_shorter_answer_then_to_the_lower_index() -> None:
    bound = Bound()
    for one in (candidate(2, 5, 4), candidate(3, 5, 2), candidate(1, 5, 2)):
        bound.add(one)
    assert bound.winner and bound.winner.index == 1


def test_the_probe_is_never_beaten() -> None:
    bound = Bound(unstoppable=2)
    bound.add(candidate(5, 1))
    assert [bound.is_beaten(i, 100) for i in range(4)] == [False, False, True, True]
    assert [bound.cap(i) for i in range(4)] == [None, None, 1, 1]
