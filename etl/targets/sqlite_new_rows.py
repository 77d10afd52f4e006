"""Rows of SQLite's ledger that may be there already: those that are not are inserted, and it is told which were.

In: rows by columns, thousands of them in a batch of small documents. Out: the keys of those that were there. Where all
are new, as nearly always, no row is looked at alone.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from etl.targets.sqlite_rows import FUNCTION

if TYPE_CHECKING:
    from etl.targets.sql import SqlConnection

_SAVEPOINT, _UNDO, _RELEASE = (
    f"{what} etl_new_rows" for what in ("SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
)


def insert_new(
    connection: SqlConnection,
    table: sa.Table,
    key: Sequence[str],
    columns: Sequence[Sequence[Any]],
    *,
    compiled: bool = False,
) -> set[tuple[Any, ...]]:
    """All of them where all are new; else one by one.

    `compiled`: the connection knows the function of `sqlite_rows`, by which no other thread has to wait for each row.
    """
    driver = connection.driver
    known: set[tuple[Any, ...]] = set()
    with connection.translated():
        driver.execute(_SAVEPOINT)
        if _insert(driver, table, columns, compiled=compiled) < len(columns[0]):
            driver.execute(_UNDO)
            statement, rows = _row_statement(table), list(zip(*columns, strict=True))
            key_of = itemgetter(*(list(table.c.keys()).index(name) for name in key))
            known = {key_of(row) for row in rows if not driver.execute(statement, row).rowcount}
        driver.execute(_RELEASE)
    return known


def _insert(driver: sqlite3.Connection, table: sa.Table, columns: Sequence[Sequence[Any]], *, compiled: bool) -> int:
    """How many of them were new."""
    if not compiled:
        return driver.executemany(_row_statement(table), zip(*columns, strict=True)).rowcount
    width = len(columns)
    values: list[Any] = [None] * (width * len(columns[0]))
    for place, column in enumerate(columns):
        values[place::width] = column
    return driver.execute(_encoded_statement(table), (width, marshal.dumps(values, 2))).rowcount


@lru_cache(16)
def _row_statement(table: sa.Table) -> str:
    from sqlalchemy.dialects import sqlite

    return str(sqlite.insert(table).on_conflict_do_nothing().compile(dialect=sqlite.dialect(paramstyle="qmark")))


@lru_cache(16)
def _encoded_statement(table: sa.Table) -> str:
    values = ", ".join(f"c{place}" for place in range(len(table.c)))
    # Without a WHERE, SQLite would take ON for that of a join.
    rows = f"SELECT {values} FROM {FUNCTION}(?, ?) WHERE true"
    return f"{_row_statement(table).partition(' VALUES ')[0]} {rows} ON CONFLICT DO NOTHING"
