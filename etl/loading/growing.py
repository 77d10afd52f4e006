"""Sources whose files have grown since a load of them began: downloads that were cut off, dumps still being written.

Where a file has more bytes now, its path is known and it begins with what was loaded in part before, it is that source,
and what is committed of it stays right: its tiles end where records end. Within the caller's open transaction, under
the lock by which loads register.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from etl.loading.ledger_base import Prefix
from etl.loading.ledger_queries import tiles_of, totals_of
from etl.loading.ledger_tables import LedgerTables
from etl.targets.base import TargetConnection


@dataclass(frozen=True, slots=True)
class Grown:
    """A source that a longer file goes on with."""

    number: int
    size: int
    """Bytes that its file had."""
    started_at: str
    begun: bool
    """Whether anything is committed of it."""


def find_grown(
    connection: TargetConnection,
    tables: LedgerTables,
    structure: str,
    fingerprint: str,
    size: int,
    path: str,
    prefix: Prefix,
) -> Grown | None:
    """The source that the file at `path`, of this size and fingerprint, was when it was shorter; the newest of several.

    None where its content is known as it is, or where a document was whole: then it is another one now.
    """
    source = tables.source.c
    ours = source.mapping_digest == structure
    if list(connection.execute(sa.select(source.number).where(ours, source.fingerprint == fingerprint))):
        return None
    shorter = (ours, source.path == path, source.state == "loading", source.size < size)
    columns = (source.number, source.size, source.started_at, source.fingerprint)
    for number, before, started_at, known in connection.execute(
        sa.select(*columns).where(*shorter).order_by(source.number.desc())
    ):
        was_whole = any(tile.last for tile in tiles_of(connection, tables, number))
        if not was_whole and prefix(before) == known:
            return Grown(number, before, started_at, bool(totals_of(connection, tables, number).records))
    return None
