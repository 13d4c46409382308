"""Progress lines, by a clock of our own."""

import io

from deimos.runs.progress import ProgressBar


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def lines(steps):
    """What is printed when ``steps`` of (seconds, label, done, total, note) go by."""
    clock, stream = Clock(), io.StringIO()
    with ProgressBar(stream, clock) as progress:
        for clock.now, *call in steps:
            progress(*call)
    return stream.getvalue().splitlines()


def test_what_is_quick_stays_quiet():
    assert lines([(0, "a", 0, 10), (1, "a", 9, 10), (1.9, "a", 10, 10)]) == []


def test_a_line_now_and_then_and_one_at_the_end():
    steps = [(t, "race", t, 40, "3 passed") for t in range(41)]
    said = lines(steps)
    assert said[0] == "race: 2/40 (5%) · 2 s · 3 passed"
    assert said[-1] == "race: 40/40 (100%) · 40 s · 3 passed"
    assert 4 <= len(said) <= 6


def test_the_end_is_said_once_and_totals_may_be_unknown():
    assert len(lines([(0, "a", 0, 1), (5, "a", 1, 1), (50, "a", 1, 1)])) == 1
    assert lines([(0, "a", 0, None), (5, "a", 7, None)]) == ["a: 7 · 5 s"]


def test_a_bar_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    clock, stream = Clock(), Terminal()
    with ProgressBar(stream, clock) as progress:
        progress("train", 0, 5)
        clock.now = 3
        progress("train", 5, 5, "loss 1.0")
    assert "train" in stream.getvalue() and "5/5" in stream.getvalue()
