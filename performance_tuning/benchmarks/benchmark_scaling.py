"""How the speed of `etl load` changes with the size of the dump and with the number of workers.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_scaling.py

Loads nested dumps (5 tables) of several sizes, and one dump with several numbers of workers, into fresh databases; rows
and keys are checked after every run. Prints records a minute and peak memory, how flat they are over the sizes, and
beside the workers what the processors allow. It measures and does not judge: the exit code is 1 only where
something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.command import (  # noqa: E402
    at_least_one,
    note,
    options_of,
    rising,
    run_command,
    some_of,
)
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import RunFailed  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows, measured_load  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines, write_results  # noqa: E402
from performance_tuning.benchmarks.scaling_report import Point, Speeds, draw, speed_lines  # noqa: E402

NAME = "scaling"
_TITLE = "Speed by size and by workers"
_ONCE_FROM = 1_000_000_000
"""Bytes. A load that takes this long meets the machine's moods by itself, so one run of it is enough."""


def measure_all(points: Sequence[Point], database: Database, repeat: int, folder: Path) -> None:
    """Load for each of the points `repeat` times, in turn, so that a change of the machine meets them all.

    Raises RunFailed, WrongRows.
    """
    smallest = min(points, key=lambda point: point.dump.size)
    measured_load(smallest.dump, database, [], folder)  # compiles modules
    for number in range(1, repeat + 1):
        for point in points:
            if number == 1 or point.dump.size < _ONCE_FROM:
                load = measured_load(point.dump, database, point.settings, folder)
                point.loads.append(load)
                note(f"into {database.name}, run {number} of {repeat}: {point.name} {load.run.wall:.2f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    speeds = []
    with open_databases(options.targets, folder) as databases:
        environment = [*machine_lines(), *(database.description for database in databases)]
        print("\n".join(environment), flush=True)
        dumps = {size: make_dump("nested", size, folder) for size in {*options.sizes, options.workers_size}}
        for database in databases:
            sizes = [Point(dumps[size]) for size in options.sizes]
            workers = [Point(dumps[options.workers_size], count) for count in options.workers]
            measure_all([*sizes, *workers], database, options.repeat, folder)
            speeds.append(Speeds(database.name, sizes, workers))
            print("\n".join(["", *speed_lines(speeds[-1])]), flush=True)
    results = {"environment": environment, "results": [each.as_json() for each in speeds]}
    if options.output:
        tables = [line for each in speeds for line in (*speed_lines(each), "")]
        write_results(options, NAME, _TITLE, tables[:-1], results)
        draw(options.output / f"{NAME}.png", speeds)
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure etl load with dumps of several sizes and with several numbers of workers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--sizes", type=rising(parse_size), default="20MB,50MB,200MB,500MB,2GB", help="of dumps; from 1 GB run once"
    )
    parser.add_argument("--workers", type=rising(at_least_one), default="1,2,4", help="numbers of workers")
    parser.add_argument("--workers-size", type=parse_size, default="200MB", help="of the dump for these")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres", help="databases")
    options = options_of(parser, arguments, name=NAME)
    if len(options.sizes) < 2:
        parser.error("--sizes: at least two are needed to see what the size changes")
    return options


if __name__ == "__main__":
    sys.exit(main())
