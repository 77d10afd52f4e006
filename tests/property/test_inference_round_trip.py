"""An inferred mapping loses nothing: every text and every attribute of the documents is in some row."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import etl
from etl.extract.source import expand
from etl.inference.design import Inferred, infer_mapping
from etl.inference.openable import openables
from etl.inference.survey import survey
from etl.mapping.model import FromPath
from etl.mapping.reader import parse_mapping
from etl.options import build_settings
from tests.property.documents import Document, documents, parser
from tests.property.shaped_documents import MARKS, shaped_documents

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOME = settings(MANY, max_examples=30)
SETTINGS = build_settings({"workers": {"kind": "inline"}})

Cells = list[tuple[str, str]]
"""Type and text of every value of the documents; not of the copies of keys in child tables."""


def infer(files: list[str]) -> Inferred:
    return infer_mapping(survey(openables(expand(files)), sample_bytes=None, on_bytes=lambda _: None), "documents")


def loaded(texts: list[bytes]) -> tuple[Inferred, Cells]:
    """The mapping inferred from documents, and everything that loading them with it gives."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, f"{number}.xml")) for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            Path(file).write_bytes(text)
        inferred = infer(files)
        mapping = parse_mapping(inferred.text, "inferred")
        report = etl.load(files, mapping=mapping, target="memory://", settings=SETTINGS)
    assert report.rejected == 0, inferred.text
    assert report.rows is not None
    types = {
        (table.name, column.name): column.type.name
        for table in mapping.tables
        for column in table.columns
        if isinstance(column.source, FromPath)
    }
    return inferred, [
        (types[table, column], value)
        for table, rows in report.rows.items()
        for row in rows
        for column, value in row.items()
        if isinstance(value, str) and (table, column) in types
    ]


@MANY
@given(shaped_documents())
def test_every_mark_is_in_some_row_and_texts_are_there_once(document: str) -> None:
    inferred, cells = loaded([document.encode()])
    plain = Counter(mark for kind, text in cells if kind != "xml" for mark in MARKS.findall(text))
    whole = {mark for kind, text in cells if kind == "xml" for mark in MARKS.findall(text)}
    marks = MARKS.findall(document)
    assert not [mark for mark in marks if mark not in plain and mark not in whole], inferred.text
    assert not [mark for mark in marks if mark.startswith("t") and plain[mark] > 1], inferred.text


@SOME
@given(st.lists(shaped_documents(), min_size=2, max_size=4))
def test_what_several_documents_lose_is_warned_about(texts: list[str]) -> None:
    inferred, cells = loaded([text.encode() for text in texts])
    found = {mark for _, text in cells for mark in MARKS.findall(text)}
    lost = {mark for text in texts for mark in MARKS.findall(text)} - found
    assert not lost or any("in no table" in warning for warning in inferred.warnings), inferred.text


@MANY
@given(documents())
def test_nothing_is_lost_of_documents_that_fool_splitters(document: Document) -> None:
    inferred, cells = loaded([document.data])
    found = [text for kind, text in cells if kind != "xml"]
    found += [piece for kind, text in cells if kind == "xml" for piece in _pieces(etree.fromstring(text, parser()))]
    assert not [piece for piece in _pieces(document.tree()) if not any(piece in text for text in found)], inferred.text


def _pieces(element: Any) -> Iterator[str]:
    """Texts and attribute values, without white space around them."""
    for inner in element.iter(etree.Element):
        texts = [inner.text, *(child.tail for child in inner), *inner.attrib.values()]
        yield from (text.strip(" \t\r\n") for text in texts if text and text.strip(" \t\r\n"))


@SOME
@given(shaped_documents())
def test_loading_with_the_written_mapping_is_loading_without_one(document: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, written = Path(folder, "document.xml"), Path(folder, "written.yaml")
        file.write_text(document)
        written.write_text(etl.infer(file))
        assert etl.infer(file) == written.read_text()
        without = etl.load(file, target="memory://", settings=SETTINGS)
        with_it = etl.load(file, mapping=written, target="memory://", settings=SETTINGS)
    assert without.rows == with_it.rows
