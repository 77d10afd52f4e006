"""Keys that do not hold: which rows stand in the way, and what to do about it, in one sentence or two.

Comes in: a key of the mapping and a connection whose transaction is open. Goes out: sentences; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import quoted_name

from etl.errors import InternalError
from etl.mapping.model import Mapping, RecordId, Table
from etl.targets.base import KeyProblem
from etl.targets.schema import LateKey

EXAMPLES = 3
"""Values shown of those that stand in a key's way: enough to look at, short enough for one line."""

Execute = Callable[[Executable], list[tuple[Any, ...]]]


def plain_table(table: Table, columns: Sequence[str]) -> sa.TableClause:
    """A table for queries: these columns, without their types."""
    described: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(name, quote=True)) for name in columns]
    return sa.table(quoted_name(table.name, quote=True), *described)


def unbuilt(execute: Execute, mapping: Mapping, key: LateKey, said: str) -> KeyProblem:
    """Why a key could not be built; `said` are the database's own words."""
    table = mapping.tables[key.table]
    problem = _orphans(execute, mapping, key) if key.kind == "foreign" else None
    if key.kind == "primary":
        problem = _duplicates(execute, mapping, key)
    kind = {"primary": "key", "foreign": "foreign key", "index": "index"}[key.kind]
    return problem or KeyProblem(
        table.name,
        f"The {kind} of {table.name} ({', '.join(key.columns)}) is not built: {said}. All rows stay."
        f" {way_out(mapping, table)}",
    )


def waits_for_parent(mapping: Mapping, key: LateKey) -> KeyProblem:
    """A foreign key without the key it refers to."""
    table = mapping.tables[key.table]
    return KeyProblem(
        table.name,
        f"The foreign key of {table.name} ({', '.join(key.columns)}) is not built, since the key of its parent table is"
        " not: it comes with it when the same command is run again.",
    )


def lost_rows(mapping: Mapping, key: LateKey) -> sa.Select[Any]:
    """The foreign key's values, one row for each row of its table that has no parent."""
    described = mapping.tables[key.table]
    if described.parent is None or described.foreign_key is None:
        raise InternalError(f"The table {described.name} has a foreign key to build, but no parent.")
    wanted = described.foreign_key.parent_columns
    table, parent = plain_table(described, key.columns), plain_table(mapping.tables[described.parent], wanted)
    columns = [table.c[name] for name in key.columns]
    same = sa.and_(*(column == parent.c[name] for column, name in zip(columns, wanted, strict=True)))
    # SQLite takes several times as long for NOT EXISTS, for PostgreSQL they are the same.
    joined = table.outerjoin(parent, same)
    found = parent.c[wanted[0]].is_not(None)
    return sa.select(*columns).select_from(joined).where(*(column.is_not(None) for column in columns), ~found)


def way_out(mapping: Mapping, table: Table) -> str:
    """What to change where a key of the mapping cannot hold."""
    # A child's key is its parent's with a number behind it: there it is said.
    while table.parent is not None and table.foreign_key is not None and _is_inherited(table):
        table = mapping.tables[table.parent]
    named = {column.name: column for column in table.columns}
    if any(isinstance(named[name].source, RecordId) for name in table.key):
        return "Load into a new database."
    written = f"`key: {table.key[0] if len(table.key) == 1 else '[' + ', '.join(table.key) + ']'}`"
    place = f"{mapping.label}:{table.line}" if table.line else mapping.label
    numbered = "its rows are numbered within their parent" if table.parent is not None else "its records are numbered"
    return (
        f"Remove {written} from the table {table.name} ({place}), so that {numbered}, or choose another `key` there,"
        " and load into a new database."
    )


def _is_inherited(table: Table) -> bool:
    inherited = table.foreign_key.columns if table.foreign_key else ()
    return table.key[: len(inherited)] == inherited and len(table.key) == len(inherited) + 1


def shown_values(columns: Sequence[str], values: Sequence[Any]) -> str:
    """``id = 7, seq = 1``"""
    return ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))


def _duplicates(execute: Execute, mapping: Mapping, key: LateKey) -> KeyProblem | None:
    described = mapping.tables[key.table]
    table = plain_table(described, key.columns)
    columns = [table.c[name] for name in key.columns]
    several = sa.select(*columns, sa.func.count().label("rows_")).group_by(*columns).having(sa.func.count() > 1)
    counted = several.subquery()
    ((values, rows),) = execute(sa.select(sa.func.count(), sa.func.sum(counted.c.rows_)).select_from(counted))
    if not values:
        return None
    examples = execute(several.order_by(*columns).limit(EXAMPLES))
    shown = ", ".join(f"{shown_values(key.columns, row[:-1])} in {row[-1]} rows" for row in examples)
    return KeyProblem(
        described.name,
        f"The key of {described.name} ({', '.join(key.columns)}) is not built: {values} of its values stand in {rows}"
        f" rows together ({shown}). All rows stay. Delete the surplus ones and run the same command again, which builds"
        f" the key. Or: {way_out(mapping, described)} With `keys: before` later ones are rejects; with"
        " `write: upsert` they take the place of earlier ones, with `write: skip` they are left out.",
    )


def _orphans(execute: Execute, mapping: Mapping, key: LateKey) -> KeyProblem:
    table = mapping.tables[key.table]
    parent = mapping.tables[table.parent or 0].name
    place = f"The foreign key of {table.name} ({', '.join(key.columns)})"
    lost = lost_rows(mapping, key)
    ((count,),) = execute(sa.select(sa.func.count()).select_from(lost.subquery()))
    if not count:
        return KeyProblem(
            table.name,
            f"{place} is not built: {parent}, which was there before, has no unique key over the columns it refers to."
            " Add one and run the same command again.",
        )
    shown = ", ".join(shown_values(key.columns, row) for row in execute(lost.distinct().limit(EXAMPLES)))
    return KeyProblem(
        table.name,
        f"{place} does not hold: {count} rows have no parent in {parent} ({shown}). All rows stay. Add the parents or"
        " delete these rows, and run the same command again.",
    )
