"""Which number a document of a collection gets, and which record numbers.

Comes in: what the ledger has of the collection, then its documents in the order in which they are read. Goes out:
places that no other document has. What a run that died has lost between others gets its own places again, so that
surrogate keys are those of a load that nobody disturbed. Used by the feeder's thread alone.
"""

from __future__ import annotations

from collections import deque

from etl.loading.ledger import DocumentsSoFar
from etl.messages import RECORDS_PER_SOURCE


class DocumentPlaces:
    """The free places of one collection."""

    def __init__(self, so_far: DocumentsSoFar) -> None:
        self.first = so_far.last + 1
        """Numbers from here on are behind all that the ledger had."""
        self._number = self.first
        self._records = so_far.records_taken
        self._gaps = deque(so_far.gaps)

    @property
    def has_gaps(self) -> bool:
        """Whether places between those of others are free."""
        return bool(self._gaps)

    def pass_by(self, number: int) -> None:
        """A document that has that number has been read: what is lost of those before it does not come any more."""
        while self._gaps and self._gaps[0].end <= number:
            self._gaps.popleft()

    def take(self, records: int) -> tuple[int, int] | None:
        """Number of a document with so many records at most, and how many record numbers are before its own; None where
        too few are left.
        """
        if self._gaps and records <= self._gaps[0].records_end - self._gaps[0].records_before:
            gap = self._gaps.popleft()
            if gap.number + 1 < gap.end:
                rest = gap._replace(number=gap.number + 1, records_before=gap.records_before + records)
                self._gaps.appendleft(rest)
            return gap.number, gap.records_before
        if self._records + records > RECORDS_PER_SOURCE:
            return None
        return self._next(1, records)

    def take_together(self, documents: int, records: int) -> tuple[int, int] | None:
        """The same for the first of documents with so many records in all, behind all others."""
        if self._records + records > RECORDS_PER_SOURCE:
            return None
        return self._next(documents, records)

    def _next(self, documents: int, records: int) -> tuple[int, int]:
        number, before = self._number, self._records
        self._number += documents
        self._records += records
        return number, before
