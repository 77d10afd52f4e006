"""Ctrl-C during a tune: what it was doing is given up, and the scratch place is removed before anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from etl.background import run_in_background
from etl.errors import EXIT_STOPPED, EtlError, TargetError

Result = TypeVar("Result")


def run_stoppable(work: Callable[[threading.Event], Result], on_stop: Callable[[], object]) -> Result:
    """Run `work` and wait; what it returns is returned here, and what it raises is raised.

    At the first Ctrl-C the event it was given is set, by which it ends itself; when it has, KeyboardInterrupt is
    raised, or EtlError with the exit code of what is stopped where it failed to end in order. After a second one it is
    not waited for longer than a moment.
    """
    stopping = threading.Event()
    ended = threading.Event()
    results: list[Result] = []
    errors: list[EtlError] = []

    def stop() -> None:
        stopping.set()
        on_stop()

    def run() -> None:
        try:
            results.append(work(stopping))
        except EtlError as error:
            errors.append(error)
        finally:
            ended.set()

    try:
        # An abort interrupts nothing: what is running then is what removes the scratch place.
        run_in_background(run, stop, lambda _interrupt: None)
    except KeyboardInterrupt:
        stopping.set()
        if not ended.is_set():
            raise _stopped(
                "The database does not answer, and the scratch place is left there; the next tune removes it."
            ) from None
    if errors and stopping.is_set():
        raise _stopped(str(errors[0])) from errors[0]
    if errors:
        raise errors[0]
    if stopping.is_set():
        raise KeyboardInterrupt
    return results[0]


def _stopped(sentence: str) -> EtlError:
    error = TargetError(f"Stopped, and no settings are written. {sentence}")
    error.exit_code = EXIT_STOPPED
    return error
