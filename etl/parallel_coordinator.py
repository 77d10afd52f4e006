"""Keeps the workers fed and moves their results to the queue; on a fatal error stops everything.

Two windows bound the flow. The work window: workers x prefetch splits are handed out, and a slot is free again when
its result has entered the queue, so a worker never waits for the database and never for a batch to be full. The
memory window (`InsertQueue.reserve`): bytes not committed yet. Only the feeder ever waits for either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from etl.engines.base import Engine
from etl.loading.insert_queue import InsertQueue, QueueClosed, Reservation
from etl.measuring import StateClock
from etl.messages import MappedBatch, Split
from etl.metrics import PoolStats, StageTimes


class ParallelCoordinator:
    """Runs splits through an engine into a queue.

    `run` is called by one thread, the feeder; all else by any.
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
        self._over = False
        self._waits_for_room = False
        self._worker_seconds = 0.0
        self._pool = StateClock("there", engine.workers)
        self._free = StateClock("idle", engine.workers)
        """Workers that have nothing in hand: `waiting` while there is no room for what they would make, else `idle`."""
        self.most_workers = engine.workers
        """At once."""
        self.feeder = StateClock("reading")
        """What the feeder is at: `reading` (with decompressing and cutting), waiting for `workers` or for `room` in the
        memory window, and when all is mapped for the last `commits`. What it waits for most is what limits the load."""

    def run(self, splits: Iterable[Split]) -> bool:
        """Feed all splits and wait until their results are in the queue.

        True when every split was fed; False when `stop` or `fail` came before. Errors of `splits` (SourceError) are
        raised after the results of what came before are in the queue.
        """
        try:
            for split in splits:
                if not self._feed(split):
                    return False
                self._now_at("reading")
            return not self._stopping
        finally:
            self._now_at("workers")
            # After a failure nobody wants the results, and a worker may take long over its last one.
            self._wait_until(lambda: self._in_flight == 0 or self._queue.error is not None)
            self._now_at("commits")

    def resize(self, workers: int) -> None:
        """Have this many workers from now on, as `Engine.resize`. Raises OSError."""
        self._engine.resize(workers)
        with self._changed:
            if not self._over:
                self.most_workers = max(self.most_workers, self._engine.workers)
                self._pool.enter("there", self._engine.workers)
                self._count_free()
            self._changed.notify_all()

    def over(self) -> None:
        """All is committed: the time of feeder and workers ends."""
        with self._changed:
            self._over = True
            for clock in (self.feeder, self._pool, self._free):
                clock.enter(None)

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
        return PoolStats(
            workers=self._engine.workers,
            busy=self._engine.busy(),
            splits_in_flight=self._in_flight,
            queued_records=records,
            queued_bytes=used,
            queue_fill=used / self._max_bytes,
        )

    def mapping_times(self) -> StageTimes:
        """What the workers did with their time, all together."""
        available, waiting = self._pool.seconds()["there"], self._free.seconds()["waiting"]
        busy = min(self._worker_seconds, available)
        return StageTimes(busy, waiting=min(waiting, available - busy), idle=max(0.0, available - busy - waiting))

    def _feed(self, split: Split) -> bool:
        """Hand one split out; False when the load is ending."""
        self._now_at("room")
        try:
            reservation = self._queue.reserve(split)
        except QueueClosed:
            return False
        self._now_at("workers")
        self._wait_until(lambda: self._in_flight < self._engine.slots or self._stopping)
        with self._changed:
            if self._stopping:
                self._queue.give_up(reservation)
                return False
            self._in_flight += 1
            self._count_free()
        try:
            future = self._engine.submit(split)
        except BaseException:
            self._queue.give_up(reservation)
            with self._changed:
                self._in_flight -= 1
                self._count_free()
            raise
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
            self._count_free()
            if error is None and not done.cancelled():
                self._worker_seconds += done.result().busy
            self._changed.notify_all()

    def _now_at(self, state: str) -> None:
        with self._changed:
            self.feeder.enter(state)
            self._waits_for_room = state == "room"
            self._count_free()

    def _count_free(self) -> None:
        """Called with the lock, whenever what it depends on has changed."""
        if self._over:
            return
        free = max(0, self._engine.workers - self._in_flight)
        self._free.enter("waiting" if self._waits_for_room else "idle", free)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(condition)
