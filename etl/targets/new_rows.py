"""Rows of the ledger that may be there already: those that are not are inserted, and it is told which these were.

In: rows as tuples, thousands of them in a batch of small documents. Out: the keys of the new ones. Both ways do with a
few calls: one row of parameters each, through SQLAlchemy, would take longer than writing the documents' own rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import Executable

if TYPE_CHECKING:
    from etl.targets.sql import SqlConnection

Row = tuple[Any, ...]


def insert_as_arrays(connection: SqlConnection, table: sa.Table, key: Sequence[str], rows: Sequence[Row]) -> set[Row]:
    """For PostgreSQL: one array a column."""
    columns = zip(*rows, strict=True)
    arrays = {column.name: list(values) for column, values in zip(table.c, columns, strict=True)}
    return set(connection.execute(_array_statement(table, tuple(key)), [arrays]))


@lru_cache(16)
def _array_statement(table: sa.Table, key: tuple[str, ...]) -> Executable:
    from sqlalchemy.dialects import postgresql  # takes a while, and a load needs one dialect

    names = [column.name for column in table.c]
    arrays = (sa.bindparam(column.name, type_=postgresql.ARRAY(column.type)) for column in table.c)
    rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    insert = postgresql.insert(table).from_select(names, sa.select(*(rows.c[name] for name in names)))
    return insert.on_conflict_do_nothing().returning(*(table.c[name] for name in key))


def insert_many(connection: SqlConnection, table: sa.Table, key: Sequence[str], rows: Sequence[Row]) -> set[Row]:
    """For SQLite: all of them where all are new, as nearly always; else one by one."""
    statement = _row_statement(table)
    place_of_key = itemgetter(*(list(table.c.keys()).index(name) for name in key))
    driver = connection.driver
    with connection.translated():
        driver.execute("SAVEPOINT etl_new_rows")
        if driver.executemany(statement, rows).rowcount == len(rows):
            new = {place_of_key(row) for row in rows}
        else:
            driver.execute("ROLLBACK TO SAVEPOINT etl_new_rows")
            new = {place_of_key(row) for row in rows if driver.execute(statement, row).rowcount}
        driver.execute("RELEASE SAVEPOINT etl_new_rows")
    return new


@lru_cache(16)
def _row_statement(table: sa.Table) -> str:
    from sqlalchemy.dialects import sqlite

    return str(sqlite.insert(table).on_conflict_do_nothing().compile(dialect=sqlite.dialect(paramstyle="qmark")))
