"""Showing a running load to a person: plain lines, or nothing; a terminal's bar is in `progress_bar`.

In: a function that gives a `Snapshot`, asked a few times a second on a thread of its own, and notes from any thread.
Out: text. Whatever goes wrong here is logged and ends the display, never the load; no caller ever waits for a terminal.
"""

from __future__ import annotations

import logging
import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from etl.bottleneck import limiting_stage
from etl.metrics import Snapshot

logger = logging.getLogger("etl.progress")

SnapshotSource = Callable[[], Snapshot]


class Progress(Protocol):
    """What a load tells about itself while it runs. No method blocks on output, and none raises."""

    def start(self, snapshot: SnapshotSource) -> None:
        """Begin to show; `snapshot` is called on another thread, until `stop`. After that it may begin again."""

    def note(self, sentence: str) -> None:
        """Show a sentence once, from any thread; before `start` at once."""

    def stop(self) -> None:
        """Show what is left to show and end; safe to call twice, and without `start`."""


class SilentProgress:
    """Shows nothing."""

    def start(self, snapshot: SnapshotSource) -> None:
        pass

    def note(self, sentence: str) -> None:
        pass

    def stop(self) -> None:
        pass


class SeveralProgresses:
    """Tells each of several: the terminal and a log, say."""

    def __init__(self, *members: Progress) -> None:
        self._members = members

    def start(self, snapshot: SnapshotSource) -> None:
        for member in self._members:
            member.start(snapshot)

    def note(self, sentence: str) -> None:
        for member in self._members:
            member.note(sentence)

    def stop(self) -> None:
        for member in self._members:
            member.stop()


class ThreadedProgress(ABC):
    """The thread, and the notes waiting for it; for what puts out `_write` and `_show`, called by one thread at a time.

    `_rates` has followed every snapshot that is shown.
    """

    _INTERVAL = 0.25
    """Seconds between two looks: as often as an eye follows, and far from costing anything."""
    _STOP_WAIT = 2.0
    """Seconds that `stop` waits for a terminal that takes no output (Ctrl-S), at most."""

    def __init__(self) -> None:
        self._notes: deque[str] = deque()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._rates = Rates()

    def start(self, snapshot: SnapshotSource) -> None:
        if self._thread is not None:  # it still waits for a terminal that takes no output
            return
        self._ended = threading.Event()
        self._rates = Rates()
        self._thread = threading.Thread(
            target=self._run, args=(snapshot, self._ended), name="etl-progress", daemon=True
        )
        self._thread.start()

    def note(self, sentence: str) -> None:
        self._notes.append(sentence)
        if self._thread is None:
            self._contained(self._write_notes)

    def stop(self) -> None:
        self._ended.set()
        if self._thread is None:
            self._contained(self._write_notes)
        else:
            self._thread.join(self._STOP_WAIT)
            self._thread = self._thread if self._thread.is_alive() else None

    def _run(self, snapshot: SnapshotSource, ended: threading.Event) -> None:
        self._contained(lambda: self._show_until(ended, snapshot))
        ended.wait()
        self._contained(self._close)
        self._contained(self._write_notes)

    def _show_until(self, ended: threading.Event, snapshot: SnapshotSource) -> None:
        while not ended.wait(self._INTERVAL):
            now = snapshot()
            self._rates.update(now)
            self._write_notes()
            self._show(now)

    def _write_notes(self) -> None:
        while self._notes:
            self._write(self._notes.popleft())

    def _contained(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            logger.exception("The progress display ended early; the load is not affected.")

    @abstractmethod
    def _write(self, sentence: str) -> None:
        """Put out a sentence."""

    @abstractmethod
    def _show(self, now: Snapshot) -> None:
        """Put out how far the load is."""

    @abstractmethod
    def _close(self) -> None:
        """Put the display away."""


class LineProgress(ThreadedProgress):
    """Plain lines, at growing intervals so that the log of a long load stays short."""

    _WAITS = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
    """Seconds before each line; the last one repeats."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._sink = write

    def start(self, snapshot: SnapshotSource) -> None:
        self._lines = 0
        self._due = self._WAITS[0]
        super().start(snapshot)

    def _write(self, sentence: str) -> None:
        self._sink(sentence)

    def _show(self, now: Snapshot) -> None:
        if now.seconds < self._due:
            return
        self._lines += 1
        self._due = now.seconds + self._WAITS[min(self._lines, len(self._WAITS) - 1)]
        self._sink(
            ", ".join(
                [
                    *describe_position(now),
                    *describe_counts(now, self._rates),
                    *describe_flow(now),
                    *describe_remaining(now, self._rates),
                ]
            )
        )

    def _close(self) -> None:
        """A line stays."""


class Rates:
    """Smoothed speeds: bytes of the source a second, records a second.

    An exponential average over about `WINDOW` seconds, corrected for its start from zero, so that the first second is
    worth its own speed and a resumed load, which flies over what it has already, soon shows the true one.
    """

    WINDOW = 15.0

    def __init__(self) -> None:
        self._seconds = 0.0
        self._position = 0
        self._records = 0
        self._source_bytes = 0.0
        self._record_rate = 0.0

    def update(self, now: Snapshot) -> None:
        elapsed = now.seconds - self._seconds
        if elapsed <= 0:
            return
        weight = 1 - math.exp(-elapsed / self.WINDOW)
        self._source_bytes += weight * ((now.position - self._position) / elapsed - self._source_bytes)
        self._record_rate += weight * ((now.records - self._records) / elapsed - self._record_rate)
        self._seconds, self._position, self._records = now.seconds, now.position, now.records

    @property
    def records_per_minute(self) -> float:
        return 60 * self._record_rate / self._correction()

    def seconds_left(self, now: Snapshot) -> float | None:
        """Seconds until the source is consumed; None where nothing tells."""
        speed = self._source_bytes / self._correction()
        if now.total is None or speed <= 0 or now.position >= now.total:
            return None
        return (now.total - now.position) / speed

    def _correction(self) -> float:
        return 1 - math.exp(-self._seconds / self.WINDOW) or 1.0


def describe_position(now: Snapshot) -> list[str]:
    """How much of the sources is read."""
    if not now.total:
        return [f"{format_bytes(now.position)} read"]
    share = min(now.position / now.total, 1.0)
    return [f"{share:4.0%} of {format_bytes(now.total)}"]


def describe_counts(now: Snapshot, rates: Rates) -> list[str]:
    """Records, and what became of them; nothing before the first is read."""
    if now.pool is None:
        return []
    counts = [f"{now.records:,} records, {rates.records_per_minute:,.0f} records/min"]
    counts += [f"{now.rejected:,} rejected"] if now.rejected else []
    counts += [f"{now.discarded:,} discarded"] if now.discarded else []
    return counts


def describe_flow(now: Snapshot) -> list[str]:
    """What goes on, how full the queue is, and what limits."""
    if now.pool is None:
        return [now.activity]
    queue = f"queue {now.pool.queue_fill:.0%} full"
    if now.activity != "loading":
        return [now.activity, queue]
    stage = limiting_stage(now.metrics) if now.metrics is not None else None
    # The numbers and what to turn are for the summary: too long for a line that changes.
    return [queue, *([f"bottleneck: {stage}"] if stage else [])]


def describe_remaining(now: Snapshot, rates: Rates) -> list[str]:
    """How long it will take; nothing where nothing tells."""
    seconds = rates.seconds_left(now)
    return [] if seconds is None else [f"{format_duration(seconds)} left"]


def format_bytes(number: float) -> str:
    """``950 bytes``, ``1.2 MB``, ``34 GB``: decimal units, as disks and networks count."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 999.5:
            break
        number, unit = number / 1000, larger
    return f"{number:.1f} {unit}" if number < 9.95 and unit != "bytes" else f"{number:.0f} {unit}"


def format_duration(seconds: float) -> str:
    """``0.4 s``, ``59 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_list(names: Sequence[str], shown: int = 12) -> str:
    """``a, b, c and 1,234 more``: as many names as are read."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest > 0 else "")
