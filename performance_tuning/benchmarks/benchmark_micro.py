"""The parts of a load one by one, each alone in this process: what a change makes faster or slower shows here first.

    python3 env_prep/bootstrap.py pytest --benchmark-only

Beside an earlier commit: the same there with ``--benchmark-autosave``, then here with ``--benchmark-compare``. Each
benchmark checks what it made. A plain `pytest` runs each of them once and measures nothing.
"""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from env_prep.generate_dump import write_dump
from etl.engines.base import WorkerSetup
from etl.extract.decompress import CHUNK_BYTES
from etl.extract.encoding import to_utf8
from etl.feeding import make_splitter
from etl.loading.insert_queue import BatchLimits, InsertQueue
from etl.mapping.model import Column, ColumnType, Constant, FromPath, Mapping, Table
from etl.mapping.reader import parse_mapping, read_mapping
from etl.messages import CopyRows, MappedBatch, Notices, Part, PartCounts, RowFormat, SourceInfo, Split
from etl.options import Settings
from etl.transform.encoder import encode
from etl.transform.lists import converter
from etl.worker import Worker

_MAPPINGS = Path(__file__).parent / "mappings"
_DUMP_BYTES = 4 * 10**6
_ROWS = 1_000
"""Texts of a column, rows of a table, entries of a queue."""

_SOURCE = SourceInfo(1, "dump.xml", "11111111-2222-3333-4444-555555555555", "2024-05-06T07:08:09+00:00")
_TEXTS: dict[str, Callable[[int], str]] = {
    "text": lambda number: f" Title {number} ",
    "varchar(20)": lambda number: f"Title {number}",
    "boolean": lambda number: "true" if number % 3 else "false",
    "integer": lambda number: str(7919 * number),
    "bigint": lambda number: str(104_729_000_000 * number),
    "numeric(10,2)": lambda number: f"{number}.{number % 100:02}",
    "double": lambda number: f"{number / 8}",
    "date": lambda number: f"{1970 + number % 50}-{1 + number % 12:02}-{1 + number % 28:02}",
    "timestamp": lambda number: f"{1970 + number % 50}-02-03T{number % 24:02}:{number % 60:02}:07.123",
    "timestamptz": lambda number: f"{1970 + number % 50}-02-03T{number % 24:02}:{number % 60:02}:07+02:00",
    "uuid": lambda number: str(uuid.UUID(int=number * 2**90 + number)),
    "json": lambda number: f'{{"number": {number}, "tags": ["a", "b"]}}',
}
"""Types, and the text of row n as documents mostly have it."""


def _tell_speed(benchmark: BenchmarkFixture, size: int) -> None:
    """Keep MB/s of XML (by the median) with the result."""
    if benchmark.stats is not None:
        benchmark.extra_info["MB/s"] = round(size / 1e6 / benchmark.stats.stats.median, 1)


@pytest.fixture(scope="module", params=["nested", "flat"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def mapping(kind: str) -> Mapping:
    return read_mapping(_MAPPINGS / f"{kind}.mapping.yaml")


@pytest.fixture(scope="module")
def document(kind: str) -> bytes:
    written: list[bytes] = []
    write_dump(kind, written.append, size=_DUMP_BYTES)
    return b"".join(to_utf8(written, kind))


def _parts(mapping: Mapping, document: bytes) -> list[Part]:
    chunks = (document[start : start + CHUNK_BYTES] for start in range(0, len(document), CHUNK_BYTES))
    return list(make_splitter(mapping, Settings()).split(chunks, _SOURCE.number, _SOURCE.label))


@pytest.mark.benchmark(group="splitter")
def test_splitter(benchmark: BenchmarkFixture, mapping: Mapping, document: bytes) -> None:
    """A document of 4 MB, cut."""
    parts = benchmark(_parts, mapping, document)
    assert parts[-1].last
    assert parts[-1].end == len(document)
    _tell_speed(benchmark, len(document))


@pytest.mark.benchmark(group="mapper")
@pytest.mark.parametrize("row_format", ["copy", "tuples"])
def test_mapper(benchmark: BenchmarkFixture, mapping: Mapping, document: bytes, row_format: RowFormat) -> None:
    """One split: parsed, mapped and encoded."""
    part = _parts(mapping, document)[0]
    split = Split(1, (part,), sum(len(run.payload) for run in part.runs), part.records)
    worker = Worker(WorkerSetup(mapping, row_format, (_SOURCE,)))
    mapped = benchmark(worker.run_split, split)
    assert mapped.counts == (PartCounts(part.records, part.records, 0, 0),)
    _tell_speed(benchmark, split.size)


@pytest.mark.benchmark(group="types")
@pytest.mark.parametrize("type_", _TEXTS)
def test_type(benchmark: BenchmarkFixture, type_: str) -> None:
    """1,000 texts of a column, stripped, checked and made canonical."""
    column = f"{{path: x, type: '{type_}'}}"
    table = parse_mapping(f"version: 1\ntables: {{t: {{each: /a/b, columns: {{c: {column}}}}}}}", "types").tables[0]
    found = table.columns[-1]
    assert isinstance(found.source, FromPath)
    convert = converter(found, found.source, finite=False)
    texts = [_TEXTS[type_](number) for number in range(_ROWS)]
    converted = benchmark(convert, texts, False)
    assert len(converted.texts) == _ROWS
    assert not converted.failures


@pytest.mark.benchmark(group="encoding")
@pytest.mark.parametrize("text", ["Title", "C:\\Title\n"], ids=["plain", "escaped"])
@pytest.mark.parametrize("row_format", ["copy", "tuples"])
def test_encoding(benchmark: BenchmarkFixture, row_format: RowFormat, text: str) -> None:
    """1,000 rows of 10 columns, encoded for the target; `escaped`: each text needs escapes in COPY."""
    types = enumerate(["bigint", *["text"] * 9])
    table = Table("t", tuple(Column(f"c{place}", ColumnType(type_), Constant("")) for place, type_ in types), ())
    columns = [[str(row) for row in range(_ROWS)], *[[f"{text} {row}" for row in range(_ROWS)]] * 9]
    rows = benchmark(encode, table, columns, array("I", range(_ROWS)), row_format)
    assert len(rows) == _ROWS
    assert not isinstance(rows, CopyRows) or rows.data.count(b"\n") == _ROWS


def _through_queue(splits: list[Split], mapped: MappedBatch) -> int:
    """Entries that came out."""
    limits = BatchLimits(records=_ROWS // 10, row_bytes=2**30, memory=2**30, max_wait=3600.0)
    queue = InsertQueue(2**30, None, limits)
    for split in splits:
        queue.put(queue.reserve(split), mapped)
    taken = 0
    while taken < len(splits):
        batch = queue.take()
        queue.release(batch)
        taken += len(batch)
    assert queue.usage() == (0, 0)
    return taken


@pytest.mark.benchmark(group="queue")
def test_queue(benchmark: BenchmarkFixture) -> None:
    """1,000 entries through the queue by one thread: reserve, put, take in batches of 100, release."""
    splits = [Split(number, (), 100, 1) for number in range(_ROWS)]
    rows = CopyRows(b"1\n", array("I", [0]))
    mapped = MappedBatch(1, (rows,), (PartCounts(1, 1, 0, 0),), (), 2, 0.0, Notices())
    assert benchmark(_through_queue, splits, mapped) == _ROWS
