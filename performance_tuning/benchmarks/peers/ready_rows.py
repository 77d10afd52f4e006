"""The database takes rows that are ready, over one connection in one transaction, then builds the keys.

    python -m performance_tuning.benchmarks.peers.ready_rows nested FOLDER postgresql:///fresh

FOLDER is what `databases.Database.extract` made of a loaded database: for PostgreSQL a file of COPY text a table, for
SQLite the database itself, whose values are in memory before the clock runs. SQLite gets 100 rows a statement: that
takes 0.7 (nested dump) to 1.0 times (flat) as long as one row a statement, and no other number was faster for both.
It is what loading costs without any XML, by the fastest means that a Python program has at hand, and no limit: `etl
load` writes to PostgreSQL over two connections, and to SQLite through a function of its own (`etl/native/sqlite`).
Prints {"seconds": ...}: from the first statement to the last commit, without the start of Python and the reading of
the values.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from itertools import chain
from pathlib import Path
from time import perf_counter

import psycopg

from performance_tuning.benchmarks.common.tables import TABLES, create_statements, insert_statement, key_statements

_CHUNK_BYTES = 1 << 20
_STATEMENT_ROWS = 100


def fill_postgres(kind: str, folder: Path, url: str) -> float:
    """Seconds that COPY of ready text and the keys take."""
    with psycopg.connect(url, autocommit=True) as connection:
        begin = perf_counter()
        for statement in create_statements(kind, "postgres"):
            connection.execute(statement.encode())
        with connection.transaction():
            for table in TABLES[kind]:
                copy_file(connection, f"COPY {table.name} FROM STDIN", folder / f"{table.name}.copy")
        for statement in key_statements(kind, "postgres"):
            connection.execute(statement.encode())
        return perf_counter() - begin


def copy_file(connection: psycopg.Connection, statement: str, file: Path) -> None:
    """Run a COPY ... FROM STDIN of a file's bytes."""
    with file.open("rb") as data, connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        while chunk := data.read(_CHUNK_BYTES):
            copy.write(chunk)


def fill_sqlite(kind: str, folder: Path, url: str) -> float:
    """Seconds that inserts of ready values and the keys take."""
    seconds = 0.0
    source = sqlite3.connect(folder / "rows.db")
    target = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        target.execute("PRAGMA synchronous = NORMAL")
        for statement in create_statements(kind, "sqlite"):
            target.execute(statement)
        target.execute("BEGIN")
        for table in TABLES[kind]:
            rows = source.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}").fetchall()
            last = len(rows) - len(rows) % _STATEMENT_ROWS
            groups = [
                list(chain.from_iterable(rows[first : first + _STATEMENT_ROWS]))
                for first in range(0, last, _STATEMENT_ROWS)
            ]
            begin = perf_counter()
            target.executemany(insert_statement(table, "?", _STATEMENT_ROWS), groups)
            target.executemany(insert_statement(table, "?"), rows[last:])
            seconds += perf_counter() - begin
        begin = perf_counter()
        target.execute("COMMIT")
        for statement in key_statements(kind, "sqlite"):
            target.execute(statement)
        return seconds + perf_counter() - begin
    finally:
        source.close()
        target.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fill fresh tables with rows that are ready.")
    parser.add_argument("kind", choices=TABLES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("url", help="sqlite:///FILE or postgresql://...")
    options = parser.parse_args(arguments)
    fill = fill_sqlite if options.url.startswith("sqlite:///") else fill_postgres
    print(json.dumps({"seconds": fill(options.kind, options.folder, options.url)}))


if __name__ == "__main__":
    main()
