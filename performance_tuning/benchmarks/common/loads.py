"""One `etl load` in a process of its own, measured from outside, with the report it gives of itself.

After each run the rows of every table are counted in the database, and every table must have its key: so there are
none too few, and none twice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run, measure

ROOT = Path(__file__).resolve().parents[3]
MAPPINGS = ROOT / "performance_tuning" / "benchmarks" / "mappings"


_PLACES = ("target", "mapping", "sources", "notices")


class WrongRows(Exception):
    """A run did not load what the dump holds."""


@dataclass(frozen=True)
class LoadRun:
    """A run and its `LoadReport`, as `etl load --json` prints it."""

    run: Run
    report: dict[str, Any]


def load_command(dump: Dump, url: str, settings: Sequence[str], mapping: Path | None = None) -> list[str]:
    """Arguments for Python; `settings` as in ``--set NAME=VALUE``; `mapping`: where not the one of the dump's kind."""
    mapping = mapping or MAPPINGS / f"{dump.kind}.mapping.yaml"
    chosen = [argument for setting in settings for argument in ("--set", setting)]
    arguments = ["load", str(dump.path), "--map", str(mapping), "--to", url, "--quiet", "--json", *chosen]
    return ["-c", "from etl.cli import main; main()", *arguments]


def measured_load(
    dump: Dump,
    database: Database,
    settings: Sequence[str],
    scratch: Path,
    way: Callable[[str], str] = lambda url: url,
    mapping: Path | None = None,
) -> LoadRun:
    """Load into a fresh database. Raises RunFailed, WrongRows.

    `way`: the URL by which to go there, a proxy's say, made from the database's own. `mapping`: as in `load_command`.
    """

    def command(url: str) -> list[str]:
        return load_command(dump, way(url), settings, mapping)

    return measured_loader("etl load", command, dump, database, scratch)


def measured_loader(
    name: str, command: Callable[[str], Sequence[str]], dump: Dump, database: Database, scratch: Path
) -> LoadRun:
    """Run a loader whose last line is JSON, `command` with a fresh database's URL, and check what it loaded.

    Raises RunFailed, WrongRows.
    """
    with database.fresh() as url:
        run = measure([sys.executable, *command(url)], cwd=ROOT, scratch=scratch, server_cpu=database.server_cpu)
        report = last_line(scratch)
        check_rows(dump, database, url, name)
    return LoadRun(run, report)


def last_line(scratch: Path) -> dict[str, Any]:
    """The report of a run that was measured with this scratch folder: the last line it printed, which is JSON.

    Without what names folders of this machine: results are to be shown elsewhere.
    """
    report: dict[str, Any] = json.loads((scratch / "output.txt").read_text("utf-8").splitlines()[-1])
    return {name: value for name, value in report.items() if name not in _PLACES}


def check_rows(dump: Dump, database: Database, url: str, loader: str) -> None:
    """Raise WrongRows where a table has not as many rows as the dump gives, or no key."""
    found = database.counts(url, list(dump.rows))
    if found != dump.rows:
        raise WrongRows(f"{loader} into {database.name}: expected {dump.rows}, found {found}.")
    if keyless := set(dump.rows) - database.keyed(url, list(dump.rows)):
        raise WrongRows(f"{loader} into {database.name}: no key on {', '.join(sorted(keyless))}: are rows there twice?")
