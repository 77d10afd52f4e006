"""Foreign keys of tables that were in a SQLite file before: whether they can be held while rows arrive, and are.

In: a connection and tables of the mapping. The one to the parent table in the mapping is left out, since a record
brings its own parents; so what is left are keys to tables that somebody else fills.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import RowsRefused
from etl.mapping.model import Mapping, Table
from etl.targets.key_problems import shown_values
from etl.targets.schema import quote
from etl.targets.sqlite_errors import refused


@dataclass(frozen=True, slots=True)
class _Reference:
    places: tuple[int, ...]
    """Of its columns in the mapping's table."""
    parent: str
    query: str
    """Finds the parent row."""


class ForeignKeyCheck:
    """Looks for the parents of rows of one table."""

    def __init__(self, table: Table, references: Collection[_Reference]) -> None:
        self._table = table
        self._references = references

    def __bool__(self) -> bool:
        return bool(self._references)

    def orphan(self, connection: sqlite3.Connection, values: Sequence[Any]) -> RowsRefused | None:
        """The first of these rows, given as a flat list, that has no parent."""
        width = len(self._table.columns)
        for row in range(len(values) // width if self._references else 0):
            for reference in self._references:
                key = [values[row * width + place] for place in reference.places]
                if None not in key and connection.execute(reference.query, key).fetchone() is None:
                    names = [self._table.columns[place].name for place in reference.places]
                    words = f"FOREIGN KEY constraint failed: {shown_values(names, key)} is not in {reference.parent}"
                    column = names[0] if len(names) == 1 else ""
                    return refused(words, "missing_parent", self._table.name, column, row)
        return None


def foreign_key_checks(
    connection: sqlite3.Connection, mapping: Mapping, keyless: Collection[str]
) -> list[ForeignKeyCheck]:
    """For each table of the mapping; empty ones where its keys cannot be held while rows arrive.

    That is so as long as a table of the mapping is in `keyless`, those without the keys that others refer to.
    """
    possible = not keyless and _are_sound(connection, mapping)
    return [
        ForeignKeyCheck(table, _references(connection, mapping, table) if possible else ()) for table in mapping.tables
    ]


def _are_sound(connection: sqlite3.Connection, mapping: Mapping) -> bool:
    """Whether every key refers to a table that is there, by columns that are unique: else no row at all goes in."""
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        for table in mapping.tables:
            connection.execute(f"EXPLAIN INSERT INTO {quote(table.name)} DEFAULT VALUES")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.execute("PRAGMA foreign_keys = OFF")
    return True


def _references(connection: sqlite3.Connection, mapping: Mapping, table: Table) -> list[_Reference]:
    found: dict[int, tuple[str, list[tuple[str, str | None]]]] = {}
    listed = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table.name,)
    )
    for number, parent, child_column, parent_column in listed.fetchall():
        found.setdefault(number, (parent, []))[1].append((child_column, parent_column))
    places = {column.name.lower(): place for place, column in enumerate(table.columns)}
    references = []
    for parent, pairs in found.values():
        wanted = [to for _, to in pairs if to is not None] or _key_of(connection, parent)
        own = [name.lower() for name, _ in pairs]
        if _is_the_mappings(mapping, table, parent, own) or not places.keys() >= set(own):
            continue
        condition = " AND ".join(f"{quote(name)} = ?" for name in wanted)
        query = f"SELECT 1 FROM {quote(parent)} WHERE {condition}"
        references.append(_Reference(tuple(places[name] for name in own), parent, query))
    return references


def _key_of(connection: sqlite3.Connection, table: str) -> list[str]:
    query = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    return [name for (name,) in connection.execute(query, (table,))]


def _is_the_mappings(mapping: Mapping, table: Table, parent: str, columns: Sequence[str]) -> bool:
    if table.parent is None or table.foreign_key is None:
        return False
    same_parent = mapping.tables[table.parent].name.lower() == parent.lower()
    return same_parent and [name.lower() for name in table.foreign_key.columns] == list(columns)
