"""What every engine promises, whichever way it maps."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etl.engines import processes, task
from etl.engines.base import Engine, WorkerSetup
from etl.engines.inline import InlineEngine
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.errors import InternalError, MappingError, SourceError, WorkerDied
from etl.messages import MappedBatch, PartCounts, Skeleton, SourceInfo, Split, TupleRows
from tests.contract.echo_worker import make_worker
from tests.splits import make_run, make_split, mapping_of

SETUP = WorkerSetup(
    mapping=mapping_of("  echo: {each: /a, columns: {label: a, process: {path: b, type: integer}}}"),
    row_format="tuples",
    sources=(SourceInfo(1, "a.xml", "load", "2026-01-01T00:00:00+00:00"),),
)

ENGINES: dict[str, Callable[[], Engine]] = {
    "inline": lambda: InlineEngine(make_worker, SETUP),
    "thread": lambda: ThreadEngine(make_worker, SETUP, workers=2, prefetch=2),
    "process": lambda: ProcessEngine("tests.contract.echo_worker", SETUP, workers=2, prefetch=2),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = ENGINES[request.param]()
    yield made
    made.close(cancel=True)


def split(number: int, *records: bytes) -> Split:
    """A split of these records (one that says nothing where there is none), which are orders to the worker."""
    run = make_run(records or (b"",), Skeleton(b"", b"<a>", b"</a>", 2))
    return replace(make_split(run), number=number)


def result(future: Future[MappedBatch]) -> MappedBatch:
    return future.result(timeout=30)


def worker_threads() -> int:
    """Threads that map, or read what a worker process answers."""
    return sum(thread.name.startswith("etl-worker") for thread in threading.enumerate())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.001)


def started_processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that will be."""
    started: list[subprocess.Popen[bytes]] = []

    class Seen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    return started


def refuse_threads(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """From now on the system starts so many threads, and no more."""
    left = iter(range(after))
    start = threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)


def test_every_split_is_answered_with_its_own_number(engine: Engine) -> None:
    futures = []
    for number in range(40):
        futures.append(engine.submit(split(number)))
        if len(futures) % engine.slots == 0:
            result(futures[-1])
    assert [result(future).split for future in futures] == list(range(40))


def test_a_worker_knows_the_setup(engine: Engine) -> None:
    table = result(engine.submit(split(1))).tables[0]
    assert isinstance(table, TupleRows)
    assert table.rows[0][0] == "a.xml"


def test_an_error_arrives_as_it_is_and_the_worker_goes_on(engine: Engine) -> None:
    with pytest.raises(SourceError, match="refused"):
        result(engine.submit(split(1, b"refuse")))
    assert result(engine.submit(split(2))).split == 2


def test_a_defect_in_a_worker_does_not_hang(engine: Engine) -> None:
    with pytest.raises((ZeroDivisionError, InternalError), match="a defect"):
        result(engine.submit(split(1, b"defect")))


def test_a_split_larger_than_a_pipe_comes_through(engine: Engine) -> None:
    futures = [engine.submit(split(number, b"x" * 5_000_000)) for number in range(engine.slots)]
    assert [result(future).split for future in futures] == list(range(engine.slots))


def test_close_finishes_what_is_in_hand(engine: Engine) -> None:
    futures = [engine.submit(split(number, b"sleep 0.05")) for number in range(engine.slots)]
    engine.close()
    assert [future.done() for future in futures] == [True] * engine.slots
    assert [result(future).split for future in futures] == list(range(engine.slots))
    engine.close()


def test_workers_come_and_go_while_splits_flow(engine: Engine) -> None:
    rng = random.Random(5)
    answers: list[int] = []
    in_hand = threading.Semaphore(0)

    def answered(future: Future[MappedBatch]) -> None:
        answers.append(future.result().split)
        in_hand.release()

    with ThreadPoolExecutor(1) as scaler:
        resized = scaler.submit(lambda: [engine.resize(rng.choice([1, 2, 3])) for _ in range(8)])
        number = 0
        while number < 100 or not resized.done():
            engine.submit(split(number, b"sleep 0.001")).add_done_callback(answered)
            number += 1
            if number > 6:
                assert in_hand.acquire(timeout=30)
        resized.result()
    engine.close()
    assert sorted(answers) == list(range(number)), "each is answered once"


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_the_workers_are_as_many_as_was_said(engine: Engine, tmp_path: Path) -> None:
    for workers in (3, 1, 2):
        engine.resize(workers)
        assert (engine.workers, engine.slots) == (workers, 2 * workers)
        release = tmp_path / str(workers)
        futures = [engine.submit(split(number, b"wait " + bytes(release))) for number in range(workers)]
        wait_for(lambda: engine.busy() == workers)  # noqa: B023 - it is over when `workers` changes
        release.touch()
        for future in futures:
            result(future)


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_who_is_taken_away_answers_what_is_in_hand_and_leaves(engine: Engine) -> None:
    before = worker_threads()
    futures = [engine.submit(split(number, b"sleep 0.1")) for number in range(engine.slots)]
    engine.resize(1)
    assert [result(future).split for future in futures] == list(range(4))
    wait_for(lambda: worker_threads() == before - 1)
    assert result(engine.submit(split(5))).split == 5


def test_a_resize_that_meets_the_end_changes_nothing(engine: Engine) -> None:
    before = worker_threads() - (engine.workers if not isinstance(engine, InlineEngine) else 0)
    with ThreadPoolExecutor(1) as scaler:
        futures = [engine.submit(split(number, b"sleep 0.02")) for number in range(engine.slots)]
        resized = scaler.submit(lambda: [engine.resize(workers) for workers in (1, 3, 2)])
        engine.close()
        resized.result()
    assert [result(future).split for future in futures] == list(range(len(futures)))
    engine.resize(3)
    wait_for(lambda: worker_threads() == before)


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_work_is_spread_over_the_workers(engine: Engine, tmp_path: Path) -> None:
    release = tmp_path / "release"
    futures = [engine.submit(split(number, b"wait " + bytes(release))) for number in range(2)]
    wait_for(lambda: engine.busy() == 2)
    release.touch()
    for future in futures:
        result(future)
    assert engine.busy() == 0


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_standard_input_is_empty_for_what_runs_in_a_process(engine: Engine) -> None:
    futures = [engine.submit(split(number, b"read" if number < 2 else b"")) for number in range(4)]
    for future in futures[:2]:
        with pytest.raises(SourceError, match="holds ''"):
            result(future)
    assert [result(future).split for future in futures[2:]] == [2, 3]


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_processes_are_others_and_report_their_memory(engine: Engine) -> None:
    table = result(engine.submit(split(1))).tables[0]
    assert isinstance(table, TupleRows)
    assert table.rows[0][1] != os.getpid()
    engine.close()
    assert engine.peak_memory() > 2 * 2**20


def test_memory_of_who_was_taken_away_counts_once_for_each_place() -> None:
    peaks = []
    for counts in ([], [1], [1, 2, 1, 2]):
        engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=2, prefetch=2)
        for workers in counts:
            engine.resize(workers)
        engine.close()
        peaks.append(engine.peak_memory())
    assert max(peaks) < 1.2 * min(peaks)


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_an_end_by_force_while_being_taken_away_costs_nothing(engine: Engine, tmp_path: Path) -> None:
    orders = [b"once " + bytes(tmp_path / str(number)) for number in range(4)]
    futures = [engine.submit(split(number, order)) for number, order in enumerate(orders)]
    engine.resize(1)
    assert [(result(future).split, result(future).rejects) for future in futures] == [(n, ()) for n in range(4)]


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_who_was_taken_away_is_not_kept(engine: Engine) -> None:
    assert isinstance(engine, ThreadEngine | ProcessEngine)
    before = worker_threads()
    for _ in range(5):
        engine.resize(1)
        wait_for(lambda: worker_threads() == before - 1)
        engine.resize(2)
    there = engine._threads if isinstance(engine, ThreadEngine) else [*engine._seats, *engine._left]
    assert len(there) == 2
    assert result(engine.submit(split(1))).split == 1


def test_where_no_more_can_be_started_those_that_are_there_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=1, prefetch=2)

    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(OSError, match="temporarily unavailable"):
        engine.resize(2)
    assert (engine.workers, engine.slots) == (1, 2)
    assert result(engine.submit(split(1))).split == 1
    engine.close()


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_where_no_more_threads_can_be_started_those_that_are_there_go_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = started_processes(monkeypatch)
    refuse_threads(monkeypatch, after=1)
    with pytest.raises(OSError, match="can't start new thread"):
        engine.resize(4)
    assert (engine.workers, engine.slots) == (3, 6)
    assert [child.returncode for child in children[1:]] == [-signal.SIGKILL for _ in children[1:]]
    assert [result(engine.submit(split(number))).split for number in range(6)] == list(range(6))


@pytest.mark.parametrize("name", ["thread", "process"])
def test_where_not_all_can_be_started_none_is_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = worker_threads()
    children = started_processes(monkeypatch)
    refuse_threads(monkeypatch, after=1)
    with pytest.raises(OSError, match="can't start new thread"):
        ENGINES[name]()
    assert worker_threads() == before
    assert all(child.returncode is not None for child in children)


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_a_record_that_kills_is_a_reject_and_all_others_are_mapped(engine: Engine) -> None:
    orders = [split(1, b"a", b"die", b"b"), split(2, b"c"), split(3, b"d", b"e"), split(4, b"exhaust", b"")]
    batches = [result(future) for future in [engine.submit(order) for order in orders]]
    assert [batch.split for batch in batches] == [1, 2, 3, 4]
    assert [(reject.record, reject.raw) for reject in batches[0].rejects] == [(2, b"die")]
    assert batches[0].rejects[0].reason == "killed_worker"
    assert "ended with exit code 7" in batches[0].rejects[0].message
    assert "ran out of memory" in batches[3].rejects[0].message
    assert [batch.counts[0] for batch in batches] == [
        PartCounts(3, 2, 1, 0),
        PartCounts(1, 1, 0, 0),
        PartCounts(2, 2, 0, 0),
        PartCounts(2, 1, 1, 0),
    ]
    assert list(batches[0].tables[0].records) == [0, 2]


def test_a_death_that_is_not_repeated_rejects_nothing(tmp_path: Path) -> None:
    notes: list[str] = []
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=1, prefetch=2, on_note=notes.append)
    once = b"once " + bytes(tmp_path / "seen")
    futures = [engine.submit(split(1, once)), engine.submit(split(2, b"x"))]
    engine.close()
    assert [result(future).rejects for future in futures] == [(), ()]
    assert notes == [
        "A worker process was killed by SIGKILL (out of memory?); it is replaced, and what it had in hand is mapped "
        "again record by record."
    ]


@pytest.mark.parametrize("engine", ["inline", "thread"], indirect=True)
def test_where_nothing_can_be_replaced_a_lack_of_memory_is_said(engine: Engine) -> None:
    with pytest.raises(WorkerDied, match="not enough memory for the records from byte 0 on"):
        result(engine.submit(split(1, b"exhaust")))


def test_workers_killed_from_outside_again_and_again_cost_nothing() -> None:
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=2, prefetch=2)
    futures = []
    for number in range(60):
        future = engine.submit(split(number, b"x", b"y", b"z"))
        futures.append(future)
        if number % 12 == 5:
            for table in result(future).tables:
                assert isinstance(table, TupleRows)
                os.kill(int(str(table.rows[0][1])), signal.SIGKILL)
        if number >= engine.slots:
            result(futures[number - engine.slots + 1])
    engine.close()
    batches = [result(future) for future in futures]
    assert [batch.split for batch in batches] == list(range(60))
    assert {batch.rejects for batch in batches} == {()}
    assert {batch.counts for batch in batches} == {(PartCounts(3, 3, 0, 0),)}


def test_workers_that_cannot_start_end_the_load() -> None:
    setup = dataclasses.replace(SETUP, sources=(SourceInfo(1, "unmakeable", "load", ""),))
    engine = ProcessEngine("tests.contract.echo_worker", setup, workers=1, prefetch=2)
    futures = [engine.submit(split(1)), engine.submit(split(2))]
    for future in futures:
        with pytest.raises(WorkerDied, match="5 in a row ended before they were ready, and the last ended"):
            result(future)
    with pytest.raises(WorkerDied):
        result(engine.submit(split(3)))
    engine.close()


def test_records_that_kill_without_end_end_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "KILLERS", 2)
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=1, prefetch=1)
    with pytest.raises(WorkerDied, match="2 records in a row killed the worker process that mapped them"):
        result(engine.submit(split(1, b"die", b"die", b"a")))
    engine.close()


def test_records_that_kill_among_others_do_not_end_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "KILLERS", 2)
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=1, prefetch=1)
    for number in range(2):
        assert result(engine.submit(split(number, b"die"))).counts == (PartCounts(1, 0, 1, 0),)
        assert result(engine.submit(split(number, b"a"))).counts == (PartCounts(1, 1, 0, 0),)
    engine.close()


def test_no_memory_for_the_batch_of_a_suspect_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> MappedBatch:
        raise MemoryError

    monkeypatch.setattr(task, "merged", no_memory)
    engine = ProcessEngine("tests.contract.echo_worker", SETUP, workers=1, prefetch=1)
    with pytest.raises(MemoryError):
        result(engine.submit(split(1, b"die", b"a")))
    assert result(engine.submit(split(2))).split == 2
    engine.close()


def test_a_worker_that_cannot_be_told_its_setup_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started = started_processes(monkeypatch)
    setup = dataclasses.replace(SETUP, sources=(lambda: None,))  # type: ignore[arg-type]
    with pytest.raises((pickle.PicklingError, AttributeError)):
        ProcessEngine("tests.contract.echo_worker", setup, workers=1, prefetch=1)
    assert [process.returncode for process in started] == [-signal.SIGKILL]


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_cancel_does_not_wait_for_long_work(engine: Engine) -> None:
    future = engine.submit(split(1, b"sleep 60"))
    time.sleep(0.3)
    began = time.monotonic()
    engine.close(cancel=True)
    assert time.monotonic() - began < 30
    assert future.cancelled()


def test_who_is_told_of_a_cancelled_split_may_ask_the_engine(tmp_path: Path) -> None:
    engine = ThreadEngine(make_worker, SETUP, workers=1, prefetch=2)
    release = tmp_path / "release"
    working = engine.submit(split(1, b"wait " + bytes(release)))
    waiting = engine.submit(split(2))
    wait_for(lambda: engine.busy() == 1)
    told: list[bool] = []

    def ask(future: Future[MappedBatch]) -> None:
        engine.resize(2)
        told.append(future.cancelled())
        release.touch()

    waiting.add_done_callback(ask)
    closer = threading.Thread(target=lambda: engine.close(cancel=True), daemon=True)
    closer.start()
    closer.join(30)
    assert not closer.is_alive()
    assert told == [True]
    assert result(working).split == 1


def test_a_worker_process_that_cannot_be_made_says_why() -> None:
    setup = dataclasses.replace(SETUP, sources=(SourceInfo(1, "unusable", "load", ""),))
    engine = ProcessEngine("tests.contract.echo_worker", setup, workers=1, prefetch=1)
    try:
        with pytest.raises(MappingError, match="cannot be used here"):
            result(engine.submit(split(1)))
    finally:
        engine.close()
