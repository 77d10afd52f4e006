"""Writes a batch: one transaction, tried again where that may help, or split by split where the database refuses rows.

The ledger's rows come first in the transaction: a tile that is already there was committed before, and its rows are
dropped. Runs on the insert thread whose connection it has.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from etl.errors import InternalError
from etl.faults import fault_point
from etl.loading.insert_queue import QueuedBatch
from etl.loading.ledger import LedgerLike
from etl.messages import Committed
from etl.targets.base import Target, TargetConnection


class BatchWriter:
    """The writing side of one insert thread. `interrupt` may be called from any."""

    def __init__(self, target: Target, ledger: LedgerLike, *, durable: bool) -> None:
        self._target = target
        self._ledger = ledger
        self._durable = durable
        self._connection: TargetConnection | None = None

    def connect(self) -> None:
        """Connect. Raises EtlError."""
        self._connection = self._target.connect()

    def write(self, batch: Sequence[QueuedBatch]) -> Committed:
        """Commit a batch and return what it did. Raises EtlError; then what is not committed is not there."""
        if self._connection is None:
            raise InternalError("A batch was given before there was a connection.")
        return write_batch(self._connection, self._ledger, batch, durable=self._durable)

    def interrupt(self) -> None:
        """Make the statement now running, or the wait before it is tried again, end soon."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):  # one that is lost or closed has nothing left to interrupt
                connection.interrupt()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def write_batch(
    connection: TargetConnection, ledger: LedgerLike, batch: Sequence[QueuedBatch], *, durable: bool
) -> Committed:
    """Commit a batch in one transaction and return what it did. Raises EtlError; then nothing of it is there."""
    began = time.monotonic()
    connection.begin()
    try:
        fault_point("before_claim")
        fresh = _claim(connection, ledger, batch)
        rows = _write_rows(connection, fresh)
        fault_point("after_rows")
        rejects = tuple(reject for entry in fresh for reject in entry.mapped.rejects)
        if rejects:
            ledger.write_rejects(connection, rejects)
        fault_point("before_commit")
        connection.commit(durable=durable)
    except BaseException:
        connection.rollback()
        raise
    fault_point("after_commit")
    counts = [counts for entry in fresh for counts in entry.mapped.counts]
    return Committed(
        records=sum(count.records for count in counts),
        loaded=sum(count.loaded for count in counts),
        rejected=sum(count.rejected for count in counts),
        discarded=sum(count.discarded for count in counts),
        rows=rows,
        source_bytes=sum(part.end - part.start for entry in fresh for part in entry.split.parts),
        seconds=time.monotonic() - began,
        rejects=rejects,
        notices=tuple(entry.mapped.notices for entry in fresh),
        splits=tuple(entry.split.number for entry in fresh),
        duplicates=sum(len(entry.split.parts) for entry in batch) - sum(len(entry.split.parts) for entry in fresh),
    )


def _claim(connection: TargetConnection, ledger: LedgerLike, batch: Sequence[QueuedBatch]) -> list[QueuedBatch]:
    parts = [pair for entry in batch for pair in zip(entry.split.parts, entry.mapped.counts, strict=True)]
    claimed = iter(ledger.claim(connection, parts, batch=batch[0].split.number))
    fresh = []
    for entry in batch:
        answers = [next(claimed) for _ in entry.split.parts]
        if all(answers):
            fresh.append(entry)
        elif any(answers):
            raise InternalError(f"Split {entry.split.number} is half committed already; its rows cannot be told apart.")
    return fresh


def _write_rows(connection: TargetConnection, fresh: Sequence[QueuedBatch]) -> tuple[int, ...]:
    written = []
    for table, columns in enumerate(zip(*(entry.mapped.tables for entry in fresh), strict=True)):
        rows = [encoded for encoded in columns if len(encoded)]
        if rows:
            connection.write(table, rows)
        written.append(sum(len(encoded) for encoded in rows))
    return tuple(written)
