"""A checked mapping: which elements become rows of which tables, and how their values become columns.

These values are what every later stage works from (splitter, worker, targets); they are frozen and picklable, since
worker processes get them over a pipe. `etl.mapping.reader` makes them from a mapping file; nothing else should have
to validate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etl.mapping.paths import RecordPath, ValuePath, XPath

Many = Literal["first", "last", "join", "array", "json", "count", "reject"]
OnError = Literal["reject", "set_null", "use_default"]
Scope = Literal["record", "document"]
MetaName = Literal["source", "line", "offset", "record", "load_id", "loaded_at"]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of the mapping language (`etl docs types`) with its parameters."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    encoding: str | None = None
    """How bytes are written in the document: hex or base64."""

    def __str__(self) -> str:
        parameters = [str(n) for n in (self.length, self.precision, self.scale, self.encoding) if n is not None]
        return f"{self.name}({','.join(parameters)})" if parameters else self.name


@dataclass(frozen=True, slots=True)
class FromPath:
    """The value of the node that a path finds below (or above) the table's element."""

    path: ValuePath | XPath
    many: Many = "first"
    separator: str = ", "
    pair: tuple[ValuePath, ValuePath] | None = None
    """With `many: json`: where key and value stand, from each element found; the column is then an object."""
    scope: Scope = "record"
    """document: `path` begins at the document's root, and leads to what stands before the first record."""


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


@dataclass(frozen=True, slots=True)
class Replace:
    """The transform ``{replace: [pattern, text]}``: every match of a regular expression (Python's `re`)."""

    pattern: str
    text: str


@dataclass(frozen=True, slots=True)
class MapValues:
    """The transform ``{map: {a: b}}``: whole values; others stay."""

    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """The transform ``{python: "module:function"}``: looked for in `folder` (the mapping file's), then on sys.path."""

    module: str
    function: str
    folder: str
    line: int = 0
    """Line of the mapping file that names it."""

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


Transform = Literal["lower", "upper", "collapse"] | Replace | MapValues | PythonFunction
"""A step between `strip` and `nulls`, from text to text."""


@dataclass(frozen=True, slots=True)
class Exists:
    """True where the path finds anything."""

    path: ValuePath


@dataclass(frozen=True, slots=True)
class Compare:
    """``path = 'literal'`` or ``path != 'literal'``, as XPath 1.0 means it: true where it holds for any value found."""

    path: ValuePath
    literal: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Not:
    """``not(...)``"""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """``a and b``"""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``a or b``"""

    conditions: tuple[Condition, ...]


Condition = Exists | Compare | Not | AllOf | AnyOf | XPath
"""A table's `where`; an XPath counts by its boolean value."""


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
    transforms: tuple[Transform, ...] = ()
    formats: tuple[str, ...] = ()
    """Of dates and times: strptime forms, tried in turn where the type's own form does not fit."""
    timezone: str = "UTC"
    """For timestamptz: the zone (IANA name or offset) of values without one."""
    sql: str = ""
    """The database's type where the mapping overrides it."""
    line: int = 0
    """Line of the mapping file; 0 for columns the program adds."""
    comment: str = ""
    """What the mapping file says behind `#` on that line."""

    @property
    def is_array(self) -> bool:
        """The column holds a list of values of its type."""
        return isinstance(self.source, FromPath) and self.source.many == "array"


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
    each: tuple[ValuePath | XPath, ...] = ()
    """For a child table: paths from the parent's element to this table's elements."""
    where: Condition | None = None
    """Elements for which it does not hold give no row; a record without one is discarded."""
    transform: PythonFunction | None = None
    """Takes a row as a dict of converted values, returns a dict, or None to discard it."""
    foreign_key: ForeignKey | None = None
    line: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a load reads documents with beside its mapping, as digests; empty where it has none."""

    dtd: str = ""
    """Of what the DTD that the user names declares."""
    schema: str = ""
    """Of the schema that records are validated by."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole checked mapping file."""

    tables: tuple[Table, ...]
    """Parents before children, otherwise in the file's order."""
    label: str
    """The file's name, for messages."""
    text: str
    """The file as written: the ledger keeps it."""
    reading: Reading = Reading()
    """Of the load that goes by it; the ledger keeps it, too."""

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)
