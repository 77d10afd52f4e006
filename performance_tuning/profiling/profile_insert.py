"""How long transactions and their commits take, how much of that is no work here, and round trips.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_insert.py

Loads generated dumps by each method and batch size. Not computing is the share of the transactions' time in which the
insert threads were on no processor: they waited for the database's answer, for a turn on a processor or for Python's
global lock. It measures and does not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy.engine import make_url

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from env_prep.postgres_proxy import Proxy  # noqa: E402
from performance_tuning.benchmarks.common.command import note, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun, measured_load  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import per_minute  # noqa: E402
from performance_tuning.profiling.round_trips import CountedRoundTrips  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile  # noqa: E402

_METHODS = {"postgres": ("copy", "executemany"), "sqlite": ("executemany",)}
_BATCHES = ("64KiB", "1MiB", "8MiB")
"""Bytes of rows. The first is less than a split gives: each is a transaction of its own. The last is the default."""
_SMALLEST = _BATCHES[0]
_TIMES = ("p50", "p95", "p99")
_COLUMNS = (
    "",
    "batch",
    "transactions",
    *(f"{what} {time} ms" for what in ("transaction", "commit") for time in _TIMES),
    "not computing",
    "records/min",
)


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    nested, flat = (make_dump(kind, options.size, folder) for kind in ("nested", "flat"))
    rows: list[list[str]] = []
    trips: list[list[str]] = []
    raw: list[Any] = []
    with open_databases(options.targets, folder) as databases:
        for database in databases:
            measured_load(nested, database, [], folder)  # warms up
            for method in _METHODS[database.name]:
                for batch in options.batches:
                    settings = [f"insert.method={method}", f"insert.batch_bytes={batch}"]
                    loads = _loads(nested, database, settings, options.repeat, folder)
                    rows.append([f"{database.name}, {method}", batch, *_figures(nested, loads)])
                    raw.append(
                        {"database": database.name, "settings": settings, "loads": [asdict(load) for load in loads]}
                    )
                if database.name == "postgres":
                    trips += [_round_trips(dump, database, method, folder) for dump in (flat, nested)]
    lines = [
        f"A nested dump of {nested.size / 1e6:.0f} MB ({nested.records:,} records, {sum(nested.rows.values()):,} rows"
        f" in {len(nested.rows)} tables); the median of {options.repeat} loads.",
        "",
        *table([_COLUMNS, *rows], texts=(0, 1)),
    ]
    if trips:
        lines += [
            "",
            "Round trips of a transaction of PostgreSQL, BEGIN and COMMIT included:",
            "",
            *table([("", "tables", "fewest", "median", "most"), *trips]),
        ]
    return lines, raw


def _loads(dump: Dump, database: Database, settings: list[str], repeat: int, folder: Path) -> list[LoadRun]:
    loads = []
    for number in range(1, repeat + 1):
        loads.append(measured_load(dump, database, settings, folder))
        note(f"{database.name}, {', '.join(settings)}: {number} of {repeat}")
    return loads


def _figures(dump: Dump, loads: Sequence[LoadRun]) -> list[str]:
    def middle(figure: Callable[[dict[str, Any]], float]) -> float:
        return median(figure(load.report) for load in loads)

    def not_computing(report: dict[str, Any]) -> float:
        writing = report["metrics"]["writing"]
        return float(writing["waiting"] / (writing["busy"] + writing["waiting"]))

    times = [
        f"{middle(lambda report: report['metrics'][what][time]) * 1000:,.1f}"  # noqa: B023 - called at once
        for what in ("insert", "commit")
        for time in _TIMES
    ]
    return [
        f"{middle(lambda report: report['metrics']['insert']['count']):,.0f}",
        *times,
        f"{middle(not_computing):.0%}",
        f"{median(per_minute(dump, load.run) for load in loads):,.0f}",
    ]


def _round_trips(dump: Dump, database: Database, method: str, folder: Path) -> list[str]:
    """A load through the counting proxy, every split a transaction of its own."""
    counted = CountedRoundTrips()
    with database.fresh() as url, Proxy(url, counted) as proxy:
        settings = [f"insert.method={method}", f"insert.batch_bytes={_SMALLEST}"]
        counting = make_url(proxy.url)
        measured_load(
            dump,
            database,
            settings,
            folder,
            lambda fresh: counting.set(database=make_url(fresh).database).render_as_string(hide_password=False),
        )
    per_batch = counted.per_batch
    figures = [f"{each:,.0f}" for each in (min(per_batch), median(per_batch), max(per_batch))]
    return [f"{database.name}, {method}", str(len(dump.rows)), *figures]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure transactions and commits: how long, how much of it computing, how many round trips.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="20MB", help="of each dump")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    parser.add_argument(
        "--batches", type=some_of(*_BATCHES), default=",".join(_BATCHES), help="bytes of rows in a transaction"
    )
    options = profile_options(parser, arguments, repeat=3)
    return run_profile("insert", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
