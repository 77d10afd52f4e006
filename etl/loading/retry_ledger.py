"""The ledger as a retry of stored rejects sees it: what is claimed are the rejects, each by deleting it.

Comes in: the parts of a batch, one a reject, within its transaction (insert threads). Goes out: whether all of them are
still there. The tile that a reject lies in is told what became of it, so a source's totals stay true; what fails again
is a reject again. All of that is in the transaction that writes the rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing

import sqlalchemy as sa

from etl.errors import SourceHeld
from etl.faults import fault_point
from etl.loading.epochs import share
from etl.loading.holds import Holds
from etl.loading.ledger import Ledger
from etl.loading.ledger_queries import in_pieces
from etl.loading.ledger_tables import ledger_tables
from etl.messages import Part, PartCounts, RejectedRecord
from etl.targets.base import Target, TargetConnection

_InDocument = tuple[int, int]
"""Number of a source, and of the document in it (0 where it is one)."""

_AS_STORED = PartCounts(records=1, loaded=0, rejected=1, discarded=0)
"""What a reject is before it is claimed."""


class RetryLedger:
    """For the insert threads of one retry."""

    def __init__(self, target: Target, schema: str | None, ledger: Ledger, labels: Mapping[int, str]) -> None:
        """`ledger` keeps what is rejected again; `labels` are those of the sources, by number."""
        self._target = target
        self._holds = Holds(target)
        self._ledger = ledger
        self._labels = labels
        tables = ledger_tables(schema)
        self._source, self._document = tables.source, tables.document
        self._split, self._reject = tables.split, tables.reject
        self._epochs: dict[int, int] = {}
        self._said: dict[TargetConnection, dict[tuple[int, int, int], PartCounts]] = {}
        """What the transaction open on a connection has told the tiles of each reject."""

    def begin(self) -> None:
        """Take the sources over: no load of one runs meanwhile, nor another retry. Raises SourceHeld, EtlError.

        Waits for what they have in flight; whatever still runs in spite of it stops at its next batch. May be called
        again.
        """
        self._holds.again()
        source = self._source.c
        with closing(self._target.connect()) as connection:
            connection.begin()
            connection.lock()
            for some in in_pieces(sorted(self._labels)):
                chosen = source.number.in_(some)
                rows = connection.execute(sa.select(source.number, source.lock, source.holder).where(chosen))
                for number, lock, holder in rows:
                    self._check_free(number, self._holds.elsewhere(lock, holder))
                # Only now that nobody lives who could keep us waiting for long.
                found = sa.select(source.number, source.epoch).where(chosen).order_by(source.number).with_for_update()
                self._epochs |= {number: epoch + 1 for number, epoch in connection.execute(found)}
                ours = sa.update(self._source).where(chosen)
                connection.execute(ours.values(epoch=source.epoch + 1, **self._holds.ours()))
            # A crash of the server must not lose this while the retry goes on.
            connection.commit(durable=True)

    def hold_again(self) -> None:
        """Hold the sources again, after a lost connection."""
        self._holds.again()

    def _check_free(self, number: int, holder: str | None) -> None:
        if holder is not None:
            raise SourceHeld(
                f"{self._labels[number]} (source {number}) is in the hands of {holder}: its rejects can be retried when"
                " that has ended. --source chooses another source."
            )

    def claim(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]], batch: int) -> list[bool]:
        """Delete the rejects and say so, if all of them are there; otherwise delete none.

        Some are missing where a commit without answer has happened after all: what it rejected again is there again.
        Raises TargetError where somebody else has taken one of the sources over.
        """
        if not parts:
            return []
        places: dict[_InDocument, list[int]] = defaultdict(list)
        for part, _ in parts:
            places[part.place[:2]].append(part.start)
        share(connection, self._source, sorted({source for source, _ in places}), self._epochs)
        if not all(self._are_there(connection, within, sorted(offsets)) for within, offsets in sorted(places.items())):
            return [False] * len(parts)
        reject = self._reject.c
        for (source, document), offsets in places.items():
            for some in in_pieces(offsets):
                found = (reject.source == source, reject.document == document, reject.byte_offset.in_(some))
                connection.execute(sa.delete(self._reject).where(*found))
        self._said[connection] = {part.place: _AS_STORED for part, _ in parts}
        self.correct(connection, parts)
        fault_point("in_retry")
        return [True] * len(parts)

    def correct(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]]) -> None:
        """Tell the tiles what has become of these rejects, in place of what this transaction has told them before."""
        said = self._said[connection]
        changes: dict[_InDocument, list[tuple[int, int, int, int]]] = defaultdict(list)
        for part, counts in parts:
            before = said[part.place]
            if counts != before:
                loaded, rejected = counts.loaded - before.loaded, counts.rejected - before.rejected
                changes[part.place[:2]].append((part.start, loaded, rejected, counts.discarded - before.discarded))
                said[part.place] = counts
        for within, changed in sorted(changes.items()):
            self._tell_tiles(connection, within, sorted(changed))

    def write_rejects(self, connection: TargetConnection, rejects: Sequence[RejectedRecord]) -> None:
        """Keep what is rejected again."""
        self._ledger.write_rejects(connection, rejects)

    def _are_there(self, connection: TargetConnection, within: _InDocument, offsets: Sequence[int]) -> bool:
        """Whether all are; they are this transaction's then, locked in their order."""
        reject = self._reject.c
        for some in in_pieces(offsets):
            here = (reject.source == within[0], reject.document == within[1], reject.byte_offset.in_(some))
            found = sa.select(reject.byte_offset).where(*here)
            # Who waits here for another's deletion finds none: a count would be of what was there before.
            if len(connection.execute(found.order_by(reject.byte_offset).with_for_update())) != len(some):
                return False
        return True

    def _tell_tiles(
        self, connection: TargetConnection, within: _InDocument, changes: Sequence[tuple[int, int, int, int]]
    ) -> None:
        split = self._split.c
        document = self._document.c
        packed = (document.source == within[0], document.document == within[1], document.pack > 0)
        owner = sa.func.coalesce(sa.select(document.pack).where(*packed).scalar_subquery(), within[1])
        here = (split.source == within[0], split.document == owner)
        first, last = changes[0][0], changes[-1][0]
        before_first = sa.select(sa.func.max(split.start_offset)).where(*here, split.start_offset <= first)
        near = (*here, split.start_offset >= before_first.scalar_subquery())
        found = sa.select(split.start_offset).where(*near, split.start_offset <= last).order_by(split.start_offset)
        starts = [start for (start,) in connection.execute(found)]
        sums: dict[int, list[int]] = {}
        for offset, *change in changes:
            place = bisect_right(starts, offset) - 1
            if place >= 0:  # else somebody has deleted the tiles
                so_far = sums.setdefault(starts[place], [0, 0, 0])
                sums[starts[place]] = [one + other for one, other in zip(so_far, change, strict=True)]
        told = (
            sa.update(self._split)
            .where(*here, split.start_offset == sa.bindparam("tile"))
            .values(
                loaded=split.loaded + sa.bindparam("more_loaded"),
                rejected=split.rejected + sa.bindparam("more_rejected"),
                discarded=split.discarded + sa.bindparam("more_discarded"),
            )
        )
        if sums:
            names = ("more_loaded", "more_rejected", "more_discarded")
            rows = [{"tile": tile, **dict(zip(names, change, strict=True))} for tile, change in sums.items()]
            connection.execute(told, rows)
