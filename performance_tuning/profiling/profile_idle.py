"""How much of their time workers do not map: those that insert themselves, and those that push into the queue.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_idle.py

Loads generated dumps by the architecture before (`batch_and_wait.py`) and by `etl load`, in turns, with as many
workers, the same dumps and the same server, as that is and where every COMMIT is answered later. It measures and does
not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.command import note  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import REGIMES, WORKERS, Regime, idle_share, per_minute  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile  # noqa: E402
from performance_tuning.profiling.watched_load import BEFORE, NOW, WatchedLoad, watched_load  # noqa: E402

_COLUMNS = (
    "",
    "",
    "dump MB",
    "mapping s",
    "waiting s",
    "without a split s",
    "not mapping",
    *(f"worker {number} idle" for number in range(1, WORKERS + 1)),
    "records/min",
)


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    dumps = {
        "plain": make_dump("nested", options.size, folder),
        "delayed": make_dump("nested", options.delayed_size, folder),
    }
    rows, raw = [], []
    with open_databases(["postgres"], folder) as (database,):
        for architecture in (BEFORE, NOW):
            watched_load(architecture, dumps["delayed"], database, folder)  # warms up
        for regime in REGIMES:
            dump = dumps[regime.name]
            for architecture, loads in _in_turns(regime, dump, database, options.repeat, folder).items():
                rows.append([regime.title, architecture, f"{dump.size / 1e6:.0f}", *_figures(dump, loads)])
                raw.append({"regime": regime.name, "what": architecture, "loads": [_values(each) for each in loads]})
    described = (
        f"Nested dumps, {WORKERS} process workers; medians of {options.repeat} loads; seconds are those of all workers"
        " together."
    )
    return [described, "", *table([_COLUMNS, *rows], texts=(0, 1))], raw


def _in_turns(
    regime: Regime, dump: Dump, database: Database, repeat: int, folder: Path
) -> dict[str, list[WatchedLoad]]:
    """By architecture."""
    loads: dict[str, list[WatchedLoad]] = {BEFORE: [], NOW: []}
    with regime.way(database) as way:
        for number in range(1, repeat + 1):
            for architecture, own in loads.items():
                own.append(watched_load(architecture, dump, database, folder, way))
                note(f"{regime.title}, {architecture}: {number} of {repeat}")
    return loads


def _figures(dump: Dump, loads: Sequence[WatchedLoad]) -> list[str]:
    reports = [each.load.report for each in loads]
    times = [
        f"{median(report['metrics']['mapping'][state] for report in reports):.2f}"
        for state in ("busy", "waiting", "idle")
    ]
    idle = [median(each.workers[number].idle for each in loads) for number in range(WORKERS)]
    shares = [median(idle_share(report) for report in reports), *idle]
    pace = median(per_minute(dump, each.load.run) for each in loads)
    return [*times, *(f"{share:.0%}" for share in shares), f"{pace:,.0f}"]


def _values(watched: WatchedLoad) -> dict[str, Any]:
    return {**asdict(watched.load), "workers": [asdict(worker) for worker in watched.workers]}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure how much of their time workers do not map, before and now.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="80MB", help="of the dump for the database as it is")
    parser.add_argument("--delayed-size", type=parse_size, default="20MB", help="of the dump for slow commits")
    options = profile_options(parser, arguments, repeat=3)
    return run_profile("idle", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
