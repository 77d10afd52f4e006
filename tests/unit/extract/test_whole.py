"""Documents that are one record as a whole: what a look at their two ends finds is what the splitter would find."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from etl.extract.outline import Outline
from etl.extract.splitter import Splitter
from etl.extract.whole import root_finder, root_in_python, whole_record
from etl.mapping.paths import parse_record_path
from etl.messages import NOTHING_OPEN, Document, Run
from tests.property.documents import Document as AnyDocument
from tests.property.documents import documents

DOCUMENT = Document(3, "docs.zip/a.xml", "f", 100, 50)
MOST = 10_000
PATHS = ("/r", "/*", "//r", "/r[@k='1']", "/p:r", "/{*}r", "/r/e", "//e")
PIECES = (
    *(b"<r>", b"</r>", b"<r/>", b"<r k='1'>", b"<r k='2'>", b"</r >", b"<r xmlns='urn:x'>", b"<p:r xmlns:p='u'>"),
    *(b"</p:r>", b"<e>", b"</e>", b"<e/>", b"<rr>", b"</rr>", b"text", b"&amp;", b"&none;", b"<", b">", b"&", b"\0"),
    *(b"<!-- </r> -->", b"<!--", b"-->", b"<![CDATA[</r>]]>", b"<?p </r>?>", b"<!DOCTYPE r>", b"\xff", "é".encode()),
    *(b"\n", b" ", b"\t", b"<r a='>'>", b"<r a='</r>'>", b"<r a='<'>", b'<r a="', b"<r//>", b"<r / >"),
)
BEGINNINGS = (
    b"",
    b"\n",
    b"<?xml version='1.0'?>",
    b"<?xml version='1.0'?>\n<!-- <r> -->\n",
    b"<!DOCTYPE r [<!ENTITY e 'x'>]>",
)


EITHER_WAY = [root_in_python, root_finder()]
"""The same where nothing is compiled."""


def is_well_formed(content: bytes) -> bool:
    try:
        etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError:
        return False
    return True


def found(content: bytes, paths: Sequence[str], most: int = MOST) -> Run | None:
    outline = Outline([parse_record_path(path, {"p": "u"}) for path in paths])
    run, again = (whole_record(content, outline, most, find) for find in EITHER_WAY)
    assert run == again
    return run


def splitter(paths: Sequence[str]) -> Splitter:
    return Splitter([parse_record_path(path, {"p": "u"}) for path in paths], 10**6, MOST)


def check_same(content: bytes, paths: Sequence[str]) -> None:
    """What is found is what the splitter gives; what no parser takes becomes a reject either way."""
    run = found(content, paths)
    if run is None or not is_well_formed(run.payload):
        return
    parts = list(splitter(paths).split([content], 7, DOCUMENT.label))
    (cut,) = [run for part in parts for run in part.runs]
    start, end = cut.spans
    assert (parts[-1].last, parts[-1].end) == (True, len(content))
    assert not any(part.rejects for part in parts)
    assert (
        cut._replace(payload=cut.payload[start:end], offset=cut.offset + start, spans=array("I", (0, end - start)))
        == run
    )


@settings(deadline=None, max_examples=1500)
@given(
    beginning=st.sampled_from(BEGINNINGS),
    tag=st.sampled_from(["r", "r k='1'", "r k='2'", "r xmlns='urn:x'", "p:r xmlns:p='u'", "rr"]),
    pieces=st.lists(st.sampled_from(PIECES), max_size=6),
    paths=st.lists(st.sampled_from(PATHS), min_size=1, max_size=2, unique=True),
    end=st.sampled_from([b"", b"\n", b" \r\n\t", b"<!-- x -->", b"</r>", b"\x0c", b"\x0b", b"text", b"<?p?>"]),
)
def test_what_is_found_is_what_the_splitter_gives(
    beginning: bytes, tag: str, pieces: list[bytes], paths: list[str], end: bytes
) -> None:
    name = tag.split()[0]
    check_same(b"".join([beginning, f"<{tag}>".encode(), *pieces, f"</{name}>".encode(), end]), paths)


@settings(deadline=None, max_examples=3000)
@given(
    pieces=st.lists(
        st.sampled_from(
            [*BEGINNINGS, *PIECES, b'"', b"'", b"=", b"/", b"<?", b"<!", b"r", b"<r\x0b>", b"</r\x0b>", b"<\xe9>"]
        ),
        max_size=9,
    ),
    name=st.sampled_from([b"r", b"p:r", b"\xe9", b"r/", b"1"]),
)
def test_the_compiled_look_is_that_of_python(pieces: list[bytes], name: bytes) -> None:
    content = b"".join(pieces)
    for document in (content, b"<" + name + b">" + content + b"</" + name + b">\n"):
        python, compiled = (find(document) for find in EITHER_WAY)
        assert python == compiled


def test_nor_does_it_look_beyond_a_document_that_is_cut_off() -> None:
    whole = b"<?xml version='1.0'?><!-- c --> <r a='>' b=\"'\"><e/>/</ r></rr></r> \n"
    for end in range(len(whole) + 1):
        python, compiled = (find(whole[:end]) for find in EITHER_WAY)
        assert python == compiled


@settings(deadline=None, max_examples=300)
@given(document=documents())
def test_so_it_is_in_documents_that_fool_splitters(document: AnyDocument) -> None:
    for paths in (["/root"], ["/*"], list(document.paths)):
        outline = Outline([parse_record_path(path, document.namespaces) for path in paths])
        run = whole_record(document.data, outline, 10**6)
        if run is not None:
            cutter = Splitter([parse_record_path(path, document.namespaces) for path in paths], 10**7, 10**6)
            (part,) = cutter.split([document.data], 7, "x")
            (cut,) = part.runs
            assert cut.payload[slice(*cut.spans)] == run.payload


@pytest.mark.parametrize("beginning", [b"", b"\n\n", b"<?xml version='1.0'?>\n<!-- a\nb --><?p q?>"])
def test_the_usual_case_is_found(beginning: bytes) -> None:
    content = beginning + b"<r k='1'>\n<e/>text</r>\n"
    record = content.strip()[len(beginning.strip()) :]
    run = found(content, ["/r"])
    start = len(beginning)
    assert run == Run(NOTHING_OPEN, record, start, beginning.count(b"\n") + 1, 1, array("I", (0, len(record))))


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"<r><e/></r>", "/r/e"),
        (b"<other></other>", "/r"),
        (b"<r/>", "/r"),
        (b"<r></r><r></r>", "/r"),
        (b"<r><!-- </r> --></r>", "/r"),
        (b"<!DOCTYPE r><r></r>", "/r"),
        (b"<r>", "/r"),
        (b"", "/r"),
        (b"no XML", "/r"),
        (b"<r k='2'></r>", "/r[@k='1']"),
    ],
)
def test_everything_else_is_left_to_the_splitter(content: bytes, path: str) -> None:
    assert found(content, [path]) is None


def test_so_is_a_record_that_is_too_large() -> None:
    content = b"<r>" + b"x" * 93 + b"</r>"
    assert found(content, ["/r"], 100) is not None
    assert found(content, ["/r"], 99) is None


CONTENTS = {
    "whole": b"<r>1</r>",
    "in pieces": b"<!DOCTYPE r><r>1</r>",
    "broken": b"<r>1</r></wrong>",
    "cut off": b"<r><e/>",
    "nothing": b"",
    "other": b"<other/>",
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("path", ["/r", "/r/e", "/*"])
def test_parts_of_a_small_document_cover_it_once(name: str, path: str) -> None:
    content = CONTENTS[name]
    parts = splitter([path]).split_whole(content, 7, DOCUMENT, 99)
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert (parts[-1].end, parts[-1].last) == (len(content), True)
    assert not any(part.last for part in parts[:-1])
    assert {(part.source, part.document, part.position) for part in parts} == {(7, DOCUMENT, 99)}
    for part in parts:
        assert part.records == sum(run.records for run in part.runs) + len(part.rejects)
        assert all((reject.document, reject.source) == (DOCUMENT.number, 7) for reject in part.rejects)


def test_what_is_broken_is_a_reject_from_there_on() -> None:
    content = b"<a>\n<r>1</r>\n<r>2</r>\n</wrong>"
    *_, last = splitter(["/a/r"]).split_whole(content, 7, DOCUMENT, 0)
    (reject,) = last.rejects
    assert (reject.reason, reject.record, reject.line, reject.offset) == ("malformed", 3, 3, last.start)
    assert reject.raw == content[last.start :]
    assert "</wrong>" in reject.message
