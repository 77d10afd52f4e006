"""A worker of the architecture without a queue: maps a split, inserts its rows itself, waits for every answer.

Maps exactly as a worker of `etl load` does (`etl.worker`, rows as tuples). Then its records go into the database in
batches of about `BATCH_ROWS` rows: whole records, parents before children, `executemany` for each table, a transaction
each, over a connection of its own: as psycopg opens it, or with commits that do not wait for the disk. Started by
`etl.engines.processes` as that starts its workers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import psycopg

from etl import worker
from etl.engines.base import RunSplit, WorkerSetup
from etl.engines.pipe import serve
from etl.messages import MappedBatch, Split, TupleRows
from performance_tuning.benchmarks.common.tables import TABLES, insert_statement
from performance_tuning.benchmarks.peers.usual_loader import BATCH_ROWS

Batch = list[list[tuple[Any, ...]]]
"""Rows of each table."""


@dataclass(frozen=True, slots=True)
class WaitingSetup(WorkerSetup):
    """What such a worker is told besides."""

    url: str = field(kw_only=True)
    kind: str = field(kw_only=True)
    """Of the dump: a key of `TABLES`."""
    asynchronous: bool = field(kw_only=True)
    """Whether commits are answered before they are on the disk."""


@dataclass(frozen=True, slots=True)
class InsertedSplit(MappedBatch):
    """The answer to a split whose rows are in the database; `tables` is empty."""

    inserts: tuple[float, ...]
    """Seconds of each transaction, from its first statement to the answer to its COMMIT."""


def make_worker(setup: WorkerSetup) -> RunSplit:
    """A worker with its connection."""
    assert isinstance(setup, WaitingSetup)
    map_split = worker.make_worker(setup)
    connection = psycopg.connect(setup.url)
    if setup.asynchronous:
        connection.execute("SET synchronous_commit = off")
        connection.commit()
    statements = [insert_statement(table, "%s").encode() for table in TABLES[setup.kind]]

    def insert(batch: Batch) -> float:
        began = perf_counter()
        with connection.cursor() as cursor:
            for statement, rows in zip(statements, batch, strict=True):
                if rows:
                    cursor.executemany(statement, rows)
        connection.commit()
        return perf_counter() - began

    def run_split(split: Split) -> MappedBatch:
        mapped = map_split(split)
        inserts = tuple(insert(batch) for batch in batches(mapped, BATCH_ROWS))
        return InsertedSplit(
            split=mapped.split,
            tables=(),
            counts=mapped.counts,
            rejects=mapped.rejects,
            size=mapped.size,
            busy=mapped.busy,
            notices=mapped.notices,
            inserts=inserts,
        )

    return run_split


def batches(mapped: MappedBatch, size: int) -> Iterator[Batch]:
    """The rows of a split, cut behind the record with which they are `size` or more.

    The mapping has one kind of record, so the rows of a table stand in the order of the records.
    """
    tables = [table for table in mapped.tables if isinstance(table, TupleRows)]
    assert len(tables) == len(mapped.tables)
    rows = [table.rows for table in tables]
    rows_of_record = Counter(record for table in tables for record in table.records)
    begins, waiting = [0] * len(tables), 0
    last = max(rows_of_record, default=0)
    for record in sorted(rows_of_record):
        waiting += rows_of_record[record]
        if waiting >= size or record == last:
            ends = [bisect_left(table.records, record + 1) for table in tables]
            yield [some[begin:end] for some, begin, end in zip(rows, begins, ends, strict=True)]
            begins, waiting = ends, 0


if __name__ == "__main__":
    # What it answers with is pickled, and its parent knows it by this module's name, not as `__main__`.
    from performance_tuning.benchmarks.without_queue import waiting_worker

    serve(waiting_worker.make_worker)
