"""The architecture that `etl` replaces, as a loader: workers that map, insert, wait for the answer, and map again.

    python -m performance_tuning.benchmarks.without_queue.batch_and_wait nested releases.xml postgresql:///fresh

There is no queue: a worker gets its next split when the rows of the last one are committed (see `waiting_worker`). The
documents are cut and mapped by the code of `etl load`, the tables and keys are the same, and the keys are built after
the last row. Besides the queue it has no ledger, its batches are small, their method is `executemany`, and every commit
waits for the disk, as on a connection that nobody has set up. `etl load` commits its batches with `synchronous_commit =
off`, and so does this with ``--asynchronous``: what that gives is not the queue's. PostgreSQL only.

The last line printed is JSON: `records`, and such `metrics` of an `etl load` as there are here, in the same form;
`mapping.waiting` is the time of the inserts, which the workers do themselves.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any, cast

import psycopg

from etl.engines.processes import ProcessEngine
from etl.mapping.reader import read_mapping
from etl.measuring import Durations
from etl.metrics import StageTimes
from performance_tuning.benchmarks.common.loads import MAPPINGS
from performance_tuning.benchmarks.common.splits import SOURCE
from performance_tuning.benchmarks.common.tables import TABLES, create_statements, key_statements
from performance_tuning.benchmarks.without_queue.fed_workers import answers
from performance_tuning.benchmarks.without_queue.waiting_worker import InsertedSplit, WaitingSetup

_WORKER = "performance_tuning.benchmarks.without_queue.waiting_worker"


def load(kind: str, dump: str, url: str, workers: int, *, asynchronous: bool = False) -> dict[str, Any]:
    """Load a dump into fresh tables; what it took. Raises whatever a worker raised.

    `asynchronous`: commits are answered before they are on the disk.
    """
    began = perf_counter()
    with psycopg.connect(url) as connection:
        for statement in create_statements(kind, "postgres"):
            connection.execute(statement.encode())
    mapping = read_mapping(MAPPINGS / f"{kind}.mapping.yaml")
    setup = WaitingSetup(mapping, "tuples", (SOURCE,), url=url, kind=kind, asynchronous=asynchronous)
    engine = ProcessEngine(_WORKER, setup, workers, prefetch=1)
    splits = [cast(InsertedSplit, answer) for answer in answers(dump, mapping, engine)]
    inserted = perf_counter() - began
    with psycopg.connect(url) as connection:
        for statement in key_statements(kind, "postgres"):
            connection.execute(statement.encode())
    return _report(splits, workers, inserted)


def _report(splits: Sequence[InsertedSplit], workers: int, seconds: float) -> dict[str, Any]:
    """`seconds`: until the last row was inserted."""
    inserts = Durations()
    for split in splits:
        for duration in split.inserts:
            inserts.add(duration)
    busy = sum(split.busy for split in splits)
    waiting = sum(sum(split.inserts) for split in splits)
    mapping = StageTimes(busy=busy, waiting=waiting, idle=max(0.0, workers * seconds - busy - waiting))
    return {
        "records": sum(part.records for split in splits for part in split.counts),
        "metrics": {"mapping": asdict(mapping), "insert": asdict(inserts.percentiles()), "most_workers": workers},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Load a generated dump without a queue.")
    parser.add_argument("kind", choices=TABLES)
    parser.add_argument("dump")
    parser.add_argument("url", help="postgresql://...")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--asynchronous", action="store_true", help="commit with synchronous_commit = off")
    options = parser.parse_args(arguments)
    print(json.dumps(load(**vars(options))))


if __name__ == "__main__":
    main()
