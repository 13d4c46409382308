"""Who works at what on a cluster, what comes back when an actor dies, and when to give up.

Bookkeeping only: no Ray, no clock. An item goes to the open actor with the least to do; what a dead
actor held goes to others before anything new does. Bounded are the losses without progress: an
actor that dies again and again before it has finished a single item is not started again, and an
item that actors died of again and again ends the work.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

DEATHS = 3
"""In a row, without anything finished: then no other actor is started in that place."""
LOSSES = 5
"""Actors that one item may cost; more, as an item may be unlucky."""


class ClusterError(RuntimeError):
    """The cluster can't do the work; what is done is kept, and the message says what to look at."""


@dataclass(eq=False, slots=True)
class Entry:
    """An item on its way."""

    item: Any
    losses: int = 0
    """Actors that died while they held it."""


@dataclass(slots=True)
class _Place:
    """Where an actor runs, and another one after it."""

    held: list[Entry] = field(default_factory=list)
    is_open: bool = False
    given_up: bool = False
    deaths: int = 0
    """In a row, without an item finished."""


class Ledger:
    """What each of some actors has to do.

    Args:
        places: actors at a time.
        in_flight: items that an actor may have at a time.
    """

    def __init__(self, places: int, in_flight: int) -> None:
        self._places = [_Place() for _ in range(places)]
        self._in_flight = in_flight
        self._returned: deque[Entry] = deque()
        self.lost = 0
        """Actors that died so far."""
        self.left: int | None = None
        """Items not finished, where their number is known: nobody takes more than its share."""
        self.alone = False
        """Whether everything goes to one place."""

    def opened(self, place: int) -> None:
        """An actor can be given work."""
        self._places[place].is_open = True

    @property
    def busy(self) -> bool:
        """Whether anything is under way or waits to be handed on."""
        return bool(self._returned) or any(place.held for place in self._places)

    def free(self) -> int | None:
        """The place that the next item should go to; None: none has room."""
        alive = [(n, place) for n, place in enumerate(self._places) if not place.given_up]
        alive = alive[:1] if self.alone else alive
        most = self._in_flight
        if self.left is not None:
            most = min(most, max(1, -(-self.left // len(alive))))
        loads = [(len(place.held), n) for n, place in alive if place.is_open]
        load, place = min(loads, default=(most, 0))
        return place if load < most else None

    def returned(self) -> Entry | None:
        """Something that a dead actor held; None where all of it is in hands again."""
        return self._returned.popleft() if self._returned else None

    def give(self, place: int, entry: Entry) -> None:
        """An actor is given an item."""
        self._places[place].held.append(entry)

    def finished(self, place: int, entry: Entry) -> None:
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
