"""Where the records of a split stand in their documents, by their place (from 0) in the split."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from etl.messages import RAW_LIMIT, Part, RejectedRecord, Run, Skeleton, Split


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
        self.runs: list[tuple[Part, Run]] = [(part, run) for part in split.parts for run in part.runs]
        self.split = split.number
        self.starts: list[int] = []
        """Place of each run's first record."""
        count = 0
        for _, run in self.runs:
            self.starts.append(count)
            count += run.records
        self.count = count
        """Records in all runs."""

    def raw(self, place: int) -> bytes:
        """The record's bytes."""
        _, run, index = self._find(place)
        return run.payload[run.spans[2 * index] : run.spans[2 * index + 1]]

    def skeleton(self, place: int) -> Skeleton:
        """What stands open around the record."""
        return self._find(place)[1].skeleton

    def reject(self, place: int, reason: str, message: str, table: str = "", column: str = "") -> RejectedRecord:
        """The record as a reject."""
        part, run, index = self._find(place)
        start, end = run.spans[2 * index], run.spans[2 * index + 1]
        return RejectedRecord(
            source=part.source,
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
            document=part.document.number if part.document else 0,
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

    def _find(self, place: int) -> tuple[Part, Run, int]:
        at = bisect_right(self.starts, place) - 1
        part, run = self.runs[at]
        return part, run, place - self.starts[at]
