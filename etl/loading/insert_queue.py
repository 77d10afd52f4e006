"""The bounded queue between the workers and the insert threads, and the memory window around both.

The feeder reserves room for a split before it hands it out; the worker's result settles the reservation and enters
the queue (never blocking); an insert thread takes a whole batch; its commit gives the room back. So `max_bytes` bounds
everything between the source and the commit:

    reserve (feeder, may wait) -> put (engine's threads) -> take (insert threads, wait) -> release (after the commit)

A result may be larger than was reserved for it. It is accepted all the same, and the debt holds back the feeder alone:
what is in memory is at most max_bytes + (splits in flight) x (largest result). All waiting is on one Condition.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etl.messages import MappedBatch, Split

_RATIO_WEIGHT = 0.1
"""How fast the expected size of a result follows the latest ones: about the last ten count."""

SHARED_FROM = 2**20
"""Bytes of rows: the last batches become no smaller, so that all insert threads end at about the same time; COPY takes
some 20 ms for so many."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room in the memory window, taken for one split."""

    split: Split
    size: int
    """Bytes: the split's own and those expected of its rows."""


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A mapped split in the queue, with the split it came from."""

    split: Split
    mapped: MappedBatch
    arrived: float
    """Clock of `time.monotonic` when it entered the queue."""

    @property
    def size(self) -> int:
        """Bytes it holds in memory."""
        return self.split.size + self.mapped.size


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When the queue gives a batch to an insert thread: as soon as one of these is reached."""

    records: int
    row_bytes: int
    memory: int
    """Bytes of splits and rows together: a share of the window, so that some of it is always on its way back."""
    max_wait: float
    """Seconds since the oldest entry arrived."""
    threads: int = 1
    """Insert threads, among which the last entries are shared out."""


class QueueClosed(Exception):
    """Nothing more will come: normal for an insert thread, the end for a feeder."""


class InsertQueue:
    """See the module's docstring. Every method may be called from any thread."""

    def __init__(self, max_bytes: int, max_records: int | None, limits: BatchLimits) -> None:
        self._max_bytes = max_bytes
        self._max_records = max_records
        self._limits = limits
        self._changed = threading.Condition()
        self._entries: deque[QueuedBatch] = deque()
        self._entry_records = 0
        self._entry_row_bytes = 0
        self._entry_memory = 0
        self._used_bytes = 0
        self._used_records = 0
        self._began = self._used_since = time.monotonic()
        self._byte_seconds = 0.0
        self._most_bytes = 0
        self._mapping = 0
        self._feeder_waits = False
        self._closed = False
        self._error: BaseException | None = None
        self._output_ratio = 1.0

    def reserve(self, split: Split) -> Reservation:
        """Room for the split and its result; waits for it. Raises QueueClosed after `abort`.

        A split that would not even fit into the empty window is let in when nothing else is in it.
        """
        with self._changed:
            size = split.size + round(split.size * self._output_ratio)
            while not (self._error or self._fits(size, split.records)):
                self._feeder_waits = True
                self._changed.notify_all()
                self._changed.wait()
            self._feeder_waits = False
            if self._error:
                raise QueueClosed
            self._use(size, split.records)
            self._mapping += 1
            return Reservation(split, size)

    def put(self, reservation: Reservation, mapped: MappedBatch) -> None:
        """Settle the reservation with its result. Never waits; after `abort` the result is dropped."""
        split = reservation.split
        with self._changed:
            self._mapping -= 1
            entry = QueuedBatch(split, mapped, time.monotonic())
            self._use(entry.size - reservation.size, 0)
            if split.size:
                self._output_ratio += _RATIO_WEIGHT * (mapped.size / split.size - self._output_ratio)
            if self._error is None:
                self._entries.append(entry)
                self._count(entry, 1)
            self._changed.notify_all()

    def give_up(self, reservation: Reservation) -> None:
        """Return the room of a split that gave no result."""
        with self._changed:
            self._mapping -= 1
            self._use(-reservation.size, -reservation.split.records)
            self._changed.notify_all()

    def take(self) -> list[QueuedBatch]:
        """The next batch, at least one entry; waits for it. Raises QueueClosed when there will be none."""
        with self._changed:
            while not self._batch_ready():
                if self._error or (self._closed and not self._entries):
                    raise QueueClosed
                self._changed.wait(self._seconds_to_deadline())
            return self._pop_batch()

    def release(self, batch: Sequence[QueuedBatch]) -> None:
        """Give back the room of a committed batch."""
        with self._changed:
            self._use(-sum(entry.size for entry in batch), -sum(entry.split.records for entry in batch))
            self._changed.notify_all()

    def limit_row_bytes(self, row_bytes: int) -> None:
        """Bytes of rows in a batch from now on."""
        with self._changed:
            self._limits = replace(self._limits, row_bytes=row_bytes)
            self._changed.notify_all()

    def close(self) -> None:
        """No more results will come; insert threads take what is left, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self, error: BaseException) -> None:
        """End at once: everything that waits wakes with QueueClosed. The first error is kept."""
        with self._changed:
            self._error = self._error or error
            self._entries.clear()
            self._entry_records = self._entry_row_bytes = self._entry_memory = 0
            self._changed.notify_all()

    @property
    def error(self) -> BaseException | None:
        """What `abort` was called with first."""
        return self._error

    def usage(self) -> tuple[int, int]:
        """(records, bytes) now in the window, reservations included."""
        with self._changed:
            return self._used_records, self._used_bytes

    def use_so_far(self) -> tuple[float, int]:
        """(share of the window in use, the mean over the time until it last changed; bytes in it at most)."""
        with self._changed:
            seconds = self._used_since - self._began
            return (self._byte_seconds / seconds / self._max_bytes if seconds else 0.0), self._most_bytes

    def _use(self, size: int, records: int) -> None:
        """Count what enters the window, or leaves it."""
        now = time.monotonic()
        self._byte_seconds += self._used_bytes * (now - self._used_since)
        self._used_since = now
        self._used_bytes += size
        self._used_records += records
        self._most_bytes = max(self._most_bytes, self._used_bytes)

    def _fits(self, size: int, records: int) -> bool:
        if self._used_bytes == 0 and self._used_records == 0:
            return True
        if self._max_records is not None and self._used_records + records > self._max_records:
            return False
        return self._used_bytes + size <= self._max_bytes

    def _batch_ready(self) -> bool:
        if not self._entries or self._error:
            return False
        limits = self._limits
        return (
            self._closed
            or self._entry_records >= limits.records
            or self._entry_row_bytes >= limits.row_bytes
            or self._entry_memory >= limits.memory
            # The feeder waits for room that only a commit can give: writing less is better than waiting for more.
            or (self._feeder_waits and self._mapping == 0)
            or self._seconds_to_deadline() == 0
        )

    def _seconds_to_deadline(self) -> float | None:
        if not self._entries:
            return None
        return max(0.0, self._entries[0].arrived + self._limits.max_wait - time.monotonic())

    def _row_bytes_at_most(self) -> int:
        """Once nothing more will come, each insert thread leaves the others their share of what is left."""
        limits = self._limits
        if not self._closed:
            return limits.row_bytes
        return min(limits.row_bytes, max(SHARED_FROM, self._entry_row_bytes // limits.threads))

    def _pop_batch(self) -> list[QueuedBatch]:
        limits, most = self._limits, self._row_bytes_at_most()
        batch: list[QueuedBatch] = []
        records = row_bytes = memory = 0
        while self._entries:
            entry = self._entries[0]
            records += entry.split.records
            row_bytes += entry.mapped.size
            memory += entry.size
            if batch and (records > limits.records or row_bytes > most or memory > limits.memory):
                break
            batch.append(self._entries.popleft())
            self._count(entry, -1)
        return batch

    def _count(self, entry: QueuedBatch, sign: int) -> None:
        self._entry_records += sign * entry.split.records
        self._entry_row_bytes += sign * entry.mapped.size
        self._entry_memory += sign * entry.size
