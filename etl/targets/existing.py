"""Tables that are there already: do the values of the mapping fit them?

A table fits where every value the mapping can produce is stored there unchanged: a wider type, or further columns that
may stay empty, are no obstacle. What is in the way is collected and named at once, with what to do about it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Container, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import types
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeEngine

from etl.errors import TargetError
from etl.mapping.model import Column, FromPath, Mapping, Table
from etl.options import Write
from etl.targets.fitting import fits_postgres, fits_sqlite
from etl.targets.schema import quote, type_name, written_type


@dataclass(frozen=True, slots=True)
class Existing:
    """What was found before anything is created."""

    missing: tuple[int, ...]
    """Places in the mapping of the tables that are not there."""
    notices: tuple[str, ...]
    """Differences that do not stop the load."""


def examine(
    mapping: Mapping, connection: sa.Connection, keys_to_come: Container[str] = (), write: Write = "append"
) -> Existing:
    """Compare the mapping with the database's default schema.

    `keys_to_come` names tables that an earlier load created and whose keys are still to be built.
    Raises TargetError naming every difference that would lose or refuse values, and, unless `write` is "append", every
    key that is missing.
    """
    inspector = sa.inspect(connection)
    dialect = connection.dialect.name
    tables = table_names(inspector)
    views = {fold_name(name, dialect) for name in inspector.get_view_names()}
    names = [fold_name(table.name, dialect) for table in mapping.tables]
    there = _read(inspector, [tables[name] for name in names if name in tables and name not in views])
    missing, differences, notices = [], [], []
    for place, (table, name) in enumerate(zip(mapping.tables, names, strict=True)):
        if name in views:
            differences.append(f"{table.name} is a view, and rows are written to tables only: rename one of the two")
        elif name not in tables:
            missing.append(place)
        else:
            found = there[tables[name]]
            differences += _differences(table, found, dialect)
            if write != "append":
                differences += _missing_keys(table, found, dialect, write, to_come=table.name in keys_to_come)
            if table.name not in keys_to_come:
                notices += _key_notices(table, found)
    if differences:
        raise TargetError(
            f"The database has tables that do not fit the mapping {mapping.label}: "
            + "; ".join(differences)
            + ". Change these tables or the mapping, or load into another database."
        )
    return Existing(tuple(missing), tuple(notices))


@dataclass(frozen=True, slots=True)
class _Found:
    """A table of the database, as SQLAlchemy reflects it."""

    name: str
    columns: Sequence[MappingOf[str, Any]]
    primary_key: Sequence[str]
    unique: Sequence[Sequence[str | None]]
    """Columns of each unique constraint and unique index."""


def _read(inspector: sa.Inspector, names: Collection[str]) -> dict[str, _Found]:
    """All of these tables at once: each question is one statement, however many they are."""
    if not names:
        return {}

    def ask(question: Callable[..., MappingOf[Any, Any]]) -> dict[str, Any]:
        return {name: answer for (_, name), answer in question(filter_names=list(names), kind=ObjectKind.ANY).items()}

    with warnings.catch_warnings():
        # A type SQLAlchemy does not know is reported below, as one that does not fit.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        columns = ask(inspector.get_multi_columns)
    primary = ask(inspector.get_multi_pk_constraint)
    constraints, indexes = ask(inspector.get_multi_unique_constraints), ask(inspector.get_multi_indexes)
    return {
        name: _Found(
            name,
            columns[name],
            primary[name]["constrained_columns"],
            [unique["column_names"] for unique in constraints.get(name, ())]
            + [index["column_names"] for index in indexes.get(name, ()) if index["unique"] and not _is_partial(index)],
        )
        for name in names
    }


def _is_partial(index: MappingOf[str, Any]) -> bool:
    return any(option.endswith("_where") for option in index.get("dialect_options", ()))


def fold_name(name: str, dialect: str) -> str:
    """What two names share that are one to the database: SQLite does not tell upper from lower case."""
    return name.lower() if dialect == "sqlite" else name


def table_names(inspector: sa.Inspector) -> dict[str, str]:
    """The tables of the database's default schema: as they are written, by their folded names."""
    return {fold_name(name, inspector.dialect.name): name for name in inspector.get_table_names()}


def _differences(table: Table, there: _Found, dialect: str) -> list[str]:
    found = {fold_name(column["name"], dialect): column for column in there.columns}
    differences = []
    for column in table.columns:
        same = found.pop(fold_name(column.name, dialect), None)
        if same is None:
            differences.append(
                f"{table.name} has no column {column.name}"
                f" (ALTER TABLE {quote(there.name)} ADD COLUMN {quote(column.name)} {type_name(column, dialect)})"
            )
        else:
            differences += _column_differences(table, column, same, dialect)
    for name, other in found.items():
        if not other["nullable"] and not _filled_by_database(other):
            differences.append(
                f"{table.name}.{name} is NOT NULL without a default, and the mapping has no such column"
                " (add it to the mapping, or give it a default)"
            )
    return differences


def _column_differences(table: Table, column: Column, there: MappingOf[str, Any], dialect: str) -> list[str]:
    place = f"{table.name}.{column.name}"
    if there.get("computed") or (there.get("identity") or {}).get("always"):
        return [f"{place} is generated by the database (map its value to another column)"]
    differences = []
    type_ = there["type"]
    fits = fits_sqlite if dialect == "sqlite" else fits_postgres
    # A type the mapping names itself is its own affair.
    if not column.sql and not fits(column, type_):
        is_ = "of a type unknown here" if isinstance(type_, types.NullType) else written_type(type_, dialect)
        wanted = f"{column.type}{'[]' if column.is_array else ''}"
        differences.append(
            f"{place} is {is_}, {_why_not(column, type_)} the mapping's {wanted} (make it {type_name(column, dialect)})"
        )
    if not there["nullable"] and _may_be_null(column, table):
        differences.append(
            f"{place} is NOT NULL, but the mapping can leave it empty (say `required: true` there, or drop NOT NULL)"
        )
    return differences


def _why_not(column: Column, there: TypeEngine[Any]) -> str:
    if column.is_array != isinstance(there, types.ARRAY):
        return "not a list of values as" if column.is_array else "not one value as"
    if column.type.name in ("json", "jsonb") and isinstance(there, types.JSON):
        return "which rewrites"
    return "too narrow for"


def _may_be_null(column: Column, table: Table) -> bool:
    if column.required or column.name in table.key or not isinstance(column.source, FromPath):
        return False
    return column.default is None or column.on_error == "set_null"


def _filled_by_database(column: MappingOf[str, Any]) -> bool:
    # SQLite numbers the rows of an INTEGER PRIMARY KEY itself; reflection shows it as a key without default.
    if column.get("primary_key") and isinstance(column["type"], types.INTEGER):
        return True
    return column.get("default") is not None or bool(column.get("computed")) or bool(column.get("identity"))


def _missing_keys(table: Table, there: _Found, dialect: str, write: Write, *, to_come: bool) -> list[str]:
    """What keeps records from being found by their keys."""
    if to_come:
        return [
            f"{table.name} has no keys yet, which `write: {write}` needs: an earlier load builds them when it ends (run"
            " its command again; where rows are in the way, it says which)"
        ]
    wanted = {fold_name(name, dialect) for name in table.key}
    keys = [{fold_name(name or "", dialect) for name in key} for key in (there.primary_key, *there.unique)]
    if table.parent is not None or wanted in keys:
        return []
    columns = ", ".join(map(quote, table.key))
    return [
        f"{table.name} has no unique key over ({', '.join(table.key)}), by which `write: {write}` finds records"
        f" (CREATE UNIQUE INDEX {quote(there.name + '_key')} ON {quote(there.name)} ({columns}))"
    ]


def _key_notices(table: Table, there: _Found) -> list[str]:
    if any(set(key) == set(table.key) for key in (there.primary_key, *there.unique)):
        return []
    has = f"the primary key ({', '.join(there.primary_key)})" if there.primary_key else "no primary key"
    wanted = ", ".join(table.key)
    return [f"The table {table.name} was there already, with {has} where the mapping has ({wanted}): that stays."]
