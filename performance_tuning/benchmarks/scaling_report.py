"""From loads of several sizes and numbers of workers to tables, JSON and a chart; no verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from etl.options import default_worker_count
from performance_tuning.benchmarks.common.charts import LIMIT, OTHER, OURS, THEIRS, chart
from performance_tuning.benchmarks.common.databases import TITLES
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import noise, spread
from performance_tuning.benchmarks.common.loads import LoadRun
from performance_tuning.benchmarks.common.markdown import table
from performance_tuning.benchmarks.without_queue.baseline import per_minute

_CORES = default_worker_count()
_BELOW: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15), "ncols": 3, "frameon": False}
"""Where a legend stands in no one's way."""
LIMIT_MEANS = (
    f"The limit is that of the processors: what {_CORES} cores would load if they never waited, which is the records"
    " divided by the CPU seconds of all processes, the server's included, times the cores."
)


@dataclass(frozen=True)
class Point:
    """Loads of one dump with one number of workers. Times in seconds, rates in records a minute; medians."""

    dump: Dump
    workers: int | None = None
    """None: as the settings choose by themselves."""
    loads: list[LoadRun] = field(default_factory=list)

    @property
    def settings(self) -> list[str]:
        return [] if self.workers is None else [f"workers.count={self.workers}"]

    @property
    def name(self) -> str:
        size = f"{self.dump.size / 1e6:.0f} MB"
        return size if self.workers is None else f"{size}, workers: {self.workers}"

    @property
    def wall(self) -> float:
        """From the start of the process to its exit."""
        return median(load.run.wall for load in self.loads)

    @property
    def rate(self) -> float:
        return median(per_minute(self.dump, load.run) for load in self.loads)

    @property
    def limit(self) -> float:
        """What the processors allow: LIMIT_MEANS."""
        seconds = median(load.run.cpu + load.run.server_cpu for load in self.loads)
        return self.dump.records / seconds * _CORES * 60

    @property
    def memory(self) -> float:
        """Peak, in bytes."""
        return median(load.run.peak_memory for load in self.loads)

    def as_json(self) -> dict[str, Any]:
        """Raw values of every run."""
        return {
            "bytes": self.dump.size,
            "records": self.dump.records,
            "workers": self.workers,
            "records_per_minute": self.rate,
            "limit": self.limit,
            "runs": [asdict(load) for load in self.loads],
        }


@dataclass(frozen=True)
class Line:
    """A load as a start, which takes as long for any dump, and so much for each record."""

    start: float
    """Seconds."""
    record: float
    """Seconds."""

    def seconds(self, records: float) -> float:
        return self.start + self.record * records


def line_through(points: Sequence[Point]) -> Line:
    """The line that is next to the times of at least two sizes, all errors as shares of these."""
    walls = np.array([point.wall for point in points])
    records = np.array([point.dump.records for point in points])
    (start, record), *_ = np.linalg.lstsq(np.column_stack([1 / walls, records / walls]), np.ones(len(points)))
    return Line(float(start), float(record))


@dataclass(frozen=True)
class Speeds:
    """All loads into one database, by rising size and by rising number of workers."""

    database: str
    sizes: list[Point]
    workers: list[Point]

    @property
    def line(self) -> Line:
        return line_through(self.sizes)

    def as_json(self) -> dict[str, Any]:
        """Raw values of every run."""
        return {
            "database": self.database,
            "line": asdict(self.line),
            "sizes": [point.as_json() for point in self.sizes],
            "workers": [point.as_json() for point in self.workers],
        }


def speed_lines(speeds: Speeds) -> list[str]:
    """Two Markdown tables, how flat the first one is, and what may be wrong."""
    first, line = speeds.workers[0], speeds.line
    noises = ((point.name, noise([load.run for load in point.loads])) for point in speeds.sizes + speeds.workers)
    return [
        f"nested, into {TITLES[speeds.database]}, by size: medians",
        "",
        *table([_SIZE_HEAD, *(_size_row(point, line) for point in speeds.sizes)]),
        "",
        f"*Off the line*: from {line.start:.2f} s of start, whatever the size, and {60 / line.record:,.0f} records/min"
        " after it.",
        _flatness("Records/min, start included", [point.rate for point in speeds.sizes]),
        _flatness("Peak memory", [point.memory for point in speeds.sizes]),
        "",
        f"nested, {first.dump.size / 1e6:.0f} MB, into {TITLES[speeds.database]}, by workers: medians",
        "",
        *table([_WORKERS_HEAD, *(_workers_row(point, first) for point in speeds.workers)]),
        "",
        LIMIT_MEANS,
        *(f"\nWARNING: {name}: {warning}." for name, warning in noises if warning),
    ]


_SIZE_HEAD = ("dump", "runs", "wall s", "least to most", "records/min", "off the line", "peak MB")
_WORKERS_HEAD = ("workers", "wall s", "least to most", "records/min", "times the first", "limit", "reached", "peak MB")


def _size_row(point: Point, line: Line) -> tuple[str, ...]:
    return (
        point.name,
        str(len(point.loads)),
        *_times(point),
        f"{point.wall / line.seconds(point.dump.records) - 1:+.0%}",
        f"{point.memory / 1e6:.0f}",
    )


def _workers_row(point: Point, first: Point) -> tuple[str, ...]:
    return (
        str(point.workers),
        *_times(point),
        f"{point.rate / first.rate:.2f}",
        f"{point.limit:,.0f}",
        f"{point.rate / point.limit:.0%}",
        f"{point.memory / 1e6:.0f}",
    )


def _times(point: Point) -> tuple[str, str, str]:
    wall = spread([load.run.wall for load in point.loads])
    return f"{wall.median:.2f}", f"{wall.least:.2f} to {wall.most:.2f}", f"{point.rate:,.0f}"


def _flatness(what: str, values: Sequence[float]) -> str:
    return f"{what}: the least is {min(values) / max(values):.2f} times the most (1 is flat)."


def draw(file: Path, speeds: Sequence[Speeds]) -> None:
    """Sizes to the left, with their memory; workers to the right; a row a database."""
    rows = len(speeds)
    with chart(file, "etl load by size and by workers", width=10, height=4 * rows, panels=2, rows=rows) as axes:
        for row, each in enumerate(speeds):
            _draw_sizes(axes[2 * row], each)
            _draw_workers(axes[2 * row + 1], each)


def _draw_sizes(panel: Axes, speeds: Speeds) -> None:
    megabytes = [point.dump.size / 1e6 for point in speeds.sizes]
    panel.plot(megabytes, [point.rate / 1e6 for point in speeds.sizes], "o-", color=OURS, label="etl load")
    line = speeds.line
    panel.axhline(
        60 / line.record / 1e6, color=THEIRS, linestyle="--", label=f"without its start of {line.start:.1f} s"
    )
    panel.set(title=f"by size, into {TITLES[speeds.database]}", xlabel="MB of XML", xscale="log")
    panel.set_xticks(megabytes, [f"{size:,.0f}" for size in megabytes])
    panel.minorticks_off()
    panel.set_ylabel("million records/min")
    panel.set_ylim(bottom=0)
    memory = panel.twinx()
    memory.plot(megabytes, [point.memory / 1e6 for point in speeds.sizes], "s:", color=OTHER, label="peak memory")
    memory.set_ylabel("MB of memory", color=OTHER)
    memory.set_ylim(0, 2 * max(point.memory for point in speeds.sizes) / 1e6)
    memory.spines["top"].set_visible(False)
    panel.legend(handles=[*panel.get_lines(), *memory.get_lines()], **_BELOW)


def _draw_workers(panel: Axes, speeds: Speeds) -> None:
    places = range(len(speeds.workers))
    panel.bar(places, [point.rate / 1e6 for point in speeds.workers], width=0.5, color=OURS, label="etl load")
    limits = [point.limit / 1e6 for point in speeds.workers]
    panel.plot(places, limits, "_--", color=LIMIT, markersize=30, label=f"limit of {_CORES} cores")
    size = speeds.workers[0].dump.size / 1e6
    panel.set(title=f"by workers, {size:.0f} MB into {TITLES[speeds.database]}", xlabel="workers")
    panel.set_xticks(places, [str(point.workers) for point in speeds.workers])
    panel.set_ylabel("million records/min")
    panel.set_ylim(bottom=0)
    panel.legend(**_BELOW)
