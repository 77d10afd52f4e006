"""What the queue gives, what each setting around it gives, and the settings to use: against the loader without a queue.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_queue_optimization.py

Loads a generated nested dump (5 tables) into fresh databases: by the baseline (`batch_and_wait`), measured again here,
step by step from there to the defaults, one factor at a time from the defaults, and with the best of each factor
together, in turns with the defaults; on the database as it is, with mapping alone as the limit, and where every COMMIT
is answered 100 ms later. All rows are loaded in turn, several times over, so that a change of the machine meets them
all: steps `--repeat` times, factors and what takes long twice at most. Tables are counted and their keys looked for
after every load. PostgreSQL only: SQLite has neither a COPY nor commits that are answered over a network. It measures
and does not judge: the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.options import default_worker_count  # noqa: E402
from performance_tuning.benchmarks.common.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import RunFailed  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines  # noqa: E402
from performance_tuning.benchmarks.peers.usual_loader import BATCH_ROWS  # noqa: E402
from performance_tuning.benchmarks.sweep.loads import load_all  # noqa: E402
from performance_tuning.benchmarks.sweep.plan import Sweep, full_sweep, quick_sweep  # noqa: E402
from performance_tuning.benchmarks.sweep.report import LEGEND, draw, result_lines, write_csv  # noqa: E402
from performance_tuning.benchmarks.sweep.result import Result  # noqa: E402
from performance_tuning.benchmarks.without_queue.baseline import REGIMES, WORKERS, Regime  # noqa: E402

NAME = "queue_optimization"
_SIZES = {
    False: {"size": 100_000_000, "delayed_size": 80_000_000},
    True: {"size": 2_000_000, "delayed_size": 2_000_000},
}
"""Bytes of the two dumps, by whether it is to be quick. A load has some 20 commits before and after its rows: where
each takes longer, the dump must be larger, or they are what is measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    results: list[Result] = []
    with open_databases(["postgres"], folder) as (database,):
        machine = [*machine_lines(), database.description]
        said = ["# What the queue gives", "", *(f"- {line}" for line in machine), "", *LEGEND]
        print("\n".join(said), flush=True)
        for regime in (regime for regime in REGIMES if regime.name in options.regimes):
            dump = make_dump("nested", options.delayed_size if regime.delay else options.size, folder)
            result = Result(regime, dump, _sweep(dump, regime, quick=options.quick))
            with regime.way(database) as way:
                load_all(result, options.repeat, database, way, folder)
            lines = ["", *result_lines(result)]
            print("\n".join(lines), flush=True)
            said += lines
            results.append(result)
    values = {"machine": machine, "regimes": [result.as_json() for result in results]}
    if options.output is not None:
        _write(options.output, results, said, values)
    return values


def _sweep(dump: Dump, regime: Regime, *, quick: bool) -> Sweep:
    batch_records = max(1, round(BATCH_ROWS * dump.records / sum(dump.rows.values())))
    limit = not regime.delay  # it has no commits to wait for
    if quick:
        return quick_sweep(batch_records, WORKERS, limit=limit)
    return full_sweep(batch_records, WORKERS, default_worker_count(), limit=limit)


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
    names = [regime.name for regime in REGIMES]
    parser.add_argument("--regimes", type=some_of(*names), default=",".join(names), help="how the database commits")
    size: dict[str, Any] = {"type": parse_size, "default": argparse.SUPPRESS, "metavar": "SIZE"}
    parser.add_argument("--size", **size, help="of the dump for the database as it is (100MB; --quick: 2MB)")
    parser.add_argument("--delayed-size", **size, help="of the other dump (80MB; --quick: 2MB)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where to write {NAME}.json, .csv, .md, .png")
    options = options_of(parser, arguments, quick="a few rows, once, with small dumps: in under a minute")
    return argparse.Namespace(**(_SIZES[options.quick] | vars(options)))


if __name__ == "__main__":
    sys.exit(main())
