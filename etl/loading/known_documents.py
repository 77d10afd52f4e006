"""Documents that were loaded before: as a part of the same collection, of another one, or as sources of their own.

Comes in: fingerprints, and a connection whose transaction is open. Goes out: what is known of them: a file by its
content, alone and in a folder; a member of an archive by its name and content, in whichever archive. Runs on the
feeder's thread, and where sources are registered.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import sqlalchemy as sa

from etl.errors import TargetError
from etl.fingerprints import AS_IT_IS, REPAIRED, other_readings, reading_of
from etl.loading.document_filter import DocumentFilter
from etl.loading.documents import DocumentRows, brought_meanwhile, identity
from etl.loading.holds import Holds
from etl.loading.ledger_base import KnownDocument, RegisteredSource, Totals
from etl.loading.ledger_queries import in_pieces, totals_of
from etl.loading.ledger_tables import LedgerTables
from etl.loading.source_rows import SourceRow, SourceRows
from etl.messages import Part, SourceInfo
from etl.packs import fingerprints_in
from etl.targets.base import TargetConnection

_OTHERS_SECONDS = 0.2
"""How long it is taken for granted that no other load has begun: what is read now is not written sooner."""


class _Others(NamedTuple):
    """Sums over the sources of mappings of one structure that other loads have, or had."""

    sources: int
    last: int
    epochs: int
    loading: int
    """Begun, and not finished: by loads that live, or have died."""


class KnownDocuments:
    """Those of the loads by mappings of one structure."""

    def __init__(
        self, tables: LedgerTables, rows: SourceRows, documents: DocumentRows, holds: Holds, structure: str
    ) -> None:
        self._tables = tables
        self._rows = rows
        self._documents = documents
        self._holds = holds
        self._structure = structure
        self._filter: DocumentFilter | None = None
        """Of what the ledger had when the loads of others were as in `_filtered`."""
        self._filtered: _Others | None = None
        self._asked = 0.0
        self._begun: _Others | None = None
        """When the first collection began to be read."""
        self._readings: frozenset[str] | None = None
        """In which the ledger has sources when it is first asked, with those that it may have documents in."""

    def find(self, connection: TargetConnection, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        """See `Ledger.find_documents`."""
        self.check_reading(connection, fingerprints, self._filter)
        found = self._documents.find(connection, fingerprints)
        elsewhere: dict[int, bool] = {}
        for one in found.values():
            if one.source != source:
                elsewhere[one.source] = elsewhere.get(one.source, True) and one.complete
        for number, complete in sorted(elsewhere.items()):
            self._check_elsewhere(connection, number, complete=complete)
        own = self._tables.source.c
        for some in in_pieces([fingerprint for fingerprint in fingerprints if fingerprint not in found]):
            for row in self._rows.where(connection, own.fingerprint.in_(some), own.mapping_digest == self._structure):
                if row.mapping_digest == self._structure and not self._rows.missing(connection, row):
                    found[row.fingerprint] = self._as_known(connection, row)
        return found

    def check_reading(
        self, connection: TargetConnection, fingerprints: Sequence[str], there: DocumentFilter | None = None
    ) -> None:
        """Raise TargetError where one was loaded as it is, and is to be mended now, or otherwise read than before.

        `there`: what may be in the ledger, where that is known.
        """
        others = self.other_readings(connection, fingerprints)
        if there is not None:
            others = [*filter(there.may_have, others)]
        number = self._tables.source.c.number
        readings = {one.source: reading_of(other) for other, one in self._documents.find(connection, others).items()}
        found = [row for source in sorted(readings) for row in self._rows.where(connection, number == source)]
        for some in in_pieces(others):
            found += self._rows.where(connection, self._tables.source.c.fingerprint.in_(some))
        for row in found:
            same = row.mapping_digest == self._structure and not self._rows.missing(connection, row)
            if same and totals_of(connection, self._tables, row.number).records:
                before = readings[row.number] if row.number in readings else reading_of(row.fingerprint)
                raise _read_otherwise(row, before, reading_of(fingerprints[0]))

    def other_readings(self, connection: TargetConnection, fingerprints: Sequence[str]) -> list[str]:
        """The identities that the same contents may have in the ledger, read otherwise."""
        readings = sorted(self._all_readings(connection))
        others = {other for fingerprint in fingerprints for other in other_readings(fingerprint, readings)}
        return sorted(others.difference(fingerprints))

    def _all_readings(self, connection: TargetConnection) -> frozenset[str]:
        if self._readings is None:
            own = self._tables.source.c.fingerprint
            mended = connection.execute(sa.select(own).where(own.contains(REPAIRED, autoescape=True)))
            # A collection without an identity has no row that tells how its documents were read.
            self._readings = frozenset({AS_IT_IS, REPAIRED, *(reading_of(fingerprint) for (fingerprint,) in mended)})
        return self._readings

    def any(self, connection: TargetConnection, source: int) -> bool:
        """Whether a document of a collection, which begins to be read, can be known already."""
        # What this load has brought since is not in it.
        self._filter = None
        if self._begun is None:
            self._begun = self._others(connection)
        own = self._tables.source.c
        others = sa.select(own.number).where(own.number != source, own.mapping_digest == self._structure)
        return self._documents.any_known(connection) or bool(connection.execute(others.limit(1)))

    def possible(self, connection: TargetConnection, fingerprints: Sequence[str]) -> list[str]:
        """See `Ledger.possible_documents`."""
        others = self._others(connection)
        if others.loading or others != self._filtered:
            self._filter = self._readings = None
        if others.loading:
            # What they bring meanwhile is not in what is remembered.
            return list(fingerprints)
        if self._filter is None:
            self._filter, self._filtered = self._new_filter(connection), others
        self._asked = time.monotonic()
        return self._filter.possible(fingerprints)

    def remembered(self, fingerprints: Sequence[str]) -> list[str] | None:
        """The same without a question; None where it is too long ago that the loads of others were looked at."""
        if self._filter is None or time.monotonic() - self._asked > _OTHERS_SECONDS:
            return None
        return self._filter.possible(fingerprints)

    def check_alone(self, connection: TargetConnection, parts: Sequence[Part]) -> None:
        """Raise TargetError where another load has meanwhile brought one of these documents as a source of its own."""
        others = self._others(connection)
        if others == self._begun and not others.loading:
            return
        own = self._tables.source.c
        for some in in_pieces([name for part in parts for name in fingerprints_in(part)]):
            for row in self._rows.where(connection, sa.and_(self._of_others(), own.fingerprint.in_(some))):
                if not self._rows.missing(connection, row):
                    raise brought_meanwhile(row.label, "a source of its own")

    def _of_others(self) -> sa.ColumnElement[bool]:
        """Sources of mappings of this structure that other loads have, or had."""
        own = self._tables.source.c
        return sa.and_(own.mapping_digest == self._structure, own.lock != self._holds.ours()["lock"])

    def _others(self, connection: TargetConnection) -> _Others:
        """What changes where another load begins, goes on or ends."""
        own = self._tables.source.c
        is_loading = sa.case((own.state == "loading", 1), else_=0)
        sums = (sa.func.coalesce(sum_, 0) for sum_ in (sa.func.max(own.number), sa.func.sum(own.epoch)))
        found = sa.select(sa.func.count(), *sums, sa.func.coalesce(sa.func.sum(is_loading), 0))
        ((count, last, epochs, loading),) = connection.execute(found.where(self._of_others()))
        return _Others(int(count), int(last), int(epochs), int(loading))

    def _new_filter(self, connection: TargetConnection) -> DocumentFilter:
        own = self._tables.source.c
        ours = sa.select(own.fingerprint).where(own.mapping_digest == self._structure, own.fingerprint.is_not(None))
        alone = (identity(fingerprint, self._structure) for (fingerprint,) in connection.execute(ours))
        identities = chain(alone, self._documents.identities(connection))
        return DocumentFilter(self._structure, self._all_readings(connection), identities)

    def _check_elsewhere(self, connection: TargetConnection, source: int, *, complete: bool) -> SourceRow:
        """Another source, which has documents; raises TargetError where they are not `complete`, or its tables gone."""
        (row,) = self._rows.where(connection, self._tables.source.c.number == source)
        if self._rows.missing(connection, row):
            raise self._rows.partly_gone(connection, row)
        if not complete:
            raise TargetError(
                f"A document of {row.label} (source {row.number}) is to be loaded here too, and began to be loaded as a"
                " part of that. Load that one to its end first: the same command goes on there."
            )
        return row

    def _as_known(self, connection: TargetConnection, row: SourceRow) -> KnownDocument:
        """A document that was a source of its own before."""
        records = totals_of(connection, self._tables, row.number).records
        if row.state == "loading":
            raise TargetError(
                f"{row.label} (source {row.number}) began to be loaded by itself, and is not finished. Load it alone"
                " first: that goes on where it ended."
            )
        return KnownDocument(row.number, 0, 0, records, (), complete=True, source_label=row.label)

    def as_source(self, connection: TargetConnection, label: str, fingerprint: str) -> RegisteredSource | None:
        """A source that was loaded before as a document of a collection."""
        known = self._documents.find(connection, [fingerprint]).get(fingerprint)
        if known is None:
            return None
        row = self._check_elsewhere(connection, known.source, complete=known.complete)
        notice = f"{label} was loaded before as a part of {row.label} (source {row.number})."
        info = SourceInfo(row.number, label, row.load_id, row.started_at)
        return RegisteredSource(info, "finished", (), Totals(), (notice,))


def _read_otherwise(row: SourceRow, before: str, now: str) -> TargetError:
    if before == AS_IT_IS:
        how = "was loaded without --repair, and is to be read with it"
    elif now == AS_IT_IS:
        how = "was loaded with --repair, and is to be read without it"
    elif now == REPAIRED:
        how = "was loaded with --repair and a --dtd, and is to be read without that, by which more entities are mended"
    elif before == REPAIRED:
        how = "was loaded with --repair, and is to be read with a --dtd, by which fewer entities are mended"
    else:
        how = "was loaded with --repair and a --dtd, and is to be read with one by which other entities are mended"
    rejects = " `etl retry --repair` loads what was rejected of it;" if before == AS_IT_IS else ""
    same = "" if before == AS_IT_IS or now == AS_IT_IS else " Read as before, it goes on where it ended;"
    return TargetError(
        f"{row.label} (source {row.number}) {how}: its records would be there twice.{rejects}{same} --again loads all"
        " of it anew, where only this source filled its tables."
    )
