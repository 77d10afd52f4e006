"""Files that were loaded with other content, too: what to know of it, since rows of both may be in the tables.

Comes in: a file's path, and the rows of etl_source. Goes out: sentences. Within the caller's open transaction.
"""

from __future__ import annotations

import sqlalchemy as sa

from etl.loading.ledger_queries import totals_of
from etl.loading.ledger_tables import LedgerTables
from etl.loading.source_rows import SourceRow, SourceRows, moment
from etl.options import Write
from etl.targets.base import TargetConnection

_MEETING: dict[Write, str] = {
    "append": "those rows stay, and these are added to them (--write upsert or skip looks for what is there)",
    "upsert": "its records take the place of those with the same keys, and all others stay",
    "skip": "those rows stay, and of these the records with other keys are added",
}


class OtherContent:
    """Looks for it, for one load into tables of these names."""

    def __init__(self, rows: SourceRows, tables: LedgerTables, names: set[str], write: Write) -> None:
        self._rows = rows
        self._tables = tables
        self._names = names
        self._write = write

    def before(self, connection: TargetConnection, label: str, path: str | None) -> tuple[str, ...]:
        """Of a file that is a new source: as what it was loaded before."""
        found = self._last(connection, path)
        if found is None:
            return ()
        row, records = found
        verb = "was loaded" if row.state == "finished" else "began to be loaded, and was not finished,"
        return (
            f"{label} {verb} with other content before (source {row.number}, on {moment(row.started_at)},"
            f" {records:,} record{'' if records == 1 else 's'}). It is a new source: {_MEETING[self._write]}.",
        )

    def since(self, connection: TargetConnection, label: str, path: str | None, known: SourceRow) -> tuple[str, ...]:
        """Of a file whose content is loaded as a source that is `known`: as what it was loaded later."""
        source = self._tables.source.c
        # Not by the number: a source that was loaded anew keeps it.
        later = sa.and_(source.fingerprint != known.fingerprint, source.started_at > known.started_at)
        found = self._last(connection, path, later)
        if found is None:
            return ()
        row, _ = found
        if self._write == "upsert":
            there = "and the tables hold what that says of keys that are in both. --again loads this one anew"
        else:
            there = "whose rows are there, too. --again loads this one alone, where only this file filled the tables"
        return (
            f"{label} has the content again that was loaded as source {known.number}; what was loaded last from that"
            f" file is source {row.number} (on {moment(row.started_at)}), of other content, {there}.",
        )

    def _last(
        self, connection: TargetConnection, path: str | None, *conditions: sa.ColumnElement[bool]
    ) -> tuple[SourceRow, int] | None:
        """The source from there that began last and has rows in the tables, and how many records it has."""
        if path is None:
            return None
        source = self._tables.source.c
        for row in reversed(self._rows.where(connection, sa.and_(source.path == path, *conditions), source.started_at)):
            records = totals_of(connection, self._tables, row.number).records
            if records and row.tables & self._names and not self._rows.missing(connection, row):
                return row, records
        return None
