"""The two windows of the ParallelCoordinator, with a real engine and a real queue."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator

import pytest

from etl.engines.base import RunSplit, WorkerSetup
from etl.engines.inline import InlineEngine
from etl.engines.threads import ThreadEngine
from etl.errors import SourceError
from etl.loading.insert_queue import BatchLimits, InsertQueue, QueueClosed
from etl.mapping.model import Mapping
from etl.messages import MappedBatch, Notices, Split, TupleRows
from etl.parallel_coordinator import ParallelCoordinator

SETUP = WorkerSetup(mapping=Mapping(tables=(), label="m", text=""), row_format="tuples", sources=())
LIMITS = BatchLimits(records=10, row_bytes=10**9, memory=10**9, max_wait=0.01)


def worker(run: Callable[[Split], int]) -> Callable[[WorkerSetup], RunSplit]:
    def run_split(split: Split) -> MappedBatch:
        size = run(split)
        return MappedBatch(split.number, (TupleRows.of_columns([], array("I")),), (), (), size, 0.001, Notices())

    return lambda setup: run_split


def splits(count: int, size: int = 100) -> list[Split]:
    return [Split(number, (), size, 1) for number in range(count)]


class Pool:
    """A coordinator over threads and a queue that a test empties by hand."""

    def __init__(self, run: Callable[[Split], int], workers: int = 2, prefetch: int = 2, max_bytes: int = 10**9):
        self.queue = InsertQueue(max_bytes, None, LIMITS)
        self.engine = ThreadEngine(worker(run), SETUP, workers, prefetch)
        self.coordinator = ParallelCoordinator(self.engine, self.queue, max_bytes)
        _POOLS.append(self)

    def start(self, source: object) -> threading.Thread:
        thread = threading.Thread(target=lambda: self.coordinator.run(source), daemon=True)  # type: ignore[arg-type]
        thread.start()
        return thread

    def drain(self) -> list[int]:
        self.queue.close()
        numbers: list[int] = []
        while True:
            try:
                batch = self.queue.take()
            except QueueClosed:
                return numbers
            numbers += [entry.split.number for entry in batch]
            self.queue.release(batch)


_POOLS: list[Pool] = []
"""What the running test has made."""


@pytest.fixture(autouse=True)
def _workers_end() -> Iterator[None]:
    yield
    while _POOLS:
        _POOLS.pop().engine.close(cancel=True)


def test_every_split_reaches_the_queue_once() -> None:
    pool = Pool(lambda split: 1)
    assert pool.coordinator.run(splits(500))
    assert sorted(pool.drain()) == list(range(500))
    assert pool.coordinator.stats().splits_in_flight == 0


def test_never_more_in_flight_than_workers_times_prefetch() -> None:
    gate = threading.Semaphore(0)
    taken = []

    def source() -> Iterator[Split]:
        for split in splits(50):
            taken.append(split.number)
            yield split

    def run(split: Split) -> int:
        gate.acquire()
        return 1

    pool = Pool(run, workers=2, prefetch=3)
    thread = pool.start(source())
    wait_for(lambda: len(taken) == 7)
    time.sleep(0.05)
    assert pool.coordinator.stats().splits_in_flight == 6
    assert len(taken) == 7, "one split is cut ahead while all slots are taken"
    gate.release()
    wait_for(lambda: len(taken) == 8)  # one slot free: refilled at once, without waiting for the others
    for _ in range(49):
        gate.release()
    thread.join(10)
    assert not thread.is_alive()


def test_workers_never_wait_for_the_database_until_the_window_is_full() -> None:
    pool = Pool(lambda split: 100, max_bytes=10_000)
    thread = pool.start(splits(500))
    wait_for(lambda: pool.coordinator.stats().queue_fill > 0.95)
    assert thread.is_alive()
    wait_for(lambda: pool.coordinator.stats().busy == 0)
    fill = pool.coordinator.stats()
    assert fill.queued_bytes <= 10_000 + 4 * 200
    numbers, _ = drain_while(pool, thread)
    assert sorted(numbers) == list(range(500))


def test_a_result_a_hundred_times_its_split_does_not_hang_and_is_bounded() -> None:
    pool = Pool(lambda split: 10_000, workers=2, prefetch=2, max_bytes=50_000)
    numbers, peak = drain_while(pool, pool.start(splits(300)))
    assert sorted(numbers) == list(range(300))
    assert peak <= 50_000 + 4 * 10_100


def test_a_worker_more_is_fed_at_once_and_one_fewer_answers_first() -> None:
    gate = threading.Semaphore(0)

    def run(split: Split) -> int:
        gate.acquire()
        return 1

    pool = Pool(run, workers=1, prefetch=2)
    thread = pool.start(splits(50))
    wait_for(lambda: pool.coordinator.stats().splits_in_flight == 2)
    pool.coordinator.resize(3)
    wait_for(lambda: pool.coordinator.stats().splits_in_flight == 6)
    pool.coordinator.resize(1)
    assert pool.coordinator.stats().workers == 1
    for _ in range(50):
        gate.release()
    thread.join(10)
    assert not thread.is_alive()
    assert sorted(pool.drain()) == list(range(50))
    assert pool.coordinator.most_workers == 3


def test_the_time_of_workers_that_come_and_go_is_counted_while_they_are_there() -> None:
    pool = Pool(lambda split: 1, workers=1)
    pool.coordinator.resize(100)
    time.sleep(0.05)
    pool.coordinator.run(splits(3))
    pool.coordinator.over()
    pool.coordinator.resize(2)
    times = pool.coordinator.mapping_times()
    assert times.busy + times.waiting + times.idle > 100 * 0.05
    assert pool.coordinator.mapping_times() == times, "it is over, whatever comes"


def test_stop_finishes_what_is_in_hand_and_feeds_no_more() -> None:
    pool = Pool(lambda split: 1)
    endless = (Split(number, (), 1, 1) for number in range(10**9))
    thread = pool.start(endless)
    wait_for(lambda: pool.queue.usage()[0] > 20)
    pool.coordinator.stop()
    thread.join(10)
    assert not thread.is_alive()
    fed = next(endless).number
    numbers = pool.drain()
    assert sorted(numbers) == list(range(len(numbers)))
    assert fed - len(numbers) in (0, 1), "at most the split that was just cut is not fed"


def test_a_failure_wakes_a_feeder_that_waits_for_room() -> None:
    pool = Pool(lambda split: 100, max_bytes=1000)
    thread = pool.start(splits(500))
    wait_for(lambda: pool.coordinator.stats().queue_fill > 0.7)
    pool.coordinator.fail(RuntimeError("the database is gone"))
    thread.join(5)
    assert not thread.is_alive()
    assert str(pool.queue.error) == "the database is gone"


def test_a_failing_worker_fails_the_load_with_its_own_error() -> None:
    def run(split: Split) -> int:
        if split.number == 3:
            raise ZeroDivisionError("a defect")
        return 1

    pool = Pool(run)
    assert not pool.coordinator.run(splits(100_000))
    assert isinstance(pool.queue.error, ZeroDivisionError)


def test_a_failing_worker_is_told_to_whoever_can_end_the_whole_load() -> None:
    def run(split: Split) -> int:
        raise ZeroDivisionError("a defect")

    told: list[BaseException] = []
    queue = InsertQueue(10**9, None, LIMITS)
    coordinator = ParallelCoordinator(InlineEngine(worker(run), SETUP), queue, 10**9, told.append)
    coordinator.run(splits(1))
    assert [str(error) for error in told] == ["a defect"]


def test_an_engine_that_takes_no_split_does_not_hang_the_load() -> None:
    pool = Pool(lambda split: 1)
    pool.engine.close()
    with pytest.raises(RuntimeError):
        pool.coordinator.run(splits(3))
    assert pool.queue.usage() == (0, 0)


def test_a_source_that_breaks_loses_nothing_before_the_break() -> None:
    def source() -> Iterator[Split]:
        yield from splits(10)
        raise SourceError("broken")

    pool = Pool(lambda split: 1)
    with pytest.raises(SourceError, match="broken"):
        pool.coordinator.run(source())
    assert sorted(pool.drain()) == list(range(10))


def test_the_inline_engine_feeds_too() -> None:
    queue = InsertQueue(10**9, None, LIMITS)
    engine = InlineEngine(worker(lambda split: 1), SETUP)
    coordinator = ParallelCoordinator(engine, queue, 10**9)
    assert coordinator.run(splits(50))
    assert queue.usage()[0] == 50
    assert coordinator.stats().workers == 1


def test_the_workers_time_is_what_they_were_busy_and_what_they_were_not() -> None:
    pool = Pool(lambda split: 1, workers=2)
    assert pool.coordinator.run(splits(3))
    pool.coordinator.over()
    times = pool.coordinator.mapping_times()
    assert times.busy > 0
    assert times.waiting >= 0
    assert times.idle >= 0
    assert times == pool.coordinator.mapping_times()  # it stands still when all is committed


def drain_while(pool: Pool, feeder: threading.Thread) -> tuple[list[int], int]:
    """Empty the queue until the feeder has ended: the splits' numbers, and the most bytes seen in the window."""
    numbers: list[int] = []
    peak = 0

    def insert() -> None:
        nonlocal peak
        while True:
            peak = max(peak, pool.queue.usage()[1])
            try:
                batch = pool.queue.take()
            except QueueClosed:
                return
            numbers.extend(entry.split.number for entry in batch)
            pool.queue.release(batch)

    inserter = threading.Thread(target=insert, daemon=True)
    inserter.start()
    feeder.join(30)
    pool.queue.close()
    inserter.join(30)
    assert not feeder.is_alive()
    assert not inserter.is_alive()
    return numbers, peak


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 s in vain"
        time.sleep(0.001)
