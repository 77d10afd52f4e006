"""What of a mapping decides which rows there are, and what only decides what their values become.

In: mappings. Out: a digest of each, by which the ledger knows a mapping again, and differences in words. Comments,
layout, order, and the place of the file count in neither.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from etl.mapping.model import Column, Mapping, Table

_APPEARANCE = frozenset({"line", "comment", "folder"})
_CONVERSIONS: dict[type, frozenset[str]] = {
    Table: frozenset({"transform"}),
    Column: frozenset({"default", "nulls", "strip", "on_error", "transforms", "formats", "timezone"}),
}
"""Fields that a load may go on with when they are changed: rows loaded before stay what they are."""

FEW = 4
"""Differences that a sentence names."""


def structure_digest(mapping: Mapping) -> str:
    """Digest of tables, paths, conditions, columns, types and keys.

    Fields at their defaults are left out, so that a later version of this program with more of them agrees.
    """
    return _digest(_structure(mapping))


def conversion_digest(mapping: Mapping) -> str:
    """Digest of defaults, nulls, transforms, formats and what else makes a column's value of a text."""
    return _digest(
        {
            table.name: [
                _told(table, _CONVERSIONS[Table]),
                {column.name: _told(column, _CONVERSIONS[Column]) for column in table.columns},
            ]
            for table in mapping.tables
        }
    )


def differences(old: Mapping, new: Mapping) -> str:
    """In words, the first few, what of the structure is another."""
    found = list(_differences(_structure(old), _structure(new)))
    more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    return ", ".join(found[:FEW]) + more


def _differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    yield from (f"the table {name} is gone" for name in old.keys() - new.keys())
    yield from (f"the table {name} is new" for name in new.keys() - old.keys())
    for name in sorted(old.keys() & new.keys()):
        before, after = old[name], new[name]
        for field in ("each", "where", "key", "parent"):
            if before.get(field) != after.get(field):
                yield f"`{field}` of {name}"
        were, are = before["columns"], after["columns"]
        yield from (f"the column {name}.{column} is gone" for column in were if column not in are)
        yield from (f"the column {name}.{column} is new" for column in are if column not in were)
        for column in were.keys() & are.keys():
            changed = [
                field
                for field in ("type", "source", "required", "sql")
                if were[column].get(field) != are[column].get(field)
            ]
            named = (_of_source(were[column], are[column]) if field == "source" else field for field in changed)
            yield from (f"`{field}` of {name}.{column}" for field in named)


def _of_source(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Which of the fields that say where a value comes from is another."""
    before, after = (column["source"].get("FromPath", {}) for column in (old, new))
    changed = [name for name in ("path", "scope", "many", "separator", "pair") if before.get(name) != after.get(name)]
    return changed[0] if changed else "path"


def _structure(mapping: Mapping) -> dict[str, Any]:
    """By table; columns by name: their order, and that of the tables, make no other rows."""
    structure = {}
    for table in mapping.tables:
        told = _told(table, frozenset(f.name for f in dataclasses.fields(table)) - _CONVERSIONS[Table])
        told["each"] = [told.pop("records", None), told.pop("each", None)]
        told["parent"] = None if table.parent is None else mapping.tables[table.parent].name
        fields = frozenset(f.name for f in dataclasses.fields(Column)) - _CONVERSIONS[Column] - {"name"}
        told["columns"] = {column.name: _told(column, fields) for column in table.columns}
        structure[table.name] = told
    return structure


def _told(value: Any, names: frozenset[str]) -> dict[str, Any]:
    """The fields of a dataclass that tell more than their defaults do."""
    fields = (field for field in dataclasses.fields(value) if field.name in names - _APPEARANCE)
    return {f.name: _plain(getattr(value, f.name)) for f in fields if getattr(value, f.name) != f.default}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {type(value).__name__: _told(value, frozenset(field.name for field in dataclasses.fields(value)))}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
