"""The tables of an inferred mapping as they will be written: rows with names, paths, types and keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etl.inference.comments import column_comment, table_comment
from etl.inference.declared import DeclaredValues
from etl.inference.keys import find_key
from etl.inference.names import child_names, column_names, record_names
from etl.inference.namespaces import Namespaces
from etl.inference.profile import Profile
from etl.inference.rows import Field, Rows
from etl.inference.words import NAME_BYTES
from etl.mapping.keys import inherited_name
from etl.mapping.reserved_names import LEDGER_TABLES


@dataclass(frozen=True, slots=True)
class ColumnDesign:
    """A column as the file writes it."""

    name: str
    path: str
    """Empty for the line of the record."""
    type: str
    comment: str
    options: tuple[tuple[str, str | tuple[str, ...] | bool], ...] = ()
    """Further keys of the column with their values."""


@dataclass(frozen=True, slots=True)
class TableDesign:
    """A table as the file writes it."""

    name: str
    each: tuple[str, ...]
    parent: str
    """Empty for a table of records."""
    key: tuple[str, ...]
    """Columns; none where none was found, and in child tables."""
    columns: tuple[ColumnDesign, ...]
    comment: str


def design_tables(records: Sequence[Rows], namespaces: Namespaces, profile: Profile) -> list[TableDesign]:
    """Name tables and columns; parents come before their children, otherwise all is in the order of `records`."""
    designer = _Designer(namespaces, profile)
    names = record_names(records, namespaces, profile.files)
    designer.taken.update(name.lower() for name in names)
    for name, rows in zip(names, records, strict=True):
        designer.add_record(name, rows)
    return designer.tables


class _Designer:
    def __init__(self, namespaces: Namespaces, profile: Profile) -> None:
        self.tables: list[TableDesign] = []
        self.taken = set(LEDGER_TABLES)
        self._namespaces = namespaces
        self._whole = profile.whole
        self._declared = profile.declared

    def add_record(self, name: str, rows: Rows) -> None:
        key, columns = self._key(name, rows)
        self._add(name, rows, "", key, columns)
        self._add_children(name, rows, tuple(inherited_name(name, column) for column in key or ("record_id",)))

    def _key(self, name: str, rows: Rows) -> tuple[tuple[str, ...], tuple[ColumnDesign, ...]]:
        """The names of the key's columns, none without one; and all columns."""
        if fields := find_key(rows, name, whole=self._whole):
            columns = self._columns(rows, ())
            key = tuple(columns[rows.fields.index(field)].name for field in fields)
            inherited = [inherited_name(name, column) for column in key]
            # In tables below they must be names, and no others than the numbers of tables in between.
            if all(len(one.encode()) <= NAME_BYTES and not one.endswith("_seq") for one in inherited):
                return key, columns
        return (), self._columns(rows, ("record_id",))

    def _add_children(self, name: str, rows: Rows, inherited: tuple[str, ...]) -> None:
        """The child tables of `rows`, which is called `name`; `inherited` are the columns they get from its key."""
        names = child_names(name, rows, self._namespaces, self.taken)
        self.taken.update(child.lower() for child in names)
        for child_name, child in zip(names, rows.children, strict=True):
            self._add(child_name, child, name, (), self._columns(child, (*inherited, "seq")))
            self._add_children(child_name, child, (*inherited, inherited_name(child_name, "seq")))

    def _add(self, name: str, rows: Rows, parent: str, key: tuple[str, ...], columns: tuple[ColumnDesign, ...]) -> None:
        each = tuple(self._namespaces.each(rows, is_record=not parent))
        comment = table_comment(rows, is_child=bool(parent), declared=self._declared)
        self.tables.append(TableDesign(name, each, parent, key, columns, comment))

    def _columns(self, rows: Rows, reserved: tuple[str, ...]) -> tuple[ColumnDesign, ...]:
        names = column_names(rows, self._namespaces, {name.lower() for name in reserved})
        return tuple(self._column(name, field, rows) for name, field in zip(names, rows.fields, strict=True))

    def _column(self, name: str, field: Field, rows: Rows) -> ColumnDesign:
        path = "" if field.take == "line" else self._namespaces.path(field)
        comment = column_comment(field, rows.count, declared=self._declared)
        return ColumnDesign(name, path, _type(field), comment, tuple(_options(field, rows)))


def _type(field: Field) -> str:
    if field.take == "xml":
        return "xml"
    if field.values is None or (field.take == "string" and not field.values.count):
        return "text"
    return str(field.values.guess().type)


def _options(field: Field, rows: Rows) -> Iterator[tuple[str, str | tuple[str, ...] | bool]]:
    """What a schema says of the values beside their type."""
    if not isinstance(field.values, DeclaredValues) or field.take not in ("attribute", "string"):
        return
    declaration = field.values.declaration
    # An attribute of an element around the record is there or not whatever is in the record.
    is_there = field.present >= rows.count and not field.above
    if declaration.required and is_there:
        yield "required", True
    if declaration.lexical.formats:
        yield "formats", declaration.lexical.formats
    if declaration.lexical.collapse:
        yield "transform", "collapse"
    if declaration.default is not None and is_there:
        if field.take == "string" and declaration.lexical.type.name in ("text", "varchar"):
            yield "nulls", ""
        yield "default", declaration.default
