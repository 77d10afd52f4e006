"""Documents that are one record as a whole: what a look at their two ends finds is what the splitter would find."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from etl import native
from etl.extract.splitter import Splitter
from etl.extract.whole import WholeDocuments, root_finder, root_in_python
from etl.mapping.paths import parse_record_path
from etl.messages import NOTHING_OPEN, Document, Part, Run, Skeleton
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
    return WholeDocuments([parse_record_path(path, {"p": "u"}) for path in paths], most, 10**6, None).run(content)


def splitter(paths: Sequence[str]) -> Splitter:
    return Splitter([parse_record_path(path, {"p": "u"}) for path in paths], 10**6, MOST)


def check_same(content: bytes, paths: Sequence[str]) -> None:
    """What is found is what the splitter gives; a document that no parser takes becomes a reject either way."""
    run = found(content, paths)
    if run is not None and run.skeleton.depth:
        check_same_run(run, content, splitter(paths))
        return
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


def check_same_run(run: Run, content: bytes, cutter: Splitter) -> None:
    (part,) = cutter.split([content], 7, DOCUMENT.label)
    assert part == Part(7, 0, len(content), run.records, (run,), last=True)


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


RECORDS = (
    *(b"<e>1</e>", b"<e k='1'>2</e>", b"<e/>", b"<e><r/></e>", b"<e><e>3</e></e>", b"<e xmlns='urn:x'/>", b"<f/>"),
    *(b"<p:e/>", b"\n", b"text", b"&amp;", b"<!-- </e> -->", b"<?p <e/> ?>", b"<![CDATA[<e/>]]>", b"<e>4", b"</e>"),
    *(b"<e><![CDATA[</r>]]></e>", b"<e>&none;</e>", b"<e", b"<e a='>'/>", b"<e a='<'/>", b"</e >", b"<r>", b"<e\x0b/>"),
)


@settings(deadline=None, max_examples=2000)
@given(
    bodies=st.lists(st.lists(st.sampled_from(RECORDS), max_size=5), min_size=1, max_size=3),
    tag=st.sampled_from(["r", "r", "r k='1'", "r xmlns='urn:x'", "r xmlns:p='u'", "q"]),
    paths=st.lists(
        st.sampled_from(["/r/e", "/*/e", "//e", "/r/*", "/r/e[@k='1']", "/r/p:e", "/r/{*}e", "/r[@k='1']/e", "/r/e/e"]),
        min_size=1,
        max_size=2,
        unique=True,
    ),
)
def test_several_records_are_those_of_the_splitter(bodies: list[list[bytes]], tag: str, paths: list[str]) -> None:
    records = [parse_record_path(path, {"p": "u"}) for path in paths]
    # One for all: what it has met in one document must not change what it says of the next.
    whole = WholeDocuments(records, MOST, 10**6, None)
    for body in bodies:
        content = b"".join([f"<{tag}>\n".encode(), *body, f"</{tag.split()[0]}>\n".encode()])
        run = whole.run(content)
        if run is not None and run.skeleton.depth:
            check_same_run(run, content, splitter(paths))


BATCH = b"<?xml version='1.0'?>\n<r k='1'>\n text <e>1</e>\n\n<e>2</e><e/> text</r>\n"


@pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())
def test_several_records_are_found() -> None:
    run = found(BATCH, ["/r/e"])
    first = BATCH.index(b"<e>")
    assert run == Run(
        Skeleton(b"", b"<r k='1'>", b"</r>", 1), BATCH[first:-10], first, 3, 1, array("I", (0, 8, 10, 18, 18, 22))
    )


@pytest.mark.parametrize(
    ("most", "split_bytes", "split_records"), [(7, 10**6, None), (100, len(BATCH), None), (100, 10**6, 3)]
)
def test_what_makes_more_than_one_part_is_left_to_the_splitter(
    most: int, split_bytes: int, split_records: int | None
) -> None:
    paths = [parse_record_path("/r/e", {})]
    assert WholeDocuments(paths, most, split_bytes, split_records).run(BATCH) is None


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
        records = [parse_record_path(path, document.namespaces) for path in paths]
        run, cutter = WholeDocuments(records, 10**6, 10**7, None).run(document.data), Splitter(records, 10**7, 10**6)
        if run is not None and run.skeleton.depth:
            check_same_run(run, document.data, cutter)
        elif run is not None:
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
        (b"<r><e/><f/></r>", "/r/e"),
        (b"<r><f/></r>", "/r/e"),
        (b"<r><e/>&amp;</r>", "/r/e"),
        (b"<r><e/><!-- c --></r>", "/r/e"),
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
