"""The loaders we are compared with make what `etl load` makes, but for what is said of them here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

import etl
from performance_tuning.benchmarks.common.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.loads import MAPPINGS
from performance_tuning.benchmarks.common.tables import TABLES, Table
from performance_tuning.benchmarks.peers import csv_then_copy, pandas_to_sql, ready_rows, usual_loader, xml2arrow_adbc

DUMP_BYTES = {"nested": 2_500_000, "flat": 100_000}
"""Enough tracks for several Arrow batches of 8,192 rows, so that children come before their release does."""


@pytest.fixture
def benchmark_database(request: pytest.FixtureRequest, target_url: str, tmp_path: Path) -> Database:
    if target_url.startswith("sqlite"):
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_server"))


def contents(url: str, table: Table) -> list[tuple[object, ...]]:
    """Rows in the order of the key."""
    query = f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}"
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(url) as postgres:
        return postgres.execute(query.encode()).fetchall()


def alike(rows: list[tuple[object, ...]], table: Table) -> list[dict[str, object]]:
    """What peers can give of rows: empty texts as NULL. Times are values in SQLite too."""

    def comparable(value: object, sql_type: str) -> object:
        if sql_type == "timestamp" and isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value == "" else value

    return [
        {name: comparable(value, table.columns[name]) for name, value in zip(table.columns, row, strict=True)}
        for row in rows
    ]


def shape(url: str, table: Table) -> set[tuple[object, ...]]:
    """Columns with their types and places, and the columns of every key."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            columns = connection.execute(
                f"SELECT cid, name, upper(type) FROM pragma_table_info('{table.name}')"
            ).fetchall()
            unique = connection.execute(
                "SELECT column.seqno, column.name FROM pragma_index_list(?) AS list"
                ' JOIN pragma_index_info(list.name) AS column WHERE list."unique"',
                (table.name,),
            ).fetchall()
            foreign = connection.execute(
                f'SELECT "table", seq, "from", "to" FROM pragma_foreign_key_list(\'{table.name}\')'
            ).fetchall()
            return {*columns, *unique, *foreign}
    with psycopg.connect(url) as postgres:
        columns = postgres.execute(
            "SELECT ordinal_position, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_name = %s",
            (table.name,),
        ).fetchall()
        keys = postgres.execute(
            "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype IN ('p', 'f')",
            (f'"{table.name}"',),
        ).fetchall()
        return {*columns, *keys}


def out_of_reach(row: dict[str, object]) -> dict[str, object]:
    """What pandas has in place of attributes of children."""
    return {name: None for name in row if name == "is_main_release"}


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_all_loaders_make_the_tables_keys_and_rows_that_we_make(
    kind: str, benchmark_database: Database, tmp_path: Path
) -> None:
    dump, tables = make_dump(kind, DUMP_BYTES[kind], tmp_path), TABLES[kind]
    ready = tmp_path / "rows"
    ready.mkdir()
    with benchmark_database.fresh() as url:
        report = etl.load(dump.path, mapping=MAPPINGS / f"{kind}.mapping.yaml", target=url)
        assert dict(report.tables) == dump.rows
        shapes = {table.name: shape(url, table) for table in tables}
        rows = {table.name: contents(url, table) for table in tables}
        benchmark_database.extract(url, list(dump.rows), ready)
    whole = {table.name: alike(rows[table.name], table) for table in tables}
    first = tables[0].name
    flat = {name: [{**row, **out_of_reach(row)} for row in whole[name] if name == first] for name in whole}
    path = str(dump.path)
    loaders: dict[str, Callable[[str], None]] = {
        "ready rows": lambda url: ready_rows.main([kind, str(ready), url]),
        "usual loader": lambda url: usual_loader.main([kind, path, url]),
        "CSV": lambda url: csv_then_copy.load(kind, path, url),
        "xml2arrow": lambda url: xml2arrow_adbc.load(kind, path, url),
        "pandas": lambda url: pandas_to_sql.load(kind, path, url),
    }
    # SQLite keeps the usual loader's dates and booleans as they come.
    exact = ["ready rows", "usual loader"] if benchmark_database.name == "postgres" else ["ready rows"]
    for name, load in loaders.items():
        with benchmark_database.fresh() as url:
            load(url)
            assert {table.name: shape(url, table) for table in tables} == shapes, name
            theirs = {table.name: contents(url, table) for table in tables}
        assert {table.name: alike(theirs[table.name], table) for table in tables} == (
            flat if name == "pandas" else whole
        ), name
        assert name not in exact or theirs == rows, name
    assert not list(tmp_path.glob("**/*.csv"))
