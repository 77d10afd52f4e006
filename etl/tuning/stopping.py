"""Ctrl-C during a tune: noted at any moment, obeyed where nothing is left behind by it.

Python raises KeyboardInterrupt between any two instructions of the main thread, those that clean up included. So the
work is done on a thread of its own, while the caller's thread waits and signals only count.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from etl.errors import TargetError

Result = TypeVar("Result")

_STEP_SECONDS = 0.05
"""How soon a signal, or the end of the work, is noticed."""
_PATIENCE_SECONDS = 10.0
"""How long who presses Ctrl-C twice has to wait for a database that does not answer."""


def run_stoppable(work: Callable[[threading.Event], Result], on_stop: Callable[[], object]) -> Result:
    """Run `work` and wait; what it returns is returned here, and what it raises is raised.

    At the first SIGINT (or SIGTERM, where that is a KeyboardInterrupt, too) the event it was given is set, by which it
    ends itself; when it has, KeyboardInterrupt is raised. After a second one it is not waited for longer than a moment:
    TargetError.
    """
    stopping = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(stopping))
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="etl-tune", daemon=True)
    with _counted_signals() as signals:
        thread.start()
        patience = float("inf")
        while thread.is_alive():
            time.sleep(_STEP_SECONDS)
            if signals and not stopping.is_set():
                stopping.set()
                on_stop()
            if len(signals) > 1:
                patience = min(patience, time.monotonic() + _PATIENCE_SECONDS)
            if time.monotonic() > patience:
                raise TargetError(
                    "Stopped. The database does not answer, and the scratch place is left there; the next tune removes"
                    " it."
                )
    if errors:
        raise errors[0]
    if signals:
        raise KeyboardInterrupt
    return results[0]


@contextmanager
def _counted_signals() -> Iterator[list[int]]:
    """The signals that come meanwhile, of those that would raise KeyboardInterrupt."""
    signals: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            action = signal.getsignal(number)
            if callable(action):
                before[number] = action
                signal.signal(number, lambda received, _frame: signals.append(received))
    try:
        yield signals
    finally:
        for number, action in before.items():
            signal.signal(number, action)
