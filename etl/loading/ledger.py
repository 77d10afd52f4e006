"""The ledger: what of each source is in the database, kept there, in the transactions that write the rows.

Comes in: sources to register (main thread), the parts and rejects of a batch within its transaction (insert threads),
marks of progress (main thread). Goes out: which parts were not there yet, what is missing, totals that are true because
they are read from what was committed.

    etl_source   one row a source: identity, mapping, state (loading, rows_done, keys_built, finished), epoch
    etl_split    one row a committed tile of a document: its range and what became of its records
    etl_reject   one row a record that was not loaded, and why
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from etl.errors import TargetError
from etl.loading.ledger_base import (
    Gap,
    LedgerLike,
    RegisteredSource,
    RejectGroup,
    State,
    Tile,
    Totals,
    describe_reject,
    find_gaps,
    now,
)
from etl.loading.ledger_tables import claim_statement, ledger_tables, mapping_digest
from etl.loading.no_ledger import NoLedger
from etl.mapping.model import Mapping
from etl.messages import Part, PartCounts, RejectedRecord, SourceInfo
from etl.targets.base import Target, TargetConnection

__all__ = ["Gap", "Ledger", "LedgerLike", "RegisteredSource", "RejectGroup", "State", "Totals", "open_ledger"]


def open_ledger(target: Target, schema: str | None, mapping: Mapping) -> LedgerLike:
    """The ledger that goes with a target."""
    return Ledger(target, schema, mapping) if target.keeps_ledger else NoLedger()


class Ledger:
    """The ledger of one load in a database. The main thread registers and marks; insert threads claim and reject."""

    def __init__(self, target: Target, schema: str | None, mapping: Mapping) -> None:
        self._target = target
        self._mapping = mapping
        self._digest = mapping_digest(mapping)
        self._names = {table.name for table in mapping.tables}
        self._load_id = str(uuid.uuid4())
        self._epochs: dict[int, int] = {}
        self._connection: TargetConnection | None = None
        self._gone: dict[frozenset[str], frozenset[str]] = {}
        tables = ledger_tables(schema)
        self._source, self._split, self._reject = tables.source, tables.split, tables.reject
        self._metadata = tables.metadata
        self._claim = claim_statement(self._split, target.dialect)

    def prepare(self) -> None:
        """Create the ledger's tables.

        Raises TargetError where the user may create no tables, naming the setting `ledger.schema`.
        """
        self._target.create_own_tables(self._metadata)

    def register(self, label: str, fingerprint: str | None, size: int | None) -> RegisteredSource:
        """Begin a source, or take up the one with this fingerprint; one taken up unfinished is this load's alone now.

        Without fingerprint it is a new source each time. A source whose tables were all dropped since is begun again,
        which is why this comes before `Target.prepare`; so is one of which another mapping brought nothing in. Raises
        TargetError where the same content is in the same tables by another mapping, or where only some of its tables
        are still there.
        """
        # A crash that loses this loses what came after it too.
        with self._transaction(durable=False) as connection:
            connection.lock()
            for row in self._known(connection, fingerprint):
                missing = self._missing(connection, row)
                dropped = missing == row.tables
                if row.mapping_digest == self._digest and not dropped:
                    return self._take_up(connection, row, missing)
                if row.tables & self._names:
                    if not dropped and self._totals(connection, row.number).loaded:
                        raise self._other_mapping(label, row)
                    self._forget(connection, row.number)
                    connection.execute(sa.delete(self._source).where(self._source.c.number == row.number))
            return self._begin(connection, label, fingerprint, size)

    def claim(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]], batch: int) -> list[bool]:
        """For each part whether this transaction may write it; False: it is in the database already.

        Raises TargetError where another load has taken one of the sources over.
        """
        if not parts:
            return []
        committed_at = now()
        rows: list[dict[str, Any]] = [
            {
                "source": part.source,
                "start_offset": part.start,
                "end_offset": part.end,
                "is_last": part.last,
                "records": counts.records,
                "loaded": counts.loaded,
                "rejected": counts.rejected,
                "discarded": counts.discarded,
                "source_position": part.position,
                "batch": batch,
                "committed_at": committed_at,
            }
            for part, counts in sorted(parts, key=lambda each: (each[0].source, each[0].start))
        ]
        if self._target.dialect == "postgresql":
            rows = [{name: [row[name] for row in rows] for name in rows[0]}]
        claimed = set(connection.execute(self._claim, rows))
        self._hold(connection, sorted({part.source for part, _ in parts}))
        return [(part.source, part.start) in claimed for part, _ in parts]

    def correct(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]]) -> None:
        """Replace what was said, in this transaction, to have become of parts: the database refused some records."""
        split = self._split.c
        for part, counts in parts:
            ours = sa.update(self._split).where(split.source == part.source, split.start_offset == part.start)
            connection.execute(ours.values(loaded=counts.loaded, rejected=counts.rejected, discarded=counts.discarded))

    def write_rejects(self, connection: TargetConnection, rejects: Sequence[RejectedRecord]) -> None:
        """Keep rejects, in the batch's transaction."""
        if not rejects:
            return
        rows = [
            {
                "source": reject.source,
                "byte_offset": reject.offset,
                "line": reject.line,
                "record": reject.record,
                "table_name": reject.table,
                "column_name": reject.column,
                "reason": reject.reason,
                "message": _storable(reject.message),
                "raw": reject.raw,
                "length": reject.length,
            }
            for reject in rejects
        ]
        connection.execute(sa.insert(self._reject), rows)

    def mark_rows_done(self, source: int) -> tuple[Gap, ...]:
        """Mark that every row of the source is in the database; gaps, if any, are returned and nothing is marked.

        A server that crashed may have lost commits it had acknowledged: this is where that shows. It may still lose
        this mark, and all before it if and only if this too, since commits reach the disk in their order;
        `mark_finished` finds the mark missing then, or makes all of it durable.
        """
        with self._transaction(durable=False) as connection:
            gaps = find_gaps(self._tiles(connection, source))
            if not gaps:
                self._mark(connection, source, ("loading", "rows_done"), state="rows_done")
        return gaps

    def mark_keys_built(self, sources: Sequence[int]) -> None:
        """Mark that the keys stand, or that what is in their way was told."""
        with self._transaction(durable=False) as connection:
            for source in sources:
                self._mark(connection, source, ("rows_done", "keys_built"), state="keys_built")

    def mark_finished(self, sources: Sequence[int]) -> None:
        """Mark, durably, that there is nothing left to do: another run will say so and end."""
        with self._transaction(durable=True) as connection:
            for source in sources:
                self._mark(connection, source, ("keys_built",), state="finished", finished_at=now())

    def totals(self, source: int) -> Totals:
        """What is committed of the source."""
        with self._transaction(durable=False) as connection:
            return self._totals(connection, source)

    def reject_summary(self, sources: Sequence[int]) -> list[RejectGroup]:
        """The sources' rejects by reason, table and column, the most frequent first."""
        reject, source = self._reject.c, self._source.c
        group = (reject.reason, reject.table_name, reject.column_name)
        place = sa.func.row_number().over(partition_by=group, order_by=(reject.source, reject.byte_offset))
        count = sa.func.count().over(partition_by=group)
        found = (
            sa.select(*group, count.label("count"), place.label("place"), source.label, reject.line, reject.record)
            .add_columns(reject.message)
            .join_from(self._reject, self._source, source.number == reject.source)
            .where(reject.source.in_(sources))
            .subquery()
        )
        first = sa.select(found).where(found.c.place == 1).order_by(found.c.count.desc(), *list(found.c)[:3])
        with self._transaction(durable=False) as connection:
            return [
                (reason, table, column, count, describe_reject(label, line, record, message))
                for reason, table, column, count, _, label, line, record, message in connection.execute(first)
            ]

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[TargetConnection]:
        """A transaction on the ledger's own connection, which closes with the target."""
        connection = self._connection or self._target.connect()
        self._connection = connection
        try:
            connection.begin()
            yield connection
            connection.commit(durable=durable)
        except BaseException:
            connection.rollback()
            connection.close()
            self._connection = None
            raise

    def _known(self, connection: TargetConnection, fingerprint: str | None) -> list[_SourceRow]:
        if fingerprint is None:
            return []
        columns = [self._source.c[field.name] for field in dataclasses.fields(_SourceRow)]
        # The row of this very mapping first: it decides, whatever else is there.
        order = (self._source.c.mapping_digest != self._digest, self._source.c.number)
        found = sa.select(*columns).where(self._source.c.fingerprint == fingerprint).order_by(*order)
        return [
            _SourceRow(number, label, digest, frozenset(json.loads(tables)), *others)
            for number, label, digest, tables, *others in connection.execute(found)
        ]

    def _missing(self, connection: TargetConnection, row: _SourceRow) -> frozenset[str]:
        """Tables of the source that are not there any more; those of this load may not be there yet."""
        if row.load_id == self._load_id:
            return frozenset()
        if row.tables not in self._gone:
            self._gone[row.tables] = self._target.missing_tables(connection, row.tables)
        return self._gone[row.tables]

    def _take_up(self, connection: TargetConnection, row: _SourceRow, missing: frozenset[str]) -> RegisteredSource:
        if missing:
            raise TargetError(
                f"{row.label} was loaded before, but of its tables {', '.join(sorted(missing))} are gone since. Drop"
                " the others too, and the same command loads it again from the start."
            )
        if row.state != "finished":
            self._epochs[row.number] = row.epoch + 1
            self._update(connection, row.number, epoch=row.epoch + 1)
        info = SourceInfo(row.number, row.label, row.load_id, row.started_at)
        done = tuple((tile.start, tile.end) for tile in self._tiles(connection, row.number))
        return RegisteredSource(info, row.state, done, self._totals(connection, row.number))

    def _other_mapping(self, label: str, row: _SourceRow) -> TargetError:
        common = ", ".join(sorted(self._names & row.tables))
        verb = "was loaded" if row.state == "finished" else "began to be loaded"
        return TargetError(
            f"{label} {verb} into {common} with another mapping (as {row.label}, on {row.started_at}); loading it again"
            f" would put its records there twice. Use that mapping (column mapping of etl_source, number {row.number}),"
            " or name other tables in this one, or load into another database, or drop these tables first."
        )

    def _begin(
        self, connection: TargetConnection, label: str, fingerprint: str | None, size: int | None
    ) -> RegisteredSource:
        started, label = now(), _storable(label)
        values = {
            "label": label,
            "fingerprint": fingerprint,
            "size": size,
            "mapping": self._mapping.text,
            "mapping_digest": self._digest,
            "conversion_digest": "",
            "holder": "",
            "tables": json.dumps(sorted(self._names)),
            "state": "loading",
            "epoch": 1,
            "load_id": self._load_id,
            "started_at": started,
        }
        ((number,),) = connection.execute(sa.insert(self._source).values(values).returning(self._source.c.number))
        # Somebody may have deleted the row of an earlier source and left its splits behind.
        self._forget(connection, number)
        self._epochs[number] = 1
        return RegisteredSource(SourceInfo(number, label, self._load_id, started), "loading", (), Totals())

    def _hold(self, connection: TargetConnection, sources: Sequence[int]) -> None:
        """Hold the sources' rows until the transaction ends, so that nobody takes them over meanwhile."""
        columns = self._source.c
        held = sa.select(columns.number, columns.epoch).where(columns.number.in_(sources)).order_by(columns.number)
        epochs = dict(connection.execute(held.with_for_update(read=True)))
        for source in sources:
            self._check_epoch(source, epochs.get(source))

    def _mark(
        self, connection: TargetConnection, source: int, before: Sequence[State], *, state: State, **values: Any
    ) -> None:
        columns = self._source.c
        ours = sa.update(self._source).where(columns.number == source, columns.state.in_(before))
        found = connection.execute(ours.values(state=state, **values).returning(columns.epoch))
        self._check_epoch(source, found[0][0] if found else None)

    def _check_epoch(self, source: int, epoch: int | None) -> None:
        if epoch is None or epoch != self._epochs.get(source):
            raise TargetError(
                f"Another load has taken source {source} over, or its row in etl_source is gone or was set back: this"
                " one stops. What it committed stays, and is not loaded again."
            )

    def _update(self, connection: TargetConnection, source: int, **values: Any) -> None:
        connection.execute(sa.update(self._source).where(self._source.c.number == source).values(values))

    def _forget(self, connection: TargetConnection, source: int) -> None:
        connection.execute(sa.delete(self._split).where(self._split.c.source == source))
        connection.execute(sa.delete(self._reject).where(self._reject.c.source == source))

    def _tiles(self, connection: TargetConnection, source: int) -> list[Tile]:
        split = self._split.c
        tiles = sa.select(split.start_offset, split.end_offset, split.is_last).where(split.source == source)
        return [Tile(*row) for row in connection.execute(tiles.order_by(split.start_offset, split.end_offset))]

    def _totals(self, connection: TargetConnection, source: int) -> Totals:
        split = self._split.c
        sums = [
            sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
            for column in (split.records, split.loaded, split.rejected, split.discarded)
        ]
        ((records, loaded, rejected, discarded),) = connection.execute(sa.select(*sums).where(split.source == source))
        return Totals(records, loaded, rejected, discarded)


@dataclass(frozen=True, slots=True)
class _SourceRow:
    number: int
    label: str
    mapping_digest: str
    tables: frozenset[str]
    state: State
    epoch: int
    load_id: str
    started_at: str


def _storable(text: str) -> str:
    """Without what no database takes in a text: the NUL character and half surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
