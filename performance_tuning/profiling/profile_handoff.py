"""How long a push takes to wake an insert thread, beside a loop that polls once a second.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_handoff.py

Loads a generated dump with each kind of workers and each switch interval, every split a batch of its own, and times
each push that finds an insert thread waiting, until the thread has what was pushed. The price of a shorter switch
interval is in the last column; a single worker shows what it is to have a processor left. It measures and does not
judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.measuring import Durations  # noqa: E402
from performance_tuning.benchmarks.common.command import note, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import per_minute  # noqa: E402
from performance_tuning.profiling.observed_load import observed_load  # noqa: E402
from performance_tuning.profiling.polling import POLL_SECONDS, polled, woken  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile  # noqa: E402

_KINDS = ("process", "thread")
_INTERVALS = ("5", "1", "0.5", "0.1")
"""Milliseconds; the first is Python's own."""
_GOAL = 0.001
"""Seconds: p99 with process workers."""
_COLUMNS = (
    "",
    "switch interval",
    "pushes",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "most ms",
    "under 1 ms",
    "slow: processor",
    "records/min",
)


@dataclass(frozen=True)
class _Case:
    """One row."""

    kind: str
    workers: int
    interval: str

    @property
    def title(self) -> str:
        return f"{self.workers} {self.kind} worker{'s' if self.workers > 1 else ''}"

    def arguments(self) -> list[str]:
        """For `timed_queue`."""
        return [self.kind, str(self.workers), self.interval]


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    alone = {"a loop that polls once a second": polled(options.pushes), "the queue alone": woken(options.pushes)}
    rows = [[name, "", *_figures(seconds), "", ""] for name, seconds in alone.items()]
    raw: list[object] = [{"what": name, "handed_over": seconds} for name, seconds in alone.items()]
    pushes = 0
    with open_databases(["postgres"], folder) as (database,):
        dump = make_dump("nested", options.size, folder)
        cases = _cases(options)
        observed_load("timed_queue", dump, database, cases[0].arguments(), folder)  # warms up
        for case in cases:
            loads = _loads(case, options.repeat, dump, database, folder)
            told = [load.report for load in loads]
            seconds = [second for load in told for second in load["handed_over"]]
            pushes += sum(load["pushes"] for load in told)
            pace = median(per_minute(dump, load.run) for load in loads)
            delays = [second for load in told for second in load["for_processor"]]
            slow = _slow_for_processor(seconds, delays)
            rows.append([case.title, f"{case.interval} ms", *_figures(seconds), slow, f"{pace:,.0f}"])
            raw.append({**asdict(case), "loads": [asdict(load) for load in loads]})
    described = [
        f"A nested dump of {dump.size / 1e6:.0f} MB into {database.name}, 4 insert threads, every split a transaction"
        f" of its own; {options.repeat} loads a row. Goal: p99 under {_GOAL * 1000:g} ms with process workers.",
        f"Of {pushes:,} pushes those are counted that found an insert thread waiting.",
        "",
    ]
    return [*described, *table([_COLUMNS, *rows], texts=(0, 1))], raw


def _cases(options: argparse.Namespace) -> list[_Case]:
    alone = [_Case("process", 1, _INTERVALS[0])] if "process" in options.kinds else []
    return [*alone, *(_Case(kind, 2, interval) for kind in options.kinds for interval in options.intervals)]


def _loads(case: _Case, repeat: int, dump: Dump, database: Database, folder: Path) -> list[LoadRun]:
    loads = []
    for number in range(1, repeat + 1):
        loads.append(observed_load("timed_queue", dump, database, case.arguments(), folder))
        note(f"{case.title}, switch interval {case.interval} ms: {number} of {repeat}")
    return loads


def _figures(seconds: Sequence[float]) -> list[str]:
    durations = Durations()
    for second in seconds:
        durations.add(second)
    found = durations.percentiles()
    times = [f"{each * 1000:,.2f}" for each in (found.p50, found.p95, found.p99, found.most)]
    under = sum(1 for second in seconds if second < _GOAL) / max(1, len(seconds))
    return [f"{found.count:,}", *times, f"{under:.1%}"]


def _slow_for_processor(seconds: Sequence[float], delays: Sequence[float]) -> str:
    """The share of the time of those that missed the goal in which the thread waited for a processor."""
    slow = [pair for pair in zip(seconds, delays, strict=True) if pair[0] >= _GOAL]
    return f"{sum(delay for _, delay in slow) / sum(second for second, _ in slow):.0%}" if slow else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure how long a push takes to wake an insert thread.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="40MB", help="of the dump")
    parser.add_argument("--kinds", type=some_of(*_KINDS), default=",".join(_KINDS), help="of workers")
    parser.add_argument(
        "--intervals", type=some_of(*_INTERVALS), default=",".join(_INTERVALS), help="switch intervals, in milliseconds"
    )
    parser.add_argument(
        "--pushes",
        type=int,
        default=200,
        help=f"to the loop that polls every {POLL_SECONDS:g} s, and to the queue alone",
    )
    options = profile_options(parser, arguments, repeat=3)
    return run_profile("handoff", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
