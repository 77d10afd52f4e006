"""The loaders we are compared with: what they load is what `etl load` does, but for what is said of them here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

import etl
from performance_tuning.benchmarks.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.dumps import make_dump
from performance_tuning.benchmarks.loads import MAPPINGS
from performance_tuning.benchmarks.peers import csv_then_copy, pandas_to_sql, xml2arrow_adbc
from performance_tuning.benchmarks.tables import TABLES, Table

DUMP_BYTES = {"nested": 2_500_000, "flat": 100_000}
"""Enough tracks for several Arrow batches of 8,192 rows, so that children come before their release does."""


@pytest.fixture
def benchmark_database(request: pytest.FixtureRequest, target_url: str, tmp_path: Path) -> Database:
    if target_url.startswith("sqlite"):
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_server"))


def contents(url: str, table: Table) -> list[dict[str, object]]:
    """Rows in the order of the key. Empty texts are NULL, which no peer tells apart; times are values in SQLite too."""
    query = f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}"
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            rows = connection.execute(query).fetchall()
    else:
        with psycopg.connect(url) as postgres:
            rows = postgres.execute(query.encode()).fetchall()

    def comparable(value: object, sql_type: str) -> object:
        if sql_type == "timestamp" and isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value == "" else value

    return [
        {name: comparable(value, table.columns[name]) for name, value in zip(table.columns, row, strict=True)}
        for row in rows
    ]


def out_of_reach(row: dict[str, object]) -> dict[str, object]:
    """What pandas has in place of attributes of children."""
    return {name: None for name in row if name == "is_main_release"}


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_peers_load_the_values_that_we_load(kind: str, benchmark_database: Database, tmp_path: Path) -> None:
    dump = make_dump(kind, DUMP_BYTES[kind], tmp_path)
    with benchmark_database.fresh() as url:
        etl.load(dump.path, mapping=MAPPINGS / f"{kind}.mapping.yaml", target=url)
        ours = {table.name: contents(url, table) for table in TABLES[kind]}
    first = TABLES[kind][0].name
    flat = {name: [{**row, **out_of_reach(row)} for row in ours[name] if name == first] for name in ours}
    for load, expected in (
        (csv_then_copy.load, ours),
        (xml2arrow_adbc.load, ours),
        (pandas_to_sql.load, flat),
    ):
        with benchmark_database.fresh() as url:
            load(kind, str(dump.path), url)
            assert {table.name: contents(url, table) for table in TABLES[kind]} == expected
    assert not list(tmp_path.glob("**/*.csv"))
