"""The architecture that `etl` replaces, as a loader: workers that map, insert, wait for the answer, and map again.

    python -m performance_tuning.benchmarks.batch_and_wait nested releases.xml postgresql:///fresh --workers 2

There is no queue: a worker gets its next split when the rows of the last one are committed (see `waiting_worker`). The
documents are cut and mapped by the code of `etl load`, the tables and keys are the same, and the keys are built after
the last row, so that only the architecture differs. PostgreSQL only. The last line printed is JSON: `records`, and such
`metrics` of an `etl load` as there are here, in the same form; `mapping.waiting` is the time of the inserts, which the
workers do themselves.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from time import perf_counter
from typing import Any, cast

import psycopg

from etl.engines.processes import ProcessEngine
from etl.extract.source import expand
from etl.feeding import FedSource, Feeder, make_splitter
from etl.loading.ledger_base import Totals
from etl.mapping.model import Mapping
from etl.mapping.reader import read_mapping
from etl.measuring import Durations
from etl.messages import MappedBatch, SourceInfo
from etl.metrics import StageTimes
from etl.options import Settings
from performance_tuning.benchmarks.loads import MAPPINGS
from performance_tuning.benchmarks.tables import TABLES, create_statements, key_statements
from performance_tuning.benchmarks.waiting_worker import InsertedSplit, WaitingSetup

_WORKER = "performance_tuning.benchmarks.waiting_worker"


def load(kind: str, dump: str, url: str, workers: int) -> dict[str, Any]:
    """Load a dump into fresh tables; what it took. Raises whatever a worker raised."""
    began = perf_counter()
    with psycopg.connect(url) as connection:
        for statement in create_statements(kind, "postgres"):
            connection.execute(statement.encode())
    splits = _insert_all(kind, dump, read_mapping(MAPPINGS / f"{kind}.mapping.yaml"), url, workers)
    inserted = perf_counter() - began
    with psycopg.connect(url) as connection:
        for statement in key_statements(kind, "postgres"):
            connection.execute(statement.encode())
    return _report(splits, workers, inserted)


def _insert_all(kind: str, dump: str, mapping: Mapping, url: str, workers: int) -> list[InsertedSplit]:
    (source,) = expand([dump])
    info = SourceInfo(number=1, label=source.label, load_id="", loaded_at="")
    fed = FedSource(source, info, done=(), state="loading", totals=Totals(), rereadable=True)
    engine = ProcessEngine(_WORKER, WaitingSetup(mapping, "tuples", (info,), url=url, kind=kind), workers, prefetch=1)
    free = threading.Semaphore(workers)
    futures: list[Future[MappedBatch]] = []
    try:
        for split in Feeder([fed], make_splitter(mapping, Settings()), None):
            free.acquire()
            futures.append(engine.submit(split))
            futures[-1].add_done_callback(lambda _done: free.release())
        return [cast(InsertedSplit, future.result()) for future in futures]
    finally:
        engine.close()


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
    options = parser.parse_args(arguments)
    print(json.dumps(load(options.kind, options.dump, options.url, options.workers)))


if __name__ == "__main__":
    main()
