"""Measures the loader that `etl` is compared with, and writes `baseline_metrics.json`.

    python3 env_prep/bootstrap.py python env_prep/establish_baseline.py

The baseline has no queue: workers map, insert their batch of 500 rows by `executemany`, wait for its commit, and map
again (`performance_tuning/benchmarks/without_queue/batch_and_wait.py`). It loads a generated nested dump (5 tables)
into an embedded PostgreSQL, as that is and again where every COMMIT is answered 100 ms later, and the rows are counted
after every run. Nothing is written (exit code 1, with a sentence) where the machine is busy before or while it
measures, a count is wrong, or the runs differ too much to be a measure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.command import note, options_of, run_command  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import SEED, Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import FOREIGN_LIMIT, RunFailed, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun, WrongRows  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines  # noqa: E402
from performance_tuning.benchmarks.peers.usual_loader import BATCH_ROWS  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import (  # noqa: E402
    REGIMES,
    WORKERS,
    Regime,
    idle_share,
    measured_baseline,
    per_minute,
)

METRICS = _ROOT / "baseline_metrics.json"
_BUSY_PERCENT = 20.0
"""Of all cores, in the second before a measurement."""
_SPREAD_LIMIT = 0.3
"""From the shortest to the longest run, as a share of the median."""


class NoMeasure(Exception):
    """What would be measured here and now says nothing."""


def check_quiet() -> None:
    """Raise NoMeasure where the machine does something else."""
    busy = psutil.cpu_percent(interval=1.0)
    if busy > _BUSY_PERCENT:
        raise NoMeasure(
            f"The machine is busy: {busy:.0f} % of its cores are in use, and at most {_BUSY_PERCENT:.0f} % may be."
            " End what runs there, or come back later; nothing was written."
        )


def measured(regime: Regime, dump: Dump, database: Database, workers: int, repeat: int, scratch: Path) -> list[LoadRun]:
    """The runs after a first one, which compiles modules. Raises RunFailed, WrongRows, NoMeasure."""
    check_quiet()
    runs: list[LoadRun] = []
    with regime.way(database) as way:
        for number in range(repeat + 1):
            done = measured_baseline(dump, database, workers, scratch, way)
            rate = f"{done.run.wall:.2f} s, {per_minute(dump, done.run):,.0f} records/min"
            note(f"{regime.name}, {f'run {number} of {repeat}' if number else 'warm-up'}: {rate}")
            runs += [done] if number else []
    check_runs(regime, runs)
    return runs


def check_runs(regime: Regime, runs: Sequence[LoadRun]) -> None:
    """Raise NoMeasure where the machine did something else meanwhile."""
    if (foreign := max(each.run.foreign for each in runs)) > FOREIGN_LIMIT:
        raise NoMeasure(
            f"Other processes used {foreign:.0%} of the machine during a run on {regime.title}, more than"
            f" {FOREIGN_LIMIT:.0%}. End what runs there, or come back later; nothing was written."
        )
    share = spread([each.run.wall for each in runs]).share
    if share > _SPREAD_LIMIT:
        raise NoMeasure(
            f"The runs on {regime.title} differ by {share:.0%} of their median, more than {_SPREAD_LIMIT:.0%}: the"
            " machine did something else meanwhile. Nothing was written."
        )


def values(regime: Regime, dump: Dump, runs: Sequence[LoadRun]) -> dict[str, Any]:
    """What is kept of a regime: its figures and all they come from."""
    return {
        "commit_delay_milliseconds": regime.delay,
        "records_per_minute": asdict(spread([per_minute(dump, each.run) for each in runs])),
        "wall_seconds": [each.run.wall for each in runs],
        "worker_idle_share": median(idle_share(each.report) for each in runs),
        "dump": {"kind": dump.kind, "seed": SEED, "bytes": dump.size, "records": dump.records, "rows": dump.rows},
        "runs": [{**asdict(each.run), **each.report["metrics"]} for each in runs],
    }


def lines(regime: Regime, found: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """A regime's figures beside those of `before`, the file as it was."""
    rate = found["records_per_minute"]
    inserts = [run["insert"] for run in found["runs"]]
    p50, p99 = (median(insert[name] for insert in inserts) * 1000 for name in ("p50", "p99"))
    return [
        f"{regime.name} ({regime.title}): {rate['median']:,.0f} records/min"
        f" ({rate['least']:,.0f} to {rate['most']:,.0f}){_comparison(rate['median'], regime, before)}",
        f"  a batch takes {p50:.1f} ms (median; p99 {p99:.1f} ms); workers do not map"
        f" {found['worker_idle_share']:.0%} of their time",
    ]


def _comparison(rate: float, regime: Regime, before: dict[str, Any]) -> str:
    with suppress(KeyError, TypeError):
        old = before["regimes"][regime.name]["records_per_minute"]["median"]
        return f"; before {old:,.0f} on {before['date'][:10]} ({rate / old - 1:+.0%})"
    return "; nothing to compare it with"


def _before(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return dict(json.loads(file.read_text("utf-8")))
    return {}


def _commit() -> str:
    """Of the code that was measured; empty where there is no history of it."""
    with suppress(OSError):
        command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return ""


def _measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    check_quiet()
    before = _before(options.json)
    sizes = dict(zip([regime.name for regime in REGIMES], (options.size, options.delayed_size), strict=True))
    with open_databases(["postgres"], folder) as (database,):
        machine = machine_lines()
        print("\n".join([*machine, database.description]), flush=True)
        found: dict[str, Any] = {}
        for regime in REGIMES:
            dump = make_dump("nested", sizes[regime.name], folder)
            runs = measured(regime, dump, database, options.workers, options.repeat, folder)
            found[regime.name] = values(regime, dump, runs)
            warning = noise([each.run for each in runs])
            warnings = [f"  WARNING: {warning}"] if warning else []
            print("\n".join(["", *lines(regime, found[regime.name], before), *warnings]), flush=True)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine,
        "database": database.description,
        "workers": options.workers,
        "batch_rows": BATCH_ROWS,
        "regimes": found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    code = run_command(lambda folder: _measure(options, folder), (RunFailed, WrongRows, NoMeasure), options.json)
    if code == 0:
        note(f"Written to {options.json}.")
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure the loader without a queue, which etl is compared with, and keep its figures.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="100MB", help="of the dump")
    parser.add_argument("--delayed-size", type=parse_size, default="50MB", help="of the dump where commits take longer")
    parser.add_argument("--workers", type=int, default=WORKERS, help="that map and insert")
    parser.set_defaults(json=METRICS)
    return options_of(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
