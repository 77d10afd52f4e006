"""How fast `etl load` is, beside what it is compared with: the usual loader, and the database taking ready rows.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_end_to_end.py

Generates a nested dump (5 tables) and a flat one (1 table), starts a PostgreSQL of its own, loads each dump with each
loader into a fresh database, checks the rows of every table after every run, prints medians side by side and takes
everything away again. The same tables and keys on all sides, keys after the last row. It measures and does not judge:
the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.harness import Run, RunFailed, measure  # noqa: E402
from performance_tuning.benchmarks.loads import WrongRows, check_rows  # noqa: E402
from performance_tuning.benchmarks.reporting import Result, machine_lines, result_lines  # noqa: E402
from performance_tuning.benchmarks.tables import TABLES  # noqa: E402

_MAPPINGS = Path(__file__).parent / "mappings"
_WARM_UP_BYTES = 2_000_000
_WORKERS = 2

Command = Callable[[Dump, str, Path], list[str]]
"""Arguments for Python, from a dump, a database URL and the folder of ready rows."""


def _etl(dump: Dump, url: str, _ready: Path) -> list[str]:
    mapping = _MAPPINGS / f"{dump.kind}.mapping.yaml"
    settings = ["--workers", str(_WORKERS), "--set", "workers.kind=process"]
    return [
        "-c",
        "from etl.cli import main; main()",
        "load",
        str(dump.path),
        "--map",
        str(mapping),
        "--to",
        url,
        "--quiet",
        *settings,
    ]


def _usual_loader(dump: Dump, url: str, _ready: Path) -> list[str]:
    return ["-m", "performance_tuning.benchmarks.usual_loader", dump.kind, str(dump.path), url]


def _ready_rows(dump: Dump, url: str, ready: Path) -> list[str]:
    return ["-m", "performance_tuning.benchmarks.ready_rows", dump.kind, str(ready), url]


LOADERS: dict[str, Command] = {"etl load": _etl, "usual loader": _usual_loader, "ready rows": _ready_rows}


def compare(dump: Dump, database: Database, repeat: int, folder: Path) -> Result:
    """Run every loader `repeat` times, in turn, so that a change of the machine meets them all."""
    runs: dict[str, list[Run]] = {loader: [] for loader in LOADERS}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        ready = Path(name)
        # The warm-up: modules compiled, the dump in the page cache, the server past its first pages.
        run_once("etl load", dump, database, ready, extract=True)
        run_once("usual loader", make_dump(dump.kind, _WARM_UP_BYTES, ready), database, ready)
        for number in range(1, repeat + 1):
            for loader in LOADERS:
                run = run_once(loader, dump, database, ready)
                runs[loader].append(run)
                note(f"{dump.kind} into {database.name}, run {number} of {repeat}: {loader} {run.wall:.2f} s")
    return Result(dump, database.name, runs)


def run_once(loader: str, dump: Dump, database: Database, ready: Path, *, extract: bool = False) -> Run:
    """One run into a fresh database, its rows checked (and extracted into `ready`)."""
    tables = [table.name for table in TABLES[dump.kind]]
    with database.fresh() as url:
        command = [sys.executable, *LOADERS[loader](dump, url, ready)]
        run = measure(command, cwd=_ROOT, scratch=ready, server_cpu=database.server_cpu)
        check_rows(dump, database, url, loader)
        if extract:
            database.extract(url, tables, ready)
    return run


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(
        lambda folder: [result.as_json() for result in _run_all(options, folder)], (RunFailed, WrongRows), options.json
    )


def _run_all(options: argparse.Namespace, folder: Path) -> list[Result]:
    results = []
    with open_databases(options.targets, folder) as databases:
        print("\n".join([*machine_lines(), *(database.description for database in databases)]), flush=True)
        for kind in options.kinds:
            dump = make_dump(kind, options.size, folder)
            for database in databases:
                result = compare(dump, database, options.repeat, folder)
                if kind == "nested" and options.memory_dump is not None:
                    big = make_dump(kind, options.memory_dump, folder)
                    note(f"nested of {big.size / 1e6:.0f} MB into {database.name}, for its memory")
                    result.big = big, run_once("etl load", big, database, folder)
                results.append(result)
                print("\n".join(["", *result_lines(result)]), flush=True)
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure etl load beside the usual loader and the database taking ready rows.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="200MB", help="of each dump")
    parser.add_argument("--kinds", type=some_of("nested", "flat"), default="nested,flat", help="of dumps")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    parser.add_argument(
        "--memory-dump", type=_size_or_none, default="2GB", help="size of the dump for the memory of etl load, or none"
    )
    return options_of(parser, arguments)


def _size_or_none(text: str) -> int | None:
    return None if text == "none" else parse_size(text)


if __name__ == "__main__":
    sys.exit(main())
