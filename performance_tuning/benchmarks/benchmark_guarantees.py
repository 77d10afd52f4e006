"""What it costs that nothing is lost and nothing comes twice: loads with the ledger beside the same loads without it.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_guarantees.py

Loads a nested dump (5 tables) into fresh databases, in turn as always and without any of what makes a load resumable
(ledger, claims, locks on sources, search for gaps, marks), counts the rows after every run, prints medians and the
overhead beside its goal and takes everything away again. It measures and does not judge: the exit code is 1 only where
something could not be measured.
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
from performance_tuning.benchmarks.common.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, measure, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows, check_rows  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines  # noqa: E402
from performance_tuning.benchmarks.one_load import WAYS  # noqa: E402

_MAPPING = Path(__file__).parent / "mappings" / "nested.mapping.yaml"
_GOAL = 3.0
"""Percent of a clean load."""

Runs = dict[str, list[Run]]


def compare(dump: Dump, database: Database, repeat: int, scratch: Path) -> Runs:
    """Load in both ways, in turn, so that a change of the machine meets them both; raises WrongRows."""
    runs: Runs = {way: [] for way in WAYS}
    for number in range(repeat + 1):
        # Who comes first finds what the other one left: each is first in half of the rounds.
        for way in WAYS if number % 2 else reversed(WAYS):
            run = _load(way, dump, database, scratch)
            if number:  # the first round compiles modules, and brings the dump into the page cache
                runs[way].append(run)
                note(f"into {database.name}, run {number} of {repeat}: {way} guarantees {run.wall:.2f} s")
    return runs


def _load(way: str, dump: Dump, database: Database, scratch: Path) -> Run:
    with database.fresh() as url:
        command = [sys.executable, "-m", "performance_tuning.benchmarks.one_load", way, str(dump.path), str(_MAPPING)]
        run = measure([*command, url], cwd=_ROOT, scratch=scratch, server_cpu=database.server_cpu)
        check_rows(dump, database, url, f"{way} guarantees")
    return run


def lines(dump: Dump, database: Database, runs: Runs) -> list[str]:
    """The table of one database, the overhead, and what may be wrong with it."""
    said = [f"nested, {dump.size / 1e6:.0f} MB, into {database.name}: median of {len(runs['with'])}"]
    for way, taken in runs.items():
        wall = spread([run.wall for run in taken])
        cpu, server = median(run.cpu for run in taken), median(run.server_cpu for run in taken)
        said.append(
            f"{way:8}{wall.median:>7.2f} s  ({wall.least:.2f} to {wall.most:.2f} s)"
            f"  CPU {cpu:.2f} s  server CPU {server:.2f} s"
        )
    said.append(
        f"The guarantees cost {_overhead(runs, 'wall'):+.1f} % of the time and {_overhead(runs, 'cpu'):+.1f} % of the"
        f" processors' time (goal: under {_GOAL:g} %)."
    )
    return said + [f"WARNING: {way}: {warning}." for way, taken in runs.items() if (warning := noise(taken))]


def _overhead(runs: Runs, what: str) -> float:
    def middle(way: str) -> float:
        if what == "wall":
            return median(run.wall for run in runs[way])
        return median(run.cpu + run.server_cpu for run in runs[way])

    return 100 * (middle("with") / middle("without") - 1)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    with open_databases(options.targets, folder) as databases:
        print("\n".join([*machine_lines(), *(database.description for database in databases)]), flush=True)
        dump = make_dump("nested", options.size, folder)
        for database in databases:
            runs = compare(dump, database, options.repeat, folder)
            print("\n".join(["", *lines(dump, database, runs)]), flush=True)
            raw = {way: [asdict(run) for run in taken] for way, taken in runs.items()}
            results.append({"database": database.name, "bytes": dump.size, "runs": raw})
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure what the guarantees cost: loads with the ledger beside loads without it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="150MB", help="of the dump")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    # The difference is small beside what the machine does meanwhile.
    return options_of(parser, arguments, repeat=7)


if __name__ == "__main__":
    sys.exit(main())
