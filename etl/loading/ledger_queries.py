"""What of a source is committed, as the ledger's own questions ask it; each within the caller's open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import sqlalchemy as sa

from etl.loading.ledger_base import Tile, Totals
from etl.loading.ledger_tables import LedgerTables
from etl.targets.base import TargetConnection

Value = TypeVar("Value", int, str, bytes)

AT_ONCE = 1000
"""Values in one statement: a database takes some ten thousands of parameters."""


def in_pieces(values: Sequence[Value]) -> list[Sequence[Value]]:
    """As many as go into one statement."""
    return [values[first : first + AT_ONCE] for first in range(0, len(values), AT_ONCE)]


def tiles_of(connection: TargetConnection, tables: LedgerTables, source: int) -> list[Tile]:
    """The committed tiles of a source that is one document, in order."""
    split = tables.split.c
    here = (split.source == source, split.document == 0)
    tiles = sa.select(split.start_offset, split.end_offset, split.is_last).where(*here)
    return [Tile(*row) for row in connection.execute(tiles.order_by(split.start_offset, split.end_offset))]


def sums_of_tiles(tables: LedgerTables) -> list[sa.ColumnElement[int]]:
    """What to select for `Totals`, in the order of its fields: 0 where there are no tiles."""
    split = tables.split.c
    return [
        sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
        for column in (split.records, split.loaded, split.rejected, split.discarded)
    ]


def totals_of(connection: TargetConnection, tables: LedgerTables, source: int) -> Totals:
    """What became of the records of the committed tiles."""
    sums = sa.select(*sums_of_tiles(tables)).where(tables.split.c.source == source)
    ((records, loaded, rejected, discarded),) = connection.execute(sums)
    return Totals(records, loaded, rejected, discarded)


def next_number(connection: TargetConnection, tables: LedgerTables) -> int:
    """The number of a new source; the caller has the lock under which loads register.

    Numbers are part of surrogate keys. So that of a source whose row somebody deleted does not come again while
    anything else tells of it; and a database's own sequence will not do, since it would count what was rolled back:
    after a crash a load would get other keys than an undisturbed one.
    """
    columns = (tables.source.c.number, tables.split.c.source, tables.reject.c.source)
    largest = sa.union_all(*(sa.select(sa.func.max(column).label("number")) for column in columns)).subquery()
    ((number,),) = connection.execute(sa.select(sa.func.max(largest.c.number)))
    return int(number or 0) + 1


def forget(connection: TargetConnection, tables: LedgerTables, source: int) -> None:
    """Delete what was committed of the source from the ledger; its row stays."""
    for table in (tables.document, tables.split, tables.reject, tables.skeleton):
        connection.execute(sa.delete(table).where(table.c.source == source))


def with_documents(tables: LedgerTables) -> sa.Join:
    """Rejects with their sources, and the documents they are in where those have rows."""
    reject, document = tables.reject.c, tables.document.c
    here = sa.and_(document.source == reject.source, document.document == reject.document)
    known = sa.join(tables.reject, tables.source, tables.source.c.number == reject.source)
    return known.outerjoin(tables.document, here)


def document_label(tables: LedgerTables) -> sa.ColumnElement[str]:
    """What a person calls the document of a row of `with_documents`."""
    return sa.func.coalesce(tables.document.c.label, tables.source.c.label)
