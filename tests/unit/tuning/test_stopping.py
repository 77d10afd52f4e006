"""Signals while work runs that must not be torn apart."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from etl.errors import TargetError
from etl.tuning.stopping import run_stoppable


def press(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_what_the_work_returns_or_raises_is_the_callers() -> None:
    def fail(_stopping: threading.Event) -> int:
        raise TargetError("No place.")

    assert run_stoppable(lambda _stopping: 7, print) == 7
    with pytest.raises(TargetError, match=r"No place\."):
        run_stoppable(fail, print)
    with ThreadPoolExecutor() as pool:  # where no signal can be heard
        assert pool.submit(lambda: run_stoppable(lambda _stopping: 8, print)).result() == 8


def test_a_signal_is_told_and_obeyed_when_the_work_has_ended_itself() -> None:
    said: list[str] = []

    def work(stopping: threading.Event) -> None:
        press()
        assert stopping.wait(60)
        said.append("cleaned up")
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_stoppable(work, lambda: said.append("told"))
    assert said == ["told", "cleaned up"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_when_all_is_done_counts_too() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_stoppable(lambda _stopping: press(), print)


def test_after_a_second_signal_what_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.background.ABORT_SECONDS", 0.1)
    end = threading.Event()

    def work(stopping: threading.Event) -> None:
        press()
        assert stopping.wait(60)
        press()
        assert end.wait(60)

    with pytest.raises(TargetError, match="does not answer"):
        run_stoppable(work, lambda: None)
    end.set()


def test_sigterm_is_left_alone_where_it_ends_the_process() -> None:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    during: list[object] = []
    run_stoppable(lambda _stopping: during.append(signal.getsignal(signal.SIGTERM)), print)
    assert during == [signal.SIG_DFL]
