"""From runs to lines of text and JSON: medians, spreads, ratios and warnings; no verdicts."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from performance_tuning.benchmarks.dumps import Dump
from performance_tuning.benchmarks.harness import MEMORY_MEASURE, Run, noise, spread

_PACKAGES = ("etl", "lxml", "psycopg", "SQLAlchemy")
_COLUMNS = (
    f"{'':14}{'wall s':>9}{'spread':>16}{'CPU s':>9}{'server CPU':>12}"
    f"{'peak MB':>9}{'processes':>11}{'rows/s':>11}{'MB/s':>7}"
)


@dataclass
class Result:
    """All runs of all loaders with one dump and one database."""

    dump: Dump
    database: str
    runs: dict[str, list[Run]]
    """By loader: `etl load`, `usual loader`, `ready rows`."""
    big: tuple[Dump, Run] | None = None
    """A run of `etl load` on a larger dump of the same kind, for its memory."""

    def as_json(self) -> dict[str, Any]:
        """Raw values of every run."""
        values: dict[str, Any] = {
            "kind": self.dump.kind,
            "database": self.database,
            "bytes": self.dump.size,
            "records": self.dump.records,
            "rows": self.dump.rows,
            "runs": {loader: [asdict(run) for run in runs] for loader, runs in self.runs.items()},
        }
        if self.big is not None:
            values["big"] = {"bytes": self.big[0].size, "run": asdict(self.big[1])}
        return values


def machine_lines() -> list[str]:
    """What the figures were measured on."""
    load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}",
        f"CPU and memory are those of all of a loader's processes without the server; memory is {MEMORY_MEASURE}.",
    ]
    if load > 0.5:
        lines.append(f"WARNING: the machine is busy: its load is {load:.1f} a core before anything was started.")
    return lines


def result_lines(result: Result) -> list[str]:
    """The table of one dump and database, what it is in ratios, and what may be wrong with it."""
    dump = result.dump
    tables = "1 table" if len(dump.rows) == 1 else f"{len(dump.rows)} tables"
    lines = [
        f"{dump.kind}, {dump.size / 1e6:.0f} MB, {dump.records:,} records, {sum(dump.rows.values()):,} rows"
        f" in {tables}, into {result.database}: median of {len(result.runs['etl load'])}",
        _COLUMNS,
        *(_row(loader, runs, dump) for loader, runs in result.runs.items()),
    ]
    ours, usual, limit = (_wall(result.runs[loader]) for loader in ("etl load", "usual loader", "ready rows"))
    lines.append(f"etl load is {usual / ours:.1f} times as fast as the usual loader.")
    lines.append(
        f"etl load takes {ours / limit:.1f} times as long as the database takes for ready rows and their keys."
    )
    if result.big is not None:
        big, run = result.big
        small = median(run.peak_memory for run in result.runs["etl load"])
        lines.append(
            f"etl load of {big.size / 1e6:.0f} MB: {run.wall:.1f} s, peak memory {run.peak_memory / 1e6:.0f} MB,"
            f" {run.peak_memory / small:.2f} times that of {dump.size / 1e6:.0f} MB."
        )
    warnings = ((loader, noise(runs)) for loader, runs in result.runs.items())
    return lines + [f"WARNING: {loader}: {warning}." for loader, warning in warnings if warning]


def _row(loader: str, runs: list[Run], dump: Dump) -> str:
    wall = spread([run.wall for run in runs])
    middle = {name: median(getattr(run, name) for run in runs) for name in ("cpu", "server_cpu", "peak_memory")}
    return (
        f"{loader:14}{wall.median:>9.2f}{f'{wall.least:.2f} to {wall.most:.2f}':>16}{middle['cpu']:>9.2f}"
        f"{middle['server_cpu']:>12.2f}{middle['peak_memory'] / 1e6:>9.0f}{max(run.processes for run in runs):>11}"
        f"{sum(dump.rows.values()) / wall.median:>11,.0f}{dump.size / 1e6 / wall.median:>7.1f}"
    )


def _wall(runs: list[Run]) -> float:
    return median(run.wall for run in runs)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
