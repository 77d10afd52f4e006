"""What the queue gives, what each setting around it gives, and the settings to use: against the loader without a queue.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_queue_optimization.py

Loads a generated nested dump (5 tables) into fresh databases: by the baseline (`batch_and_wait`), measured again here,
step by step from there to the defaults, one factor at a time from the defaults, and with the best of each factor
together; on the database as it is, and where every COMMIT is answered 100 ms later. All rows are loaded in turn,
several times over, so that a change of the machine meets them all; rows that take long only once. Tables are counted
and their keys looked for after every load. PostgreSQL only: SQLite has neither a COPY nor commits that are answered
over a network. It measures and does not judge: the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.options import default_worker_count  # noqa: E402
from performance_tuning.benchmarks.baseline import REGIMES, WORKERS, measured_baseline  # noqa: E402
from performance_tuning.benchmarks.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.harness import RunFailed  # noqa: E402
from performance_tuning.benchmarks.loads import LoadRun, WrongRows, measured_load  # noqa: E402
from performance_tuning.benchmarks.reporting import machine_lines  # noqa: E402
from performance_tuning.benchmarks.sweep import (  # noqa: E402
    BASELINE,
    DEFAULTS,
    LONG_SECONDS,
    LONG_STEPS,
    Row,
    Settings,
    Sweep,
    best_together,
    full_sweep,
    quick_sweep,
)
from performance_tuning.benchmarks.sweep_report import LEGEND, draw, result_lines, write_csv  # noqa: E402
from performance_tuning.benchmarks.sweep_result import Result  # noqa: E402
from performance_tuning.benchmarks.usual_loader import BATCH_ROWS  # noqa: E402

NAME = "queue_optimization"
_SIZES = {
    False: {"size": 50_000_000, "delayed_size": 80_000_000},
    True: {"size": 2_000_000, "delayed_size": 2_000_000},
}
"""Bytes of the two dumps, by whether it is to be quick. A load has some 20 commits before and after its rows: where
each takes longer, the dump must be larger, or they are what is measured."""


class Measurement:
    """The loads of one regime, one after the other."""

    def __init__(
        self, result: Result, repeat: int, database: Database, way: Callable[[str], str], scratch: Path
    ) -> None:
        self._result = result
        self._repeat = repeat
        self._database = database
        self._way = way
        self._scratch = scratch
        self._seconds: dict[Settings | None, float] = {}
        """What a row took last time, with the making of its database and the checks."""

    def run(self) -> None:
        """Raises RunFailed, WrongRows."""
        for settings in (BASELINE, DEFAULTS):
            self._load(settings)  # compiles modules, and brings the dump into the page cache
        sweep, result = self._result.sweep, self._result
        for number in range(self._repeat):
            start = number * len(sweep.rows) // self._repeat
            rows = [row for row in (*sweep.rows[start:], *sweep.rows[:start]) if number < self._loads(row)]
            for place, row in enumerate(rows):
                self._measure(row, f"round {number + 1} of {self._repeat}, load {place + 1} of {len(rows)}")
                self._say_what_is_next(rows[place + 1 :], number + 1)
        result.together = best_together(sweep.factors, {key: result.rates(key) for key in result.runs})
        if result.together not in result.runs:
            for number in range(self._repeat):
                # What it is compared with again, too: the machine may have changed since.
                for row in (sweep.ladder[-1], Row("best together", result.together)):
                    self._measure(row, f"the best beside the defaults, {number + 1} of {self._repeat}")

    def _measure(self, row: Row, place: str) -> None:
        done = self._load(row.settings)
        self._result.runs.setdefault(row.settings, []).append(done)
        rate = self._result.rates(row.settings)[-1]
        regime = self._result.regime.name
        note(f"{regime}, {place}: {row.name}: {done.run.wall:.2f} s, {rate:,.0f} records/min, rows right")

    def _say_what_is_next(self, rows: Sequence[Row], next_round: int) -> None:
        again = [row for row in self._result.sweep.rows for _round in range(next_round, self._loads(row))]
        usual = mean(self._seconds.values())
        seconds = sum(self._seconds.get(row.settings, usual) for row in (*rows, *again))
        if rows:
            left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            note(f"  next: {rows[0].name}; about {left} left on {self._result.regime.title}")

    def _loads(self, row: Row) -> int:
        """How many there are to be of it."""
        if self._seconds.get(row.settings, 0.0) <= LONG_SECONDS:
            return self._repeat
        return min(self._repeat, LONG_STEPS if row in self._result.sweep.ladder else 1)

    def _load(self, settings: Settings | None) -> LoadRun:
        began = perf_counter()
        dump, database = self._result.dump, self._database
        if settings is BASELINE:
            done = measured_baseline(dump, database, WORKERS, self._scratch, self._way)
        else:
            done = measured_load(dump, database, settings, self._scratch, self._way)
        self._seconds[settings] = perf_counter() - began
        return done


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    results: list[Result] = []
    with open_databases(["postgres"], folder) as (database,):
        machine = [*machine_lines(), database.description]
        said = ["# What the queue gives", "", *(f"- {line}" for line in machine), "", LEGEND]
        print("\n".join(said), flush=True)
        for regime in (regime for regime in REGIMES if regime.name in options.regimes):
            dump = make_dump("nested", options.delayed_size if regime.delay else options.size, folder)
            result = Result(regime, dump, _sweep(dump, quick=options.quick))
            with regime.way(database) as way:
                Measurement(result, options.repeat, database, way, folder).run()
            lines = ["", *result_lines(result)]
            print("\n".join(lines), flush=True)
            said += lines
            results.append(result)
    values = {"machine": machine, "regimes": [result.as_json() for result in results]}
    if options.output is not None:
        _write(options.output, results, said, values)
    return values


def _sweep(dump: Dump, *, quick: bool) -> Sweep:
    batch_records = max(1, round(BATCH_ROWS * dump.records / sum(dump.rows.values())))
    if quick:
        return quick_sweep(batch_records, WORKERS)
    return full_sweep(batch_records, WORKERS, default_worker_count())


def _write(folder: Path, results: Sequence[Result], lines: Sequence[str], values: dict[str, Any]) -> None:
    draw(folder / f"{NAME}.png", results)
    write_csv(folder / f"{NAME}.csv", results)
    (folder / f"{NAME}.md").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / f"{NAME}.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    note(f"Written to {folder / NAME}.json, .csv, .md and .png.")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure the queue and the settings around it against the loader without a queue.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a few rows, once, with small dumps: in under a minute")
    names = [regime.name for regime in REGIMES]
    parser.add_argument("--regimes", type=some_of(*names), default=",".join(names), help="how the database commits")
    size: dict[str, Any] = {"type": parse_size, "default": argparse.SUPPRESS, "metavar": "SIZE"}
    parser.add_argument("--size", **size, help="of the dump for the database as it is (50MB; --quick: 2MB)")
    parser.add_argument("--delayed-size", **size, help="of the other dump (80MB; --quick: 2MB)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where to write {NAME}.json, .csv, .md, .png")
    options = options_of(parser, arguments)
    if options.quick:
        options.repeat = 1
    return argparse.Namespace(**(_SIZES[options.quick] | vars(options)))


if __name__ == "__main__":
    sys.exit(main())
