"""Adds workers while mapping is the bottleneck and takes them away while the database is.

`Scaling` decides, by what the feeder waited for: a state goes in, the next one comes out, without a clock. `Scaler`
watches a coordinator and asks it, on a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

from etl.parallel_coordinator import ParallelCoordinator

INTERVAL = 0.5
"""Seconds between two looks. A worker process is ready after 0.3 s, so the first look after a change is still of the
old count in part and the second is not; and 25 splits of the default size are mapped in it, which is a fair sample."""

LIMITS = 0.5
"""Share of an interval from which what the feeder waits for is what limits: it then waits for nothing else longer."""

IN_A_ROW = 2
"""Intervals until a change: one alone may be a slow record, a checkpoint, or the last change taking effect."""

MOST_PATIENCE = 64
"""Intervals, 32 s: where the best number lies between two whole ones, the pool swings between these twice a minute at
most, and a database that becomes faster still has its workers within that time."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What the feeder waited for in an interval, as shares of it, 0 to 1."""

    workers: float
    room: float


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many workers there are to be, and what of the past decides on the next change."""

    least: int
    most: int
    workers: int
    short: int = 0
    """Intervals in a row, up to now and since the last change, in which mapping was the bottleneck."""
    full: int = 0
    """The same for the queue being full."""
    retired: bool = False
    """The last change took a worker away."""
    patience: int = IN_A_ROW
    """Intervals in a row until one is added again after that: twice as many each time an addition was undone."""

    def after(self, waits: Waits) -> Scaling:
        """An interval later."""
        short = self.short + 1 if waits.workers > LIMITS else 0
        full = self.full + 1 if waits.room > LIMITS else 0
        if full >= IN_A_ROW and self.workers > self.least:
            return self._with_one_fewer()
        if short >= (self.patience if self.retired else IN_A_ROW) and self.workers < self.most:
            return self._with_one_more()
        return replace(self, short=short, full=full)

    def _with_one_fewer(self) -> Scaling:
        patience = self.patience if self.retired else min(2 * self.patience, MOST_PATIENCE)
        return Scaling(self.least, self.most, self.workers - 1, retired=True, patience=patience)

    def _with_one_more(self) -> Scaling:
        # Two additions with nothing taken away between them: the database has indeed become faster.
        patience = self.patience if self.retired else IN_A_ROW
        return Scaling(self.least, self.most, self.workers + 1, retired=False, patience=patience)


class Scaler:
    """A context in which a coordinator has as many workers as `Scaling` says; it must be feeding until the end."""

    def __init__(
        self,
        coordinator: ParallelCoordinator,
        scaling: Scaling,
        on_note: Callable[[str], object],
        interval: float = INTERVAL,
    ) -> None:
        """`on_note` is told, in a sentence for the user, why there are no more workers than there are."""
        self._coordinator = coordinator
        self._scaling = scaling
        self._on_note = on_note
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._scale, name="etl-scaler", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _scale(self) -> None:
        before = self._coordinator.feeder.seconds()
        while not self._over.wait(self._interval):
            now = self._coordinator.feeder.seconds()
            passed = sum(now.values()) - sum(before.values())
            waits = Waits(*((now[state] - before[state]) / passed for state in ("workers", "room")))
            before = now
            self._follow(self._scaling.after(waits))

    def _follow(self, wanted: Scaling) -> None:
        try:
            if wanted.workers != self._scaling.workers:
                self._coordinator.resize(wanted.workers)
        except OSError as error:
            self._on_note(
                f"The system does not start another worker ({error.strerror}): the load goes on with"
                f" {self._scaling.workers} of {self._scaling.most}."
            )
            wanted = replace(self._scaling, most=self._scaling.workers)
        self._scaling = wanted
