"""How workers are kept fed: at once when one is free, beside batch and wait; and how their number follows a database.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_feeding.py

First tasks that only take time (a worker sleeps), through the coordinator, a real engine and a real queue, all as long
and then uneven: the wall time beside the best there can be, how many workers were busy, how long a result took. Then a
load with `workers.count: {min: 1, max: N}` into PostgreSQL, whose answers come later for the middle third of the time:
workers come, go while the queue is full, and come again. It measures and does not judge: the exit code is 1 only where
something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from performance_tuning.benchmarks.common.command import at_least_one, note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import open_databases  # noqa: E402
from performance_tuning.benchmarks.common.harness import RunFailed, differences, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines, write_results  # noqa: E402
from performance_tuning.benchmarks.feeding.following import draw, follow, following_lines  # noqa: E402
from performance_tuning.benchmarks.feeding.timed_feeding import (  # noqa: E402
    ENGINES,
    Feeding,
    LostTasks,
    Way,
    batch_and_wait,
    continuous,
    even,
    feed,
    uneven,
)

NAME = "feeding"
_TITLE = "Workers: how they are kept fed, and how many there are"
ROWS: tuple[tuple[str, Way, int], ...] = (
    ("continuous, prefetch 1", continuous, 1),
    ("continuous, prefetch 2", continuous, 2),
    ("continuous, prefetch 4", continuous, 4),
    ("batch and wait", batch_and_wait, 1),
)
"""Name, way and splits a worker has in hand."""
TASKS: dict[str, Callable[[int, float], list[float]]] = {"even": even, "uneven": uneven}
_HEAD = ("fed", "wall s", "from", "to", "x best", "busy", "all busy", "p50 ms", "p95 ms", "p99 ms")
_LEGEND = (
    "x best: times the sum of the tasks / workers. busy: workers with a task in hand, the mean over the time; all busy:"
    " the share of the time in which every one had. p50, p95, p99: from the hand-over to the result in the queue."
)


@dataclass(frozen=True)
class Compared:
    """One engine, one kind of tasks, fed in each way."""

    engine: str
    tasks: str
    workers: int
    seconds: list[float]
    """Of each task."""
    runs: dict[str, list[Feeding]]
    """By the names of `ROWS`."""

    @property
    def best(self) -> float:
        """Seconds below which no way of feeding comes, but for tasks that do not divide evenly."""
        return sum(self.seconds) / self.workers

    def as_json(self) -> dict[str, Any]:
        """Raw values of every run."""
        return {**asdict(self), "best": self.best}


def compare(engine: str, tasks: str, seconds: list[float], workers: int, repeat: int) -> Compared:
    """Feed in every way, in turn, so that a change of the machine meets them all. Raises LostTasks."""
    runs: dict[str, list[Feeding]] = {name: [] for name, _, _ in ROWS}
    with closing(ENGINES[engine](workers)) as started:
        feed(batch_and_wait, started, [0.1] * workers)  # after this, every worker is ready
        for number in range(1, repeat + 1):
            for name, way, started.prefetch in ROWS:
                runs[name].append(feed(way, started, seconds))
            walls = ", ".join(f"{name} {taken[-1].wall:.2f} s" for name, taken in runs.items())
            note(f"{engine} workers, {tasks} tasks, run {number} of {repeat}: {walls}")
    return Compared(engine, tasks, workers, seconds, runs)


def lines(compared: Compared) -> list[str]:
    """The table of one engine and kind of tasks, and what may be wrong with it."""
    seconds = compared.seconds
    least, most = f"{1000 * min(seconds):.0f}", f"{1000 * max(seconds):.0f}"
    each = least if least == most else f"{least} to {most}"
    repeat = len(compared.runs[ROWS[0][0]])
    rows = [_row(name, taken, compared) for name, taken in compared.runs.items()]
    warnings = ((name, differences([run.wall for run in taken])) for name, taken in compared.runs.items())
    return [
        f"{compared.workers} {compared.engine} workers, {len(seconds):,} tasks of {each} ms, {compared.best:.2f} s at"
        f" best: median of {repeat}",
        "",
        *table([_HEAD, *rows]),
        *(f"\nWARNING: {name}: {warning}." for name, warning in warnings if warning),
    ]


def _row(name: str, taken: Sequence[Feeding], compared: Compared) -> list[str]:
    wall = spread([run.wall for run in taken])
    latency = [[getattr(run.latency, at) for run in taken] for at in ("p50", "p95", "p99")]
    return [
        name,
        *(f"{seconds:.2f}" for seconds in (wall.median, wall.least, wall.most)),
        f"{wall.median / compared.best:.2f}",
        f"{median(run.mean_busy for run in taken):.2f}",
        f"{median(run.share_at(compared.workers) for run in taken):.0%}",
        *(f"{1000 * median(values):.1f}" for values in latency),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows, LostTasks), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    said: list[str] = []

    def say(*more: str) -> None:
        said.extend(["", *more])
        print("\n".join(["", *more]), flush=True)

    environment = machine_lines()
    print("\n".join(environment), flush=True)
    results = []
    for engine in options.engines:
        for tasks, make in TASKS.items():
            seconds = make(options.tasks, options.milliseconds / 1000)
            compared = compare(engine, tasks, seconds, options.workers, options.repeat)
            results.append(compared.as_json())
            say(*lines(compared))
    say(_LEGEND)
    with open_databases(["postgres"], folder) as (database,):
        environment.append(database.description)
        following = follow(database, options.seconds, options.most, folder)
    warning = noise([following.run])
    say(*following_lines(following), *([f"\nWARNING: {warning}."] if warning else []))
    values = {"environment": environment, "feeding": results, "following": asdict(following)}
    if options.output:
        write_results(options, NAME, _TITLE, said[1:], values)
        draw(following, options.output / f"{NAME}.png")
    return values


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure how workers are kept fed, and how their number follows a database that slows down.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--tasks", type=at_least_one, default=1000, help="of each kind")
    parser.add_argument("--milliseconds", type=float, default=10.0, help="that a task takes, in the mean")
    parser.add_argument("--workers", type=at_least_one, default=8, help="that tasks are handed out to")
    parser.add_argument("--engines", type=some_of(*ENGINES), default=",".join(ENGINES), help="kinds of workers")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the load, about")
    parser.add_argument("--most", type=at_least_one, default=4, help="workers of the load")
    return options_of(parser, arguments, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
