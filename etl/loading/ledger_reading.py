"""The ledger as others read it: sources and how far they are, rejects by kind, and the rejects themselves, in order.

In: a connection that only reads. Out: plain values. A load may be running meanwhile; each answer is what was committed
when it was asked for. However many rejects there are, a few MB of them are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from etl.errors import SettingsError, TargetError
from etl.loading.ledger_base import REJECT_REASONS, State, Totals
from etl.loading.ledger_queries import document_label, sums_of_tiles, with_documents
from etl.loading.ledger_tables import ledger_tables
from etl.loading.retries import Result, Retries
from etl.messages import RejectedRecord, Skeleton
from etl.targets.own_tables import own_table
from etl.targets.reading import ReadingConnection

_InSource = tuple[int, int]
"""Number of the document, and offset in it."""

_InLedger = tuple[int, int]
"""Number of the source, and of the document in it."""

PAGE_ROWS = 1000
PAGE_BYTES = 4 << 20
"""Rejects read at once, at most: by number, and by what their records weigh."""

EXAMPLE_BYTES = 2000
"""Of the record of an example: more than fits a line."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A row of etl_source."""

    number: int
    label: str
    path: str | None
    fingerprint: str | None
    size: int | None
    mapping: str
    mapping_file: str | None
    mapping_digest: str
    """Documents of a collection have it in their identity."""
    tables: str
    """Names, as JSON."""
    state: State
    holder: str
    lock: int
    load_id: str
    started_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Committed:
    """What of a source is committed."""

    totals: Totals
    document_bytes: int
    """Of what is in it, decompressed."""
    position: int
    """Bytes of the (compressed) source up to the furthest tile."""
    last: str
    """When the last tile was committed."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rejects."""

    sources: tuple[int, ...] | None = None
    """Numbers of sources; None: all."""
    reason: str | None = None
    documents: tuple[_InLedger, ...] | None = None
    """Of these documents of collections alone: source and number of each; None: of all."""


class StoredDocument(NamedTuple):
    """A row of etl_document: one of the documents of a collection."""

    number: int
    label: str
    identity: bytes
    """See `etl.loading.documents.identity`."""
    records_before: int
    records_most: int


class StoredReject(NamedTuple):
    """A reject and where it comes from."""

    record: RejectedRecord
    label: str
    """What a person calls the document that it is in."""
    document: StoredDocument | None
    """Of a collection, where that has its row."""


@dataclass(frozen=True, slots=True)
class RejectKind:
    """What rejects have in common."""

    reason: str
    table: str
    column: str


class LedgerReader:
    """Reads the ledger in the given schema (None: the database's default one)."""

    def __init__(self, connection: ReadingConnection, schema: str | None, retries: Retries | None = None) -> None:
        """`retries`: how it looks again after a lost connection; None: not at all.

        Raises TargetError where there is no ledger, or one that another version of this program has made.
        """
        self._connection = connection
        self._retries = retries
        self._tables = ledger_tables(schema)
        self._own = own_table(schema)
        self.label = label = connection.label
        for table in self._tables.metadata.sorted_tables:
            there = self._look(lambda: connection.columns(table))  # noqa: B023 - called at once
            if not there:
                raise TargetError(
                    f"No load has been to {label}: it has no table {table.fullname}. Check --to; a ledger that is in"
                    " another schema is found by the setting ledger.schema."
                )
            missing = [column.name for column in table.columns if column.name not in there]
            if missing:
                raise TargetError(
                    f"{label}: {table.fullname} has no column {', '.join(missing)}: it was made by another version of"
                    " this program, and only that one reads it."
                )

    def sources(self) -> list[StoredSource]:
        """All sources, in the order in which they were begun."""
        columns = self._tables.source.c
        wanted = [columns[name] for name in StoredSource.__dataclass_fields__]
        return [StoredSource(*row) for row in self._rows(sa.select(*wanted).order_by(columns.number))]

    def tables_without_keys(self) -> frozenset[str]:
        """Names of tables that loads created and whose keys are not built."""
        columns = self._own.c
        if not self._look(lambda: self._connection.columns(self._own)):
            return frozenset()
        keyless = sa.select(columns.table_name).where(columns.keys_to_come)
        return frozenset(name for (name,) in self._rows(keyless))

    def select(self, source: str | None, reason: str | None) -> tuple[Selection, list[StoredSource]]:
        """The rejects of a source (its number, or its label or path), or of a document of a collection (its label), for
        a reason, and the sources they may be of.

        Raises SettingsError where there is no such source or document, or no such reason.
        """
        if reason is not None and reason not in REJECT_REASONS:
            raise SettingsError(f"There is no reason {reason}; there are {', '.join(sorted(REJECT_REASONS))}.")
        known = self.sources()
        if source is None:
            return Selection(None, reason), known
        found = [each for each in known if source in (str(each.number), each.label, each.path)]
        if found:
            return Selection(tuple(each.number for each in found), reason), found
        documents = self._documents_called(source)
        found = [each for each in known if each.number in {number for number, _ in documents}]
        if not found:
            names = ", ".join(f"{each.number} ({each.label})" for each in known[:5]) or "none"
            more = f" and {len(known) - 5:,} more" if len(known) > 5 else ""
            raise SettingsError(f"{self._connection.label} has no source {source}; there are {names}{more}.")
        return Selection(tuple(each.number for each in found), reason, documents), found

    def _documents_called(self, label: str) -> tuple[_InLedger, ...]:
        document = self._tables.document.c
        named = sa.select(document.source, document.document).where(document.label == label)
        return tuple((source, number) for source, number in self._rows(named))

    def documents(self) -> dict[int, int]:
        """How many documents are committed, in part at least, of each source that is a collection."""
        document = self._tables.document.c
        counted = sa.select(document.source, sa.func.count()).group_by(document.source)
        return {row[0]: row[1] for row in self._rows(counted)}

    def labels(self, places: Sequence[_InLedger]) -> dict[_InLedger, str]:
        """What some documents of collections are called."""
        document = self._tables.document.c
        place = (document.source, document.document)
        found = sa.select(*place, document.label).where(sa.tuple_(*place).in_(places))
        return {(source, number): label for source, number, label in self._rows(found)}

    def committed(self) -> dict[int, Committed]:
        """What is committed, by source."""
        split = self._tables.split.c
        size = sa.cast(sa.func.sum(split.end_offset - split.start_offset), sa.BigInteger)
        found = sa.select(split.source, *sums_of_tiles(self._tables), size, sa.func.max(split.source_position))
        rows = self._rows(found.add_columns(sa.func.max(split.committed_at)).group_by(split.source))
        return {
            source: Committed(Totals(records, loaded, rejected, discarded), size, position, last)
            for source, records, loaded, rejected, discarded, size, position, last in rows
        }

    def committed_since(self, moment: str) -> dict[int, int]:
        """Records committed since then, by source."""
        split = self._tables.split.c
        records = sa.cast(sa.func.sum(split.records), sa.BigInteger)
        recent = sa.select(split.source, records).where(split.committed_at >= moment).group_by(split.source)
        return {row[0]: row[1] for row in self._rows(recent)}

    def counts(self, selection: Selection) -> dict[int, tuple[int, int]]:
        """How many rejects each source has, if any, and the bytes of their records."""
        reject = self._tables.reject.c
        size = sa.cast(sa.func.sum(reject.length), sa.BigInteger)
        found = sa.select(reject.source, sa.func.count(), size).where(*self._where(selection))
        return {row[0]: (row[1], row[2]) for row in self._rows(found.group_by(reject.source))}

    def kinds(self, selection: Selection) -> list[tuple[RejectKind, int]]:
        """The kinds of rejects and how many there are of each, the most frequent first."""
        reject = self._tables.reject.c
        kind = (reject.reason, reject.table_name, reject.column_name)
        counted = sa.select(*kind, sa.func.count()).where(*self._where(selection)).group_by(*kind)
        rows = self._rows(counted.order_by(sa.func.count().desc(), *kind))
        return [(RejectKind(*row[:3]), row[3]) for row in rows]

    def examples(self, selection: Selection, number: int) -> dict[RejectKind, list[StoredReject]]:
        """The first `number` rejects of each kind; their `raw` is the first `EXAMPLE_BYTES` of the record."""
        reject = self._tables.reject.c
        kind = (reject.reason, reject.table_name, reject.column_name)
        order = (reject.source, reject.document, reject.byte_offset)
        place = sa.func.row_number().over(partition_by=kind, order_by=order).label("place")
        ranked = sa.select(*order, place).where(*self._where(selection)).subquery()
        first = sa.and_(*(column == ranked.c[column.name] for column in order))
        shown = sa.func.substr(reject.raw, 1, EXAMPLE_BYTES, type_=sa.LargeBinary)
        found = sa.select(*self._columns(), shown).select_from(with_documents(self._tables).join(ranked, first))
        examples: dict[RejectKind, list[StoredReject]] = {}
        for *row, raw in self._rows(found.where(ranked.c.place <= number).order_by(*order)):
            one = _stored(row, raw, None)
            examples.setdefault(RejectKind(one.record.reason, one.record.table, one.record.column), []).append(one)
        return examples

    def rejects(self, selection: Selection) -> Iterator[StoredReject]:
        """The rejects with their skeletons, by source and place; those seen may be deleted or replaced meanwhile."""
        reject = self._tables.reject.c
        wanted = sa.select(*self._columns(), reject.raw, reject.skeleton).select_from(with_documents(self._tables))
        skeletons: dict[tuple[int, str], Skeleton] = {}
        for source in sorted(self.counts(selection)):
            here = self._of_source(source, selection)
            for first, last in self._pages(here):
                place = sa.tuple_(reject.document, reject.byte_offset)
                found = wanted.where(*here, place >= sa.tuple_(*first), place <= sa.tuple_(*last))
                rows = self._rows(found.order_by(reject.document, reject.byte_offset))
                digests = {digest for *_, digest in rows if digest is not None}
                skeletons = {key: known for key, known in skeletons.items() if key[0] == source and key[1] in digests}
                skeletons |= self._skeletons(source, sorted(digests - {digest for _, digest in skeletons}))
                for *row, raw, digest in rows:
                    yield _stored(row, raw, skeletons.get((source, digest)))

    def one_skeleton_each(self, selection: Selection) -> dict[int, Skeleton | None]:
        """What stands open around some reject of each source."""
        reject = self._tables.reject.c
        some = sa.select(reject.source, sa.func.min(reject.skeleton)).where(*self._where(selection))
        return {
            source: self._skeletons(source, [digest]).get((source, digest)) if digest is not None else None
            for source, digest in self._rows(some.group_by(reject.source))
        }

    def _pages(self, here: Sequence[sa.ColumnElement[bool]]) -> Iterator[tuple[_InSource, _InSource]]:
        """First and last place of rejects that are read at once."""
        reject = self._tables.reject.c
        place = (reject.document, reject.byte_offset)
        size = sa.func.coalesce(sa.func.length(reject.raw), 0)
        behind = (0, -1)
        while True:
            keys = sa.select(*place, size).where(*here, sa.tuple_(*place) > sa.tuple_(*behind))
            rows = self._rows(keys.order_by(*place).limit(PAGE_ROWS))
            if not rows:
                return
            *first_place, weight = rows[0]
            first = behind = (first_place[0], first_place[1])
            for document, offset, more in rows[1:]:
                if weight + more > PAGE_BYTES:
                    yield first, behind
                    first, weight = (document, offset), 0
                behind = (document, offset)
                weight += more
            yield first, behind

    def _of_source(self, source: int, selection: Selection) -> list[sa.ColumnElement[bool]]:
        """Conditions that go by the primary key."""
        reject = self._tables.reject.c
        here = [reject.source == source]
        if selection.documents is not None:
            here.append(reject.document.in_([number for of, number in selection.documents if of == source]))
        return [*here, *([reject.reason == selection.reason] if selection.reason is not None else [])]

    def _skeletons(self, source: int, digests: Sequence[str]) -> dict[tuple[int, str], Skeleton]:
        if not digests:
            return {}
        columns = self._tables.skeleton.c
        fields = (columns.subset, columns.open_tags, columns.close_tags, columns.depth, columns.header)
        found = sa.select(columns.skeleton, *fields).where(columns.source == source, columns.skeleton.in_(digests))
        return {(source, digest): Skeleton(*row) for digest, *row in self._rows(found)}

    def _rows(self, statement: Executable) -> list[tuple[Any, ...]]:
        return self._look(lambda: self._connection.rows(statement))

    def _look(self, look: Callable[[], Result]) -> Result:
        return look() if self._retries is None else self._retries.call(look)

    def _columns(self) -> list[sa.ColumnElement[Any]]:
        """Those of `_stored`, of `with_documents`."""
        reject, document = self._tables.reject.c, self._tables.document.c
        stored = [document.document, document.label, document.identity, document.records_before, document.records_most]
        places = [reject.source, reject.document, reject.byte_offset, reject.line, reject.record]
        why = [reject.reason, reject.message, reject.table_name, reject.column_name]
        return [
            document_label(self._tables),
            *(column.label(f"of_{column.name}") for column in stored),
            *places,
            *why,
            reject.length,
        ]

    def _where(self, selection: Selection) -> list[sa.ColumnElement[bool]]:
        reject = self._tables.reject.c
        # Of a source whose row somebody deleted nothing could be told.
        known: list[sa.ColumnElement[bool]] = [reject.source.in_(sa.select(self._tables.source.c.number))]
        if selection.sources is not None:
            known.append(reject.source.in_(selection.sources))
        if selection.documents is not None:
            known.append(sa.tuple_(reject.source, reject.document).in_(selection.documents))
        if selection.reason is not None:
            known.append(reject.reason == selection.reason)
        return known


def _stored(row: Sequence[Any], raw: bytes | None, skeleton: Skeleton | None) -> StoredReject:
    label, *stored, source, document, offset, line, record, reason, message, table, column, length = row
    one = RejectedRecord(source, offset, line, record, reason, message, table, column, raw, length, skeleton, document)
    return StoredReject(one, label, None if stored[0] is None else StoredDocument(*stored))
