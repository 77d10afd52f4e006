"""How much of their time workers do not map: those that insert themselves, and those that push into the queue.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_idle.py

Loads generated dumps by the architecture before (`batch_and_wait.py`) and by `etl load`, with as many workers and on
the same server, as that is and where every COMMIT is answered later. It measures and does not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.baseline import (  # noqa: E402
    REGIMES,
    WORKERS,
    Regime,
    idle_share,
    measured_baseline,
    per_minute,
)
from performance_tuning.benchmarks.command import note  # noqa: E402
from performance_tuning.benchmarks.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.loads import LoadRun, measured_load  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile, table  # noqa: E402

_BEFORE, _AFTER = "workers insert (before)", "workers push (now)"
_COLUMNS = ("", "", "dump MB", "mapping s", "waiting s", "without a split s", "not mapping", "records/min")


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    big = make_dump("nested", options.size, folder)
    small = make_dump("nested", options.delayed_size, folder)
    rows, raw = [], []
    with open_databases(["postgres"], folder) as (database,):
        measured_load(small, database, [], folder)  # warms up
        for regime in REGIMES:
            for name in (_BEFORE, _AFTER):
                dump = small if name == _BEFORE and regime.delay else big
                loads = _loads(name, regime, dump, database, options.repeat, folder)
                rows.append([regime.title, name, f"{dump.size / 1e6:.0f}", *_figures(dump, loads)])
                raw.append({"regime": regime.name, "what": name, "loads": [load.report for load in loads]})
    described = (
        f"Nested dumps, {WORKERS} process workers; the seconds of all workers together, the median of {options.repeat}"
        " loads. *Waiting* is for the database: in their own inserts before, for room in the queue now."
    )
    return [described, "", *table(_COLUMNS, rows)], raw


def _loads(name: str, regime: Regime, dump: Dump, database: Database, repeat: int, folder: Path) -> list[LoadRun]:
    loads = []
    with regime.way(database) as way:
        for number in range(1, repeat + 1):
            if name == _BEFORE:
                loads.append(measured_baseline(dump, database, WORKERS, folder, way))
            else:
                loads.append(measured_load(dump, database, [f"workers.count={WORKERS}"], folder, way))
            note(f"{regime.title}, {name}: {number} of {repeat}")
    return loads


def _figures(dump: Dump, loads: Sequence[LoadRun]) -> list[str]:
    times = [
        f"{median(load.report['metrics']['mapping'][state] for load in loads):.2f}"
        for state in ("busy", "waiting", "idle")
    ]
    idle = median(idle_share(load.report) for load in loads)
    return [*times, f"{idle:.0%}", f"{median(per_minute(dump, load.run) for load in loads):,.0f}"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure how much of their time workers do not map, before and now.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="80MB", help="of the dump")
    parser.add_argument(
        "--delayed-size", type=parse_size, default="10MB", help="of the dump for workers that wait for slow commits"
    )
    options = profile_options(parser, arguments, repeat=2)
    return run_profile("idle", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
