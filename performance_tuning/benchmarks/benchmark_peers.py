"""`etl load` beside what people load XML with otherwise, and beside the database taking ready rows.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_peers.py

Loads a nested dump (5 tables) and a flat one (1 table) into PostgreSQL and SQLite with each loader, in turn, into the
same tables with the same keys, built after the last row. Each run is a process of its own with a fresh database, and
rows and keys are checked after it. What takes long is run once. Prints medians, ratios beside the goals, and what a
loader cannot do, and takes everything away again. It measures and does not judge: the exit code is 1 only where
something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, measure  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows, check_rows  # noqa: E402
from performance_tuning.benchmarks.common.reporting import write_results  # noqa: E402
from performance_tuning.benchmarks.peers.loaders import LOADERS, OURS, PEERS, Loader  # noqa: E402
from performance_tuning.benchmarks.peers.report import (  # noqa: E402
    comparison_lines,
    draw,
    environment_lines,
    legend_lines,
)
from performance_tuning.benchmarks.peers.taken import Comparison, Taken  # noqa: E402

NAME = "peers"
_TITLE = "Peers, side by side"

_WARM_UP_BYTES = 2_000_000
_LONG_SECONDS = 10.0
"""A run that takes this long meets the machine's moods by itself, so one of it is enough."""


def compare(dump: Dump, database: Database, repeat: int, folder: Path) -> Comparison:
    """Run every loader `repeat` times unless it takes long, in turn, so that a change of the machine meets them all."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        ready = Path(name)
        taken = [Taken(loader, fitting(loader, dump, psutil.virtual_memory().available, ready)) for loader in LOADERS]
        # The warm-up: modules compiled, the dump in the page cache, the server past its first pages.
        run_once(OURS, dump, database, ready, folder, extract=True)
        small = make_dump(dump.kind, min(dump.size, _WARM_UP_BYTES), ready)
        for peer in PEERS:
            run_once(peer, small, database, ready, folder)
        for number in range(1, repeat + 1):
            for each in taken:
                if any(run.wall > _LONG_SECONDS for run in each.runs):
                    continue
                run = run_once(each.loader, each.dump, database, ready, folder)
                each.runs.append(run)
                note(f"{dump.kind} into {database.name}, run {number} of {repeat}: {each.loader.name} {run.wall:.2f} s")
    return Comparison(dump, database.name, taken)


def fitting(loader: Loader, dump: Dump, available: int, folder: Path) -> Dump:
    """The dump, or the largest one that the loader can take with so many bytes of memory."""
    factor = loader.memory.get(dump.kind, 0.0)
    if dump.size * factor <= available:
        return dump
    size = int(available / factor)
    note(f"{loader.name} would need {dump.size * factor / 1e9:.1f} GB of memory: it gets a dump of {size / 1e6:.0f} MB")
    return make_dump(dump.kind, size, folder)


def run_once(
    loader: Loader, dump: Dump, database: Database, ready: Path, scratch: Path, *, extract: bool = False
) -> Run:
    """One run into a fresh database, checked (and its rows put into `ready`)."""
    with database.fresh() as url:
        command = [sys.executable, *loader.command(dump, url, ready)]
        run = measure(command, cwd=_ROOT, scratch=scratch, server_cpu=database.server_cpu)
        check_rows(replace(dump, rows=loader.rows(dump)), database, url, loader.name)
        if extract:
            database.extract(url, list(dump.rows), ready)
    return run


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    comparisons = []
    with open_databases(options.targets, folder) as databases:
        environment = [*environment_lines(), *(database.description for database in databases)]
        print("\n".join(environment), flush=True)
        for kind in options.kinds:
            dump = make_dump(kind, options.size, folder)
            for database in databases:
                comparison = compare(dump, database, options.repeat, folder)
                comparisons.append(comparison)
                print("\n".join(["", *comparison_lines(comparison)]), flush=True)
    print("\n".join(["", *legend_lines()]))
    results = {"environment": environment, "results": [comparison.as_json() for comparison in comparisons]}
    if options.output:
        tables = [line for comparison in comparisons for line in (*comparison_lines(comparison), "")]
        write_results(options, NAME, _TITLE, [*tables, *legend_lines()], results)
        draw(options.output / f"{NAME}.png", comparisons)
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure etl load beside other ways to load XML.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="200MB", help="of each dump")
    parser.add_argument("--kinds", type=some_of("nested", "flat"), default="nested,flat", help="of dumps")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    return options_of(parser, arguments, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
