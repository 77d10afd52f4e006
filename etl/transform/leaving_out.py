"""A split without some of its records: a split and rejects go in; what is left to map, and how places change, come out.

Pure. Runs in a worker.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from etl.messages import MappedBatch, RejectedRecord, Run, Split


def without(split: Split, rejects: Mapping[int, RejectedRecord]) -> tuple[Split, list[int]]:
    """The split with these records, by their places, as rejects of its parts; the places of the others in `split`."""
    kept = [
        place for place in range(sum(run.records for part in split.parts for run in part.runs)) if place not in rejects
    ]
    parts = []
    first = 0
    for part in split.parts:
        runs: list[Run] = []
        own = list(part.rejects)
        for run in part.runs:
            places = range(first, first + run.records)
            first += run.records
            own += [rejects[place] for place in places if place in rejects]
            runs += _stretches(run, [place not in rejects for place in places])
        parts.append(part._replace(runs=tuple(runs), rejects=tuple(own)))
    return replace(split, parts=tuple(parts)), kept


def in_places(batch: MappedBatch, kept: Sequence[int]) -> MappedBatch:
    """The batch of such a split, with the places that its records have in the whole one."""
    tables = tuple(replace(rows, records=array("I", [kept[place] for place in rows.records])) for rows in batch.tables)
    return replace(batch, tables=tables)


def _stretches(run: Run, wanted: Sequence[bool]) -> Iterator[Run]:
    """The neighbouring records of a run that are wanted, as runs of their own."""
    begin = 0
    for index, is_wanted in enumerate([*wanted, False]):
        if not is_wanted:
            if begin < index:
                yield _stretch(run, begin, index)
            begin = index + 1


def _stretch(run: Run, first: int, behind: int) -> Run:
    start, end = run.spans[2 * first], run.spans[2 * behind - 1]
    return Run(
        run.skeleton,
        run.payload[start:end],
        run.offset + start,
        run.line + run.payload.count(b"\n", 0, start),
        run.first_record + first,
        array("I", [place - start for place in run.spans[2 * first : 2 * behind]]),
    )
