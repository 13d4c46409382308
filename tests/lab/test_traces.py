"""The lab's thoughts: the same sums at every verbosity, more filler at higher ones."""

import random
import re
import statistics

from deimos.lab import traces
from deimos.lab.problems import draw
from deimos.lab.source import KINDS


def drawn(n=300, kind="math"):
    rng = random.Random(5)
    return [draw(rng, "base", kind) for _ in range(n)]


def test_a_bare_thought_is_the_sums_and_nothing_else():
    for p in drawn(50):
        thought = traces.thought(p, random.Random(0), verbosity=0.0)
        assert re.fullmatch(r"(\d+[-+*/]\d+=\d+\. ?)+", thought)
        assert thought.split("=")[-1] == f"{p.reference}."


def test_every_thought_does_all_the_work_whatever_its_verbosity():
    rng = random.Random(1)
    for kind in KINDS:
        for p in drawn(100, kind):
            thought = traces.thought(p, rng, traces.level(rng))
            assert all(f"{work}." in thought for clause in p.clauses for work in clause.work)
            assert p.opening in thought
            assert thought.endswith(p.conclusion)


def test_longer_levels_are_longer():
    medians = [
        statistics.median(
            len(traces.thought(p, random.Random(i), v).split()) for i, p in enumerate(drawn())
        )
        for v, _ in traces.LEVELS
    ]
    assert medians == sorted(medians)
    assert medians[-1] > 4 * medians[0]


def test_the_first_filler_is_likelier_than_not_so_greedy_decoding_is_long():
    assert sum(chance * share for chance, share in traces.LEVELS) > 0.5
    assert abs(sum(share for _, share in traces.LEVELS) - 1) < 1e-9
