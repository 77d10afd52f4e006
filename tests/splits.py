"""Splits built by hand, for tests of what comes behind the splitter."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from etl.engines.base import WorkerSetup
from etl.extract.whole import root_in_python
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import (
    CopyRows,
    MappedBatch,
    Pack,
    Part,
    RejectedRecord,
    RowFormat,
    Run,
    Skeleton,
    SourceInfo,
    Split,
    TupleRows,
)
from etl.worker import Worker

SOURCE = SourceInfo(
    number=1,
    label="dump.xml",
    load_id="11111111-2222-3333-4444-555555555555",
    loaded_at="2024-05-06T07:08:09+00:00",
)
ROOT = Skeleton(subset=b"", open_tags=b"<root>", close_tags=b"</root>", depth=1)


def make_run(
    records: Sequence[bytes],
    skeleton: Skeleton = ROOT,
    *,
    between: bytes = b"",
    offset: int = 0,
    line: int = 1,
    first_record: int = 1,
) -> Run:
    """A run of `records` with `between` behind each."""
    payload = b""
    spans = array("I")
    for record in records:
        spans.extend((len(payload), len(payload) + len(record)))
        payload += record + between
    return Run(skeleton, payload, offset, line, first_record, spans)


def make_split(*runs: Run, rejects: Sequence[RejectedRecord] = (), source: int = 1) -> Split:
    """A split of one part that holds the runs."""
    records = sum(run.records for run in runs)
    size = sum(len(run.payload) for run in runs)
    start = runs[0].offset if runs else 0
    part = Part(source, start, start + size, records + len(rejects), runs, tuple(rejects))
    return Split(number=7, parts=(part,), size=size, records=records + len(rejects))


def make_pack(*documents: bytes, number: int = 1, records_before: int = 0, between: bytes = b"") -> Pack:
    """A pack of documents, each a record as a whole, with `between` behind each."""
    payload = b""
    begins, starts, ends, lines = array("I"), array("I"), array("I"), array("I")
    for document in documents:
        root = root_in_python(document)
        assert root is not None
        start, _, _, end, line = root
        for numbers, value in ((begins, len(payload)), (starts, start), (ends, end), (lines, line)):
            numbers.append(value)
        payload += document + between
    labels = tuple(f"docs/{number + place}.xml" for place in range(len(documents)))
    digests = b"".join(bytes([number + place]) * 16 for place in range(len(documents)))
    sizes = array("I", map(len, documents))
    return Pack(number, records_before, labels, digests, "p:", ":s", payload, begins, sizes, starts, ends, lines)


def part_of(pack: Pack, source: int = 1) -> Part:
    """The part of a split that a pack is."""
    return Part(source, 0, sum(pack.sizes), len(pack.sizes), (), last=True, pack=pack)


def split_of(*parts: Part) -> Split:
    """A split of these."""
    size = sum(len(part.pack.payload) if part.pack else sum(len(run.payload) for run in part.runs) for part in parts)
    return Split(7, parts, size, sum(part.records for part in parts))


def mapping_of(text: str) -> Mapping:
    """A mapping of the tables in `text`, version and indentation added."""
    return parse_mapping(f"version: 1\ntables:\n{text}", "test.mapping.yaml")


def make_worker(mapping: Mapping, row_format: RowFormat = "tuples") -> Worker:
    return Worker(WorkerSetup(mapping, row_format, (SOURCE,)))


def run_records(
    mapping: Mapping, *records: bytes, row_format: RowFormat = "tuples", skeleton: Skeleton = ROOT
) -> MappedBatch:
    """What a worker makes of records in one run."""
    return make_worker(mapping, row_format).run_split(make_split(make_run(records, skeleton)))


def rows_of(batch: MappedBatch, table: int = 0) -> list[tuple[object, ...]]:
    """The rows of a batch mapped as tuples."""
    rows = batch.tables[table]
    assert isinstance(rows, TupleRows)
    return rows.rows


def copy_rows_of(batch: MappedBatch, table: int = 0) -> list[tuple[str | None, ...]]:
    """The rows of a batch mapped as COPY text, decoded as PostgreSQL does."""
    rows = batch.tables[table]
    assert isinstance(rows, CopyRows)
    return decode_copy(rows.data)


def decode_copy(data: bytes) -> list[tuple[str | None, ...]]:
    """The values of rows in PostgreSQL's text format of COPY."""
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    return [tuple(_copy_value(value) for value in line.split("\t")) for line in lines]


_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def _copy_value(text: str) -> str | None:
    if text == r"\N":
        return None
    pieces = iter(text)
    return "".join(_ESCAPED[next(pieces)] if piece == "\\" else piece for piece in pieces)
