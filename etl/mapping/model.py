"""A checked mapping: which elements become rows of which tables, and how their values become columns.

These values are what every later stage works from (splitter, worker, targets); they are frozen and picklable, since
worker processes get them over a pipe. `etl.mapping.reader` makes them from a mapping file; nothing else should have
to validate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etl.mapping.paths import RecordPath, ValuePath

Many = Literal["first", "last", "join"]
OnError = Literal["reject", "set_null", "use_default"]
MetaName = Literal["source", "line", "offset", "record", "load_id", "loaded_at"]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of the mapping language (`etl docs types`) with its parameters."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        parameters = [str(n) for n in (self.length, self.precision, self.scale) if n is not None]
        return f"{self.name}({','.join(parameters)})" if parameters else self.name


@dataclass(frozen=True, slots=True)
class FromPath:
    """The value of the node that a path finds below (or above) the table's element."""

    path: ValuePath
    many: Many = "first"
    separator: str = ", "


@dataclass(frozen=True, slots=True)
class FromMeta:
    """Something known about the record rather than in it."""

    name: MetaName


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value on every row, as the mapping file writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class ParentKey:
    """A copy of a key column of the parent's row."""

    column: str
    """Name of that column in the parent table."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """1, 2, ... among the rows of one parent row, in document order of each path in turn."""


@dataclass(frozen=True, slots=True)
class RecordId:
    """source number x 2^40 + record number within the source: a key for records without one, stable on re-runs."""


ColumnSource = FromPath | FromMeta | Constant | ParentKey | Sequence | RecordId


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, as it is in the database."""

    name: str
    type: ColumnType
    source: ColumnSource
    required: bool = False
    """Never NULL; the declared `required`, and every column of a key."""
    default: str | None = None
    """Text used where the value is missing or NULL; converted like a value of the document."""
    nulls: tuple[str, ...] = ()
    """Texts that mean NULL, after stripping."""
    strip: bool = True
    on_error: OnError = "reject"
    line: int = 0
    """Line of the mapping file; 0 for columns the program adds."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a child table and the key columns of its parent they copy, in the same order."""

    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table and where its rows come from. Added columns (parent key, seq, record_id) come first in `columns`."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Names of the primary key's columns, in order."""
    records: tuple[RecordPath, ...] = ()
    """For a table without parent: the absolute paths of its records."""
    parent: int | None = None
    """Place of the parent table in the mapping; always smaller than this table's own."""
    each: tuple[ValuePath, ...] = ()
    """For a child table: paths from the parent's element to this table's elements."""
    foreign_key: ForeignKey | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole checked mapping file."""

    tables: tuple[Table, ...]
    """Parents before children, otherwise in the file's order."""
    label: str
    """The file's name, for messages."""
    text: str
    """The file as written: the ledger keeps it."""

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)
