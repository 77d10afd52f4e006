"""The ledger: what of each source is in the database, kept there, in the transactions that write the rows.

Comes in: sources to register (main thread), the parts and rejects of a batch within its transaction (insert threads),
marks of progress (the load's own thread). Goes out: which parts were not there yet, what is missing, totals that are
true because they are read from what was committed.

    etl_source     one row a source: identity, mapping, state (loading, rows_done, keys_built, finished), epoch, holder
    etl_document   one row a document of a collection (an archive, a folder of many files), which is a source
    etl_split      one row a committed tile of a document: its range and what became of its records
    etl_reject     one row a record that was not loaded, and why
    etl_skeleton   one row for what stood open around rejects
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from etl.faults import fault_point
from etl.loading.documents import DocumentRows
from etl.loading.epochs import check_epoch, share
from etl.loading.ledger_base import (
    DocumentGap,
    DocumentsSoFar,
    Gap,
    KnownDocument,
    LedgerLike,
    Prefix,
    Range,
    RegisteredSource,
    RejectGroup,
    State,
    Totals,
    find_gaps,
    now,
)
from etl.loading.ledger_queries import document_label, in_pieces, tiles_of, totals_of, with_documents
from etl.loading.ledger_tables import insert_missing, ledger_tables
from etl.loading.mapping_digest import structure_digest
from etl.loading.no_ledger import NoLedger
from etl.loading.registration import Registration
from etl.loading.stored_text import storable
from etl.mapping.model import Mapping
from etl.messages import Part, PartCounts, RejectedRecord, Skeleton
from etl.reject_line import describe_reject
from etl.targets.base import Target, TargetConnection

__all__ = [
    "DocumentGap",
    "DocumentsSoFar",
    "Gap",
    "KnownDocument",
    "Ledger",
    "LedgerLike",
    "Range",
    "RegisteredSource",
    "RejectGroup",
    "State",
    "Totals",
    "open_ledger",
]

STATES: tuple[State, ...] = ("loading", "rows_done", "keys_built", "finished")
"""In their order."""


def open_ledger(target: Target, schema: str | None, mapping: Mapping) -> LedgerLike:
    """The ledger that goes with a target."""
    return Ledger(target, schema, mapping) if target.keeps_ledger else NoLedger()


class Ledger:
    """The ledger of one load in a database. The main thread registers and marks; insert threads claim and reject."""

    def __init__(self, target: Target, schema: str | None, mapping: Mapping) -> None:
        self._target = target
        self._connection: TargetConnection | None = None
        self._tables = ledger_tables(schema)
        self._lock = threading.Lock()
        self._documents = DocumentRows(self._tables, structure_digest(mapping))
        self._registration = Registration(target, self._tables, mapping, self._documents)
        self._source, self._split, self._reject = self._tables.source, self._tables.split, self._tables.reject
        self._keep_skeleton = insert_missing(self._tables.skeleton, target.dialect)

    def prepare(self) -> None:
        """Create the ledger's tables.

        Raises TargetError where the user may create no tables, naming the setting `ledger.schema`, and where another
        version of this program has created them.
        """
        with self._transaction(durable=True) as connection:
            self._target.create_own_tables(connection, self._tables.metadata)

    def begin_again(self, fingerprints: Sequence[str], paths: Sequence[str] = ()) -> None:
        """Empty the tables of those sources that are known, so that `register` finds them as if just begun.

        With them go sources that files at these `paths` (absolute) were when they had another content.

        Raises TargetError where anybody else's rows are in these tables, SourceHeld where one of them is being loaded;
        then nothing has changed.
        """
        with self._transaction(durable=True) as connection:
            connection.lock()
            self._registration.begin_again(connection, fingerprints, paths)
            fault_point("in_emptying")

    def register(
        self,
        label: str,
        fingerprint: str | None,
        size: int | None,
        *,
        path: str | None = None,
        open_ended: bool = False,
        prefix: Prefix | None = None,
    ) -> RegisteredSource:
        """Begin a source, or take up the one with this fingerprint; one taken up unfinished is this load's alone now.

        With `prefix` a source whose file was shorter, when a load of it broke off, is taken up, too.
        Without fingerprint it is a new source each time. A source whose tables were all dropped since is begun again,
        which is why this comes before `Target.prepare`; so is one of which another mapping brought nothing in. `path`
        is the file's, absolute. What is `open_ended` may have more documents the next time: it is never finished for
        good. Raises SourceHeld where another load that is alive has it, TargetError where the same content is in the
        same tables by a mapping of another structure, or where only some of its tables are still there.
        """
        # A crash must not lose this while the load goes on: what is committed later would belong to nobody.
        grown: tuple[str, ...] = ()
        with self._transaction(durable=True) as connection:
            connection.lock()
            if prefix is not None and fingerprint is not None and size is not None and path is not None:
                grown = self._registration.take_up_grown(connection, label, fingerprint, size, path, prefix)
            source = self._registration.register(connection, label, fingerprint, size, path, open_ended=open_ended)
            fault_point("in_registration")
        return replace(source, notices=(*grown, *source.notices)) if grown else source

    def hold_again(self) -> None:
        """Hold the sources of this load again, after a lost connection; what was taken over meanwhile `claim` tells."""
        self._registration.holds.again()

    def claim(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]], batch: int) -> list[bool]:
        """For each part whether this transaction may write it; False: it is in the database already.

        Raises TargetError where another load has taken one of the sources over.
        """
        if not parts:
            return []
        committed_at = now()
        places = [part.place for part, _ in parts]
        # In one order, since another thread may be claiming the same.
        rows = sorted(
            (*place, part.end, part.last, *counts, part.position, batch, committed_at)
            for place, (part, counts) in zip(places, parts, strict=True)
        )
        documents = [part for part, _ in parts if part.document is not None or part.pack is not None]
        if documents:
            self._registration.known_documents.check_alone(connection, documents)
            self._documents.claim(connection, documents)
        known = connection.insert_new(
            self._split, ("source", "document", "start_offset"), list(zip(*rows, strict=True))
        )
        share(connection, self._source, sorted({place[0] for place in places}), self._registration.epochs)
        return [place not in known for place in places]

    def correct(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]]) -> None:
        """Replace what was said, in this transaction, to have become of parts: the database refused or had some."""
        if not parts:
            return
        split, names = self._split.c, ("loaded", "rejected", "discarded")
        tile = (
            split.source == sa.bindparam("of"),
            split.document == sa.bindparam("in"),
            split.start_offset == sa.bindparam("start"),
        )
        ours = sa.update(self._split).where(*tile).values({name: sa.bindparam(f"now_{name}") for name in names})
        rows = [
            dict(zip(("of", "in", "start"), part.place, strict=True))
            | {f"now_{name}": getattr(counts, name) for name in names}
            for part, counts in parts
        ]
        connection.execute(ours, rows)

    def write_rejects(self, connection: TargetConnection, rejects: Sequence[RejectedRecord]) -> None:
        """Keep rejects, and once what stood open around them, in the batch's transaction."""
        if not rejects:
            return
        around = {(reject.source, digest(reject.skeleton)): reject.skeleton for reject in rejects if reject.skeleton}
        if around:
            # In one order, since another thread may be keeping the same.
            skeletons = [
                {
                    "source": source,
                    "skeleton": name,
                    "subset": skeleton.subset,
                    "open_tags": skeleton.open_tags,
                    "close_tags": skeleton.close_tags,
                    "depth": skeleton.depth,
                    "header": skeleton.header,
                }
                for (source, name), skeleton in sorted(around.items(), key=lambda item: item[0])
            ]
            connection.execute(self._keep_skeleton, skeletons)
        rows = [
            {
                "source": reject.source,
                "document": reject.document,
                "byte_offset": reject.offset,
                "line": reject.line,
                "record": reject.record,
                "table_name": reject.table,
                "column_name": reject.column,
                "reason": reject.reason,
                "message": storable(reject.message, connection.encoding),
                "raw": reject.raw,
                "length": reject.length,
                "skeleton": digest(reject.skeleton) if reject.skeleton else None,
            }
            for reject in rejects
        ]
        connection.execute(sa.insert(self._reject), rows)

    def unfinished_paths(self) -> frozenset[str]:
        """Absolute paths of files of which a load has begun, as sources of their own, and has not brought all."""
        own = self._source.c
        with self._transaction(durable=False) as connection:
            rows = connection.execute(sa.select(own.path).where(own.state == "loading", own.path.is_not(None)))
            return frozenset(path for (path,) in rows)

    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        """Documents that are known, by fingerprint, those that are sources of their own or of another one among them.

        Raises TargetError where a load of it as another's is not finished: that has to go on first.
        """
        with self._transaction(durable=False) as connection:
            return self._registration.known_documents.find(connection, source, fingerprints)

    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]:
        """Those that may be known; what this load itself has brought since `documents_so_far` may be missing."""
        known = self._registration.known_documents
        if (possible := known.remembered(fingerprints)) is not None:
            return possible
        with self._transaction(durable=False) as connection:
            return known.possible(connection, fingerprints)

    def documents_so_far(self, source: int) -> DocumentsSoFar:
        """What is known before a collection is read."""
        with self._transaction(durable=False) as connection:
            last, taken = self._documents.last(connection, source)
            known = self._registration.known_documents.any(connection, source)
            return DocumentsSoFar(last, taken, known, self._documents.gaps(connection, source))

    def mark_documents_done(
        self,
        source: int,
        first: int,
        count: int,
        resumed: Sequence[int],
        elsewhere: Sequence[tuple[int, int]] = (),
    ) -> bool:
        """As `mark_rows_done`, for a collection of which this run has read `count` documents, numbered from `first` on,
        and the rest of those that are `resumed`; `elsewhere`: source and number of those that it has relied on.

        False, and nothing is marked, where a crashed server has lost some.
        """
        with self._transaction(durable=False) as connection:
            whole = self._documents.complete(connection, source, first, resumed) == count + len(resumed)
            whole = whole and self._documents.are_complete(connection, elsewhere)
            if whole:
                self._mark(connection, [source], "rows_done")
        return whole

    def document_labels(self, source: int) -> dict[str, int]:
        """What a person calls the documents of a collection, each with the number of the last that is called so."""
        own = self._tables.document.c
        last = sa.select(own.label, sa.func.max(own.document)).where(own.source == source).group_by(own.label)
        with self._transaction(durable=False) as connection:
            return {row[0]: row[1] for row in connection.execute(last)}

    def document_label(self, source: int, document: int) -> str:
        """What a person calls a document of a collection; empty where somebody has deleted its row."""
        own = self._tables.document.c
        with self._transaction(durable=False) as connection:
            found = connection.execute(sa.select(own.label).where(own.source == source, own.document == document))
            return next((str(label) for (label,) in found), "")

    def done(self, source: int) -> tuple[Range, ...]:
        """Start and end of each committed tile, in order."""
        with self._transaction(durable=False) as connection:
            return tuple((tile.start, tile.end) for tile in tiles_of(connection, self._tables, source))

    def mark_rows_done(self, source: int) -> tuple[Gap, ...]:
        """Mark that every row of the source is in the database; gaps, if any, are returned and nothing is marked.

        A server that crashed may have lost commits it had acknowledged: this is where that shows. It may still lose
        this mark, and all before it if and only if this too, since commits reach the disk in their order;
        `mark_finished` finds the mark missing then, or makes all of it durable.
        """
        with self._transaction(durable=False) as connection:
            gaps = find_gaps(tiles_of(connection, self._tables, source))
            if not gaps:
                self._mark(connection, [source], "rows_done")
        return gaps

    def mark_keys_built(self, sources: Sequence[int]) -> bool:
        """Mark that the keys stand, or that what is in their way was told; False where the mark before is missing.

        It is where the server has crashed since and lost it: then rows may be lost too.
        """
        with self._transaction(durable=False) as connection:
            return self._mark(connection, sources, "keys_built")

    def mark_finished(self, sources: Sequence[int]) -> bool:
        """Mark, durably, that there is nothing left to do: another run will say so and end. False as above."""
        with self._transaction(durable=True) as connection:
            return self._mark(connection, sources, "finished", finished_at=now())

    def totals(self, source: int) -> Totals:
        """What is committed of the source."""
        with self._transaction(durable=False) as connection:
            return totals_of(connection, self._tables, source)

    def reject_summary(self, sources: Sequence[int]) -> list[RejectGroup]:
        """The sources' rejects by reason, table and column, the most frequent first."""
        if not sources:
            return []
        reject = self._reject.c
        group = (reject.reason, reject.table_name, reject.column_name)
        order = (reject.source, reject.document, reject.byte_offset)
        place = sa.func.row_number().over(partition_by=group, order_by=order)
        count = sa.func.count().over(partition_by=group)
        found = (
            sa.select(*group, count.label("count"), place.label("place"))
            .add_columns(document_label(self._tables).label("label"), reject.line, reject.record, reject.message)
            .select_from(with_documents(self._tables))
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
        """A transaction on the ledger's own connection, which closes with the target; one thread after the other."""
        with self._lock:
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

    def _mark(self, connection: TargetConnection, sources: Sequence[int], state: State, **values: Any) -> bool:
        """Bring those sources to the state that are not there yet; False, and nothing, where one is not near it."""
        columns, place = self._source.c, STATES.index(state)
        found: dict[int, tuple[State, int]] = {}
        for some in in_pieces(sources):
            here = columns.number.in_(some)
            rows = sa.select(columns.number, columns.state, columns.epoch).where(here).order_by(columns.number)
            found |= {number: (at, epoch) for number, at, epoch in connection.execute(rows.with_for_update())}
        for source in sources:
            check_epoch(source, found[source][1] if source in found else None, self._registration.epochs)
        if any(STATES.index(found[source][0]) < place - 1 for source in sources):
            return False
        before = [source for source in sources if STATES.index(found[source][0]) < place]
        for some in in_pieces(before):
            here = columns.number.in_(some)
            connection.execute(sa.update(self._source).where(here).values(state=state, **values))
        return True


def digest(skeleton: Skeleton) -> str:
    """The name under which etl_skeleton has it."""
    parts = (skeleton.subset, skeleton.open_tags, skeleton.close_tags, skeleton.header)
    sized = b"".join(len(part).to_bytes(8, "big") + part for part in parts) + skeleton.depth.to_bytes(4, "big")
    return hashlib.blake2b(sized, digest_size=16).hexdigest()
