"""A split record by record: cut into splits of one record each, and their batches put together again.

For a split that a worker died of: the merged batch looks as if the whole split had been mapped, but for the records
that kill. Pure; on the thread that calls it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

from etl.batches import settled, size_of
from etl.messages import CopyRows, MappedBatch, Notices, Part, RejectedRecord, RowFormat, Run, Split, TupleRows
from etl.packs import unpacked_split
from etl.positions import RecordPositions

KILLED_WORKER = "killed_worker"


def single_records(split: Split) -> list[Split]:
    """A split of its own for each record, in order; the rejects of the splitter are in none of them."""
    return [
        Split(split.number, (_part_of(part, run, index),), run.spans[2 * index + 1] - run.spans[2 * index], 1)
        for part in unpacked_split(split).parts
        for run in part.runs
        for index in range(run.records)
    ]


def _part_of(part: Part, run: Run, index: int) -> Part:
    start, end = run.spans[2 * index], run.spans[2 * index + 1]
    alone = Run(
        run.skeleton,
        run.payload[start:end],
        run.offset + start,
        run.line + run.payload.count(b"\n", 0, start),
        run.first_record + index,
        array("I", (0, end - start)),
    )
    return Part(part.source, alone.offset, run.offset + end, 1, (alone,), document=part.document)


def merged(split: Split, outcomes: Sequence[MappedBatch | str], tables: int, row_format: RowFormat) -> MappedBatch:
    """The batch of the whole split, from that of each record; a text says why a record has none."""
    positions = RecordPositions(split)
    rejects: dict[int, RejectedRecord] = {}
    discarded: set[int] = set()
    batches: list[tuple[int, MappedBatch]] = []
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, str):
            rejects[place] = positions.reject(place, KILLED_WORKER, outcome)
            continue
        batches.append((place, outcome))
        if outcome.rejects:
            rejects[place] = outcome.rejects[0]
        elif outcome.counts[0].discarded:
            discarded.add(place)
    counts, ordered = settled(split, rejects, discarded)
    rows = tuple(
        _concatenated([(place, batch.tables[table]) for place, batch in batches], row_format, split.number)
        for table in range(tables)
    )
    return MappedBatch(
        split=split.number,
        tables=rows,
        counts=counts,
        rejects=ordered,
        size=size_of(rows, ordered),
        busy=sum(batch.busy for _, batch in batches),
        notices=_together([batch.notices for _, batch in batches]),
    )


def _concatenated(
    pieces: Sequence[tuple[int, CopyRows | TupleRows]], row_format: RowFormat, split: int
) -> CopyRows | TupleRows:
    """One table's rows of all records, each under the place of its record."""
    records = array("I")
    for place, rows in pieces:
        records.extend([place] * len(rows))
    if row_format == "copy":
        return CopyRows(b"".join([rows.data for _, rows in pieces]), records, split)
    values: list[object] = []
    for _, rows in pieces:
        values += rows.values if isinstance(rows, TupleRows) else ()
    return TupleRows.of_values(values, records, split)


def _together(notices: Sequence[Notices]) -> Notices:
    several: Counter[tuple[int, int]] = Counter()
    set_null: Counter[tuple[int, int]] = Counter()
    additions: dict[tuple[int, str], bool] = {}
    for one in notices:
        several.update(one.several)
        set_null.update(one.set_null)
        for column, is_list in one.additions.items():
            additions[column] = additions.get(column, False) or is_list
    return Notices(
        matched=frozenset().union(*(one.matched for one in notices)),
        several=dict(several),
        set_null=dict(set_null),
        mixed=frozenset().union(*(one.mixed for one in notices)),
        unseen=frozenset().union(*(one.unseen for one in notices)),
        additions=additions,
        declined=next((one.declined for one in notices if one.declined), ""),
    )
