"""What the numbers of a running load are taken with: a clock of states and a tally of durations. Any thread."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict

from etl.metrics import Percentiles

_GROWTH = 1.02
"""From one class of durations to the next: the middle of a class is within 1 % of all in it, and the classes from a
microsecond to an hour are 1,100, however many durations there are."""


class StateClock:
    """How long something, or how many of it together, was in each of its states, the present one included."""

    def __init__(self, state: str, number: int = 1) -> None:
        self._lock = threading.Lock()
        self._state: str | None = state
        self._number = number
        self._since = time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def enter(self, state: str | None, number: int = 1) -> None:
        """From now on `number` of it are in `state`; None: in none any more."""
        with self._lock:
            self._seconds = self._until_now()
            self._state, self._number, self._since = state, number, time.monotonic()

    def seconds(self) -> defaultdict[str, float]:
        """By state, times how many were in it; 0 of one that it never was in."""
        with self._lock:
            return self._until_now()

    def _until_now(self) -> defaultdict[str, float]:
        seconds = self._seconds.copy()
        if self._state is not None:
            seconds[self._state] += self._number * (time.monotonic() - self._since)
        return seconds


class Durations:
    """A tally of durations, in a bounded number of classes, as in HdrHistogram."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classes: Counter[int] = Counter()
        self._most = 0.0

    def add(self, seconds: float) -> None:
        place = round(math.log(max(seconds, 1e-9), _GROWTH))
        with self._lock:
            self._classes[place] += 1
            self._most = max(self._most, seconds)

    def percentiles(self) -> Percentiles:
        with self._lock:
            classes, most = sorted(self._classes.items()), self._most
        count = sum(number for _, number in classes)
        if not count:
            return Percentiles(0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99 = (min(most, _at(classes, math.ceil(share * count))) for share in (0.5, 0.95, 0.99))
        return Percentiles(count, p50, p95, p99, most)


def _at(classes: list[tuple[int, int]], rank: int) -> float:
    """The middle of the class in which the duration of that rank (from 1, the shortest) is."""
    below = 0
    for place, number in classes:
        below += number
        if below >= rank:
            return float(_GROWTH**place)
    raise ValueError(f"there are {below} durations, not {rank}")
