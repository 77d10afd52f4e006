"""Runs work on a thread of its own while the caller's thread only waits, and counts the signals that come meanwhile.

Python raises KeyboardInterrupt between any two instructions of the main thread, those that clean up and those of locks
included. So a Ctrl-C is noted at any moment, and obeyed where the main thread is at rest: the first one asks the work
to end in order, and is waited for; a second one aborts it, and is raised.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ABORT_SECONDS = 10.0
"""How long an abort waits for the interrupted statements to end."""

SIGNAL_SECONDS = 0.05
"""How long a Ctrl-C may take to be noticed, at most."""


def run_in_background(
    work: Callable[[], None], on_stop: Callable[[], object], on_abort: Callable[[BaseException], object]
) -> None:
    """Run `work` and wait for it; what it raises is raised here. `on_stop` and `on_abort` are called on this thread.

    `on_stop` is called also where the signal came too late for `work` to hear of it: more may be to come.
    """
    finished = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            errors.append(error)
        finally:
            finished.set()

    with _counted_signals() as signals:
        threading.Thread(target=run, name="etl-load", daemon=True).start()
        _wait(finished, signals, 1)
        if told := bool(signals):
            on_stop()
            _wait(finished, signals, 2)
        if not finished.is_set():
            interrupt = KeyboardInterrupt()
            on_abort(interrupt)
            # Connections are closed by the threads that use them, not under them.
            finished.wait(ABORT_SECONDS)
            raise interrupt
    if signals and not told:
        on_stop()
    if errors:
        raise errors[0]


def _wait(finished: threading.Event, signals: list[int], number: int) -> None:
    """Until the work has finished, or so many signals have come."""
    while len(signals) < number and not finished.wait(SIGNAL_SECONDS):
        pass


@contextmanager
def _counted_signals() -> Iterator[list[int]]:
    """The signals that come meanwhile, of those that would raise KeyboardInterrupt; on the main thread only."""
    signals: list[int] = []
    counted = []
    if threading.current_thread() is threading.main_thread():
        numbers = (signal.SIGINT, signal.SIGTERM)
        counted = [number for number in numbers if signal.getsignal(number) is signal.default_int_handler]
    for number in counted:
        signal.signal(number, lambda received, _frame: signals.append(received))
    try:
        yield signals
    finally:
        for number in counted:
            signal.signal(number, signal.default_int_handler)
