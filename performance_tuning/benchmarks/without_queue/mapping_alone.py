"""The most that any database could give: what the workers of `etl load` do, and nobody takes their rows.

    python -m performance_tuning.benchmarks.without_queue.mapping_alone nested releases.xml

Documents are cut, mapped and encoded as COPY text as by a load with default settings, in threads or processes as that
chooses them, and the answers arrive in the first process, which counts and drops them. `etl check` would be no limit:
it carries values in place of text, and looks for elements that nobody takes. The last line printed is JSON: `records`,
`tables` (rows by table), and such `metrics` of an `etl load` as there are here, in the same form.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

from etl.engines.base import Engine, WorkerSetup
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.mapping.reader import read_mapping
from etl.metrics import StageTimes
from etl.native.choice import maps_in_threads
from etl.options import Settings, default_worker_count
from etl.worker import make_worker
from performance_tuning.benchmarks.common.loads import MAPPINGS
from performance_tuning.benchmarks.common.splits import SOURCE
from performance_tuning.benchmarks.common.tables import TABLES
from performance_tuning.benchmarks.without_queue.fed_workers import answers


def map_all(kind: str, dump: str, workers: int) -> dict[str, Any]:
    """Map a dump; what it took. Raises whatever a worker raised."""
    mapping = read_mapping(MAPPINGS / f"{kind}.mapping.yaml")
    engine = _start_engine(WorkerSetup(mapping, "copy", (SOURCE,)), workers)
    began, busy, records = perf_counter(), 0.0, 0
    rows: Counter[str] = Counter()
    for mapped in answers(dump, mapping, engine):
        busy += mapped.busy
        records += sum(part.records for part in mapped.counts)
        rows.update({table.name: len(own) for table, own in zip(mapping.tables, mapped.tables, strict=True)})
    times = StageTimes(busy=busy, waiting=0.0, idle=max(0.0, workers * (perf_counter() - began) - busy))
    return {"records": records, "tables": rows, "metrics": {"mapping": asdict(times), "most_workers": workers}}


def _start_engine(setup: WorkerSetup, workers: int) -> Engine:
    prefetch = Settings().workers.prefetch
    if maps_in_threads(setup.mapping):
        return ThreadEngine(make_worker, setup, workers, prefetch)
    return ProcessEngine("etl.worker", setup, workers, prefetch)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Map a generated dump, and write its rows nowhere.")
    parser.add_argument("kind", choices=TABLES)
    parser.add_argument("dump")
    parser.add_argument("--workers", type=int, default=default_worker_count())
    options = parser.parse_args(arguments)
    print(json.dumps(map_all(options.kind, options.dump, options.workers)))


if __name__ == "__main__":
    main()
