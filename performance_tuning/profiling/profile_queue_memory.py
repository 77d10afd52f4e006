"""The trade between memory and waiting: loads with a larger and larger memory window (`queue.max_bytes`).

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_queue_memory.py

Loads a generated dump with each window, into the database as it is and where every COMMIT is answered later. With
--write it draws the curve beside its figures. It measures and does not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.charts import OTHER, OURS, chart  # noqa: E402
from performance_tuning.benchmarks.common.command import note  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun, measured_load  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import REGIMES, WORKERS, Regime, idle_share, per_minute  # noqa: E402
from performance_tuning.profiling.sections import (  # noqa: E402
    QUEUE_ARCHITECTURE,
    Measured,
    profile_options,
    run_profile,
)

_LARGEST = 256
"""MiB."""
_COLUMNS = (
    "",
    "window MiB",
    "waited for room s",
    "workers not mapping",
    "records/min",
    "records/transaction",
    "most in window MB",
    "peak MB",
)
_COLOURS = {"plain": OURS, "delayed": OTHER}
_CHART = Path("results") / "queue_memory.png"
"""Beside the file that the section is written to."""


@dataclass(frozen=True)
class Point:
    """Loads with one window; medians."""

    regime: Regime
    window: int
    """MiB."""
    waited_for_room: float
    """Seconds of the feeder."""
    not_mapping: float
    """Share of the workers' time."""
    pace: float
    """Records a minute."""
    per_transaction: float
    """Records, the mean."""
    most: int
    """Bytes in the window."""
    peak: int
    """Bytes of all processes."""


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    windows = [2**power for power in range(_LARGEST.bit_length()) if 2**power <= options.largest]
    raw: list[Any] = []
    points: list[Point] = []
    with open_databases(["postgres"], folder) as (database,):
        dump = make_dump("nested", options.size, folder)
        measured_load(dump, database, [], folder)  # warms up
        for regime in REGIMES:
            for window in windows:
                loads = _loads(regime, window, dump, database, options.repeat, folder)
                points.append(_point(regime, window, dump, loads))
                raw.append({"regime": regime.name, "window": window, "loads": [asdict(load) for load in loads]})
    lines = [
        f"A nested dump of {dump.size / 1e6:.0f} MB into postgres, {WORKERS} workers; the median of"
        f" {options.repeat} loads.",
        "",
        *table([_COLUMNS, *(_row(point) for point in points)]),
    ]
    if options.write:
        draw(points, options.write.parent / _CHART)
        lines += ["", f"![The same as curves]({_CHART.as_posix()})"]
    return lines, raw


def draw(points: Sequence[Point], file: Path) -> None:
    """The curves, one a regime in each of three panels."""
    title = "What a larger memory window brings, and costs"
    with chart(file, title, width=12.0, height=4.0, panels=3) as panels:
        for regime in REGIMES:
            own = [point for point in points if point.regime == regime]
            windows = [point.window for point in own]
            curves = (
                [point.pace / 1000 for point in own],
                [100 * point.not_mapping for point in own],
                [point.peak / 1e6 for point in own],
            )
            for panel, values in zip(panels, curves, strict=True):
                panel.plot(windows, values, marker="o", color=_COLOURS[regime.name], label=regime.title)
        labels = ("thousand records/min", "workers not mapping, %", "peak memory of all processes, MB")
        for panel, label in zip(panels, labels, strict=True):
            panel.set(xlabel="queue.max_bytes, MiB", ylabel=label, ylim=(0, 1.1 * panel.get_ylim()[1]))
            panel.set_xscale("log", base=2)
            panel.xaxis.set_major_formatter("{x:.0f}")
        panels[0].legend(frameon=False)


def _loads(regime: Regime, window: int, dump: Dump, database: Database, repeat: int, folder: Path) -> list[LoadRun]:
    settings = [f"workers.count={WORKERS}", f"queue.max_bytes={window}MiB"]
    with regime.way(database) as way:
        loads = [measured_load(dump, database, settings, folder, way) for _ in range(repeat)]
    note(f"{regime.title}, {window} MiB: {median(per_minute(dump, load.run) for load in loads):,.0f} records/min")
    return loads


def _point(regime: Regime, window: int, dump: Dump, loads: Sequence[LoadRun]) -> Point:
    return Point(
        regime,
        window,
        waited_for_room=median(load.report["metrics"]["waited_for_room"] for load in loads),
        not_mapping=median(idle_share(load.report) for load in loads),
        pace=median(per_minute(dump, load.run) for load in loads),
        per_transaction=median(dump.records / load.report["metrics"]["insert"]["count"] for load in loads),
        most=max(load.report["metrics"]["queue_most_bytes"] for load in loads),
        peak=max(load.run.peak_memory for load in loads),
    )


def _row(point: Point) -> list[str]:
    return [
        point.regime.title,
        str(point.window),
        f"{point.waited_for_room:.2f}",
        f"{point.not_mapping:.0%}",
        f"{point.pace:,.0f}",
        f"{point.per_transaction:,.0f}",
        f"{point.most / 1e6:.1f}",
        f"{point.peak / 1e6:.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure what a larger memory window brings, and costs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="50MB", help="of the dump")
    parser.add_argument("--largest", type=int, default=_LARGEST, metavar="MIB", help="window; all powers of 2 up to it")
    options = profile_options(parser, arguments, repeat=2, file=QUEUE_ARCHITECTURE)
    return run_profile("queue_memory", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
