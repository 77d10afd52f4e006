"""Rows of PostgreSQL's ledger that may be there already: those that are not are inserted, and it is told which were.

In: rows by columns, of integers, booleans, texts or bytes without NULL among them, thousands in a batch of small
documents. Out: the keys of those that were there. Many are given by COPY, as nearly always all of them are new; where
one is not, or they are few, in an array for each column, by a statement that can pass over what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql import Executable

if TYPE_CHECKING:
    from etl.targets.sql import SqlConnection

_FEW = 100
"""Rows for which the ways to the server and back would take longer than COPY saves."""

_SAVEPOINT, _UNDO, _RELEASE = (
    f"{what} etl_new_rows" for what in ("SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
)

_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def insert_new(
    connection: SqlConnection, table: sa.Table, key: Sequence[str], columns: Sequence[Sequence[Any]]
) -> set[tuple[Any, ...]]:
    """Insert rows except those of which a unique key is there: the `key` of each of these."""
    if len(columns[0]) >= _FEW and _copied(connection, table, columns):
        return set()
    arrays = {column.name: _array(values) for column, values in zip(table.c, columns, strict=True)}
    new = connection.execute(_statement(table, tuple(key)), [arrays])
    places = [list(table.c.keys()).index(name) for name in key]
    return set(zip(*(columns[place] for place in places), strict=True)).difference(new)


def _copied(connection: SqlConnection, table: sa.Table, columns: Sequence[Sequence[Any]]) -> bool:
    """Whether all of them were new; else nothing is done."""
    lines = "\n".join(map("\t".join, zip(*map(_fields, columns), strict=True)))
    with connection.translated():
        connection.driver.execute(_SAVEPOINT)
        try:
            with connection.driver.cursor() as cursor, cursor.copy(_copy_statement(table)) as copy:
                copy.write(lines)
            new = True
        except UniqueViolation:
            connection.driver.execute(_UNDO)
            new = False
        connection.driver.execute(_RELEASE)
    return new


def _fields(values: Sequence[Any]) -> Iterable[str]:
    """A column in COPY's text format."""
    if isinstance(values[0], bytes):
        return (rf"\\x{value.hex()}" for value in values)
    if isinstance(values[0], str):
        together = "".join(values)
        # Names hardly ever have such characters, and looking for them in each takes longer than all else here.
        if together.isprintable() and "\\" not in together:
            return values
        return (value.translate(_COPY_ESCAPES) for value in values)
    return map(str, values)


def _array(values: Sequence[Any]) -> str:
    """A column as PostgreSQL reads an array: the driver takes several times as long for one."""
    items: Iterable[str]
    if isinstance(values[0], bytes):
        items = (rf'"\\x{value.hex()}"' for value in values)
    elif isinstance(values[0], str):
        items = ('"' + value.replace("\\", r"\\").replace('"', r"\"") + '"' for value in values)
    else:
        items = map(str, values)
    return "{" + ",".join(items) + "}"


@lru_cache(16)
def _copy_statement(table: sa.Table) -> bytes:
    preparer = PGDialect().identifier_preparer  # type: ignore[no-untyped-call]
    names = ", ".join(preparer.format_column(column) for column in table.c)
    return f"COPY {preparer.format_table(table)} ({names}) FROM STDIN".encode()


@lru_cache(16)
def _statement(table: sa.Table, key: tuple[str, ...]) -> Executable:
    """What returns the `key` of each new row."""
    names = [column.name for column in table.c]
    arrays = (sa.cast(sa.bindparam(column.name, type_=sa.Text), postgresql.ARRAY(column.type)) for column in table.c)
    rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    insert = postgresql.insert(table).from_select(names, sa.select(*(rows.c[name] for name in names)))
    return insert.on_conflict_do_nothing().returning(*(table.c[name] for name in key))
