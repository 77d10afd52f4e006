"""Writes batches: one thread, one connection, one transaction a batch.

In comes a batch from the InsertQueue, out goes `Committed` to the result thread, after the commit. The ledger's rows
come first in the transaction: a tile that is already there was committed before, and its rows are dropped.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from etl.errors import InternalError
from etl.loading.insert_queue import InsertQueue, QueueClosed, QueuedBatch
from etl.loading.ledger import LedgerLike
from etl.messages import Committed
from etl.targets.base import Target, TargetConnection


class InsertThread(threading.Thread):
    """One of the insert threads; ends with the queue, or with the first error, which it hands to `on_error`."""

    def __init__(
        self,
        number: int,
        queue: InsertQueue,
        target: Target,
        ledger: LedgerLike,
        *,
        durable: bool,
        on_committed: Callable[[Committed], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"etl-insert-{number}", daemon=True)
        self._queue = queue
        self._target = target
        self._ledger = ledger
        self._durable = durable
        self._on_committed = on_committed
        self._on_error = on_error
        self._connection: TargetConnection | None = None

    def run(self) -> None:
        try:
            self._connection = self._target.connect()
            while True:
                batch = self._queue.take()
                committed = write_batch(self._connection, self._ledger, batch, durable=self._durable)
                self._queue.release(batch)
                self._on_committed(committed)
                del batch  # or it would stay in memory, outside of the window, while the next one is waited for
        except QueueClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread must end the load, not hang it
            self._on_error(error)
        finally:
            if self._connection is not None:
                self._connection.close()

    def interrupt(self) -> None:
        """Make the statement now running fail soon (called when the load has failed elsewhere)."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):  # one that is lost or closed has nothing left to interrupt
                connection.interrupt()


def write_batch(
    connection: TargetConnection, ledger: LedgerLike, batch: Sequence[QueuedBatch], *, durable: bool
) -> Committed:
    """Commit a batch in one transaction and return what it did. Raises EtlError; then nothing of it is there."""
    began = time.monotonic()
    connection.begin()
    try:
        fresh = _claim(connection, ledger, batch)
        rows = _write_rows(connection, fresh)
        rejects = tuple(reject for entry in fresh for reject in entry.mapped.rejects)
        if rejects:
            ledger.write_rejects(connection, rejects)
        connection.commit(durable=durable)
    except BaseException:
        connection.rollback()
        raise
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
