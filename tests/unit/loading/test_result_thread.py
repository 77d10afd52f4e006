"""Callbacks and the tally, on the result thread."""

from __future__ import annotations

import threading

import pytest

from etl.errors import CallbackError
from etl.loading.result_thread import OnBatch, OnReject, ResultThread, Tally
from etl.messages import Committed, Notices, RejectedRecord

REJECT = RejectedRecord(1, 10, 2, 3, "bad_value", "no", raw=b"<a/>", length=4)


def committed(records: int = 3, rejects: tuple[RejectedRecord, ...] = (), notices: Notices | None = None) -> Committed:
    return Committed(
        records=records,
        loaded=records - len(rejects),
        rejected=len(rejects),
        discarded=0,
        rows=(records, 2),
        source_bytes=100,
        row_bytes=1000,
        seconds=0.1,
        commit_seconds=0.025,
        rejects=rejects,
        notices=(notices or Notices(),),
        splits=(1,),
        duplicates=0,
    )


class Running:
    def __init__(self, on_batch: OnBatch | None = None, on_reject: OnReject | None = None) -> None:
        self.tally = Tally(rows=[0, 0])
        self.errors: list[BaseException] = []
        self.thread = ResultThread(self.tally, self.errors.append, on_batch, on_reject)
        self.thread.start()


def test_every_message_is_counted() -> None:
    running = Running()
    running.thread.push(committed(3, (REJECT,), Notices(several={(0, 1): 2}, unseen=frozenset({"a/b"}))))
    running.thread.push(committed(4, (), Notices(several={(0, 1): 5}, matched=frozenset({(0, 0)}))))
    running.thread.finish()
    tally = running.tally
    assert (tally.records, tally.loaded, tally.rejected, tally.source_bytes) == (7, 6, 1, 200)
    assert tally.rows == [7, 4]
    assert tally.several == {(0, 1): 7}
    assert (tally.unseen, tally.matched) == ({"a/b"}, {(0, 0)})


def test_callbacks_get_positions_in_order_on_one_other_thread() -> None:
    batches: list[tuple[int, str]] = []
    rejects: list[RejectedRecord] = []
    running = Running(
        lambda batch: batches.append((batch.records, threading.current_thread().name)),
        rejects.append,
    )
    running.thread.push(committed(3, (REJECT,)))
    running.thread.push(committed(4))
    running.thread.finish()
    assert batches == [(3, "etl-results"), (4, "etl-results")]
    assert [(reject.offset, reject.raw, reject.length) for reject in rejects] == [(10, None, 4)]


def test_pushing_never_waits_for_a_callback() -> None:
    gate = threading.Event()
    running = Running(lambda batch: gate.wait(10))
    for _ in range(100):
        running.thread.push(committed())
    assert running.tally.records < 300
    gate.set()
    running.thread.finish()
    assert running.tally.records == 300


@pytest.mark.parametrize("error", [KeyError("mine"), SystemExit("mine")])
def test_a_callback_that_raises_is_reported_once_and_the_tally_stays_true(error: BaseException) -> None:
    calls = []

    def fail(batch: Committed) -> None:
        calls.append(batch)
        raise error

    running = Running(fail)
    for _ in range(3):
        running.thread.push(committed())
    running.thread.finish()
    (reported,) = running.errors
    assert isinstance(reported, CallbackError)
    assert f"{type(error).__name__}: {error}" in str(reported)
    assert len(calls) == 1
    assert running.tally.records == 9
