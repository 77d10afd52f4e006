"""What every engine promises, whichever way it maps."""

from __future__ import annotations

import dataclasses
import os
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from etl.engines.base import Engine, WorkerSetup
from etl.engines.inline import InlineEngine
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.errors import InternalError, MappingError, SourceError, WorkerDied
from etl.mapping.model import Mapping
from etl.messages import MappedBatch, Part, Run, Skeleton, SourceInfo, Split, TupleRows
from tests.contract.echo_worker import make_worker

SETUP = WorkerSetup(
    mapping=Mapping(tables=(), label="m", text=""),
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


def split(number: int, order: bytes = b"") -> Split:
    run = Run(Skeleton(b"", b"<a>", b"</a>", 2), order, 0, 1, 1, array("I"))
    return Split(number, (Part(1, 0, len(order), 0, (run,)),), len(order), 0)


def result(future: Future[MappedBatch]) -> MappedBatch:
    return future.result(timeout=30)


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


@pytest.mark.parametrize("engine", ["thread", "process"], indirect=True)
def test_work_is_spread_over_the_workers(engine: Engine) -> None:
    futures = [engine.submit(split(number, b"sleep 0.3")) for number in range(2)]
    time.sleep(0.1)
    assert engine.busy() == 2
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


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_a_dead_worker_names_what_it_had_in_hand(engine: Engine) -> None:
    with pytest.raises(WorkerDied, match="exit code 7 while it had bytes 0 to 3 of source 1"):
        result(engine.submit(split(1, b"die")))
    for number in (2, 3):
        assert isinstance(engine.submit(split(number)).exception(30), WorkerDied | None)


@pytest.mark.parametrize("engine", ["process"], indirect=True)
def test_cancel_does_not_wait_for_long_work(engine: Engine) -> None:
    future = engine.submit(split(1, b"sleep 60"))
    time.sleep(0.3)
    began = time.monotonic()
    engine.close(cancel=True)
    assert time.monotonic() - began < 30
    assert future.cancelled()


def test_a_worker_process_that_cannot_be_made_says_why() -> None:
    setup = dataclasses.replace(SETUP, sources=(SourceInfo(1, "unusable", "load", ""),))
    engine = ProcessEngine("tests.contract.echo_worker", setup, workers=1, prefetch=1)
    try:
        with pytest.raises(MappingError, match="cannot be used here"):
            result(engine.submit(split(1)))
    finally:
        engine.close()
