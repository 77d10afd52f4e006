"""Workers that come and go: the rule by itself, and the thread that follows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import cast

import pytest

from etl.measuring import StateClock
from etl.parallel_coordinator import ParallelCoordinator
from etl.scaling import IN_A_ROW, MOST_PATIENCE, Scaler, Scaling, Waits

SHORT = Waits(workers=0.9, room=0.0)
FULL = Waits(workers=0.1, room=0.9)
FED = Waits(workers=0.4, room=0.4)


def counts(scaling: Scaling, intervals: Sequence[Waits]) -> list[int]:
    """Workers after each interval."""
    found = []
    for waits in intervals:
        scaling = scaling.after(waits)
        found.append(scaling.workers)
    return found


def changes(workers: Sequence[int]) -> int:
    return sum(one != other for one, other in pairwise(workers))


def test_one_is_added_after_two_intervals_in_a_row_up_to_the_most() -> None:
    assert counts(Scaling(1, 3, workers=1), [SHORT] * 8) == [1, 2, 2, 3, 3, 3, 3, 3]


def test_one_is_taken_away_after_two_intervals_in_a_row_down_to_the_least() -> None:
    assert counts(Scaling(1, 3, workers=3), [FULL] * 6) == [3, 2, 2, 1, 1, 1]


@pytest.mark.parametrize("waits", [SHORT, FULL])
def test_an_interval_in_between_begins_the_row_anew(waits: Waits) -> None:
    assert set(counts(Scaling(1, 3, workers=2), [waits, FED] * 20)) == {2}


def test_a_source_that_limits_changes_nothing() -> None:
    assert set(counts(Scaling(1, 4, workers=2), [Waits(0.0, 0.0)] * 20)) == {2}


def test_after_one_was_taken_away_the_next_comes_later() -> None:
    scaling = Scaling(1, 4, workers=1)
    for waits in [SHORT] * 2 + [FULL] * 2:
        scaling = scaling.after(waits)
    assert scaling.workers == 1
    assert counts(scaling, [SHORT] * 6) == [1, 1, 1, 2, 2, 3], "and those after it as at the start"


def test_a_database_that_slows_down_and_recovers_is_followed() -> None:
    workers = counts(Scaling(1, 4, workers=1), [SHORT] * 10 + [FULL] * 10 + [SHORT] * 10)
    assert (workers[9], workers[19], workers[29]) == (4, 1, 4)


def test_a_best_number_between_two_is_not_swung_around_for_long() -> None:
    scaling, workers = Scaling(1, 4, workers=1), []
    for _ in range(400):
        scaling = scaling.after(FULL if scaling.workers >= 3 else SHORT)
        workers.append(scaling.workers)
    assert set(workers[10:]) == {2, 3}
    assert scaling.patience == MOST_PATIENCE
    assert changes(workers[-2 * (MOST_PATIENCE + IN_A_ROW) :]) <= 4


def test_two_additions_in_a_row_end_the_caution() -> None:
    scaling = Scaling(1, 4, workers=1, retired=True, patience=MOST_PATIENCE)
    for _ in range(MOST_PATIENCE + IN_A_ROW):
        scaling = scaling.after(SHORT)
    assert (scaling.workers, scaling.patience) == (3, IN_A_ROW)


class Feeding:
    """What a Scaler sees of a coordinator: a feeder that is always in the state `feeder` says."""

    def __init__(self, state: str, *, at_most: int = 100) -> None:
        self.feeder = StateClock(state)
        self.asked: list[int] = []
        self._at_most = at_most

    def resize(self, workers: int) -> None:
        if workers > self._at_most:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.asked.append(workers)

    def scaled(self, scaling: Scaling, notes: list[str], interval: float = 0.002) -> Scaler:
        return Scaler(cast(ParallelCoordinator, self), scaling, notes.append, interval)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "etl-scaler"]


@pytest.mark.parametrize(("state", "asked"), [("workers", [3, 4]), ("room", [1]), ("reading", [])])
def test_the_thread_follows_what_the_feeder_waits_for(state: str, asked: list[int]) -> None:
    feeding = Feeding(state)
    with feeding.scaled(Scaling(1, 4, workers=2), []):
        wait_for(lambda: feeding.asked == asked)
        time.sleep(0.02)
    assert feeding.asked == asked


def test_where_the_system_starts_no_more_the_load_goes_on_with_what_is_there() -> None:
    feeding, notes = Feeding("workers", at_most=3), list[str]()
    with feeding.scaled(Scaling(1, 9, workers=2), notes):
        wait_for(lambda: bool(notes))
        time.sleep(0.02)
    assert feeding.asked == [3]
    assert notes == [
        "The system does not start another worker (Resource temporarily unavailable): the load goes on with 3 of 9."
    ]


def test_the_thread_ends_at_once() -> None:
    with Feeding("workers").scaled(Scaling(1, 4, workers=1), [], interval=3600.0):
        pass


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 s in vain"
        time.sleep(0.001)
