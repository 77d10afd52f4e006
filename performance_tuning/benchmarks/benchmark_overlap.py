"""Whether mapping and writing go on at the same time: costly Python for each record, and a database slow to commit.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_overlap.py

Loads a flat dump in three ways: with a transform in Python that keeps every worker busy, into PostgreSQL as it is;
without its work, through a proxy that answers every COMMIT later; and with both. Work and delay are chosen here so that
either alone takes about as long, since that is where waiting for each other would cost most. Rows are counted after
every run. It measures and does not judge: the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.options import default_worker_count  # noqa: E402
from performance_tuning.benchmarks import heavy_work  # noqa: E402
from performance_tuning.benchmarks.common.command import note, options_of, run_command  # noqa: E402
from performance_tuning.benchmarks.common.databases import TITLES, Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.delayed_commits import delayed  # noqa: E402
from performance_tuning.benchmarks.common.dumps import Dump, make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows, measured_load  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines, write_results  # noqa: E402

NAME = "overlap"
_TITLE = "Costly mapping and a slow database: each alone, and both together"
_MAPPING = """\
version: 1
tables:
  post:
    each: /posts/row
    key: id
    transform: {{python: "heavy_work:work"}}
    columns:
      id:       {{path: "@Id", type: bigint, required: true}}
      title:    "@Title"
      body:     {{path: "@Body", strip: false}}
      rounds:   {{value: "{rounds}", type: integer}}
      checksum: {{path: "@Checksum", type: bigint}}     # only the function gives it a value
"""
_BATCH_RECORDS = 300
"""Records of a split and of a transaction: many commits, so that the delay of one is a small part of the whole."""
_INSERT_THREADS = 2
_GOAL = 1.1
"""Times the longer of the two."""
_APART = 0.25
"""Share of the shorter of the two by which they may differ before the comparison says less than it seems to."""
_TIMED_ROUNDS = 1_000_000
_TRIED_DELAY = 50
"""Milliseconds."""

WAYS = ("mapping alone", "database alone", "both together")
Runs = dict[str, list[Run]]


@dataclass(frozen=True)
class Setting:
    """What the three ways are measured with."""

    dump: Dump
    database: Database
    workers: int
    scratch: Path

    def __post_init__(self) -> None:
        shutil.copy(heavy_work.__file__, self.scratch)  # a mapping's functions are looked for beside it

    def load(self, rounds: int, way: Callable[[str], str] = lambda url: url) -> Run:
        """One load with `rounds` of work for each record. Raises RunFailed, WrongRows."""
        mapping = self.scratch / f"work-{rounds}.mapping.yaml"
        mapping.write_text(_MAPPING.format(rounds=rounds), "utf-8")
        settings = [
            f"workers.count={self.workers}",
            "workers.kind=process",
            f"insert.threads={_INSERT_THREADS}",
            f"insert.batch_records={_BATCH_RECORDS}",
        ]
        return measured_load(self.dump, self.database, settings, self.scratch, way, mapping).run


@dataclass(frozen=True)
class Costs:
    """What makes either side slow."""

    rounds: int
    """Of the transform, for each record."""
    delay: int
    """Milliseconds by which the answer to a COMMIT comes later."""


def choose_costs(setting: Setting, url: str, seconds: float) -> Costs:
    """Work that makes a load take about `seconds`, and the delay that makes one without it take as long.

    The first of its loads is for warming up: it compiles modules, and brings the dump into the page cache. `url`: of
    any database of the server. Raises RunFailed, WrongRows.
    """
    setting.load(0)
    light = setting.load(0).wall
    began = perf_counter()
    heavy_work.work({"id": 1, "rounds": _TIMED_ROUNDS})
    round_seconds = (perf_counter() - began) / _TIMED_ROUNDS
    rounds = max(1, round((seconds - light) * setting.workers / (setting.dump.records * round_seconds)))
    heavy = setting.load(rounds).wall
    with delayed(url, _TRIED_DELAY) as way:
        slow = setting.load(0, way).wall
    note(
        f"calibrated: {light:.2f} s without work and delay, {heavy:.2f} s with {rounds:,} rounds of work a record,"
        f" {slow:.2f} s with a delay of {_TRIED_DELAY} ms"
    )
    return Costs(rounds, fitting_delay(light, heavy, slow))


def fitting_delay(light: float, heavy: float, slow: float) -> int:
    """Milliseconds of delay that make a load as long as one with work.

    From the seconds of a load without either, of one with work, and of one with `_TRIED_DELAY`. Raises RunFailed where
    these differ by noise only.
    """
    for other, seconds in (("work", heavy), (f"a delay of {_TRIED_DELAY} ms", slow)):
        if seconds <= light:
            raise RunFailed(
                f"A load with {other} took {seconds:.2f} s, one without {light:.2f} s: no delay can be chosen by that."
                " Take a larger --size, more --seconds or a quieter machine."
            )
    return max(1, round(_TRIED_DELAY * (heavy - light) / (slow - light)))


def compare(setting: Setting, costs: Costs, slow: Callable[[str], str], repeat: int) -> Runs:
    """Load in the three ways, in turn, so that a change of the machine meets them all."""
    runs: Runs = {way: [] for way in WAYS}
    for number in range(1, repeat + 1):
        for way, run in zip(
            WAYS,
            (setting.load(costs.rounds), setting.load(0, slow), setting.load(costs.rounds, slow)),
            strict=True,
        ):
            runs[way].append(run)
        note(f"run {number} of {repeat}: " + ", ".join(f"{way} {runs[way][-1].wall:.2f} s" for way in WAYS))
    return runs


def lines(setting: Setting, costs: Costs, runs: Runs) -> list[str]:
    """The table, both together beside the longer of the two and beside their sum, and what may be wrong with it."""
    dump = setting.dump
    said = [
        f"flat, {dump.size / 1e6:.0f} MB, {dump.records:,} records, into {TITLES[setting.database.name]}:"
        f" median of {len(runs[WAYS[0]])}",
        f"mapping: {setting.workers} workers, {costs.rounds:,} rounds of work a record; database: a COMMIT every"
        f" {_BATCH_RECORDS} records, answered {costs.delay} ms later, {_INSERT_THREADS} insert threads",
    ]
    walls = {way: spread([run.wall for run in runs[way]]) for way in WAYS}
    rows = [(way, *(f"{seconds:.2f}" for seconds in astuple(wall))) for way, wall in walls.items()]
    mapping, database, both = (walls[way].median for way in WAYS)
    said += [
        "",
        *table([("", "wall s", "from", "to"), *rows]),
        "",
        f"Both together take {both / max(mapping, database):.2f} times as long as the longer of the two"
        f" (goal: at most {_GOAL:.2f}) and {both / (mapping + database):.2f} times their sum.",
    ]
    warnings = [f"{way}: {warning}" for way, taken in runs.items() if (warning := noise(taken))]
    if (apart := max(mapping, database) / min(mapping, database) - 1) > _APART:
        warnings.append(
            f"either alone should take as long, but they differ by {apart:.0%}: the shorter one is easily hidden"
        )
    return said + [f"\nWARNING: {warning}." for warning in warnings]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with open_databases(["postgres"], folder) as (database,):
        environment = [*machine_lines(), database.description]
        print("\n".join(environment), flush=True)
        setting = Setting(make_dump("flat", options.size, folder), database, options.workers, folder)
        with database.fresh() as url:
            costs = choose_costs(setting, url, options.seconds)
            with delayed(url, costs.delay) as slow:
                runs = compare(setting, costs, slow, options.repeat)
        said = lines(setting, costs, runs)
        print("\n".join(["", *said]), flush=True)
    raw = {way: [asdict(run) for run in taken] for way, taken in runs.items()}
    values = {
        "environment": environment,
        "bytes": setting.dump.size,
        "workers": setting.workers,
        **asdict(costs),
        "runs": raw,
    }
    if options.output:
        write_results(options, NAME, _TITLE, said, values)
    return values


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure whether costly mapping and a slow database overlap: each alone, and both together.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="40MB", help="of the dump")
    parser.add_argument("--seconds", type=float, default=8.0, help="that either alone shall take, about")
    parser.add_argument("--workers", type=int, default=default_worker_count(), help="parser processes")
    return options_of(parser, arguments, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
