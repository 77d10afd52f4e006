"""Small documents in packs: whatever is told of one of them is what is told of it alone."""

from __future__ import annotations

import pickle
from array import array

from hypothesis import given
from hypothesis import strategies as st

from etl.batches import settled
from etl.extract.bunch import bunched, can_bunch, part_of
from etl.messages import NOTHING_OPEN, Document, Part, PartCounts, RejectedRecord, Run, Split
from etl.packs import (
    documents,
    documents_in,
    fingerprints_of,
    mapped_records,
    packed_counts,
    payload_bytes,
    records_most,
    run_of,
    unpacked,
    unpacked_split,
)
from etl.positions import RecordPlace, RecordPositions
from tests import splits
from tests.splits import make_pack, make_run, split_of

DOCUMENTS = (b"<r/ >1</r>", b"<?xml version='1.0'?>\n\n<r a='2'>\n</r>\n", b"<!-- 3 --><s>3</s>", b"<r>4</r> ")
PACK = make_pack(*DOCUMENTS, number=5, records_before=100, between=b"\xef\xbb\xbf")
PART = splits.part_of(PACK, source=3)
OTHER = Part(3, 0, 60, 4, (make_run([b"<a/>", b"<b>\n</b>"], between=b"\n", offset=10), make_run([b"<c/>"], offset=40)))
MOST = [records_most(len(document)) for document in DOCUMENTS]


def test_documents_have_numbers_and_keys_one_behind_the_other() -> None:
    digits = [f"{number:02x}" * 16 for number in (5, 6, 7, 8)]
    befores = [100, 100 + MOST[0], 100 + MOST[0] + MOST[1], 100 + MOST[0] + MOST[1] + MOST[2]]
    assert list(documents(PACK)) == [
        Document(number, f"docs/{number}.xml", f"p:{digest}:s", before, most)
        for number, digest, before, most in zip((5, 6, 7, 8), digits, befores, MOST, strict=True)
    ]
    assert fingerprints_of("p:", b"", ":s") == []
    assert [records_most(size) for size in (0, 3, 4, 8)] == [1, 1, 2, 3]


def test_a_document_alone_is_a_part_of_one_run() -> None:
    second = DOCUMENTS[1]
    record = b"<r a='2'>\n</r>"
    run = Run(NOTHING_OPEN, record, second.index(record), 3, 1, array("I", (0, len(record))))
    assert run_of(PACK, 1) == run
    alone = list(unpacked(PART))[1]
    document = list(documents(PACK))[1]
    assert alone == Part(3, 0, len(second), 1, (run,), last=True, document=document)
    assert alone.keys_from == (3 << 40) + document.records_before
    assert alone.place == (3, 6, 0)
    assert PART.place == (3, 5, 0)
    assert list(unpacked(OTHER)) == [OTHER]


def test_counts_of_parts() -> None:
    assert [documents_in(part) for part in (PART, OTHER)] == [4, 1]
    assert [mapped_records(part) for part in (PART, OTHER)] == [4, 3]
    assert payload_bytes(PART) == len(PACK.payload)
    assert payload_bytes(OTHER) == len(b"<a/>\n<b>\n</b>\n<c/>")
    assert pickle.loads(pickle.dumps(PART)) == PART


def test_a_split_without_packs_is_left_as_it_is() -> None:
    split = split_of(OTHER, OTHER)
    assert unpacked_split(split) is split
    mixed = split_of(OTHER, PART, OTHER)
    assert unpacked_split(mixed).parts == (OTHER, *unpacked(PART), OTHER)
    assert (unpacked_split(mixed).records, unpacked_split(mixed).size) == (mixed.records, mixed.size)


def test_what_became_of_a_pack_is_what_became_of_its_documents() -> None:
    loaded, rejected, discarded = PartCounts(1, 1, 0, 0), PartCounts(1, 0, 1, 0), PartCounts(1, 0, 0, 1)
    other = PartCounts(4, 2, 1, 1)
    counts = [other, loaded, rejected, discarded, loaded, other]
    assert packed_counts(split_of(OTHER, PART, OTHER), counts) == (other, PartCounts(4, 2, 1, 1), other)


def test_a_reject_in_the_middle_is_told_with_its_document() -> None:
    positions = RecordPositions(split_of(OTHER, PART, OTHER))
    assert positions.count == 10
    reject = positions.reject(4, "bad_value", "message", "t", "c")
    record = b"<r a='2'>\n</r>"
    assert reject == RejectedRecord(
        source=3,
        document=6,
        offset=DOCUMENTS[1].index(record),
        line=3,
        record=1,
        reason="bad_value",
        message="message",
        table="t",
        column="c",
        raw=record,
        length=len(record),
        skeleton=NOTHING_OPEN,
    )
    assert (positions.reject(7, "r", "m").document, positions.raw(7)) == (0, b"<a/>")
    parts = list(unpacked(PART))
    assert list(positions)[3:6] == [
        RecordPlace(parts[0], 1, 0, 1),
        RecordPlace(parts[1], 1, DOCUMENTS[1].index(b"<r"), 3),
        RecordPlace(parts[2], 1, DOCUMENTS[2].index(b"<s"), 1),
    ]


PARTS = st.one_of(
    st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=5).map(lambda some: splits.part_of(make_pack(*some), 2)),
    st.sampled_from([OTHER, Part(1, 0, 9, 0, ()), Part(1, 0, 9, 0, (make_run([]),))]),
)


@given(st.lists(PARTS, max_size=5), st.data())
def test_positions_are_those_of_the_documents_alone(parts: list[Part], data: st.DataObject) -> None:
    split = split_of(*parts)
    packed, alone = RecordPositions(split), RecordPositions(unpacked_split(split))
    assert list(packed) == list(alone)
    assert (packed.count, packed.runs, packed.starts) == (alone.count, alone.runs, alone.starts)
    for place in range(packed.count):
        assert packed.reject(place, "r", "m") == alone.reject(place, "r", "m")
        assert (packed.raw(place), packed.line(place)) == (alone.raw(place), alone.line(place))
        assert packed.skeleton(place) == alone.skeleton(place)
    chosen = data.draw(st.sets(st.integers(0, max(0, packed.count - 1)))) if packed.count else set()
    rejects = {place: packed.reject(place, "r", "m") for place in chosen if place % 2}
    check_settled(split, rejects, {place for place in chosen if not place % 3})


def check_settled(split: Split, rejects: dict[int, RejectedRecord], discarded: set[int]) -> None:
    counts, ordered = settled(split, rejects, discarded)
    alone, in_order = settled(unpacked_split(split), rejects, discarded)
    assert counts == packed_counts(split, alone)
    assert ordered == in_order
    assert len(counts) == len(split.parts)
    assert sum(count.rejected for count in counts) == len(ordered) == len(rejects)


def test_a_bunch_is_a_pack_of_its_documents() -> None:
    if not can_bunch():
        return
    stored = [b"<r>1</r>", b"\xef\xbb\xbf<r>\n2</r>", b"<?xml version='1.0'?>\n<r>3</r>\n"]
    (bunch,) = bunched(["a", "b", "c"], b"".join(stored), array("I", map(len, stored)), 9, "p:")
    part = part_of(bunch, 4, 11, 50)  # type: ignore[arg-type]
    assert (part.records, part.position, part.start, part.end) == (3, 9, 0, sum(map(len, stored)) - 3)
    assert [one.document.number for one in unpacked(part) if one.document] == [11, 12, 13]
    assert [one.runs[0].payload for one in unpacked(part)] == [b"<r>1</r>", b"<r>\n2</r>", b"<r>3</r>"]
    assert [place.line for place in RecordPositions(split_of(part))] == [1, 1, 2]
