"""Who leads, and who can no longer win."""

from deimos.sample.heat import Heat
from deimos.types import Completion


def candidate(index: int, think: int, answer: int = 3) -> Completion:
    return Completion("p", index, 0, "", "", "", (), (), think, answer, "stop", None, 0.0, "test")


def test_nobody_is_beaten_before_a_winner() -> None:
    heat = Heat()
    assert heat.limit is None
    assert not heat.beaten(0, 10**9)


def test_only_a_strictly_longer_thought_is_beaten() -> None:
    heat = Heat()
    assert heat.enter(candidate(0, 10))
    assert not heat.beaten(1, 10)
    assert heat.beaten(1, 11)


def test_a_limit_needs_min_pass() -> None:
    heat = Heat(min_pass=2)
    assert not heat.enter(candidate(0, 5))
    assert heat.limit is None
    assert heat.enter(candidate(1, 9))
    assert heat.limit == 5


def test_a_thought_too_short_to_keep_passes_but_stops_nobody() -> None:
    heat = Heat(min_pass=2, min_think_tokens=4)
    heat.enter(candidate(0, 3))
    assert heat.limit is None
    heat.enter(candidate(1, 8))
    assert (heat.limit, heat.winner and heat.winner.index) == (8, 1)


def test_ties_go_to_the_shorter_answer_then_to_the_lower_index() -> None:
    heat = Heat()
    for one in (candidate(2, 5, 4), candidate(3, 5, 2), candidate(1, 5, 2)):
        heat.enter(one)
    assert heat.winner and heat.winner.index == 1


def test_the_probe_is_never_beaten() -> None:
    heat = Heat(unstoppable=2)
    heat.enter(candidate(5, 1))
    assert [heat.beaten(i, 100) for i in range(4)] == [False, False, True, True]
    assert [heat.cap(i) for i in range(4)] == [None, None, 1, 1]
