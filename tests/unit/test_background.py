"""Ctrl-C while work runs on a thread of its own."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from etl.background import run_in_background


def never(_interrupt: object = None) -> None:
    pytest.fail("nobody asked for this")


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_signal_asks_and_the_work_ends_itself() -> None:
    asked = threading.Event()

    def work() -> None:
        press()
        assert asked.wait(60)

    run_in_background(work, asked.set, on_abort=never)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_signal_aborts_and_is_raised() -> None:
    asked, aborted = threading.Event(), threading.Event()

    def work() -> None:
        press()
        assert asked.wait(60)
        press()
        assert aborted.wait(60)

    with pytest.raises(KeyboardInterrupt):
        run_in_background(work, asked.set, lambda _interrupt: aborted.set())


def test_many_signals_at_once_are_two_at_most() -> None:
    aborted = threading.Event()
    asked: list[int] = []

    def work() -> None:
        while not aborted.is_set():
            press()

    with pytest.raises(KeyboardInterrupt):
        run_in_background(work, lambda: asked.append(1), lambda _interrupt: aborted.set())
    assert asked == [1]


def test_a_signal_in_the_last_moment_is_told_all_the_same() -> None:
    asked: list[int] = []
    run_in_background(press, lambda: asked.append(1), on_abort=never)
    assert asked == [1]


def test_what_the_work_raises_is_raised_here() -> None:
    def work() -> None:
        raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError, match="a defect"):
        run_in_background(work, print, on_abort=never)


def test_a_handler_of_somebody_elses_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        run_in_background(press, on_stop=never, on_abort=never)
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
