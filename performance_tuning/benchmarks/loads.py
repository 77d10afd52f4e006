"""One `etl load` in a process of its own, measured from outside, with the report it gives of itself.

The rows of every table are counted in the database after each run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from performance_tuning.benchmarks.databases import Database
from performance_tuning.benchmarks.dumps import Dump
from performance_tuning.benchmarks.harness import Run, measure

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS = Path(__file__).parent / "mappings"


class WrongRows(Exception):
    """A run did not load what the dump holds."""


@dataclass(frozen=True)
class LoadRun:
    """A run and its `LoadReport`, as `etl load --json` prints it."""

    run: Run
    report: dict[str, Any]


def load_command(dump: Dump, url: str, settings: Sequence[str]) -> list[str]:
    """Arguments for Python; `settings` as in ``--set NAME=VALUE``."""
    mapping = MAPPINGS / f"{dump.kind}.mapping.yaml"
    chosen = [argument for setting in settings for argument in ("--set", setting)]
    arguments = ["load", str(dump.path), "--map", str(mapping), "--to", url, "--quiet", "--json", *chosen]
    return ["-c", "from etl.cli import main; main()", *arguments]


def measured_load(
    dump: Dump,
    database: Database,
    settings: Sequence[str],
    scratch: Path,
    way: Callable[[str], str] = lambda url: url,
) -> LoadRun:
    """Load into a fresh database. Raises RunFailed, WrongRows.

    `way`: the URL by which to go there, a proxy's say, made from the database's own.
    """
    with database.fresh() as fresh:
        command = [sys.executable, *load_command(dump, way(fresh), settings)]
        run = measure(command, cwd=ROOT, scratch=scratch, server_cpu=database.server_cpu)
        report = json.loads((scratch / "output.txt").read_text("utf-8").splitlines()[-1])
        check_rows(dump, database, fresh, "etl load")
    return LoadRun(run, report)


def check_rows(dump: Dump, database: Database, url: str, loader: str) -> None:
    """Raise WrongRows where a table has not as many rows as the dump gives."""
    found = database.counts(url, list(dump.rows))
    if found != dump.rows:
        raise WrongRows(f"{loader} into {database.name}: expected {dump.rows}, found {found}.")
