"""Keys of the tables: which columns they are, what the program adds, and how children name what they inherit."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from etl.mapping.model import Column, ColumnType, ForeignKey, FromPath, ParentKey, RecordId, Table
from etl.mapping.model import Sequence as SequenceSource
from etl.mapping.spec import Problems, TableSpec
from etl.mapping.yaml_text import Place

_NO_KEY = frozenset({"json", "jsonb", "xml"})
"""Types whose values databases do not compare."""


def declared_key(place: Place, spec: TableSpec, problems: Problems) -> tuple[str, ...]:
    """The key of a record's table as the file names it."""
    if spec.key is None:
        return ()
    place = (*place, "key")
    if spec.parent is not None:
        problems.add(place, "a child table has no key of its own: its key is its parent's key and seq")
        return ()
    for name in spec.key:
        if name not in spec.columns:
            problems.add(place, f"there is no column {name!r}{_hint(name, list(spec.columns), 'columns')}")
        elif spec.columns[name].on_error == "set_null":
            problems.add(place, f"{name!r} has on_error: set_null, but a key is never NULL")
    if len(set(spec.key)) < len(spec.key):
        problems.add(place, "a column stands here twice")
    return tuple(spec.key)


def as_key(place: Place, column: Column, problems: Problems) -> Column:
    """The column as part of the key: never NULL, whatever the file's `defaults` say."""
    many = column.source.many if isinstance(column.source, FromPath) else "first"
    if many in ("array", "json") or column.type.name in _NO_KEY:
        what = f"many: {many}" if many in ("array", "json") else f"type {column.type}"
        problems.add((*place, "key"), f"{column.name!r} has {what}, which cannot be a key")
    return replace(column, required=True, on_error="reject" if column.on_error == "set_null" else column.on_error)


def added_columns(place: Place, spec: TableSpec, parent: Table | None, problems: Problems) -> tuple[Column, ...]:
    """A child's copy of its parent's key and `seq`; a record's `record_id` where it declares no key."""
    if parent is None:
        for key in ("seq", "parent_key"):
            if getattr(spec, key) is not None:
                problems.add((*place, key), "only a child table has one (`parent`)")
        record_id = Column("record_id", ColumnType("bigint"), RecordId(), required=True)
        return () if spec.key else (record_id,)
    renamed = spec.parent_key or {}
    for name in renamed:
        if name not in parent.key:
            hint = _hint(name, parent.key, "its key")
            problems.add((*place, "parent_key", name), f"{name!r} is no key column of table {parent.name!r}{hint}")
    columns = {column.name: column for column in parent.columns}
    inherited = [
        Column(
            renamed.get(name, _inherited_name(parent, columns[name])),
            columns[name].type,
            ParentKey(name),
            required=True,
            sql=columns[name].sql,
        )
        for name in parent.key
        if name in columns
    ]
    seq = "seq" if spec.seq is None else spec.seq
    return (*inherited, Column(seq, ColumnType("integer"), SequenceSource(), required=True))


def inherited_name(table: str, column: str) -> str:
    """What a key column of a table is called in its children: `id` of release is release_id, as is `release_id`."""
    return column if column.lower().startswith(f"{table.lower()}_") else f"{table}_{column}"


def _inherited_name(parent: Table, column: Column) -> str:
    """What the parent itself inherited keeps its name."""
    return column.name if isinstance(column.source, ParentKey) else inherited_name(parent.name, column.name)


def foreign_key(parent: Table, added: Sequence[Column]) -> ForeignKey:
    """How a child's row names its parent's; `added` as `added_columns` made it."""
    return ForeignKey(columns=tuple(column.name for column in added[:-1]), parent_columns=parent.key)


def _hint(name: str, known: Sequence[str], what: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; {what}: {', '.join(known)}"
