"""Trying again: how often, how long in between, and what ends it."""

from __future__ import annotations

import threading

import pytest

from etl.errors import ConnectionLost, EtlError, TargetError, TransientError
from etl.loading.retries import Retries
from etl.options import Retry


class Failing:
    """An action that fails so many times, and then gives its number of calls."""

    def __init__(self, times: int, error: EtlError | None = None) -> None:
        self._times = times
        self._error = error or ConnectionLost("The connection was lost.")
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return self.calls


def quick(attempts: int) -> Retry:
    return Retry(attempts=attempts, first_wait=0.001, max_wait=0.004)


def test_it_is_tried_until_it_works_and_each_try_is_told() -> None:
    notes: list[str] = []
    retries = Retries(quick(5), notes.append)
    assert retries.call(Failing(3)) == 4
    assert [note.partition("(")[2] for note in notes] == [f"attempt {n} of 5)." for n in (1, 2, 3)]
    assert all(note.startswith("The connection was lost. Trying again in 0.00") for note in notes)


def test_attempts_are_counted_for_each_action_anew() -> None:
    retries = Retries(quick(2), lambda _: None)
    assert [retries.call(Failing(2)) for _ in range(3)] == [3, 3, 3]


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_the_last_error_says_how_often_it_was_tried(attempts: int) -> None:
    notes: list[str] = []
    action = Failing(100)
    with pytest.raises(ConnectionLost) as caught:
        Retries(quick(attempts), notes.append).call(action)
    assert action.calls == attempts + 1
    assert len(notes) == attempts
    assert (f"tried again {attempts} times" in str(caught.value)) == (attempts > 0)


def test_what_is_permanent_is_not_tried_again() -> None:
    action = Failing(100, TargetError("There is no such table."))
    with pytest.raises(TargetError, match=r"^There is no such table\.$"):
        Retries(quick(5), pytest.fail).call(action)
    assert action.calls == 1


def test_waits_double_up_to_a_bound_and_chance_only_shortens_them() -> None:
    retries = Retries(Retry(attempts=1000, first_wait=0.1, max_wait=30), lambda _: None)
    waits = [retries.wait(attempt) for attempt in range(1, 1001)]
    longest = [min(0.1 * 2**n, 30) for n in range(1000)]
    assert all(0.75 * bound <= wait <= bound for wait, bound in zip(waits, longest, strict=True))
    assert len(set(waits[500:])) > 400


def test_an_interrupt_ends_the_wait_and_nothing_is_tried_after_it() -> None:
    told = threading.Event()
    retries = Retries(Retry(attempts=8, first_wait=3600, max_wait=3600), lambda _: told.set())
    action = Failing(100)

    def interrupt() -> None:
        told.wait()
        retries.interrupt()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(ConnectionLost, match=r"^The connection was lost\.$"):
        retries.call(action)
    interrupter.join()
    with pytest.raises(TransientError):
        retries.call(action)
    assert action.calls == 2
