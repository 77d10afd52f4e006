"""Ctrl-C during a tune: what it was doing is given up, and the scratch place is removed before anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from etl.background import run_in_background
from etl.errors import TargetError

Result = TypeVar("Result")


def run_stoppable(work: Callable[[threading.Event], Result], on_stop: Callable[[], object]) -> Result:
    """Run `work` and wait; what it returns is returned here, and what it raises is raised.

    At the first Ctrl-C the event it was given is set, by which it ends itself; when it has, KeyboardInterrupt is
    raised. After a second one it is not waited for longer than a moment: TargetError.
    """
    stopping = threading.Event()
    ended = threading.Event()
    results: list[Result] = []

    def stop() -> None:
        stopping.set()
        on_stop()

    def run() -> None:
        try:
            results.append(work(stopping))
        finally:
            ended.set()

    try:
        # An abort interrupts nothing: what is running then is what removes the scratch place.
        run_in_background(run, stop, lambda _interrupt: None)
    except KeyboardInterrupt:
        if not ended.is_set():
            raise TargetError(
                "Stopped. The database does not answer, and the scratch place is left there; the next tune removes it."
            ) from None
        raise
    if stopping.is_set():
        raise KeyboardInterrupt
    return results[0]
