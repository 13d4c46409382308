"""Which actor has which items, what is returned when an actor dies, and when to give up.

Bookkeeping only: no Ray, no clock. An item goes to the open actor with the fewest items; what a dead
actor held goes to others before anything new does. Losses without progress are bounded: in a place
where actors die again and again before they finish a single item none is started again, and an item
on which actor after actor has died ends the work.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

DEATHS = 3
"""Actors that die in a place in a row, without finishing anything, until none is started there."""
LOSSES = 5
"""Actors that may die while they have one item; more than ``DEATHS``, as an item may be unlucky."""


class ClusterError(RuntimeError):
    """The cluster can't do the work; what is done is kept, and the message says what to look at."""


@dataclass(eq=False, slots=True)
class WorkItem:
    """An item that is not finished."""

    item: Any
    losses: int = 0
    """Actors that died while they had it."""


@dataclass(slots=True)
class _Place:
    """Where one actor runs, and after its death the next."""

    held: list[WorkItem] = field(default_factory=list)
    is_open: bool = False
    given_up: bool = False
    deaths: int = 0
    """In a row, without an item finished."""


class Ledger:
    """The items of each actor.

    Args:
        places: actors at a time.
        in_flight: items that an actor may have at a time.
    """

    def __init__(self, places: int, in_flight: int) -> None:
        self._places = [_Place() for _ in range(places)]
        self._in_flight = in_flight
        self._returned: deque[WorkItem] = deque()
        self.lost = 0
        """Actors that died so far."""
        self.left: int | None = None
        """Items not finished, if their number is known: no actor gets more than its share."""
        self.alone = False
        """Whether everything goes to one place."""

    def opened(self, place: int) -> None:
        """An actor can be given work."""
        self._places[place].is_open = True

    @property
    def busy(self) -> bool:
        """Whether an actor has an item, or one waits for an actor."""
        return bool(self._returned) or any(place.held for place in self._places)

    def find_free(self) -> int | None:
        """The place that the next item should go to; None: none has room."""
        alive = [(n, place) for n, place in enumerate(self._places) if not place.given_up]
        alive = alive[:1] if self.alone else alive
        most = self._in_flight
        if self.left is not None:
            most = min(most, max(1, -(-self.left // len(alive))))
        loads = [(len(place.held), n) for n, place in alive if place.is_open]
        load, place = min(loads, default=(most, 0))
        return place if load < most else None

    def take_returned(self) -> WorkItem | None:
        """An item that a dead actor had; None if others have all of them."""
        return self._returned.popleft() if self._returned else None

    def give(self, place: int, entry: WorkItem) -> None:
        """An actor is given an item."""
        self._places[place].held.append(entry)

    def finished(self, place: int, entry: WorkItem) -> None:
        """An actor has done an item."""
        self._places[place].held.remove(entry)
        self._places[place].deaths = 0
        if self.left is not None:
            self.left -= 1

    def died(self, place: int, because: str) -> bool:
        """An actor is gone; returns whether to start another one in its place.

        Raises:
            ClusterError: it held an item once too often, or no place is left.
        """
        there = self._places[place]
        self.lost += 1
        there.deaths += 1
        there.is_open = False
        entries, there.held = there.held, []
        for entry in entries:
            entry.losses += 1
            if entry.losses >= LOSSES:
                raise ClusterError(
                    f"{LOSSES} actors died one after the other while they worked at {entry.item}; "
                    f"the last one: {because}"
                )
        self._returned.extend(entries)
        there.given_up = there.deaths >= DEATHS
        if all(p.given_up for p in self._places):
            raise ClusterError(
                f"every actor died {DEATHS} times without finishing anything; the last one: {because}"
            )
        return not there.given_up
