"""CSV files, then COPY, as the loaders of Discogs dumps do: iterparse writes a file a table, the database reads them.

SQLite has no COPY (its `.import` is one of its shell's): the files are read back and inserted in one transaction.
CSV knows no difference between an empty text and none: both come as NULL.
"""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg

from performance_tuning.benchmarks.common.tables import (
    TABLES,
    Table,
    create_statements,
    insert_statement,
    key_statements,
)
from performance_tuning.benchmarks.peers.ready_rows import copy_file
from performance_tuning.benchmarks.peers.starting import SQLITE, dialect_of, run
from performance_tuning.benchmarks.peers.usual_loader import read_rows

_BOOLEANS = {"True": True, "False": False, "": None}


def load(kind: str, dump: str, url: str) -> None:
    """Load a generated dump by CSV files, which are beside it meanwhile."""
    fill = fill_sqlite if dialect_of(url) == "sqlite" else fill_postgres
    with tempfile.TemporaryDirectory(dir=Path(dump).parent) as name:
        write_files(kind, dump, Path(name))
        fill(kind, Path(name), url)


def write_files(kind: str, dump: str, folder: Path) -> None:
    with ExitStack() as files:
        writers = {
            table.name: csv.writer(files.enter_context(_file(folder, table).open("w", encoding="utf-8", newline="")))
            for table in TABLES[kind]
        }
        for name, row in read_rows(kind, dump):
            writers[name].writerow(row)


def fill_postgres(kind: str, folder: Path, url: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in create_statements(kind, "postgres"):
            connection.execute(statement.encode())
        for table in TABLES[kind]:
            copy_file(connection, f"COPY {table.name} FROM STDIN (FORMAT csv)", _file(folder, table))
        for statement in key_statements(kind, "postgres"):
            connection.execute(statement.encode())


def fill_sqlite(kind: str, folder: Path, url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection, connection:
        for statement in create_statements(kind, "sqlite"):
            connection.execute(statement)
        for table in TABLES[kind]:
            connection.executemany(insert_statement(table, "?"), _values(folder, table))
        for statement in key_statements(kind, "sqlite"):
            connection.execute(statement)


def _values(folder: Path, table: Table) -> Iterator[list[Any]]:
    """The rows of a file; SQLite makes numbers of texts where the column has numbers, but no booleans."""
    booleans = [place for place, sql_type in enumerate(table.columns.values()) if sql_type == "boolean"]
    with _file(folder, table).open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            values: list[Any] = [value or None for value in row]
            for place in booleans:
                values[place] = _BOOLEANS[row[place]]
            yield values


def _file(folder: Path, table: Table) -> Path:
    return folder / f"{table.name}.csv"


if __name__ == "__main__":
    run(load)
