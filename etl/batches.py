"""What became of a split, as its batch tells it: the counts of each part, the rejects in order, the size.

In: rejects and discards by the record's place in the split. Out: what `MappedBatch` holds. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from etl.messages import CopyRows, PartCounts, RejectedRecord, Split, TupleRows
from etl.packs import mapped_records

ROW_BYTES = 4
REJECT_BYTES = 300
"""About what a row's record number, and a reject beside its record's bytes, weigh."""


def settled(
    split: Split, rejects: Mapping[int, RejectedRecord], discarded: Collection[int]
) -> tuple[tuple[PartCounts, ...], tuple[RejectedRecord, ...]]:
    """What became of each part's records, and all rejects in the order of the documents.

    A reject may be among the discarded: it is a reject.
    """
    counts: list[PartCounts] = []
    ordered: list[RejectedRecord] = []
    first = 0
    for part in split.parts:
        if not (rejects or discarded or part.rejects):
            counts.append(PartCounts(part.records, part.records, 0, 0))
            continue
        mapped = mapped_records(part)
        places = range(first, first + mapped)
        own = [rejects[place] for place in places if place in rejects] if rejects else []
        dropped = sum(1 for place in places if place in discarded and place not in rejects) if discarded else 0
        first += mapped
        ordered += sorted([*part.rejects, *own], key=lambda reject: reject.record)
        counts.append(
            PartCounts(
                records=part.records,
                loaded=mapped - len(own) - dropped,
                rejected=len(part.rejects) + len(own),
                discarded=dropped,
            )
        )
    return tuple(counts), tuple(ordered)


def size_of(tables: Iterable[CopyRows | TupleRows], rejects: Sequence[RejectedRecord]) -> int:
    """`MappedBatch.size`."""
    rows = sum(len(table.data) + ROW_BYTES * len(table) for table in tables)
    return rows + sum(REJECT_BYTES + len(reject.raw or b"") for reject in rejects)
