"""What loads are compared with: the loader without a queue, on the database as it is and where commits take longer.

And what no load can be faster than: mapping alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.metrics import StageTimes
from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.delayed_commits import delayed
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run, measure
from performance_tuning.benchmarks.common.loads import ROOT, LoadRun, WrongRows, last_line, measured_loader

WORKERS = 2


@dataclass(frozen=True)
class Regime:
    """How long the database takes over a commit."""

    name: str
    title: str
    delay: int
    """Milliseconds by which the answer to every COMMIT comes later."""
    goal: float
    """Times the records/min of the baseline."""

    @contextmanager
    def way(self, database: Database) -> Iterator[Callable[[str], str]]:
        """What makes the URL to load by from a database's own."""
        if not self.delay:
            yield lambda url: url
            return
        with database.fresh() as url, delayed(url, self.delay) as slow:
            yield slow


REGIMES = (
    Regime("plain", "the database as it is", delay=0, goal=5.0),
    Regime("delayed", "every COMMIT answered 100 ms later", delay=100, goal=10.0),
)


def measured_baseline(
    dump: Dump,
    database: Database,
    workers: int,
    scratch: Path,
    way: Callable[[str], str] = lambda url: url,
    options: Sequence[str] = (),
) -> LoadRun:
    """Load into a fresh database without a queue. Raises RunFailed, WrongRows.

    `options`: more of them for `batch_and_wait`.
    """

    def command(url: str) -> list[str]:
        module = ["-m", "performance_tuning.benchmarks.without_queue.batch_and_wait"]
        return [*module, dump.kind, str(dump.path), way(url), "--workers", str(workers), *options]

    return measured_loader("the loader without a queue", command, dump, database, scratch)


def measured_mapping(dump: Dump, scratch: Path) -> LoadRun:
    """Map without a database, with as many workers as by default. Raises RunFailed, WrongRows."""
    module = "performance_tuning.benchmarks.without_queue.mapping_alone"
    command = [sys.executable, "-m", module, dump.kind, str(dump.path)]
    run = measure(command, cwd=ROOT, scratch=scratch, server_cpu=lambda: 0.0)
    report = last_line(scratch)
    if report["tables"] != dump.rows:
        raise WrongRows(f"Mapping alone: expected {dump.rows}, found {report['tables']}.")
    return LoadRun(run, report)


def per_minute(dump: Dump, run: Run) -> float:
    """Records a minute, from the start of the process to its exit."""
    return dump.records / run.wall * 60


def idle_share(report: Mapping[str, Any]) -> float:
    """Of all the time of a run's workers, the share in which they did not map."""
    times = StageTimes(**report["metrics"]["mapping"])
    return times.share(times.waiting + times.idle)
