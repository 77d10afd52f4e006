"""A load that is watched from within its own process, by a module of this folder that loads, watches and tells.

    python -m performance_tuning.profiling.MODULE DUMP MAPPING URL ARGUMENT ...

prints what it saw as JSON in its last line.
"""

from __future__ import annotations

from pathlib import Path

from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.loads import MAPPINGS, LoadRun, measured_loader


def observed_load(module: str, dump: Dump, database: Database, arguments: list[str], scratch: Path) -> LoadRun:
    """Load into a fresh database; `report` is what the module told. Raises RunFailed, WrongRows."""

    def command(url: str) -> list[str]:
        mapping = str(MAPPINGS / f"{dump.kind}.mapping.yaml")
        return ["-m", f"performance_tuning.profiling.{module}", str(dump.path), mapping, url, *arguments]

    return measured_loader("etl load", command, dump, database, scratch)
