"""What travels between the stages: small frozen values, picklable, without behaviour of their own.

The order of this file is the order of a record's life:

    splitter --Split--> worker --MappedBatch--> queue --> insert thread --Committed--> result thread

Offsets count bytes of the decompressed document transcoded to UTF-8, from 0. Lines and record numbers count from 1;
a record's number is its place among all records (of every record type) of its source, in document order.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

RowFormat = Literal["copy", "tuples"]
"""What a worker encodes rows as: COPY text, or tuples of Python values for targets without COPY."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source as the ledger knows it; workers need it for `meta` columns and surrogate keys."""

    number: int
    """Number of the source in the ledger, from 1."""
    label: str
    """Path or name, as messages and `meta: source` show it."""
    load_id: str
    """UUID of the load that began this source; a resume keeps it."""
    loaded_at: str
    """When that load began: ISO 8601, UTC with offset."""


@dataclass(frozen=True)
class Bounds:
    """What a record may ask of the machine; as the settings `limits` say, without what it takes to check settings."""

    depth: int = 1000
    """Elements nested in each other, from the root."""
    attributes: int = 10_000
    """Of one element."""
    text_bytes: int = 64 * 2**20
    """Bytes (UTF-8) of one text or attribute value."""
    entity_bytes: int = 10**6
    """Bytes that the entities of one record may make."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What stands open around a run: ``subset + open_tags + run + close_tags`` is a document of its own."""

    subset: bytes
    """``<!DOCTYPE ...[...]>`` with the internal subset where it declares an ENTITY or ATTLIST, else empty."""
    open_tags: bytes
    """Start tags of the open elements, outermost first, as they stand in the document."""
    close_tags: bytes
    """Their end tags, innermost first."""
    depth: int
    """How many elements are open: a record is an element at this depth below the document node."""
    header: bytes = b""
    """What stood before the document's first record, as far as columns with `scope: document` ask for it: a document of
    its own, in which an empty element, its last, stands where that record begins (`etl.extract.header`)."""


NOTHING_OPEN = Skeleton(subset=b"", open_tags=b"", close_tags=b"", depth=0)
"""Around a record that is its document's root."""


class Run(NamedTuple):
    """Neighbouring whole records under one skeleton, with what stands between them (white space, comments, PIs)."""

    skeleton: Skeleton
    payload: bytes
    offset: int
    """Offset of ``payload[0]`` in the document."""
    line: int
    """Line of ``payload[0]``."""
    first_record: int
    spans: array[int]
    """Type code "I": start and end within the payload of each record in turn (2 numbers a record)."""

    @property
    def records(self) -> int:
        return len(self.spans) // 2


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is not loaded, and why. `column` and `table` are empty where the reason is the whole record's."""

    source: int
    offset: int
    line: int
    record: int
    reason: str
    """A reason code: malformed, too_large, undefined_entity, missing_value, bad_value, out_of_range, too_long ..."""
    message: str
    table: str = ""
    column: str = ""
    raw: bytes | None = None
    """The record's bytes; None where larger than `RAW_LIMIT` (then `offset` and `length` tell where it stands)."""
    length: int = 0
    skeleton: Skeleton | None = None
    """What stood open around it, so that it can be written out, or loaded again, as what it was."""
    document: int = 0
    """`Document.number`; 0 where the source is one document."""


RAW_LIMIT = 1 << 20
"""A reject keeps its record up to this size (bytes), so that a bad dump cannot fill the database with itself."""


RECORDS_PER_SOURCE = 1 << 40
"""A surrogate key is source number x 2^40 + record number: 2^23 sources of 10^12 records fit a bigint."""


class Document(NamedTuple):
    """One of the documents of a collection: a member of an archive, or one of many small files.

    A source that is a single document has none.
    """

    number: int
    """Among those of its source, from 1."""
    label: str
    """Path or name, as messages and `meta: source` show it."""
    fingerprint: str
    """Identity of its content; see `etl.extract.collection`."""
    records_before: int
    """Surrogate keys count its records on from here: no record of another document of the source has their numbers."""
    records_most: int
    """So many numbers are its own."""


SHORTEST_RECORD = 4
"""Bytes of ``<r/>``: a document has no more records than it has room for."""


class Pack(NamedTuple):
    """Small documents of a collection that travel together, each of them one record, its root element: columns in place
    of an object for each (`etl.packs` makes those where they are needed).

    Their numbers follow each other, and so do the surrogate keys that may be theirs. Arrays have type code "I" and a
    number for each document.
    """

    number: int
    """Of the first."""
    records_before: int
    """As `Document.records_before`, of the first."""
    labels: tuple[str, ...]
    """As `Document.label`."""
    digests: bytes
    """16 bytes of each document: the middle, in hexadecimal digits, of its fingerprint."""
    prefix: str
    suffix: str
    """What stands around that."""
    payload: bytes
    """All of them, and perhaps something between them."""
    begins: array[int]
    """Where each begins in the payload."""
    sizes: array[int]
    """Bytes."""
    starts: array[int]
    ends: array[int]
    """Where the root element starts and ends in its document."""
    lines: array[int]
    """In which that is."""


class Part(NamedTuple):
    """A document's share of a split: the tile ``[start, end)`` of the document and the records that begin in it.

    The tiles of a document follow each other without gap or overlap; the last ends at the document's end. A pack is one
    tile, too: of its documents one behind the other. This is the unit the ledger claims.
    """

    source: int
    """Number of the source in the ledger."""
    start: int
    end: int
    records: int
    """Records that end in the tile, those in `rejects` included."""
    runs: tuple[Run, ...]
    rejects: tuple[RejectedRecord, ...] = ()
    """Records that the splitter already knows to be unusable (too large, unclosed)."""
    last: bool = False
    """True for the tile that reaches the end of the document."""
    passed: frozenset[str] = frozenset()
    """Paths, from the root on, of elements streamed past: they are no records and hold none."""
    position: int = 0
    """Bytes of the (compressed) source read when it was cut, for showing progress."""
    document: Document | None = None
    """Which one it is of; None where the source is one document, and of a pack."""
    pack: Pack | None = None
    """In place of `runs`; then there are no `rejects`."""

    @property
    def place(self) -> tuple[int, int, int]:
        """What no other part has: source, number of the document (of a pack's first one), start."""
        document = self.document or self.pack
        return self.source, document.number if document else 0, self.start

    @property
    def keys_from(self) -> int:
        """A record's surrogate key is this and the record's number."""
        return self.source * RECORDS_PER_SOURCE + (self.document.records_before if self.document else 0)


@dataclass(frozen=True, slots=True)
class Split:
    """A unit of work: whole records as bytes, self-contained."""

    number: int
    parts: tuple[Part, ...]
    size: int
    """Bytes of all payloads."""
    records: int
    """Records of all parts."""


@dataclass(frozen=True, slots=True)
class CopyRows:
    """Rows of one table as COPY text (UTF-8): one line a row, so row n ends behind the n-th newline byte."""

    data: bytes
    records: array[int]
    """Type code "I": for each row the place (from 0) of its record in the split, parents and children alike."""
    split: int = 0
    """The split's number: these count in the order of the sources, however the splits arrive."""

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class TupleRows:
    """Rows of one table as Python values (None, bool, int, float, str, bytes), for targets without COPY."""

    data: bytes
    """A flat list of the values, row after row, as `marshal` writes it in version 2, which has no references: a few
    times faster than pickled tuples, and what compiled code reads and writes, too."""
    records: array[int]
    """As in `CopyRows`."""
    split: int = 0
    """As in `CopyRows`."""

    @classmethod
    def of_columns(cls, columns: Sequence[Sequence[object]], records: array[int], split: int = 0) -> TupleRows:
        """Rows from their columns, each with a value for each of `records`."""
        values: list[object] = [None] * (len(columns) * len(records))
        for place, column in enumerate(columns):
            values[place :: len(columns)] = column
        return cls.of_values(values, records, split)

    @classmethod
    def of_values(cls, values: list[Any], records: array[int], split: int = 0) -> TupleRows:
        """Rows from a flat list of their values."""
        return cls(marshal.dumps(values, 2), records, split)

    @property
    def values(self) -> list[object]:
        """The values, row after row."""
        values: list[object] = marshal.loads(self.data)
        return values

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """The rows."""
        values = self.values
        return list(zip(*[iter(values)] * (len(values) // len(self)), strict=True)) if values else []

    def __len__(self) -> int:
        return len(self.records)


class PartCounts(NamedTuple):
    """What became of a part's records: ``records == loaded + rejected + discarded``.

    Discarded are those that the mapping leaves out, and with `write: skip` those whose key was there before.
    """

    records: int
    loaded: int
    rejected: int
    discarded: int


@dataclass(frozen=True, slots=True)
class MappedBatch:
    """A worker's answer to a split."""

    split: int
    tables: tuple[CopyRows | TupleRows, ...]
    """One for each table of the mapping, in the mapping's order (parents before children)."""
    counts: tuple[PartCounts, ...]
    """One for each part of the split."""
    rejects: tuple[RejectedRecord, ...]
    size: int
    """Bytes of the rows and the rejects."""
    busy: float
    """Seconds the worker spent on it."""
    notices: Notices


@dataclass(frozen=True, slots=True)
class Notices:
    """What a person should hear at the end although the records loaded; pairs are (table, column) places."""

    matched: frozenset[tuple[int, int]] = frozenset()
    """Columns that were found at least once: what is left over never matched."""
    several: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """Records in which a column that keeps one value (`many: first`, the default) met more than one."""
    set_null: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """Values replaced because of `on_error: set_null` or `use_default`."""
    mixed: frozenset[tuple[int, int]] = frozenset()
    """Scalar columns whose path met an element with child elements."""
    unseen: frozenset[str] = frozenset()
    """Paths of elements, and as ``a/@x`` of attributes, that neither a column nor a table takes: from the record's name
    on, or from the root on."""
    additions: Mapping[tuple[int, str], bool] = field(default_factory=dict)
    """Columns that would take some of it: the table's place and the path, and whether one row had several values."""
    declined: str = ""
    """Why the compiled scanner left the split to lxml; "" where it did not, or is not used at all."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction is durable as its regime promises: what callbacks and progress are told, after the fact."""

    records: int
    loaded: int
    rejected: int
    discarded: int
    rows: tuple[int, ...]
    """Rows written by table, in the mapping's order; one that takes another's place counts as well."""
    source_bytes: int
    """Bytes of the documents' tiles now committed."""
    row_bytes: int
    """Bytes of the rows and rejects it wrote, as they were encoded."""
    seconds: float
    """From the first statement to the commit's answer."""
    commit_seconds: float
    """Of these the commit alone."""
    rejects: tuple[RejectedRecord, ...]
    notices: tuple[Notices, ...]
    splits: tuple[int, ...]
    """Numbers of the splits it wrote."""
    duplicates: int
    """Parts dropped because the ledger already had them."""
