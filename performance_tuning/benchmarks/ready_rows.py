"""The limit: the database takes rows that are ready, over one connection in one transaction, then builds the keys.

    python -m performance_tuning.benchmarks.ready_rows nested FOLDER postgresql:///fresh

FOLDER is what `databases.Database.extract` made of a loaded database: for PostgreSQL a file of COPY text a table, for
SQLite the database itself, whose tuples are in memory before the clock runs. Prints {"seconds": ...}: from the first
statement to the last commit, without the start of Python and the reading of the tuples.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from pathlib import Path
from time import perf_counter

import psycopg

from performance_tuning.benchmarks.tables import TABLES, create_statements, insert_statement, key_statements

_CHUNK_BYTES = 1 << 20


def fill_postgres(kind: str, folder: Path, url: str) -> float:
    """Seconds that COPY of ready text and the keys take."""
    with psycopg.connect(url, autocommit=True) as connection:
        begin = perf_counter()
        for statement in create_statements(kind, "postgres"):
            connection.execute(statement.encode())
        with connection.transaction(), connection.cursor() as cursor:
            for table in TABLES[kind]:
                with (
                    (folder / f"{table.name}.copy").open("rb") as rows,
                    cursor.copy(f"COPY {table.name} FROM STDIN".encode()) as copy,
                ):
                    while chunk := rows.read(_CHUNK_BYTES):
                        copy.write(chunk)
        for statement in key_statements(kind, "postgres"):
            connection.execute(statement.encode())
        return perf_counter() - begin


def fill_sqlite(kind: str, folder: Path, url: str) -> float:
    """Seconds that executemany of ready tuples and the keys take."""
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
            begin = perf_counter()
            target.executemany(insert_statement(table, "?"), rows)
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
