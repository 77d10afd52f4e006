"""One pass over tasks whose length is known, through an engine into a queue that is emptied at once.

In: how long each task takes, and the way they are handed out. Out: how long all took, what each waited, and how many
workers were busy meanwhile. For `benchmark_feeding`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from etl.engines.base import Engine
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.loading.insert_queue import BatchLimits, InsertQueue, QueueClosed, Reservation
from etl.measuring import Durations
from etl.messages import MappedBatch, Split
from etl.metrics import Percentiles
from etl.parallel_coordinator import ParallelCoordinator
from performance_tuning.benchmarks.common.dumps import SEED
from performance_tuning.benchmarks.feeding.timed_worker import SETUP, make_worker, task

_LIMITS = BatchLimits(records=1, row_bytes=1, memory=1, max_wait=0.0)
"""Whatever comes is taken at once: a database that takes no time."""
_ROOM = 2**30
_SAMPLE_SECONDS = 0.005
"""Half of the shortest wait that a comparison of 10 ms tasks is about."""
_LEAST, _MOST = 0.1, 10.0
"""Times the mean: how long an uneven task is, at least and at most."""


class LostTasks(Exception):
    """Not every task came through once."""


@dataclass(frozen=True)
class Feeding:
    """What came of one pass."""

    wall: float
    """Seconds."""
    latency: Percentiles
    """From the hand-over to a worker until the result is in the queue."""
    busy: tuple[int, ...]
    """Workers with a task in hand, sampled every 5 ms."""

    @property
    def mean_busy(self) -> float:
        return sum(self.busy) / len(self.busy) if self.busy else 0.0

    def share_at(self, workers: int) -> float:
        """Of the time in which so many were busy, 0 to 1."""
        return self.busy.count(workers) / len(self.busy) if self.busy else 0.0


def even(tasks: int, seconds: float) -> list[float]:
    """All take as long."""
    return [seconds] * tasks


def uneven(tasks: int, seconds: float) -> list[float]:
    """From a tenth of `seconds` to ten times as long, many short and few long ones; their sum is that of even ones."""
    rng = random.Random(SEED)
    drawn = [min(_MOST, max(_LEAST, rng.lognormvariate(-0.8, 1.3))) for _ in range(tasks)]
    return [each * seconds * tasks / sum(drawn) for each in drawn]


class _Noting(Engine):
    """Notes when a task was handed over."""

    def __init__(self) -> None:
        self.handed_over: dict[int, float] = {}
        """Clock of `time.monotonic` by number."""

    def submit(self, split: Split) -> Future[MappedBatch]:
        self.handed_over[split.number] = time.monotonic()
        return super().submit(split)  # type: ignore[safe-super]


class NotingProcesses(_Noting, ProcessEngine):
    """Worker processes."""

    def __init__(self, workers: int) -> None:
        _Noting.__init__(self)
        ProcessEngine.__init__(self, "performance_tuning.benchmarks.feeding.timed_worker", SETUP, workers, prefetch=1)


class NotingThreads(_Noting, ThreadEngine):
    """Worker threads."""

    def __init__(self, workers: int) -> None:
        _Noting.__init__(self)
        ThreadEngine.__init__(self, make_worker, SETUP, workers, prefetch=1)


ENGINES: dict[str, Callable[[int], NotingProcesses | NotingThreads]] = {
    "process": NotingProcesses,
    "thread": NotingThreads,
}


def continuous(engine: Engine, queue: InsertQueue, tasks: Sequence[Split]) -> None:
    """As a load does: a slot that is free is filled at once."""
    ParallelCoordinator(engine, queue, _ROOM).run(tasks)


def batch_and_wait(engine: Engine, queue: InsertQueue, tasks: Sequence[Split]) -> None:
    """As many as there are slots, and the next ones when all of these have come back."""

    def hand_over(each: Split) -> Future[MappedBatch]:
        reservation = queue.reserve(each)
        future = engine.submit(each)
        future.add_done_callback(lambda done: _put(queue, reservation, done))
        return future

    for first in range(0, len(tasks), engine.slots):
        wait([hand_over(each) for each in tasks[first : first + engine.slots]])


Way = Callable[[Engine, InsertQueue, Sequence[Split]], None]


def feed(way: Way, engine: NotingProcesses | NotingThreads, seconds: Sequence[float]) -> Feeding:
    """Hand out a task for each of `seconds`. Raises LostTasks."""
    tasks = [task(number, each) for number, each in enumerate(seconds)]
    queue = InsertQueue(_ROOM, None, _LIMITS)
    taker, sampler = _Taker(queue), _Sampler(engine)
    taker.start()
    sampler.start()
    began = time.monotonic()
    try:
        way(engine, queue, tasks)
        wall = time.monotonic() - began
    finally:
        queue.close()
        sampler.stop()
        taker.join()
    came = Counter(number for number, _ in taker.arrivals)
    if lost := len(tasks) - len(came):
        raise LostTasks(f"{lost:,} of {len(tasks):,} tasks did not come through.")
    if twice := sum(times > 1 for times in came.values()):
        raise LostTasks(f"{twice:,} of {len(tasks):,} tasks came through more than once.")
    latency = Durations()
    for number, arrived in taker.arrivals:
        latency.add(arrived - engine.handed_over[number])
    return Feeding(wall, latency.percentiles(), tuple(sampler.busy))


def _put(queue: InsertQueue, reservation: Reservation, done: Future[MappedBatch]) -> None:
    queue.put(reservation, done.result())


class _Taker(threading.Thread):
    """In the place of an insert thread."""

    def __init__(self, queue: InsertQueue) -> None:
        super().__init__(name="taker", daemon=True)
        self._queue = queue
        self.arrivals: list[tuple[int, float]] = []
        """Number and clock of `time.monotonic` of every result."""

    def run(self) -> None:
        while True:
            try:
                batch = self._queue.take()
            except QueueClosed:
                return
            for entry in batch:
                self.arrivals.append((entry.split.number, entry.arrived))
            self._queue.release(batch)


class _Sampler(threading.Thread):
    """Looks how many workers are busy, until it is stopped."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="busy sampler", daemon=True)
        self._engine = engine
        self._stopped = threading.Event()
        self.busy: list[int] = []

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            self.busy.append(self._engine.busy())

    def stop(self) -> None:
        self._stopped.set()
        self.join()
