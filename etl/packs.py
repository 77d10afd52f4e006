"""The documents of a pack, one by one: where something is to be told of one of them, or done with it.

In: parts. Out: documents, runs, and parts of one document each. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from etl.messages import NOTHING_OPEN, SHORTEST_RECORD, Document, Pack, Part, PartCounts, Run, Split

DIGEST_BYTES = 16


def records_most(size: int) -> int:
    """Records that can be in a document of so many bytes."""
    return size // SHORTEST_RECORD + 1


def fingerprints_of(prefix: str, digests: bytes, suffix: str) -> list[str]:
    """`Document.fingerprint` of each document, from what a `Pack` has of it."""
    if not digests:
        return []
    digits = digests.hex("\n", DIGEST_BYTES).replace("\n", f"{suffix}\n{prefix}")
    return f"{prefix}{digits}{suffix}".split("\n")


def fingerprints_in(part: Part) -> list[str]:
    """`Document.fingerprint` of the documents that a part is of."""
    if part.pack is not None:
        return fingerprints_of(part.pack.prefix, part.pack.digests, part.pack.suffix)
    return [part.document.fingerprint] if part.document is not None else []


def documents(pack: Pack) -> Iterator[Document]:
    """The documents of a pack, in order."""
    before = pack.records_before
    fingerprints = fingerprints_of(pack.prefix, pack.digests, pack.suffix)
    for number, (label, size, fingerprint) in enumerate(
        zip(pack.labels, pack.sizes, fingerprints, strict=True), pack.number
    ):
        most = records_most(size)
        yield Document(number, label, fingerprint, before, most)
        before += most


def run_of(pack: Pack, place: int) -> Run:
    """The run of one of its documents."""
    start, end = pack.starts[place], pack.ends[place]
    begin = pack.begins[place]
    payload = pack.payload[begin + start : begin + end]
    return Run(NOTHING_OPEN, payload, start, pack.lines[place], 1, array("I", (0, end - start)))


def mapped_records(part: Part) -> int:
    """Records in the runs of a part."""
    return part.records if part.pack is not None else sum(run.records for run in part.runs)


def documents_in(part: Part) -> int:
    """Documents that a part is of."""
    return 1 if part.pack is None else len(part.pack.sizes)


def payload_bytes(part: Part) -> int:
    """Bytes of the records in the runs of a part, and of what stands between them."""
    return len(part.pack.payload) if part.pack is not None else sum(len(run.payload) for run in part.runs)


def unpacked(part: Part) -> Iterator[Part]:
    """A part for each document of a pack; of any other part that part."""
    if part.pack is None:
        yield part
        return
    for place, (document, size) in enumerate(zip(documents(part.pack), part.pack.sizes, strict=True)):
        alone = (run_of(part.pack, place),)
        yield Part(part.source, 0, size, 1, alone, (), True, frozenset(), part.position, document)


def unpacked_split(split: Split) -> Split:
    """The split without packs."""
    if all(part.pack is None for part in split.parts):
        return split
    return replace(split, parts=tuple(one for part in split.parts for one in unpacked(part)))


def packed_counts(split: Split, counts: Sequence[PartCounts]) -> tuple[PartCounts, ...]:
    """What became of the parts of a split, from what became of those of the same split without packs."""
    rest = iter(counts)
    groups = (islice(rest, documents_in(part)) for part in split.parts)
    return tuple(PartCounts(*map(sum, zip(*group, strict=True))) for group in groups)
