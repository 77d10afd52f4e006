"""How fast inference is: the survey of a document beside its bare parsing, and loads with what was inferred.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_inference.py --source dump.xml.gz

Surveys all of a generated dump with 10,000 element paths, and of each file given, in fresh processes, in turn with
libxml2 alone; then loads a nested and a flat dump with an inferred mapping in turn with a hand-written one for the same
tables. Prints medians, spreads and ratios, and takes everything away again. It measures and does not judge: the exit
code is 1 only where something could not be measured.
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

from env_prep.generate_dump import parse_size, write_dump  # noqa: E402
from performance_tuning.benchmarks.common.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, measure, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines  # noqa: E402
from performance_tuning.benchmarks.inferred_mappings import infer_same_tables  # noqa: E402
from performance_tuning.benchmarks.one_survey import WAYS, document_bytes  # noqa: E402

_MAPPINGS = Path(__file__).parent / "mappings"
_WORKERS = 2

Runs = dict[str, list[Run]]


def survey_runs(file: Path, repeat: int, scratch: Path) -> Runs:
    """Look at a file in every way, in turn, so that a change of the machine meets them all."""
    runs: Runs = {way: [] for way in WAYS}
    for number in range(repeat + 1):
        for way in WAYS:
            command = [sys.executable, "-m", "performance_tuning.benchmarks.one_survey", way, str(file)]
            run = measure(command, cwd=_ROOT, scratch=scratch, server_cpu=lambda: 0.0)
            if number:  # the first round compiles modules, and brings the file into the page cache
                runs[way].append(run)
                note(f"{file.name}, run {number} of {repeat}: {way} {run.wall:.2f} s")
    return runs


def survey_lines(name: str, size: int, runs: Runs) -> list[str]:
    """The speeds and the memory of surveys of one document of `size` bytes."""
    lines = [f"{name}, {size / 1e6:.0f} MB: median of {len(runs['survey'])}"]
    for way, taken in runs.items():
        wall = spread([run.wall for run in taken])
        memory = max(run.peak_memory for run in taken)
        lines.append(
            f"{way:10}{size / 1e6 / wall.median:>7.1f} MB/s  ({wall.least:.2f} to {wall.most:.2f} s)"
            f"  peak memory {memory / 1e6:.0f} MB"
        )
    lines.append(f"A survey takes {_wall(runs['survey']) / _wall(runs['libxml2']):.2f} times as long as libxml2 alone.")
    return lines + _warnings(runs)


def load_runs(dump: Dump, database: Database, repeat: int, scratch: Path) -> Runs:
    """Load a dump with both mappings, in turn; raises WrongRows."""
    by_hand = _MAPPINGS / f"{dump.kind}.mapping.yaml"
    inferred = scratch / f"{dump.kind}.inferred.yaml"
    names = infer_same_tables(dump.path, by_hand, inferred)
    ways = {"by hand": (by_hand, {name: name for name in names}), "inferred": (inferred, names)}
    runs: Runs = {way: [] for way in ways}
    for number in range(repeat + 1):
        for way, (mapping, tables) in ways.items():
            run = _load(dump, database, mapping, tables, scratch)
            if number:
                runs[way].append(run)
                note(f"{dump.kind} into {database.name}, run {number} of {repeat}: {way} {run.wall:.2f} s")
    return runs


def _load(dump: Dump, database: Database, mapping: Path, tables: dict[str, str], scratch: Path) -> Run:
    with database.fresh() as url:
        command = [sys.executable, "-c", "from etl.cli import main; main()", "load", str(dump.path)]
        command += ["--map", str(mapping), "--to", url, "--quiet", "--workers", str(_WORKERS)]
        run = measure(command, cwd=_ROOT, scratch=scratch, server_cpu=database.server_cpu)
        counts = database.counts(url, list(tables.values()))
        found = {name: counts[table] for name, table in tables.items()}
    if found != dump.rows:
        raise WrongRows(f"{mapping.name} into {database.name}: expected {dump.rows}, found {found}.")
    return run


def load_lines(dump: Dump, database: Database, runs: Runs) -> list[str]:
    """What loads of one dump into one database took."""
    lines = [f"{dump.kind}, {dump.size / 1e6:.0f} MB, into {database.name}: median of {len(runs['inferred'])}"]
    for way, taken in runs.items():
        wall = spread([run.wall for run in taken])
        lines.append(f"{way:10}{wall.median:>7.2f} s  ({wall.least:.2f} to {wall.most:.2f} s)")
    ratio = _wall(runs["inferred"]) / _wall(runs["by hand"])
    lines.append(f"Loading with the inferred mapping takes {ratio:.2f} times as long as with the one by hand.")
    return lines + _warnings(runs)


def _wall(runs: list[Run]) -> float:
    return median(run.wall for run in runs)


def _warnings(runs: Runs) -> list[str]:
    return [f"WARNING: {way}: {warning}." for way, taken in runs.items() if (warning := noise(taken))]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows, ValueError), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []

    def show(what: str, lines: list[str], runs: Runs) -> None:
        print("\n".join(["", *lines]), flush=True)
        results.append({"what": what, "runs": {way: [asdict(run) for run in taken] for way, taken in runs.items()}})

    print("\n".join(machine_lines()), flush=True)
    wide = folder / "wide-paths.xml"
    with wide.open("wb") as out:
        write_dump("wide-paths", out.write, size=options.size)
    for file in [wide, *options.source]:
        runs = survey_runs(file, options.repeat, folder)
        show(f"survey of {file.name}", survey_lines(file.name, document_bytes(file), runs), runs)
    if options.targets:
        with open_databases(options.targets, folder) as databases:
            for kind in ("nested", "flat"):
                dump = make_dump(kind, options.load_size, folder)
                for database in databases:
                    runs = load_runs(dump, database, options.repeat, folder)
                    show(f"{kind} into {database.name}", load_lines(dump, database, runs), runs)
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure surveys beside bare parsing, and loads with inferred mappings beside hand-written ones.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--source", type=Path, action="append", default=[], metavar="FILE", help="a dump to survey, too"
    )
    parser.add_argument("--size", type=parse_size, default="100MB", help="of the dump with 10,000 paths")
    parser.add_argument("--load-size", type=parse_size, default="100MB", help="of each dump that is loaded")
    parser.add_argument("--targets", type=_targets, default="postgres,sqlite", help="databases to load into, or none")
    options = options_of(parser, arguments)
    if missing := [str(file) for file in options.source if not file.is_file()]:
        parser.error(f"--source: there is no file {missing[0]}")
    return options


def _targets(text: str) -> list[str]:
    return [] if text == "none" else some_of("postgres", "sqlite")(text)


if __name__ == "__main__":
    sys.exit(main())
