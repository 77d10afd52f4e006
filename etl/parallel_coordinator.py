"""Keeps the workers fed and moves their results to the queue; on a fatal error stops everything.

Two windows bound the flow. The work window: workers x prefetch splits are handed out, and a slot is free again when
its result has entered the queue, so a worker never waits for the database and never for a batch to be full. The
memory window (`InsertQueue.reserve`): bytes not committed yet. Only the feeder ever waits for either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from etl.engines.base import Engine
from etl.loading.insert_queue import InsertQueue, QueueClosed, Reservation
from etl.messages import MappedBatch, Split
from etl.metrics import PoolStats


@dataclass(slots=True)
class FeederTimes:
    """Where the feeder's time went, in seconds; what it waited for most is what limits the load."""

    reading: float = 0.0
    """Reading, decompressing and cutting the source (waiting for the read-ahead included)."""
    mapping: float = 0.0
    """Waiting for a free worker."""
    writing: float = 0.0
    """Waiting for room in the memory window, that is for a commit, and in the end for the last commits."""
    mapped_at: float | None = None
    """Clock of `time.monotonic` since when only commits are waited for; None before, and when all is over."""

    def all_committed(self) -> None:
        """Nothing is waited for any more."""
        if self.mapped_at is not None:
            self.writing += time.monotonic() - self.mapped_at
            self.mapped_at = None

    def bottleneck(self) -> str:
        """The stage that limits, and what to turn."""
        writing = self.writing + (time.monotonic() - self.mapped_at if self.mapped_at is not None else 0.0)
        longest = max(self.reading, self.mapping, writing)
        if longest == 0.0:
            return "nothing yet"
        if longest == self.mapping:
            return "mapping (more workers.count helps while there are idle cores)"
        if longest == writing:
            return "writing (the database; try insert.threads, insert.batch_bytes, keys: after)"
        return "reading (source and splitter)"


class ParallelCoordinator:
    """Runs splits through an engine into a queue.

    `run` is called by one thread, the feeder; `stop`, `fail` and `stats` by any.
    """

    def __init__(
        self,
        engine: Engine,
        queue: InsertQueue,
        max_bytes: int,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`on_error` ends the whole load where a worker fails, this coordinator (`fail`) included."""
        self._on_error = on_error or self.fail
        self._engine = engine
        self._queue = queue
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._in_flight = 0
        self._stopping = False
        self._began = time.monotonic()
        self._ended: float | None = None
        self._worker_seconds = 0.0
        self.times = FeederTimes()

    def run(self, splits: Iterable[Split]) -> bool:
        """Feed all splits and wait until their results are in the queue.

        True when every split was fed; False when `stop` or `fail` came before. Errors of `splits` (SourceError) are
        raised after the results of what came before are in the queue.
        """
        began = time.monotonic()
        try:
            for split in splits:
                self.times.reading += time.monotonic() - began
                if not self._feed(split):
                    return False
                began = time.monotonic()
            return not self._stopping
        finally:
            # After a failure nobody wants the results, and a worker may take long over its last one.
            self._wait_until(lambda: self._in_flight == 0 or self._queue.error is not None)
            self._ended = self.times.mapped_at = time.monotonic()

    def stop(self) -> None:
        """Hand out no more splits; what is in hand is finished and committed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End at once with this error; everything that waits wakes. The first error is the load's."""
        self._queue.abort(error)
        self.stop()

    def stats(self) -> PoolStats:
        """The pool and the queue now."""
        records, used = self._queue.usage()
        available = self._engine.workers * ((self._ended or time.monotonic()) - self._began)
        return PoolStats(
            workers=self._engine.workers,
            busy=self._engine.busy(),
            idle_share=max(0.0, 1.0 - self._worker_seconds / available) if available else 0.0,
            splits_in_flight=self._in_flight,
            queued_records=records,
            queued_bytes=used,
            queue_fill=used / self._max_bytes,
        )

    def _feed(self, split: Split) -> bool:
        """Hand one split out; False when the load is ending."""
        try:
            reservation, waited = self._queue.reserve(split)
        except QueueClosed:
            return False
        self.times.writing += waited
        began = time.monotonic()
        self._wait_until(lambda: self._in_flight < self._engine.slots or self._stopping)
        with self._changed:
            if self._stopping:
                self._queue.give_up(reservation)
                return False
            self._in_flight += 1
        try:
            future = self._engine.submit(split)
        except BaseException:
            self._queue.give_up(reservation)
            with self._changed:
                self._in_flight -= 1
            raise
        self.times.mapping += time.monotonic() - began
        future.add_done_callback(lambda done: self._settle(reservation, done))
        return True

    def _settle(self, reservation: Reservation, done: Future[MappedBatch]) -> None:
        """Move a result into the queue, then free its slot; runs on the engine's thread."""
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            self._queue.give_up(reservation)
        else:
            self._queue.put(reservation, done.result())
        if error is not None:
            self._on_error(error)
        with self._changed:
            self._in_flight -= 1
            if error is None and not done.cancelled():
                self._worker_seconds += done.result().busy
            self._changed.notify_all()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(condition)
