"""What to do with rows the database refuses: the records they belong to become rejects, all others are written.

Works on the records of one split, all tables together. A list of records is written behind a savepoint; where it is
refused, it is undone and cut in three at the row the database points at (before it, it, behind it) or, where it points
at none, in two; a single record that is refused is a reject. So k bad ones among n records cost about k log n writes,
and about k where the database tells the row.
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.loading.insert_queue import QueuedBatch
from etl.loading.ledger_base import BatchLedger
from etl.messages import PartCounts, RejectedRecord
from etl.targets.base import TargetConnection


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a split whose rows were refused."""

    counts: tuple[PartCounts, ...]
    """By part, corrected: records the database refused count as rejected."""
    rows: tuple[int, ...]
    """Rows written by table."""
    rejects: tuple[RejectedRecord, ...]
    """Those of the split, and those the database refused."""


def write_split(connection: TargetConnection, ledger: BatchLedger, entry: QueuedBatch) -> Recovered:
    """Write what can be written of a split in the open transaction that has claimed it; the transaction stays open.

    The ledger's counts are corrected, rejects are not written yet. Where a trigger has ended the transaction, it is
    begun and claimed again. Raises EtlError.
    """
    raise NotImplementedError
