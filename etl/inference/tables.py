"""The tables of an inferred mapping as they will be written: rows with names, paths, types and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.inference.comments import column_comment, table_comment
from etl.inference.keys import find_key
from etl.inference.names import child_names, column_names, record_names
from etl.inference.namespaces import Namespaces
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


@dataclass(frozen=True, slots=True)
class TableDesign:
    """A table as the file writes it."""

    name: str
    each: tuple[str, ...]
    parent: str
    """Empty for a table of records."""
    key: str
    """Empty where none was found, and in child tables."""
    columns: tuple[ColumnDesign, ...]
    comment: str


def design_tables(records: Sequence[Rows], namespaces: Namespaces, *, whole: bool) -> list[TableDesign]:
    """Name tables and columns; parents come before their children, otherwise all is in the order of `records`."""
    designer = _Designer(namespaces, whole)
    names = record_names(records, namespaces)
    designer.taken.update(name.lower() for name in names)
    for name, rows in zip(names, records, strict=True):
        designer.add_record(name, rows)
    return designer.tables


class _Designer:
    def __init__(self, namespaces: Namespaces, whole: bool) -> None:
        self.tables: list[TableDesign] = []
        self.taken = set(LEDGER_TABLES)
        self._namespaces = namespaces
        self._whole = whole

    def add_record(self, name: str, rows: Rows) -> None:
        key, columns = self._key(name, rows)
        self._add(name, rows, "", key, columns)
        self._add_children(name, rows, (inherited_name(name, key or "record_id"),))

    def _key(self, name: str, rows: Rows) -> tuple[str, tuple[ColumnDesign, ...]]:
        """The name of the key column, empty without one; and all columns."""
        if field := find_key(rows, name, whole=self._whole):
            columns = self._columns(rows, ())
            key = columns[rows.fields.index(field)].name
            inherited = inherited_name(name, key)
            # In tables below it must be a name, and no other than the numbers of tables in between.
            if len(inherited.encode()) <= NAME_BYTES and not inherited.endswith("_seq"):
                return key, columns
        return "", self._columns(rows, ("record_id",))

    def _add_children(self, name: str, rows: Rows, inherited: tuple[str, ...]) -> None:
        """The child tables of `rows`, which is called `name`; `inherited` are the columns they get from its key."""
        names = child_names(name, rows, self._namespaces, self.taken)
        self.taken.update(child.lower() for child in names)
        for child_name, child in zip(names, rows.children, strict=True):
            self._add(child_name, child, name, "", self._columns(child, (*inherited, "seq")))
            self._add_children(child_name, child, (*inherited, inherited_name(child_name, "seq")))

    def _add(self, name: str, rows: Rows, parent: str, key: str, columns: tuple[ColumnDesign, ...]) -> None:
        each = tuple(self._namespaces.each(rows, is_record=not parent))
        self.tables.append(TableDesign(name, each, parent, key, columns, table_comment(rows, is_child=bool(parent))))

    def _columns(self, rows: Rows, reserved: tuple[str, ...]) -> tuple[ColumnDesign, ...]:
        names = column_names(rows, self._namespaces, {name.lower() for name in reserved})
        return tuple(self._column(name, field, rows) for name, field in zip(names, rows.fields, strict=True))

    def _column(self, name: str, field: Field, rows: Rows) -> ColumnDesign:
        path = "" if field.take == "line" else self._namespaces.path(field)
        return ColumnDesign(name, path, _type(field), column_comment(field, rows.count))


def _type(field: Field) -> str:
    if field.take == "xml":
        return "xml"
    if field.values is None or (field.take == "string" and not field.values.count):
        return "text"
    return str(field.values.guess().type)
