"""Documents that were loaded before: as a part of the same collection, of another one, or as sources of their own.

Comes in: fingerprints, and a connection whose transaction is open. Goes out: what is known of them; nothing is loaded
twice, however it is packed. Runs on the feeder's thread, and where sources are registered.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from etl.errors import TargetError
from etl.fingerprints import is_repaired, other_reading
from etl.loading.documents import DocumentRows
from etl.loading.ledger_base import KnownDocument, RegisteredSource, Totals
from etl.loading.ledger_queries import in_pieces, totals_of
from etl.loading.ledger_tables import LedgerTables
from etl.loading.source_rows import SourceRow, SourceRows
from etl.messages import SourceInfo
from etl.targets.base import TargetConnection


class KnownDocuments:
    """Those of the loads by mappings of one structure."""

    def __init__(self, tables: LedgerTables, rows: SourceRows, documents: DocumentRows, structure: str) -> None:
        self._tables = tables
        self._rows = rows
        self._documents = documents
        self._structure = structure

    def find(self, connection: TargetConnection, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        """See `Ledger.find_documents`."""
        self.check_reading(connection, fingerprints)
        found = self._documents.find(connection, fingerprints)
        for known in [one for one in found.values() if one.source != source]:
            self._check_elsewhere(connection, known)
        own = self._tables.source.c
        for some in in_pieces([fingerprint for fingerprint in fingerprints if fingerprint not in found]):
            for row in self._rows.where(connection, own.fingerprint.in_(some), own.mapping_digest == self._structure):
                if row.mapping_digest == self._structure and not self._rows.missing(connection, row):
                    found[row.fingerprint] = self._as_known(connection, row)
        return found

    def check_reading(self, connection: TargetConnection, fingerprints: Sequence[str]) -> None:
        """Raise TargetError where one was loaded as it is, and is to be mended now, or the other way round."""
        others = [other_reading(fingerprint) for fingerprint in fingerprints]
        number = self._tables.source.c.number
        known = {one.source for one in self._documents.find(connection, others).values()}
        found = [row for source in sorted(known) for row in self._rows.where(connection, number == source)]
        for some in in_pieces(others):
            found += self._rows.where(connection, self._tables.source.c.fingerprint.in_(some))
        for row in found:
            same = row.mapping_digest == self._structure and not self._rows.missing(connection, row)
            if same and totals_of(connection, self._tables, row.number).records:
                raise _read_otherwise(row, repaired=is_repaired(others[0]))

    def any(self, connection: TargetConnection, source: int) -> bool:
        """Whether a document of a collection can be known already."""
        own = self._tables.source.c
        others = sa.select(own.number).where(own.number != source, own.mapping_digest == self._structure)
        return self._documents.any_known(connection) or bool(connection.execute(others.limit(1)))

    def _check_elsewhere(self, connection: TargetConnection, known: KnownDocument) -> None:
        """Raise TargetError where a document of another source is not complete, or its tables are gone."""
        (row,) = self._rows.where(connection, self._tables.source.c.number == known.source)
        if self._rows.missing(connection, row):
            raise self._rows.partly_gone(connection, row)
        if not known.complete:
            raise TargetError(
                f"A document of {row.label} (source {row.number}) is to be loaded that began to be loaded as a part of"
                " that and is not complete. Load that one to its end first: the same command goes on there."
            )

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
        self._check_elsewhere(connection, known)
        (row,) = self._rows.where(connection, self._tables.source.c.number == known.source)
        notice = f"{label} was loaded before as a part of {row.label} (source {row.number})."
        info = SourceInfo(row.number, label, row.load_id, row.started_at)
        return RegisteredSource(info, "finished", (), Totals(), (notice,))


def _read_otherwise(row: SourceRow, *, repaired: bool) -> TargetError:
    how, now = ("with", "without") if repaired else ("without", "with")
    rejects = "" if repaired else " `etl retry --repair` loads what was rejected of it;"
    return TargetError(
        f"{row.label} (source {row.number}) was loaded {how} --repair, and is to be read {now} it: its records would be"
        f" there twice.{rejects} --again loads all of it anew, where only this source filled its tables."
    )
