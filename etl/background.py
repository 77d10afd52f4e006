"""Runs work on a thread of its own while the caller's thread only waits: so a Ctrl-C finds that one at rest.

The first KeyboardInterrupt asks the work to end in order and goes on waiting; a second one aborts it and is raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ABORT_SECONDS = 10.0
"""How long an abort waits for the interrupted statements to end."""

SIGNAL_SECONDS = 0.5
"""How long a Ctrl-C may take to be noticed, at most."""


def run_in_background(
    work: Callable[[], None], on_stop: Callable[[], None], on_abort: Callable[[BaseException], None]
) -> None:
    """Run `work` and wait for it; what it raises is raised here. `on_stop` and `on_abort` are called on this thread."""
    finished = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            errors.append(error)
        finally:
            finished.set()

    threading.Thread(target=run, name="etl-load", daemon=True).start()
    try:
        _wait(finished)
    except KeyboardInterrupt:
        _stop(finished, on_stop, on_abort)
    if errors:
        raise errors[0]


def _wait(finished: threading.Event) -> None:
    # The system may hand a signal to another thread, and then nothing else would wake this one to deal with it.
    while not finished.wait(SIGNAL_SECONDS):
        pass


def _stop(finished: threading.Event, on_stop: Callable[[], None], on_abort: Callable[[BaseException], None]) -> None:
    try:
        on_stop()
        _wait(finished)
    except KeyboardInterrupt as interrupt:
        on_abort(interrupt)
        # Connections are closed by the threads that use them, not under them.
        finished.wait(ABORT_SECONDS)
        raise
