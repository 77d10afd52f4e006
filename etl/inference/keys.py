"""Which column of a record table is its key: one that names each record, as far as the sample shows."""

from __future__ import annotations

import re

from etl.inference.declared import DeclaredValues
from etl.inference.rows import Field, Rows
from etl.inference.words import name_of, singular

MIN_RECORDS = 2
"""One record has nothing to be told from."""
MANY_RECORDS = 1000
"""From here on being different in all of them is no accident, so that a name needs to say less."""
UNNAMED_LENGTH = 64
NAMED_LENGTH = 500
"""Characters of the longest value; PostgreSQL's index takes 2,700 bytes."""

_TYPES = frozenset({"text", "integer", "bigint"})
"""Types that keep different texts different."""
_DECLARED_TYPES = _TYPES | {"varchar", "smallint", "numeric", "uuid", "timestamp", "timestamptz"}
"""Types that keep different values different."""
_IDENTIFIERS = ("uid", "uuid", "guid", "key", "code", "identifier")
_ID = re.compile(r"(?:[a-z]+_)*[a-z]{0,4}id")


def find_key(rows: Rows, table: str, *, whole: bool) -> tuple[Field, ...]:
    """The field of a record table, called `table`, that is its key; several only where a schema says so; else none.

    `whole` says that all of the documents was seen.
    """
    if rows.count < MIN_RECORDS:
        return ()
    if any(isinstance(field.values, DeclaredValues) for field in rows.fields):
        return _declared_key(rows)
    ranked = [
        (rank, place)
        for place, field in enumerate(rows.fields)
        if (rank := _rank(field, table, many=rows.count >= MANY_RECORDS, whole=whole)) and _identifies(field, rows)
    ]
    return (rows.fields[min(ranked)[1]],) if ranked else ()


def _declared_key(rows: Rows) -> tuple[Field, ...]:
    """The first key that a schema declares of which every row has all values."""
    fields = {
        field.values: field
        for field in rows.fields
        if isinstance(field.values, DeclaredValues) and not field.above and field.present >= rows.count
    }
    for values in fields:
        key = values.declaration.key
        if key and all(one in fields and one.guess().type.name in _DECLARED_TYPES for one in key):
            return tuple(fields[one] for one in key)
    return ()


def _identifies(field: Field, rows: Rows) -> bool:
    values = field.values
    return (
        values is not None
        # A record that the sample cuts off is not counted, but a value in it may be.
        and values.count >= rows.count
        and not values.empty
        and values.longest <= NAMED_LENGTH
        and values.unique
        and values.guess().type.name in _TYPES
    )


def _own_identifiers(table: str) -> tuple[str, ...]:
    one = singular(table)
    return (f"{table}_id", f"{table}id", f"{one}_id", f"{one}id")


def _rank(field: Field, table: str, *, many: bool, whole: bool) -> int:
    """How much it looks like the key: 1 is best, 0 not at all."""
    if field.above or field.take not in ("attribute", "string"):
        return 0
    name = name_of(field.attribute or (field.steps[-1] if field.steps else table))
    depth = len(field.steps) + bool(field.attribute)
    ranks = (
        (1, depth <= 1 and name == "id"),
        (2, depth <= 1 and name in _own_identifiers(table)),
        (3, depth <= 1 and name in _IDENTIFIERS),
        (4, depth <= 1 and many and _ID.fullmatch(name)),
        (5, depth > 1 and many and (_ID.fullmatch(name) or name in _IDENTIFIERS)),
        (6, depth <= 1 and many and whole and field.values is not None and field.values.longest <= UNNAMED_LENGTH),
    )
    return next((rank for rank, holds in ranks if holds), 0)
