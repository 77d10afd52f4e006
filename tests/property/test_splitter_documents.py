"""Every split size, every way the chunks are cut: the same records, as lxml sees them in the whole document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from etl.errors import SourceError
from etl.extract import window
from etl.extract.splitter import Splitter
from etl.mapping.paths import parse_record_path
from etl.messages import Part, RejectedRecord, Run, Skeleton
from tests.property.documents import Document, canonical, documents, parser

CHUNK_SIZES = st.one_of(st.integers(1, 9), st.just(10**6))
SPLIT_SIZES = st.one_of(st.integers(1, 200), st.just(10**6))
LONGEST = 1 << 20
RELAXED = settings(deadline=None, max_examples=60)
"""Other work on the machine must not fail a test."""


@contextmanager
def reading_little() -> Iterator[None]:
    """Chunks are looked at one by one, as they would be if they were large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "MIN_READ", 1)
        yield


def split(
    document: Document,
    split_bytes: int,
    chunk_bytes: int,
    cut_at: Sequence[int] = (),
    limit: int | None = None,
    data: bytes | None = None,
    longest: int = LONGEST,
) -> Iterator[Part]:
    data = document.data if data is None else data
    paths = [parse_record_path(path, document.namespaces) for path in document.paths]
    chunks = (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))
    with reading_little():
        yield from Splitter(paths, split_bytes, longest).split(chunks, 3, "dump.xml", cut_at, limit)


def records_of(run: Run) -> list[str]:
    """Canonical form of a run's records, from a parse of the run with what stands open around it."""
    skeleton = run.skeleton
    root = etree.fromstring(skeleton.subset + skeleton.open_tags + run.payload + skeleton.close_tags, parser())
    if skeleton.depth == 0:
        return [canonical(root)]
    parent = root
    for _ in range(skeleton.depth - 1):
        parent = parent[0]
    return [canonical(child) for child in parent.iterchildren(etree.Element)]


def one_by_one(run: Run) -> list[str]:
    """The same, each record parsed alone."""
    spans = list(zip(run.spans[::2], run.spans[1::2], strict=True))
    return [records_of(Run(run.skeleton, run.payload[a:b], 0, 0, 0, run.spans[:2]))[0] for a, b in spans]


def check_tiles(parts: list[Part], data: bytes) -> None:
    """Tiles follow each other, and every number says where things are."""
    at, number = 0, 1
    for part in parts:
        assert part.source == 3
        assert part.start == at
        assert part.end >= part.start
        assert part.last == (part is parts[-1])
        assert part.records == sum(run.records for run in part.runs) + len(part.rejects)
        for run in part.runs:
            assert run.first_record == number
            assert part.start <= run.offset
            assert run.offset + len(run.payload) <= part.end
            assert data[run.offset :].startswith(run.payload)
            assert run.line == 1 + data.count(b"\n", 0, run.offset)
            assert run.spans[0] == 0
            assert run.spans[-1] == len(run.payload)
            assert list(run.spans) == sorted(run.spans)
            number += run.records
        at = part.end
    assert at == len(data)


@RELAXED
@given(documents(), SPLIT_SIZES, CHUNK_SIZES)
def test_records_are_those_of_the_whole_document(document: Document, split_bytes: int, chunk_bytes: int) -> None:
    parts = list(split(document, split_bytes, chunk_bytes))
    check_tiles(parts, document.data)
    expected = document.records()
    runs = [run for part in parts for run in part.runs]
    assert [record for run in runs for record in records_of(run)] == expected
    assert [record for run in runs for record in one_by_one(run)] == expected


@RELAXED
@given(documents(), SPLIT_SIZES, CHUNK_SIZES)
def test_tiles_do_not_depend_on_the_chunks(document: Document, split_bytes: int, chunk_bytes: int) -> None:
    assert list(split(document, split_bytes, chunk_bytes)) == list(split(document, split_bytes, 10**6))


@RELAXED
@given(documents(), SPLIT_SIZES)
def test_a_part_is_cut_as_soon_as_it_is_full(document: Document, split_bytes: int) -> None:
    for part in split(document, split_bytes, 10**6):
        size = sum(len(run.payload) for run in part.runs)
        if part.runs:
            spans = part.runs[-1].spans
            before = spans[-3] if len(spans) > 2 else 0
            assert size - spans[-1] + before < split_bytes
        assert part.last or size >= split_bytes


@RELAXED
@given(documents(), SPLIT_SIZES, SPLIT_SIZES, CHUNK_SIZES, st.data())
def test_a_later_run_cuts_where_an_earlier_one_did(
    document: Document, first: int, second: int, chunk_bytes: int, data: st.DataObject
) -> None:
    edges = [part.end for part in split(document, first, 10**6)]
    kept = [edge for edge in edges if data.draw(st.booleans())]
    parts = list(split(document, second, chunk_bytes, kept))
    check_tiles(parts, document.data)
    assert set(kept) <= {part.end for part in parts}
    records = [record for part in parts for run in part.runs for record in records_of(run)]
    assert records == document.records()


@RELAXED
@given(documents(), SPLIT_SIZES, CHUNK_SIZES, st.integers(1, 5))
def test_limit(document: Document, split_bytes: int, chunk_bytes: int, limit: int) -> None:
    parts = list(split(document, split_bytes, chunk_bytes, limit=limit))
    expected = document.records()
    records = [record for part in parts for run in part.runs for record in records_of(run)]
    assert records == expected[:limit]
    assert parts[-1].last == (len(expected) < limit)


@RELAXED
@given(documents(), SPLIT_SIZES, CHUNK_SIZES, st.data())
def test_a_cut_off_document_gives_what_is_complete(
    document: Document, split_bytes: int, chunk_bytes: int, data: st.DataObject
) -> None:
    """Cut before the root's end: the records that end before the cut, then an error with the position."""
    cut = data.draw(st.integers(0, document.data.rindex(b"</root") + 1))
    # A comment that looks like the end of the document does not look cut off.
    assume(not document.data[:cut].rstrip().endswith(b"</root>"))
    whole = [run for part in split(document, 10**6, 10**6) for run in part.runs]
    complete = [run.offset + end for run in whole for end in run.spans[1::2] if run.offset + end <= cut]
    records, message = outcome(document, document.data[:cut], split_bytes, chunk_bytes)
    assert re.match(r"dump\.xml (breaks off at byte \d+ \(line \d+\)|holds no XML)", message)
    assert [record.offset + record.length for record in records] == complete


@RELAXED
@given(documents(), SPLIT_SIZES, CHUNK_SIZES, st.data())
def test_whatever_is_broken_ends_in_parts_and_perhaps_an_error(
    document: Document, split_bytes: int, chunk_bytes: int, data: st.DataObject
) -> None:
    """Damage of any kind: what comes out depends neither on the chunks nor on the split size, and no record twice."""
    start = data.draw(st.integers(0, len(document.data)))
    end = data.draw(st.integers(start, min(len(document.data), start + 40)))
    put = data.draw(st.sampled_from([b"", b"<", b">", b'"', b"</rec>", b"<rec>", b"<!--", b"&", b"\xff", b"</root>"]))
    damaged = document.data[:start] + put + document.data[end:]
    longest = data.draw(st.sampled_from([20, 100, LONGEST]))
    assert outcome(document, damaged, split_bytes, chunk_bytes, longest) == outcome(
        document, damaged, 10**6, 10**6, longest
    )


@dataclass(frozen=True)
class Record:
    number: int
    offset: int
    raw: bytes
    skeleton: Skeleton

    @property
    def length(self) -> int:
        return len(self.raw)


def outcome(
    document: Document, data: bytes, split_bytes: int, chunk_bytes: int, longest: int = LONGEST
) -> tuple[list[Record | RejectedRecord], str]:
    """Records and rejects in order, and the error."""
    records: list[Record | RejectedRecord] = []
    at = 0
    try:
        for part in split(document, split_bytes, chunk_bytes, data=data, longest=longest):
            assert part.start == at
            at = part.end
            records += part.rejects
            for run in part.runs:
                places = enumerate(zip(run.spans[::2], run.spans[1::2], strict=True), run.first_record)
                records += [Record(number, run.offset + a, run.payload[a:b], run.skeleton) for number, (a, b) in places]
    except SourceError as error:
        return sorted(records, key=lambda record: record.offset), str(error)
    assert at == len(data)
    return sorted(records, key=lambda record: record.offset), ""
