"""Rows of one table by the records they belong to, so that a part of a split can be written.

In: a table's encoded rows, in any order. Out: those of a range of records, encoded alike. Touched by one thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import chain
from typing import Any

from etl.messages import CopyRows, TupleRows


class RowRanges:
    """The rows of a table, sorted once by record; those of one record keep their order."""

    def __init__(self, rows: CopyRows | TupleRows) -> None:
        order = sorted(range(len(rows)), key=rows.records.__getitem__)
        self.records = array("I", [rows.records[row] for row in order])
        """For each row the place of its record in the split."""
        self._is_text = isinstance(rows, CopyRows)
        self._split = rows.split
        encoded: list[Any] = rows.rows if isinstance(rows, TupleRows) else rows.data.split(b"\n")
        self._rows = [encoded[row] for row in order]

    def count(self, first: int, end: int) -> int:
        """How many rows the records from place `first` to before `end` have."""
        return bisect_left(self.records, end) - bisect_left(self.records, first)

    def record(self, first: int, row: int) -> int:
        """The record of a row, counted from the first one of the records from place `first` on."""
        return self.records[bisect_left(self.records, first) + row]

    def of(self, first: int, end: int) -> CopyRows | TupleRows:
        """Their rows."""
        begin, behind = bisect_left(self.records, first), bisect_left(self.records, end)
        rows, records = self._rows[begin:behind], self.records[begin:behind]
        if self._is_text:
            return CopyRows(b"".join([line + b"\n" for line in rows]), records, self._split)
        return TupleRows.of_values(list(chain.from_iterable(rows)), records, self._split)
