"""Mappings and encoded rows for tests of targets and ledger, made without a mapping file or a worker."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from etl.mapping.model import (
    Column,
    ColumnSource,
    ColumnType,
    Constant,
    ForeignKey,
    FromPath,
    Mapping,
    ParentKey,
    Table,
)
from etl.mapping.model import Sequence as Numbering
from etl.mapping.paths import ValuePath
from etl.messages import CopyRows, TupleRows
from etl.options import Settings
from etl.targets.base import Target
from etl.targets.open import open_target

Row = tuple[object, ...]

SCALARS = {
    "text": ColumnType("text"),
    "varchar": ColumnType("varchar", length=20),
    "boolean": ColumnType("boolean"),
    "smallint": ColumnType("smallint"),
    "integer": ColumnType("integer"),
    "bigint": ColumnType("bigint"),
    "numeric": ColumnType("numeric"),
    "numeric_short": ColumnType("numeric", precision=9, scale=2),
    "numeric_long": ColumnType("numeric", precision=30, scale=10),
    "real": ColumnType("real"),
    "double": ColumnType("double"),
    "date": ColumnType("date"),
    "time": ColumnType("time"),
    "timestamp": ColumnType("timestamp"),
    "timestamptz": ColumnType("timestamptz"),
    "uuid": ColumnType("uuid"),
    "json": ColumnType("json"),
    "jsonb": ColumnType("jsonb"),
    "xml": ColumnType("xml"),
    "bytes": ColumnType("bytes", encoding="hex"),
}


def column(
    name: str, type_: str | ColumnType = "text", *, required: bool = False, source: ColumnSource | None = None
) -> Column:
    checked = ColumnType(type_) if isinstance(type_, str) else type_
    return Column(name, checked, source or FromPath(ValuePath(name)), required=required)


def family(*, key_type: str = "bigint") -> Mapping:
    """A parent table `release` (id, title) and its child `track` (release_id, seq, name)."""
    release = Table("release", (column("id", key_type, required=True), column("title")), ("id",))
    track = Table(
        "track",
        (
            column("release_id", key_type, required=True, source=ParentKey("id")),
            column("seq", "integer", required=True, source=Numbering()),
            column("name"),
        ),
        ("release_id", "seq"),
        parent=0,
        foreign_key=ForeignKey(("release_id",), ("id",)),
    )
    return Mapping((release, track), "family.yaml", "version: 1")


def scalars() -> Mapping:
    """One table `scalar` with a column of each type, named after it, and the key `id`."""
    columns = (column("id", "integer", required=True), *(column(name, type_) for name, type_ in SCALARS.items()))
    return Mapping((Table("scalar", columns, ("id",)),), "scalars.yaml", "version: 1")


def single(name: str, *columns: Column, key: Sequence[str] = ("id",)) -> Mapping:
    """A mapping of one table."""
    return Mapping((Table(name, columns, tuple(key)),), f"{name}.yaml", "version: 1")


def listed(name: str, type_: str | ColumnType) -> Column:
    """A column of lists."""
    return column(name, type_, source=FromPath(ValuePath(name), many="array"))


def constant(name: str) -> Column:
    return column(name, source=Constant("x"))


def encode(target: Target, rows: Sequence[Row]) -> CopyRows | TupleRows:
    """Rows as a worker hands them to this target."""
    records = array("I", range(len(rows)))
    if target.row_format == "tuples":
        return TupleRows.of_columns(list(zip(*rows, strict=True)), records)
    return CopyRows("".join("\t".join(map(_copy_text, row)) + "\n" for row in rows).encode(), records)


def _copy_text(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    return "".join(escapes.get(character, character) for character in str(value))


@contextlib.contextmanager
def opened(url: str, **settings: object) -> Iterator[Target]:
    """The target for a URL, closed afterwards."""
    with contextlib.closing(open_target(url, Settings.model_validate(settings))) as target:
        yield target


def write(target: Target, *tables: Sequence[Row], durable: bool = False) -> None:
    """Commit rows of the mapping's tables in one transaction."""
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        for place, rows in enumerate(tables):
            connection.write(place, [encode(target, rows)])
        connection.commit(durable=durable)


def read(target: Target, mapping: Mapping, table: str) -> list[Row]:
    """All rows of a table as the database gives them, in order of their text."""
    described = mapping.table(table)
    if target.dialect == "memory":
        rows: list[Row] = [tuple(row.values()) for row in target.rows(mapping)[table]]  # type: ignore[attr-defined]
    else:
        columns: list[sa.ColumnClause[object]] = [sa.column(each.name) for each in described.columns]
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            rows = connection.execute(sa.select(*columns).select_from(sa.table(table)))
            connection.rollback()
    return sorted(rows, key=lambda row: [str(value) for value in row])
