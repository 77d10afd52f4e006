"""The loaders that are measured side by side: how each is started, and what it cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.loads import load_command

KEYS, REJECTS, RESUME, CORES, ANY_DUMP = "keys", "rejects", "resume", "several cores", "any dump"
MEMORY, CHILD_TABLES, EMPTY_TEXTS = "bounded memory", "child tables", "empty texts"

MEANINGS = {
    KEYS: "primary and foreign keys follow from a description; here they are made by code and statements for this dump",
    REJECTS: "a record that is ill-formed or does not fit is set aside; here it ends the load",
    RESUME: "a stopped load goes on; here it begins anew",
    CORES: "parsing and mapping use more than one core",
    ANY_DUMP: "another dump needs no other code",
    MEMORY: "a dump of any size fits into memory",
    CHILD_TABLES: "parts of a record that repeat become rows of other tables",
    EMPTY_TEXTS: "an empty text stays one; here it becomes NULL",
}
"""What a loader may not be able to do."""


@dataclass(frozen=True)
class Loader:
    """One way to load a dump."""

    name: str
    command: Callable[[Dump, str, Path], list[str]]
    """Arguments for Python, from a dump, a database's URL and the folder of ready rows."""
    cannot: tuple[str, ...] = ()
    """Of MEANINGS."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """Bytes of memory it needs for a byte of the dump, by kind of dump; none where its memory is bounded."""
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those it can fill, by kind of dump, where they are not all."""

    def rows(self, dump: Dump) -> dict[str, int]:
        """Rows by table that it must give."""
        filled = self.tables.get(dump.kind, tuple(dump.rows))
        return {table: rows if table in filled else 0 for table, rows in dump.rows.items()}


def _module(name: str) -> Callable[[Dump, str, Path], list[str]]:
    def command(dump: Dump, url: str, _ready: Path) -> list[str]:
        return ["-m", f"performance_tuning.benchmarks.peers.{name}", dump.kind, str(dump.path), url]

    return command


def _etl(dump: Dump, url: str, _ready: Path) -> list[str]:
    return load_command(dump, url, [])


def _ready_rows(dump: Dump, url: str, ready: Path) -> list[str]:
    return ["-m", "performance_tuning.benchmarks.peers.ready_rows", dump.kind, str(ready), url]


OURS = Loader("etl load", _etl)
READY = Loader("ready rows", _ready_rows)
USUAL = Loader("usual loader", _module("usual_loader"), (KEYS, REJECTS, RESUME, CORES, ANY_DUMP))
ADBC = Loader("xml2arrow + ADBC", _module("xml2arrow_adbc"), (KEYS, REJECTS, RESUME, CORES, EMPTY_TEXTS))
PEERS = (
    USUAL,
    Loader("CSV, then COPY", _module("csv_then_copy"), (KEYS, REJECTS, RESUME, CORES, ANY_DUMP, EMPTY_TEXTS)),
    Loader(
        "pandas",
        _module("pandas_to_sql"),
        (KEYS, REJECTS, RESUME, CORES, ANY_DUMP, EMPTY_TEXTS, MEMORY, CHILD_TABLES),
        # Measured with dumps of 50 and 200 MB, and a tenth to spare.
        memory={"nested": 16.0, "flat": 6.0},
        tables={"nested": ("release",)},
    ),
    ADBC,
)
LOADERS = (OURS, *PEERS, READY)
