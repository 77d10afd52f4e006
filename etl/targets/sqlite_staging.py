"""Staging tables of a SQLite file: temporary tables whose columns store and compare values as the tables themselves do.

In: a connection, and tables that are there. Out: DDL. CREATE TABLE AS would lose what texts are compared by.
"""

from __future__ import annotations

import sqlite3

from etl.mapping.model import Table
from etl.targets.merging import Staging
from etl.targets.schema import quote


def staging_statement(connection: sqlite3.Connection, table: Table, staging: Staging) -> str:
    """The statement that creates the staging table, where it is not there yet. Raises sqlite3.Error."""
    listed = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table.name,))
    types = {name.lower(): type_ for name, type_ in listed}
    compared_by = _key_collations(connection, table)
    columns = []
    for column in table.columns:
        name = column.name.lower()
        # Quoted, a type is any text, and means what it means unquoted.
        type_ = quote(types[name]) if types[name] else ""
        collation = f"COLLATE {quote(compared_by[name])}" if name in compared_by else ""
        columns.append(" ".join(filter(None, (quote(column.name), type_, collation))))
    # As SQLite's own row number, the record of a row without parent is found by it.
    number = f"{quote(staging.number)} INTEGER{' PRIMARY KEY' if table.parent is None else ''}"
    return f"CREATE TEMP TABLE IF NOT EXISTS {quote(staging.table.name)} ({', '.join((*columns, number))})"


def _key_collations(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    """What the unique index over the key's columns compares them by; nothing where the key is the row number."""
    key = {name.lower() for name in table.key}
    unique = 'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial'
    for (index,) in connection.execute(unique, (table.name,)).fetchall():
        described = connection.execute("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (index,)).fetchall()
        if {(name or "").lower() for name, _ in described} == key:
            return {name.lower(): collation for name, collation in described}
    return {}
