"""Writes a batch: one transaction, tried again where that may help, or split by split where the database refuses rows.

The ledger's rows come first in a transaction: a tile that is already there was committed before, and its rows are
dropped. That also decides a commit whose answer was lost. Runs on the insert thread whose connection it has.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from etl.errors import ConnectionLost, InternalError, RowsRefused, TransientError
from etl.faults import fault_point
from etl.loading.insert_queue import QueuedBatch
from etl.loading.ledger_base import BatchLedger
from etl.loading.recovery import Recovered, correct, write_split
from etl.loading.retries import Retries
from etl.messages import Committed
from etl.targets.base import Target, TargetConnection

_Write = Callable[[TargetConnection, BatchLedger, Sequence[QueuedBatch]], Recovered]
"""Writes the rows of splits that the open transaction has claimed."""


class BatchWriter:
    """The writing side of one insert thread. `interrupt` may be called from any."""

    def __init__(self, target: Target, ledger: BatchLedger, retries: Retries, *, durable: bool) -> None:
        self._target = target
        self._ledger = ledger
        self._retries = retries
        self._durable = durable
        self._connection: TargetConnection | None = None
        self._lost: TargetConnection | None = None
        """A connection that broke: its transaction may still be open at the server."""
        self._refused = False
        """The last batch had rows that the database refused: so will the next one, most likely, as a whole."""

    def connect(self, *, once: bool = False) -> None:
        """Connect; `once`: without trying again. Raises EtlError."""
        if once:
            self._connected()
        else:
            self._retries.call(self._connected)

    def write(self, batch: Sequence[QueuedBatch]) -> Iterator[Committed]:
        """Commit a batch; out comes what each transaction did, as soon as it is committed.

        Raises EtlError; then what did not come out is not there.
        """
        if not self._refused:
            try:
                committed = self._commit(batch, _write_all)
            except RowsRefused:
                pass
            else:
                yield committed
                return
        refused = False
        for entry in batch:
            committed = self._commit([entry], _write_recovering)
            refused |= committed.rejected > sum(count.rejected for count in entry.mapped.counts)
            yield committed
        self._refused = refused

    def interrupt(self) -> None:
        """Make the statement now running, or the wait before it is tried again, end soon."""
        self._retries.interrupt()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):  # one that is lost or closed has nothing left to interrupt
                connection.interrupt()

    def close(self) -> None:
        for connection in (self._connection, self._lost):
            if connection is not None:
                connection.close()

    def _commit(self, batch: Sequence[QueuedBatch], write: _Write) -> Committed:
        transaction = _Transaction(self._ledger, batch, write, durable=self._durable)
        return self._retries.call(lambda: self._run(transaction))

    def _run(self, transaction: _Transaction) -> Committed:
        connection = self._connected()
        try:
            return transaction.run(connection)
        except ConnectionLost:
            self._lost, self._connection = connection, None
            raise

    def _connected(self) -> TargetConnection:
        """The connection; a new one in place of one that broke, once nothing of that is left at the server."""
        if self._lost is not None:
            self._target.abandon(self._lost)
            self._ledger.hold_again()
            self._lost = None
        if self._connection is None:
            self._connection = self._target.connect()
            # `interrupt` may have come while there was no connection to interrupt.
            if self._retries.ended:
                raise TransientError("The load was ending while this thread connected.")
        return self._connection


class _Transaction:
    """Splits that are committed together. `run` may be called again after a TransientError, until it returns."""

    def __init__(self, ledger: BatchLedger, batch: Sequence[QueuedBatch], write: _Write, *, durable: bool) -> None:
        self._ledger = ledger
        self._batch = batch
        self._write = write
        self._durable = durable
        self._unanswered: Committed | None = None
        """What an earlier run has committed, or not: it was sent, and no answer came."""

    def run(self, connection: TargetConnection) -> Committed:
        """Commit and return what it did. Raises EtlError; then nothing is there, unless a commit had no answer."""
        began = time.monotonic()
        try:
            connection.begin()
            fault_point("before_claim")
            fresh = _claim(connection, self._ledger, self._batch)
            committed = self._happened(fresh) or self._written(connection, fresh)
            fault_point("before_commit")
            self._unanswered = committed
            written = time.monotonic()
            connection.commit(durable=self._durable)
            ended = time.monotonic()
        except BaseException:
            connection.rollback()
            raise
        fault_point("after_commit")
        return replace(committed, seconds=ended - began, commit_seconds=ended - written)

    def _happened(self, fresh: Sequence[QueuedBatch]) -> Committed | None:
        """What the unanswered commit did, if it did; a claim is all or nothing, and its session is over."""
        if self._unanswered is None:
            return None
        if not fresh:
            return self._unanswered
        if {entry.split.number for entry in fresh}.issuperset(self._unanswered.splits):
            return None
        raise InternalError(
            f"Of the batch that begins with split {self._batch[0].split.number}, a commit brought only a part into the"
            " ledger; the rest cannot be told apart."
        )

    def _written(self, connection: TargetConnection, fresh: Sequence[QueuedBatch]) -> Committed:
        written = self._write(connection, self._ledger, fresh)
        fault_point("after_rows")
        if written.rejects:
            self._ledger.write_rejects(connection, written.rejects)
        return Committed(
            records=sum(count.records for count in written.counts),
            loaded=sum(count.loaded for count in written.counts),
            rejected=sum(count.rejected for count in written.counts),
            discarded=sum(count.discarded for count in written.counts),
            rows=written.rows,
            source_bytes=sum(part.end - part.start for entry in fresh for part in entry.split.parts),
            row_bytes=sum(entry.mapped.size for entry in fresh),
            seconds=0.0,
            commit_seconds=0.0,
            rejects=written.rejects,
            notices=tuple(entry.mapped.notices for entry in fresh),
            splits=tuple(entry.split.number for entry in fresh),
            duplicates=_parts(self._batch) - _parts(fresh),
        )


def _claim(connection: TargetConnection, ledger: BatchLedger, batch: Sequence[QueuedBatch]) -> list[QueuedBatch]:
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


def _write_all(connection: TargetConnection, ledger: BatchLedger, fresh: Sequence[QueuedBatch]) -> Recovered:
    written = []
    for table, columns in enumerate(zip(*(entry.mapped.tables for entry in fresh), strict=True)):
        rows = [encoded for encoded in columns if len(encoded)]
        if rows:
            connection.write(table, rows)
        written.append(sum(len(encoded) for encoded in rows))
    merged = connection.merge()
    if merged is None:
        counts = [counts for entry in fresh for counts in entry.mapped.counts]
    else:
        written = list(merged.rows)
        skipped = [merged.skipped.get(entry.split.number, ()) for entry in fresh]
        counts = [each for pair in zip(fresh, skipped, strict=True) for each in correct(ledger, connection, *pair)]
    return Recovered(
        counts=tuple(counts),
        rows=tuple(written),
        rejects=tuple(reject for entry in fresh for reject in entry.mapped.rejects),
    )


def _write_recovering(connection: TargetConnection, ledger: BatchLedger, fresh: Sequence[QueuedBatch]) -> Recovered:
    """As `_write_all`, for a single split, of which the database refuses some rows."""
    return write_split(connection, ledger, fresh[0]) if fresh else Recovered((), (), ())


def _parts(batch: Sequence[QueuedBatch]) -> int:
    return sum(len(entry.split.parts) for entry in batch)
