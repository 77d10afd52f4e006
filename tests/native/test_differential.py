"""The scanner gives what lxml gives, or declines; `python -m tests.native.differential` tries more."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.extract.source import expand, open_source
from etl.mapping.reader import parse_mapping, read_mapping
from etl.messages import Bounds, RowFormat
from etl.native import unavailable
from tests.acceptance.dumps import DUMPS, Dump
from tests.native.differential import Case, Pair, cases, run
from tests.native.generated import DOCUMENTS, mappings

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

FORMATS: tuple[RowFormat, ...] = ("copy", "tuples")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
def test_mutated_documents(seed: int) -> None:
    declined = run(1500, seed)
    # What is tested is the scanner, so it must have had something to do.
    assert all(reasons[""] for reasons in declined.values())


@pytest.mark.parametrize("row_format", FORMATS)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_documents_cut_off_at_every_byte(case: Case, row_format: RowFormat) -> None:
    pair = Pair(case.mapping, row_format, dtd=case.dtd)
    for document in case.documents:
        if len(document) < 1000:
            for end in range(len(document) + 1):
                pair.compare_document(document[:end])
    assert pair.declined[""]


@settings(deadline=None)
@given(text=mappings(), records=DOCUMENTS, row_format=st.sampled_from(FORMATS))
def test_any_mapping_on_any_document(text: str, records: list[str], row_format: RowFormat) -> None:
    head = '<root xmlns:p="urn:p" xmlns:q="urn:q" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" k="1">'
    pair = Pair(parse_mapping(text, "any.yaml"), row_format, unseen=False)
    pair.compare_document(f"{head}{''.join(records)}</root>".encode())


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_limits(depth: int) -> None:
    case = cases()[0]
    pair = Pair(case.mapping, "copy", Bounds(depth=depth, attributes=2, text_bytes=3))
    for document in case.documents:
        pair.compare_document(document)


@pytest.mark.real_data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.name)
def test_real_dumps(dump: Dump, real_data: Path) -> None:
    """The first splits of every real file."""
    pair = Pair(read_mapping(dump.mapping), "copy")
    for source in expand([str(path) for path in dump.sources(real_data)]):
        with open_source(source) as reader:
            for split in islice(pair.splits(reader), 8):
                pair.compare(split)
    assert pair.declined[""], pair.declined
