"""How fast records are read and mapped, without a database: by the compiled scanner, and by lxml beside it.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_scanner.py

Maps a nested dump (5 tables) and a flat one (1 table), or a dump of your own (`--source FILE --map FILE`), to COPY text
and to values for SQLite, in 1, 2 and 4 threads of this process, both readers in turn. The splits are made before the
clock runs; a first round compares what both make of each. Prints MB/s of XML, in all and for each second of a core. It
measures and does not judge: the exit code is 1 only where something could not be measured, or the readers differ.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.engines.base import WorkerSetup  # noqa: E402
from etl.errors import EtlError  # noqa: E402
from etl.mapping.reader import read_mapping  # noqa: E402
from etl.messages import RowFormat, Split  # noqa: E402
from etl.native import unavailable  # noqa: E402
from performance_tuning.benchmarks.common.command import (  # noqa: E402
    at_least_one,
    note,
    options_of,
    rising,
    run_command,
    some_of,
)
from performance_tuning.benchmarks.common.dumps import make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import RunFailed, differences, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import MAPPINGS  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines, write_results  # noqa: E402
from performance_tuning.benchmarks.common.splits import SOURCE, splits_of  # noqa: E402
from performance_tuning.benchmarks.timed_scans import READERS, Reader, ReadersDiffer, Scan, declined, scan  # noqa: E402

NAME = "scanner"
_TITLE = "Reading and mapping, without a database"
_FORMATS: dict[RowFormat, str] = {"copy": "COPY text", "tuples": "values for SQLite"}
_GOALS = {"nested": 200, "flat": 300}
"""MB/s of a core, by kind of dump."""
_HEAD = ("read by", "threads", "wall s", "least to most", "MB/s", "CPU s", "MB/s a core", "times lxml")


@dataclass(frozen=True)
class Scans:
    """One dump to one format of rows, by both readers."""

    dump: str
    """``nested``, ``flat``, or a file's name."""
    row_format: RowFormat
    splits: int
    bytes: int
    """Of the splits."""
    records: int
    declined: list[str]
    """Reasons, one for each split that the scanner leaves to lxml."""
    runs: dict[int, dict[Reader, list[Scan]]] = field(default_factory=dict)
    """By number of threads."""

    def wall(self, threads: int, reader: Reader = "scanner") -> float:
        """Median, in seconds."""
        return median(run.wall for run in self.runs[threads][reader])

    def cpu(self, threads: int, reader: Reader = "scanner") -> float:
        """Median, in seconds, of all threads together."""
        return median(run.cpu for run in self.runs[threads][reader])


def scans_of(dump: str, setup: WorkerSetup, splits: Sequence[Split], threads: Sequence[int], repeat: int) -> Scans:
    """Map `repeat` times in every way, in turn, so that a change of the machine meets them all.

    Raises ReadersDiffer.
    """
    size, records = sum(split.size for split in splits), sum(split.records for split in splits)
    # The first round, in which both readers map everything, is the warm-up, too.
    scans = Scans(dump, setup.row_format, len(splits), size, records, declined(setup, splits))
    scans.runs.update({count: {reader: [] for reader in READERS} for count in threads})
    for number in range(1, repeat + 1):
        for count, runs in scans.runs.items():
            for reader, taken in runs.items():
                taken.append(scan(reader, setup, splits, count))
        first = {reader: taken[-1].wall for reader, taken in scans.runs[threads[0]].items()}
        walls = ", ".join(f"{reader} {wall:.2f} s" for reader, wall in first.items())
        note(f"{dump} to {_FORMATS[setup.row_format]}, run {number} of {repeat}, threads {threads[0]}: {walls}")
    return scans


def lines(scans: Scans) -> list[str]:
    """The table, what it comes to beside its goal, and what may be wrong with it."""
    repeat = len(next(iter(scans.runs.values()))["scanner"])
    rows = [_row(scans, threads, reader) for reader in READERS for threads in scans.runs]
    return [
        f"{scans.dump}, {scans.bytes / 1e6:.0f} MB, {scans.records:,} records in {scans.splits:,} splits, to"
        f" {_FORMATS[scans.row_format]}: median of {repeat}",
        "",
        *table([_HEAD, *rows]),
        "",
        *_said(scans),
        *(f"\nWARNING: {warning}." for warning in _warnings(scans)),
    ]


def _row(scans: Scans, threads: int, reader: Reader) -> tuple[str, ...]:
    wall = spread([run.wall for run in scans.runs[threads][reader]])
    cpu = scans.cpu(threads, reader)
    return (
        reader,
        str(threads),
        f"{wall.median:.3f}",
        f"{wall.least:.3f} to {wall.most:.3f}",
        f"{scans.bytes / 1e6 / wall.median:.1f}",
        f"{cpu:.3f}",
        f"{scans.bytes / 1e6 / cpu:.1f}",
        f"{scans.cpu(threads, 'lxml') / cpu:.1f}",
    )


def _said(scans: Scans) -> Iterator[str]:
    fewest, *more = scans.runs
    goal = f" (goal: at least {_GOALS[scans.dump]})" if scans.dump in _GOALS else ""
    yield (
        f"The scanner maps {scans.bytes / 1e6 / scans.cpu(fewest):.0f} MB in a second of a core{goal},"
        f" {scans.cpu(fewest, 'lxml') / scans.cpu(fewest):.1f} times what lxml does."
    )
    for before, threads in zip([fewest, *more], more, strict=False):
        times_before = scans.wall(threads) / scans.wall(before)
        yield f"With {threads} threads it takes {times_before:.2f} times as long as with {before}."
    if scans.declined:
        (reason, times), *_others = Counter(scans.declined).most_common()
        yield (
            f"It leaves {len(scans.declined):,} of {scans.splits:,} splits to lxml, which is in its time;"
            f" {times:,} of them: {reason}."
        )


def _warnings(scans: Scans) -> Iterator[str]:
    for threads, runs in scans.runs.items():
        for reader, taken in runs.items():
            if differ := differences([run.wall for run in taken]):
                yield f"{reader}, threads {threads}: {differ}"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, ReadersDiffer, EtlError), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if reason := unavailable():
        raise RunFailed(f"There is no scanner to measure: {reason}.")
    environment = machine_lines()
    print("\n".join(environment), flush=True)
    said: list[str] = []
    results = []
    for name, dump, mapping_file in _dumps(options, folder):
        mapping = read_mapping(mapping_file)
        splits = list(_first(splits_of(dump, mapping), options.size))
        for row_format in options.formats:
            setup = WorkerSetup(mapping, row_format, (SOURCE,))
            scans = scans_of(name, setup, splits, options.threads, options.repeat)
            results.append(asdict(scans))
            said += [*lines(scans), ""]
            print("\n".join(["", *lines(scans)]), flush=True)
    values = {"environment": environment, "results": results}
    if options.output:
        write_results(options, NAME, _TITLE, said[:-1], values)
    return values


def _dumps(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, file and mapping of each."""
    if options.source:
        yield options.source.name, options.source, options.map
        return
    for kind in options.kinds:
        yield kind, make_dump(kind, options.size, folder).path, MAPPINGS / f"{kind}.mapping.yaml"


def _first(splits: Iterator[Split], size: int) -> Iterator[Split]:
    """As many as come to `size` bytes, or all. Raises RunFailed where there is none."""
    taken = 0
    for split in splits:
        yield split
        taken += split.size
        if taken >= size:
            return
    if not taken:
        raise RunFailed("The mapping finds no records in this dump.")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure reading and mapping by the compiled scanner and by lxml, without a database.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="40MB", help="of each dump, or read of FILE at most")
    parser.add_argument("--kinds", type=some_of("nested", "flat"), default="nested,flat", help="of dumps")
    parser.add_argument("--source", type=Path, metavar="FILE", help="a dump in their place; --map has its mapping")
    parser.add_argument("--map", type=Path, metavar="FILE", help="the mapping for --source")
    parser.add_argument("--formats", type=some_of(*_FORMATS), default=",".join(_FORMATS), help="of rows")
    parser.add_argument("--threads", type=rising(at_least_one), default="1,2,4", help="numbers of threads")
    options = options_of(parser, arguments, repeat=5, name=NAME)
    if (options.source is None) != (options.map is None):
        parser.error("--source and --map: one needs the other")
    return options


if __name__ == "__main__":
    sys.exit(main())
