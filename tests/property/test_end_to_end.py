"""Every split size, every engine, every target, in one run or in two: the rows that lxml sees in the whole document."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import etl
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.options import Settings, build_settings
from etl.report import LoadReport
from tests.acceptance.contents import select
from tests.property.documents import Document, documents

Rows = dict[str, list[tuple[Any, ...]]]

SPLIT_SIZES = st.one_of(st.integers(1, 40), st.integers(40, 2000), st.just(256 * 2**10))
KINDS = ("inline", "thread", "process")

FEW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Processes and databases take a while to start."""
SOME = settings(FEW, max_examples=25)
MANY = settings(FEW, max_examples=100)


def expected_rows(document: Document) -> Rows:
    """The rows of `document.mapping()` for a first source, in document order."""
    rows: Rows = {}
    for number, _ in enumerate(document.paths):
        rows[f"t{number}"] = []
        rows[f"t{number}_title"] = []
    title_path = "{urn:d}title" if document.prefix else "title"
    for number, (place, record) in enumerate(document.record_elements(), 1):
        record_id = 2**40 + number
        titles = record.findall(title_path)
        first = _text(titles[0]) if titles else None
        rows[f"t{place}"].append((record_id, record.get("id"), record.get("kind"), first, _text(record)))
        rows[f"t{place}_title"] += [(record_id, n, t.get("id"), _text(t)) for n, t in enumerate(titles, 1)]
    return {name: [tuple(map(_stripped, row)) for row in table] for name, table in rows.items()}


def _text(element: etree._Element) -> str:
    text = element.xpath("string()")
    assert isinstance(text, str)
    return text


def _stripped(value: object) -> object:
    return value.strip(" \t\r\n") if isinstance(value, str) else value


def found_rows(url: str, mapping: Mapping, report: LoadReport) -> Rows:
    """What the target holds, in the keys' order; `report` has the rows of a target in memory."""
    if report.rows is not None:
        return {table: sorted(tuple(row.values()) for row in rows) for table, rows in report.rows.items()}
    return {
        table.name: select(url, table.name, [column.name for column in table.columns], table.key)
        for table in mapping.tables
    }


def load(document: Document, folder: Path, url: str, chosen: Settings, limit: int | None = None) -> LoadReport:
    """Load a document, one without records too: where it holds other elements instead, that is an error."""
    source = folder / "document.xml"
    source.write_bytes(document.data)
    mapping = parse_mapping(document.mapping(), "document.mapping.yaml")
    try:
        return etl.load(source, mapping=mapping, target=url, settings=chosen, limit=limit)
    except etl.SourceError as error:
        report: LoadReport | None = error.report
        if report is None or document.record_elements():
            raise
        return report


def load_settings(split_bytes: int, kind: str = "inline", **sections: dict[str, object]) -> Settings:
    return build_settings({"workers": {"kind": kind, "count": 2}, "split": {"bytes": split_bytes}, **sections})


def check(document: Document, url: str, report: LoadReport) -> None:
    """Everything is there: the rows, and the report's account of them."""
    mapping = parse_mapping(document.mapping(), "document.mapping.yaml")
    expected = expected_rows(document)
    assert found_rows(url, mapping, report) == expected
    assert report.rejected == 0
    assert report.skipped + report.loaded == report.records == len(document.record_elements())


def emptied(url: str) -> str:
    """The URL, after everything in that database has been dropped."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@MANY
@given(document=documents(), split_bytes=SPLIT_SIZES)
def test_every_split_size_gives_the_rows_of_the_document(document: Document, split_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = load(document, Path(folder), "memory://", load_settings(split_bytes))
    check(document, "memory://", report)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(document=documents(), split_bytes=SPLIT_SIZES)
def test_every_engine_gives_them_in_memory(document: Document, split_bytes: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = load(document, Path(folder), "memory://", load_settings(split_bytes, kind))
    check(document, "memory://", report)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(document=documents(), split_bytes=SPLIT_SIZES)
def test_every_engine_gives_them_in_sqlite(document: Document, split_bytes: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/document.db"
        report = load(document, Path(folder), url, load_settings(split_bytes, kind))
        check(document, url, report)


@pytest.mark.parametrize("method", ["copy", "executemany"])
@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(document=documents(), split_bytes=SPLIT_SIZES)
def test_every_engine_gives_them_in_postgresql(
    document: Document, split_bytes: int, kind: str, method: str, postgres_url: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chosen = load_settings(split_bytes, kind, insert={"method": method, "batch_records": 3})
        report = load(document, Path(folder), emptied(postgres_url), chosen)
    check(document, postgres_url, report)


@SOME
@given(documents(), SPLIT_SIZES, SPLIT_SIZES, st.integers(1, 6), st.booleans())
def test_a_load_in_two_runs_gives_them_too(
    document: Document, first_split: int, second_split: int, limit: int, keys_before: bool
) -> None:
    """The first run ends after some records, the second one goes on with splits of another size."""
    keys = "before" if keys_before else "after"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/document.db"
        first = load(document, Path(folder), url, _keyed(first_split, keys), limit)
        report = load(document, Path(folder), url, _keyed(second_split, keys))
        check(document, url, report)
        assert report.skipped == first.loaded
        third = load(document, Path(folder), url, _keyed(second_split, keys))
        assert third.loaded == 0


def _keyed(split_bytes: int, keys: str) -> Settings:
    return load_settings(split_bytes).model_copy(update={"keys": keys})


def test_the_oracle_sees_what_a_reader_of_the_document_sees() -> None:
    """Held up by hand, so that the tests above compare with something known."""
    document = Document(
        data=b"<root><rec id='1'> <title>A <b>b</b></title><!-- c --><title> </title></rec>\n<rec kind='x'/></root>",
        paths=("/root/rec",),
        namespaces={"n": "urn:n", "d": "urn:d"},
        prefix="",
    )
    one, two = 2**40 + 1, 2**40 + 2
    assert expected_rows(document) == {
        "t0": [(one, "1", None, "A b", "A b"), (two, None, "x", None, "")],
        "t0_title": [(one, 1, None, "A b"), (one, 2, None, "")],
    }
