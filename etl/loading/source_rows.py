"""Rows of etl_source, and whether the tables that a source was loaded into are still there.

Comes in: a connection whose transaction is open. Goes out: rows as values. Runs where sources are registered.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from etl.errors import TargetError
from etl.loading.ledger_base import State
from etl.loading.ledger_tables import LedgerTables
from etl.targets.base import Target, TargetConnection


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What a registration asks of a row."""

    number: int
    tables: frozenset[str]
    label: str
    fingerprint: str
    mapping: str
    mapping_file: str | None
    mapping_digest: str
    conversion_digest: str
    state: State
    epoch: int
    holder: str
    lock: int
    load_id: str
    started_at: str


def moment(text: str) -> str:
    """A time of the ledger as people read it, to the minute."""
    return f"{text[:16].replace('T', ' ')} UTC"


class SourceRows:
    """The rows, for one load."""

    def __init__(self, target: Target, tables: LedgerTables, load_id: str) -> None:
        """`load_id`: of this load, whose tables may be still to come."""
        self._target = target
        self._tables = tables
        self._load_id = load_id
        self._gone: dict[frozenset[str], frozenset[str]] = {}

    def where(
        self,
        connection: TargetConnection,
        condition: sa.ColumnElement[bool],
        *order: sa.ColumnElement[Any],
        locked: Literal["", "if free", "in turn"] = "",
    ) -> list[SourceRow]:
        """The rows for which that holds, by `order` and number; `locked`: until the transaction ends."""
        source = self._tables.source.c
        columns = [source[field.name] for field in dataclasses.fields(SourceRow)]
        wanted = sa.select(*columns).where(condition).order_by(*order, source.number)
        if locked:
            wanted = wanted.with_for_update(skip_locked=locked == "if free")
        found = connection.execute(wanted)
        return [SourceRow(number, frozenset(json.loads(tables)), *others) for number, tables, *others in found]

    def missing(self, connection: TargetConnection, row: SourceRow) -> frozenset[str]:
        """Tables of the source that are not there any more; those of this load may not be there yet."""
        if row.load_id == self._load_id:
            return frozenset()
        # A load that has begun meanwhile may have made those that were not there.
        if self._gone.get(row.tables, row.tables):
            self._gone[row.tables] = self._target.missing_tables(connection, row.tables)
        return self._gone[row.tables]

    def partly_gone(self, connection: TargetConnection, row: SourceRow) -> TargetError:
        """What to raise where only some of its tables are there."""
        return TargetError(
            f"{row.label} was loaded before, but of its tables {', '.join(sorted(self.missing(connection, row)))} are"
            " gone since. Drop the others too, and the same command loads it again from the start."
        )
