"""Rows of the ledger that may be there already: those that are not are inserted, and it is told which these were.

In: rows as tuples, thousands of them in a batch of small documents. Out: the keys of the new ones. Both ways do with a
few calls: one row of parameters each, through SQLAlchemy, would take longer than writing the documents' own rows.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from etl.targets.sqlite_rows import FUNCTION

if TYPE_CHECKING:
    from etl.targets.sql import SqlConnection

Row = tuple[Any, ...]


def insert_as_arrays(connection: SqlConnection, table: sa.Table, key: Sequence[str], rows: Sequence[Row]) -> set[Row]:
    """For PostgreSQL: one array a column, of integers, booleans, texts or bytes without NULL among them."""
    columns = zip(*rows, strict=True)
    arrays = {column.name: _literal(values) for column, values in zip(table.c, columns, strict=True)}
    return set(connection.execute(_array_statement(table, tuple(key)), [arrays]))


def _literal(values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads it: the driver takes several times as long for one."""
    items: Iterable[str]
    if isinstance(values[0], bytes):
        items = (rf'"\\x{value.hex()}"' for value in values)
    elif isinstance(values[0], str):
        items = ('"' + value.replace("\\", r"\\").replace('"', r"\"") + '"' for value in values)
    else:
        items = map(str, values)
    return "{" + ",".join(items) + "}"


@lru_cache(16)
def _array_statement(table: sa.Table, key: tuple[str, ...]) -> Executable:
    from sqlalchemy.dialects import postgresql  # takes a while, and a load needs one dialect

    names = [column.name for column in table.c]
    arrays = (sa.cast(sa.bindparam(column.name, type_=sa.Text), postgresql.ARRAY(column.type)) for column in table.c)
    rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    insert = postgresql.insert(table).from_select(names, sa.select(*(rows.c[name] for name in names)))
    return insert.on_conflict_do_nothing().returning(*(table.c[name] for name in key))


def insert_many(
    connection: SqlConnection, table: sa.Table, key: Sequence[str], rows: Sequence[Row], *, compiled: bool = False
) -> set[Row]:
    """For SQLite: all of them where all are new, as nearly always; else one by one.

    `compiled`: the connection knows the function of `sqlite_rows`, by which no other thread has to wait for each row.
    """
    key_of = itemgetter(*(list(table.c.keys()).index(name) for name in key))
    driver = connection.driver
    with connection.translated():
        driver.execute("SAVEPOINT etl_new_rows")
        if _insert(driver, table, rows, compiled=compiled) == len(rows):
            new = set(map(key_of, rows))
        else:
            driver.execute("ROLLBACK TO SAVEPOINT etl_new_rows")
            new = {key_of(row) for row in rows if driver.execute(_row_statement(table), row).rowcount}
        driver.execute("RELEASE SAVEPOINT etl_new_rows")
    return new


def _insert(driver: sqlite3.Connection, table: sa.Table, rows: Sequence[Row], *, compiled: bool) -> int:
    """How many of them were new."""
    if not compiled:
        return driver.executemany(_row_statement(table), rows).rowcount
    width = len(table.c)
    return driver.execute(_encoded_statement(table), (width, marshal.dumps(list(chain(*rows)), 2))).rowcount


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
