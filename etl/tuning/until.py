"""How long a tune goes on: until its time is over, or the user wants no more. Any thread.

In: what interrupts a piece of work from outside. Out: OutOfTime or KeyboardInterrupt in place of what that work raises.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl.errors import EtlError
from etl.tuning.search import OutOfTime

LOOK_SECONDS = 0.1
"""Until it is looked at again whether the work is to end, or has heard that it is."""


class Until:
    """When a tune ends."""

    def __init__(self, ends: float, stopping: threading.Event) -> None:
        """`ends`: the moment from which on nothing is loaded any more, by the clock of `time.monotonic`; `stopping` is
        set when the user wants no more."""
        self._ends = ends
        self._stopping = stopping

    def check(self) -> None:
        """Raise KeyboardInterrupt or OutOfTime where it has come."""
        if self._stopping.is_set():
            raise KeyboardInterrupt
        if time.monotonic() >= self._ends:
            raise OutOfTime

    @contextmanager
    def interrupting(self, interrupt: Callable[[BaseException], object]) -> Iterator[None]:
        """Call `interrupt` with the reason, on another thread, when what runs inside is to end, until it has ended.

        Its EtlError is `check`'s exception then: what an interrupted statement says is not worth telling.
        """
        ended = threading.Event()

        def watch() -> None:
            # Again and again: a statement that begins just after it was called would be waited for.
            while not ended.wait(LOOK_SECONDS):
                try:
                    self.check()
                except (OutOfTime, KeyboardInterrupt) as reason:
                    interrupt(reason)

        watcher = threading.Thread(target=watch, name="etl-tune-until", daemon=True)
        watcher.start()
        try:
            yield
        except EtlError:
            self.check()
            raise
        finally:
            ended.set()
            watcher.join()
