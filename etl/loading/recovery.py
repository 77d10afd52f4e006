"""What to do with rows the database refuses: the records they belong to become rejects, all others are written.

Works on groups of the records of one split, all tables together. A group is written behind a savepoint; where it is
refused, it is undone and cut in three at the row the database points at (before it, it, behind it) or, where it points
at none, in two; a single record that is refused is a reject. So k bad ones among n records cost about k log n/k writes,
and about k where the database tells the row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import accumulate

from etl.errors import InternalError, RowsRefused
from etl.faults import fault_point
from etl.loading.insert_queue import QueuedBatch
from etl.loading.ledger_base import BatchLedger
from etl.loading.row_ranges import RowRanges
from etl.messages import PartCounts, RejectedRecord, Split
from etl.packs import mapped_records
from etl.positions import RecordPositions
from etl.targets.base import Merged, TargetConnection

FIRST_GROUP = 64
"""Records that are written at once at first: twice as many after a group without a bad one, half as many after one
with. So about every second group has one, which for any share of bad records costs the fewest writes and rows."""


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
    recovery = _Recovery(connection, ledger, entry)
    recovery.write()
    counts = correct(ledger, connection, entry, recovery.skipped(), recovery.refused)
    return Recovered(counts, recovery.rows_written(), (*entry.mapped.rejects, *recovery.rejects(entry.split)))


def correct(
    ledger: BatchLedger,
    connection: TargetConnection,
    entry: QueuedBatch,
    skipped: Collection[int],
    refused: Collection[int] = (),
) -> tuple[PartCounts, ...]:
    """Correct what the ledger says of the parts of a split, and return it: records at these places were not loaded."""
    split, before = entry.split, entry.mapped.counts
    if not skipped and not refused:
        return before
    ends = list(accumulate(map(mapped_records, split.parts)))
    rejected = Counter(bisect_right(ends, place) for place in refused)
    discarded = Counter(bisect_right(ends, place) for place in skipped)
    after = tuple(
        PartCounts(
            records=count.records,
            loaded=count.loaded - rejected[part] - discarded[part],
            rejected=count.rejected + rejected[part],
            discarded=count.discarded + discarded[part],
        )
        for part, count in enumerate(before)
    )
    parts = zip(split.parts, before, after, strict=True)
    ledger.correct(connection, [(part, now) for part, then, now in parts if now != then])
    return after


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbours among the records that have rows: from `first` to before `end` in the list of them."""

    first: int
    end: int
    first_half: bool = False
    """The other half is the next to be written; where this one is fine, that one cannot be."""

    def __len__(self) -> int:
        return self.end - self.first

    def halves(self) -> list[_Group]:
        middle = (self.first + self.end) // 2
        return [_Group(self.first, middle, first_half=True), _Group(middle, self.end)]

    def cut_at(self, record: int) -> list[_Group]:
        """What is before the record, it, and what is behind it."""
        pieces = [_Group(self.first, record), _Group(record, record + 1), _Group(record + 1, self.end)]
        return [piece for piece in pieces if len(piece)]


class _Recovery:
    """The writing of one split."""

    def __init__(self, connection: TargetConnection, ledger: BatchLedger, entry: QueuedBatch) -> None:
        self._connection = connection
        self._ledger = ledger
        self._entry = entry
        self._tables = [RowRanges(rows) for rows in entry.mapped.tables]
        self._places = sorted(set().union(*(table.records for table in self._tables)))
        """Places in the split of the records that have rows."""
        self._written: list[tuple[_Group, Merged | None]] = []
        self.refused: dict[int, RowsRefused] = {}
        """Why, by the record's place in the split."""

    def write(self) -> None:
        first, size = 0, FIRST_GROUP
        while first < len(self._places):
            group = _Group(first, min(first + size, len(self._places)))
            size = size * 2 if self._write_parts(group) else max(size // 2, 1)
            first = group.end

    def _write_parts(self, whole: _Group) -> bool:
        """Write what can be written of a group; False where that is not all of it."""
        waiting, known_bad = [whole], False
        complete = True
        while waiting:
            group = waiting.pop()
            if known_bad and len(group) > 1:
                waiting += reversed(group.halves())
                known_bad = False
                continue
            refused, record = self._write_group(group)
            known_bad = refused is None and group.first_half
            if refused is None:
                fault_point("in_recovery")
                continue
            complete = False
            undone = self._connection.undo()
            if len(group) == 1:
                self.refused[self._places[group.first]] = refused
            else:
                waiting += reversed(group.halves() if record is None else group.cut_at(record))
            if not undone:
                waiting += self._begin_again()
        return complete

    def rows_written(self) -> tuple[int, ...]:
        rows = [0] * len(self._tables)
        for group, merged in self._written:
            first, end = self._range(group)
            counts = [table.count(first, end) for table in self._tables] if merged is None else merged.rows
            rows = list(map(sum, zip(rows, counts, strict=True)))
        return tuple(rows)

    def skipped(self) -> list[int]:
        """Places in the split of records whose keys were there already."""
        split = self._entry.split.number
        return [place for _, merged in self._written if merged is not None for place in merged.skipped.get(split, ())]

    def rejects(self, split: Split) -> list[RejectedRecord]:
        positions = RecordPositions(split)
        return [
            positions.reject(place, refused.reason, str(refused), refused.table, refused.column)
            for place, refused in sorted(self.refused.items())
        ]

    def _write_group(self, group: _Group) -> tuple[RowsRefused | None, int | None]:
        """None where it is written; else why not, and the place of the record, in the list, that is said to be bad."""
        first, end = self._range(group)
        self._connection.savepoint()
        try:
            for number, table in enumerate(self._tables):
                rows = table.of(first, end)
                if len(rows):
                    self._connection.write(number, [rows], find_row=True)
            merged = self._connection.merge()
            self._connection.settle()
        except RowsRefused as refused:
            return refused, self._record_of(refused, first, end)
        self._written.append((group, merged))
        return None, None

    def _range(self, group: _Group) -> tuple[int, int]:
        """The group's records by their places in the split: from the first to before the second."""
        return self._places[group.first], self._places[group.end - 1] + 1

    def _record_of(self, refused: RowsRefused, first: int, end: int) -> int | None:
        """Which record the refused row belongs to, where the database tells the row."""
        if refused.row is None or refused.table_number is None:
            return None
        table = self._tables[refused.table_number]
        if not 0 <= refused.row < table.count(first, end):
            return None
        return bisect_left(self._places, table.record(first, refused.row))

    def _begin_again(self) -> list[_Group]:
        """After the whole transaction is gone: claim again; what was written is to be written again, last first."""
        split, counts = self._entry.split, self._entry.mapped.counts
        self._connection.rollback()
        self._connection.begin()
        claimed = self._ledger.claim(self._connection, list(zip(split.parts, counts, strict=True)), batch=split.number)
        if not all(claimed):
            raise InternalError(f"Split {split.number} was claimed, given up and claimed by somebody else.")
        again = [replace(group, first_half=False) for group, _ in reversed(self._written)]
        self._written.clear()
        return again
