"""Which mode to recommend: thinking on, off, or either. Intervals in, no I/O.

The rule, on intervals of the paired differences on - off:

1. The accuracy interval is above 0: on. Below 0: off.
2. It contains 0, and the token interval shows that one mode takes fewer tokens: that mode, if the
   accuracy interval also shows that it is not less accurate by more than the margin.
3. Else either: which is better can't be told, or it makes no difference.

All recommendations of a table are to hold together, so the intervals are wider than 95% ones
(``joint_level``; Bonferroni, C. E. Bonferroni 1936, which needs no independence of the rows).
"""

from __future__ import annotations

from typing import NamedTuple

from deimos.evaluate.stats import LEVEL, Interval
from deimos.store.route_rows import Recommended


class Recommendation(NamedTuple):
    """A recommendation and its reason."""

    recommended: Recommended
    because: str


def joint_level(comparisons: int) -> float:
    """The level at which this many intervals hold together as often as one alone: 1 - 0.05 / n."""
    return 1 - (1 - LEVEL) / max(comparisons, 1)


def decide(accuracy: Interval | None, tokens: Interval | None, margin: float) -> Recommendation:
    """Recommend a mode.

    Args:
        accuracy: interval of the accuracy with thinking on less that with thinking off.
        tokens: the same of the mean total tokens of a prompt.
        margin: accuracy that the cheaper mode may be short of at most.
    """
    if accuracy is None:
        return Recommendation("either", "no prompt was judged with thinking on and off")
    low, high = accuracy
    if low > 0:
        return Recommendation("on", "more accurate with thinking on")
    if high < 0:
        return Recommendation("off", "more accurate with thinking off")
    if tokens is None:
        return Recommendation("either", "too few prompts to compare tokens")
    if tokens[0] <= 0 <= tokens[1]:
        return Recommendation("either", "no difference is shown in accuracy or in tokens")
    cheaper: Recommended = "off" if tokens[0] > 0 else "on"
    loss = high if cheaper == "off" else -low
    if loss <= margin:
        return Recommendation(
            cheaper,
            f"thinking {cheaper} takes fewer tokens and is not less accurate by more than the margin",
        )
    return Recommendation(
        "either",
        "no difference in accuracy is shown, but one larger than the margin is not ruled out: "
        f"thinking {cheaper} takes fewer tokens",
    )
