"""Rows of the ledger that may be there already: those that are not are inserted, and it is told which were.

In: rows by columns, thousands of them in a batch of small documents. Out: the keys of those that were there. Both ways
do with a few calls, and with none for a row where all are new, as nearly always: one row of parameters each, through
SQLAlchemy, would take longer than writing the documents' own rows.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from etl.targets.sqlite_rows import FUNCTION

if TYPE_CHECKING:
    from etl.targets.sql import SqlConnection

Row = tuple[Any, ...]

_FEW = 100
"""Rows that are told one by one: more ways to the server and back would take longer."""

_SAVEPOINT, _UNDO, _RELEASE = (
    f"{what} etl_new_rows" for what in ("SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
)


def insert_as_arrays(
    connection: SqlConnection, table: sa.Table, key: Sequence[str], columns: Sequence[Sequence[Any]]
) -> set[Row]:
    """For PostgreSQL: one array a column, of integers, booleans, texts or bytes without NULL among them."""
    arrays = [{column.name: _literal(values) for column, values in zip(table.c, columns, strict=True)}]
    if len(columns[0]) < _FEW:
        return _known(connection, table, key, columns, arrays)
    known: set[Row] = set()
    with connection.translated():
        connection.driver.execute(_SAVEPOINT)
        ((new,),) = connection.execute(_array_statement(table, ()), arrays)
        if new < len(columns[0]):
            connection.driver.execute(_UNDO)
            known = _known(connection, table, key, columns, arrays)
        connection.driver.execute(_RELEASE)
    return known


def _known(
    connection: SqlConnection,
    table: sa.Table,
    key: Sequence[str],
    columns: Sequence[Sequence[Any]],
    arrays: Sequence[MappingOf[str, str]],
) -> set[Row]:
    """Insert, and be told of each row that is new."""
    return _keys(table, key, columns).difference(connection.execute(_array_statement(table, tuple(key)), arrays))


def _keys(table: sa.Table, key: Sequence[str], columns: Sequence[Sequence[Any]]) -> set[Row]:
    places = [list(table.c.keys()).index(name) for name in key]
    return set(zip(*(columns[place] for place in places), strict=True))


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
    """What returns the `key` of each new row; without one, how many are new."""
    from sqlalchemy.dialects import postgresql  # takes a while, and a load needs one dialect

    names = [column.name for column in table.c]
    arrays = (sa.cast(sa.bindparam(column.name, type_=sa.Text), postgresql.ARRAY(column.type)) for column in table.c)
    rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    insert = postgresql.insert(table).from_select(names, sa.select(*(rows.c[name] for name in names)))
    insert = insert.on_conflict_do_nothing()
    if key:
        return insert.returning(*(table.c[name] for name in key))
    new = insert.returning(sa.literal_column("1").label("one")).cte("new")
    return sa.select(sa.func.count()).select_from(new)


def insert_many(
    connection: SqlConnection,
    table: sa.Table,
    key: Sequence[str],
    columns: Sequence[Sequence[Any]],
    *,
    compiled: bool = False,
) -> set[Row]:
    """For SQLite: all of them where all are new; else one by one.

    `compiled`: the connection knows the function of `sqlite_rows`, by which no other thread has to wait for each row.
    """
    driver = connection.driver
    known: set[Row] = set()
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
