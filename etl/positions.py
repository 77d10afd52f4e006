"""Where the records of a split stand in their documents, by their place (from 0) in the split."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from etl.messages import RAW_LIMIT, Part, RejectedRecord, Run, Skeleton, Split
from etl.packs import mapped_records, run_of, unpacked


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """One record of a split."""

    part: Part
    number: int
    """Its number in the document."""
    offset: int
    line: int


class RecordPositions:
    """The positions of all records in the runs of a split."""

    def __init__(self, split: Split) -> None:
        self.parts = split.parts
        self.split = split.number
        self.count = sum(mapped_records(part) for part in split.parts)
        """Records in all runs."""

    @cached_property
    def _part_starts(self) -> list[int]:
        """Place of the first record of each part."""
        return [0, *accumulate(map(mapped_records, self.parts))]

    @cached_property
    def runs(self) -> list[tuple[Part, Run]]:
        """All runs, each with its part, which is that of a document alone."""
        return [(alone, run) for part in self.parts for alone in unpacked(part) for run in alone.runs]

    @cached_property
    def starts(self) -> list[int]:
        """Place of each run's first record."""
        return [0, *accumulate(run.records for _, run in self.runs[:-1])] if self.runs else []

    def raw(self, place: int) -> bytes:
        """The record's bytes."""
        _, run, index = self._find(place)
        return run.payload[run.spans[2 * index] : run.spans[2 * index + 1]]

    def skeleton(self, place: int) -> Skeleton:
        """What stands open around the record."""
        return self._find(place)[1].skeleton

    def reject(self, place: int, reason: str, message: str, table: str = "", column: str = "") -> RejectedRecord:
        """The record as a reject."""
        (source, document), run, index = self._find(place)
        start, end = run.spans[2 * index], run.spans[2 * index + 1]
        return RejectedRecord(
            source=source,
            offset=run.offset + start,
            line=run.line + run.payload.count(b"\n", 0, start),
            record=run.first_record + index,
            reason=reason,
            message=message,
            table=table,
            column=column,
            raw=run.payload[start:end] if end - start <= RAW_LIMIT else None,
            length=end - start,
            skeleton=run.skeleton,
            document=document,
        )

    def line(self, place: int) -> int:
        """Line of the record's first byte."""
        _, run, index = self._find(place)
        return run.line + run.payload.count(b"\n", 0, run.spans[2 * index])

    def __iter__(self) -> Iterator[RecordPlace]:
        """All records in order."""
        for part, run in self.runs:
            line, counted = run.line, 0
            for index in range(run.records):
                start = run.spans[2 * index]
                line += run.payload.count(b"\n", counted, start)
                counted = start
                yield RecordPlace(part, run.first_record + index, run.offset + start, line)

    def _find(self, place: int) -> tuple[tuple[int, int], Run, int]:
        """Source and document (0 where the source is one) of a record, its run and its place in that."""
        at = bisect_right(self._part_starts, place) - 1
        part, left = self.parts[at], place - self._part_starts[at]
        if part.pack is not None:
            return (part.source, part.pack.number + left), run_of(part.pack, left), 0
        for run in part.runs:
            if left < run.records:
                return part.place[:2], run, left
            left -= run.records
        raise IndexError(place)
