"""The memory window and the batches of the InsertQueue."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable

import pytest

from etl.loading.insert_queue import SHARED_FROM, BatchLimits, InsertQueue, QueueClosed
from etl.messages import MappedBatch, Notices, PartCounts, Split, TupleRows

LIMITS = BatchLimits(records=1_000_000, row_bytes=1_000_000, memory=1_000_000, max_wait=60.0)


def split(number: int = 1, size: int = 100, records: int = 1) -> Split:
    return Split(number=number, parts=(), size=size, records=records)


def mapped(number: int = 1, size: int = 100) -> MappedBatch:
    return MappedBatch(
        split=number,
        tables=(TupleRows.of_columns([], array("I")),),
        counts=(PartCounts(1, 1, 0, 0),),
        rejects=(),
        size=size,
        busy=0.0,
        notices=Notices(),
    )


def queue(max_bytes: int = 1000, max_records: int | None = None, limits: BatchLimits = LIMITS) -> InsertQueue:
    return InsertQueue(max_bytes, max_records, limits)


class Started:
    """A call in a thread of its own: what it returned or raised, once it has."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], object]) -> None:
        try:
            self.result = call()
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def waits(self) -> bool:
        self._thread.join(0.05)
        return self._thread.is_alive()

    def join(self) -> Started:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self


def test_a_reservation_counts_the_split_and_as_much_again_for_its_rows() -> None:
    q = queue()
    q.reserve(split(size=100, records=7))
    assert q.usage() == (7, 200)


def test_the_expected_size_follows_the_results() -> None:
    q = queue(max_bytes=10**9)
    for _ in range(100):
        q.put(q.reserve(split(size=100)), mapped(size=5000))
    before = q.usage()[1]
    q.reserve(split(size=100))
    assert 4000 < q.usage()[1] - before - 100 <= 5000


def test_the_feeder_waits_for_room_and_gets_it_at_the_commit() -> None:
    q = queue(max_bytes=400)
    q.put(q.reserve(split(1)), mapped(1))
    q.put(q.reserve(split(2)), mapped(2))
    third = Started(lambda: q.reserve(split(3)))
    assert third.waits()
    batch = q.take()
    assert third.waits(), "room is given back by the commit, not by taking the batch"
    q.release(batch)
    third.join()
    assert third.error is None
    assert q.usage() == (1, 200)


def test_max_records_bounds_the_window_too() -> None:
    q = queue(max_records=10)
    q.reserve(split(1, size=1, records=8))
    second = Started(lambda: q.reserve(split(2, size=1, records=3)))
    assert second.waits()
    q.abort(RuntimeError())
    assert isinstance(second.join().error, QueueClosed)


def test_a_split_larger_than_the_window_is_let_in_when_the_window_is_empty() -> None:
    q = queue(max_bytes=10)
    first = q.reserve(split(1, size=1000))
    second = Started(lambda: q.reserve(split(2, size=1000)))
    assert second.waits()
    q.put(first, mapped(1))
    q.release(q.take())
    assert second.join().error is None


def test_a_result_larger_than_reserved_is_accepted_and_the_debt_holds_back_the_feeder() -> None:
    q = queue(max_bytes=1000)
    first, second = q.reserve(split(1)), q.reserve(split(2))
    q.put(first, mapped(1, size=50_000))
    q.put(second, mapped(2, size=50_000))
    assert q.usage() == (2, 100_200)
    third = Started(lambda: q.reserve(split(3, size=1)))
    assert third.waits()
    q.release(q.take())
    assert third.join().error is None


def test_a_batch_is_given_as_soon_as_it_has_the_records() -> None:
    q = queue(max_bytes=10**6, limits=BatchLimits(records=5, row_bytes=10**9, memory=10**9, max_wait=60.0))
    for number in (1, 2):
        q.put(q.reserve(split(number, records=2)), mapped(number))
    taking = Started(q.take)
    assert taking.waits()
    q.put(q.reserve(split(3, records=2)), mapped(3))
    taken = taking.join().result
    assert isinstance(taken, list)
    assert [entry.split.number for entry in taken] == [1, 2], "a batch has at most the limit's records"


def test_a_batch_is_given_as_soon_as_it_has_the_bytes() -> None:
    q = queue(max_bytes=10**6, limits=BatchLimits(records=10**9, row_bytes=300, memory=10**9, max_wait=60.0))
    q.put(q.reserve(split(1)), mapped(1, size=300))
    assert len(q.take()) == 1


def test_the_bytes_of_a_batch_change_from_one_to_the_next() -> None:
    q = queue(max_bytes=10**6, limits=BatchLimits(records=10**9, row_bytes=10**9, memory=10**9, max_wait=60.0))
    for number in range(6):
        q.put(q.reserve(split(number)), mapped(number, size=100))
    taking = Started(q.take)
    assert taking.waits()
    q.limit_row_bytes(200)
    taken = taking.join().result
    assert isinstance(taken, list)
    assert [entry.split.number for entry in taken] == [0, 1]
    q.limit_row_bytes(400)
    assert [entry.split.number for entry in q.take()] == [2, 3, 4, 5]


def test_a_trickle_is_given_after_max_wait() -> None:
    q = queue(limits=BatchLimits(records=10**9, row_bytes=10**9, memory=10**9, max_wait=0.05))
    began = time.monotonic()
    q.put(q.reserve(split(1)), mapped(1))
    assert len(q.take()) == 1
    assert time.monotonic() - began >= 0.05


def test_what_there_is_is_written_when_the_feeder_waits_and_nothing_is_being_mapped() -> None:
    q = queue(max_bytes=300)
    first = q.reserve(split(1))
    waiting = Started(lambda: q.reserve(split(2)))
    taking = Started(q.take)
    assert taking.waits()
    q.put(first, mapped(1))
    taken = taking.join().result
    assert isinstance(taken, list)
    q.release(taken)
    assert waiting.join().error is None


def test_closing_gives_what_is_left_then_ends() -> None:
    q = queue()
    q.put(q.reserve(split(1)), mapped(1))
    q.close()
    assert len(q.take()) == 1
    with pytest.raises(QueueClosed):
        q.take()


def test_what_is_left_at_the_end_is_shared_among_the_insert_threads() -> None:
    limits = BatchLimits(records=10**9, row_bytes=10**9, memory=10**9, max_wait=60.0, threads=2)
    q = queue(max_bytes=10**9, limits=limits)
    for number in range(16):
        q.put(q.reserve(split(number)), mapped(number, SHARED_FROM // 2))
    q.close()
    assert [len(q.take()) for _ in range(4)] == [8, 4, 2, 2], "and none is smaller than is worth a transaction"


def test_an_abort_wakes_everything_and_keeps_the_first_error() -> None:
    q = queue(max_bytes=200)
    reservation = q.reserve(split(1))
    feeder, inserter = Started(lambda: q.reserve(split(2))), Started(q.take)
    assert feeder.waits()
    assert inserter.waits()
    q.abort(ValueError("first"))
    q.abort(ValueError("second"))
    assert isinstance(feeder.join().error, QueueClosed)
    assert isinstance(inserter.join().error, QueueClosed)
    assert str(q.error) == "first"
    q.put(reservation, mapped(1))
    with pytest.raises(QueueClosed):
        q.take()


def test_a_split_without_a_result_gives_its_room_back() -> None:
    q = queue()
    q.give_up(q.reserve(split(1)))
    assert q.usage() == (0, 0)


def test_nothing_is_lost_or_twice_between_many_threads() -> None:
    q = queue(max_bytes=5000, limits=BatchLimits(records=7, row_bytes=10**9, memory=10**9, max_wait=0.01))
    seen: list[int] = []

    def insert() -> None:
        while True:
            try:
                batch = q.take()
            except QueueClosed:
                return
            seen.extend(entry.split.number for entry in batch)
            q.release(batch)

    inserters = [Started(insert) for _ in range(3)]
    for number in range(2000):
        q.put(q.reserve(split(number)), mapped(number))
    q.close()
    for inserter in inserters:
        assert inserter.join().error is None
    assert sorted(seen) == list(range(2000))
    assert q.usage() == (0, 0)


def test_the_use_of_the_window_is_the_mean_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    q = queue(max_bytes=1000)
    first = q.reserve(split(1, size=100))  # and as much for its rows
    now[0] += 3.0
    q.put(first, mapped(1, size=700))
    now[0] += 1.0
    q.close()
    q.release(q.take())
    mean, most = q.use_so_far()
    assert mean == pytest.approx((3 * 200 + 1 * 800) / 4 / 1000)
    assert most == 800
    now[0] += 100.0
    assert q.use_so_far() == (mean, most), "what comes after the last change is no part of the load"
