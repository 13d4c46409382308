"""One prompt's race as a value: who leads, and who can no longer win.

Pure bookkeeping: no engine, no clock, no files. The rule is exact: a candidate is beaten only
when its thought is *strictly* longer than the shortest keepable one, so whatever selection by
shortest thought would keep of all candidates is never stopped. Passes only add up, hence the
limit only falls and what was beaten once stays beaten.
"""

from __future__ import annotations

from deimos.store.candidates import rank
from deimos.types import Completion


class Heat:
    """What one prompt's candidates have shown so far.

    Args:
        min_pass: how many must pass before anything may be kept, and so before anyone is stopped.
        min_think_tokens: a shorter thought passes but is never kept, so it stops nobody.
        unstoppable: this many first candidates are never stopped (the probe).
    """

    def __init__(
        self, *, min_pass: int = 1, min_think_tokens: int = 0, unstoppable: int = 0
    ) -> None:
        self.min_pass = min_pass
        self.min_think_tokens = min_think_tokens
        self.unstoppable = unstoppable
        self.passed = 0
        self._shortest: Completion | None = None

    def enter(self, completion: Completion) -> bool:
        """Take in one that passed filters 1 to 3; True where the limit has changed by it."""
        before = self.limit
        self.passed += 1
        keepable = completion.think_tokens >= self.min_think_tokens
        if keepable and (self._shortest is None or rank(completion) < rank(self._shortest)):
            self._shortest = completion
        return self.limit != before

    @property
    def winner(self) -> Completion | None:
        """What would be kept if nothing else came."""
        return self._shortest if self.passed >= self.min_pass else None

    @property
    def limit(self) -> int | None:
        """Think tokens of the winner; None while everybody still has a chance."""
        return self.winner.think_tokens if self.winner else None

    def cap(self, index: int) -> int | None:
        """The longest thought with which this candidate can still be kept; None: any."""
        return None if index < self.unstoppable else self.limit

    def beaten(self, index: int, think_tokens: int) -> bool:
        """Whether a thought that is already this long, open or closed, is to be stopped."""
        cap = self.cap(index)
        return cap is not None and think_tokens > cap
