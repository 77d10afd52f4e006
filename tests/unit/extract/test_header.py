"""What the splitter keeps of what stands before the first record, and what it says of what comes too late."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from etl.errors import MappingError, SourceError
from etl.extract import header
from etl.extract.header import header_paths
from etl.extract.splitter import Splitter
from etl.mapping.reader import parse_mapping
from etl.messages import Part

MARK = '<first-record xmlns="urn:etl"/>'


def splitter(each: str, *paths: str, split_bytes: int = 1) -> Splitter:
    columns = "".join(f'      c{n}: {{path: "{path}", scope: document}}\n' for n, path in enumerate(paths))
    mapping = parse_mapping(
        f"version: 1\nnamespaces: {{m: 'urn:m'}}\ntables:\n  t:\n    each: {each}\n    columns:\n      v: v\n{columns}",
        "m.yaml",
    )
    return Splitter(mapping.tables[0].records, split_bytes, 10**6, header=header_paths(mapping))


def parts(document: str | Iterable[bytes], each: str, *paths: str) -> list[Part]:
    chunks = [document.encode()] if isinstance(document, str) else document
    return list(splitter(each, *paths).split(chunks, 1, "dump.xml"))


def kept(document: str, each: str, *paths: str) -> str:
    """What goes with every run of the document."""
    found = parts(document, each, *paths)
    (one,) = {run.skeleton.header for part in found for run in part.runs}
    return one.decode()


@pytest.mark.parametrize(
    ("before", "paths", "expected"),
    [
        ("<h><d>1</d><e>2</e></h><x/>", ["/r/h/d"], f"<r k='0'><h><d>1</d></h>{MARK}</r>"),
        ("<h>\n <d>1</d> t </h>", ["/r/h"], f"<r k='0'><h>\n <d>1</d> t </h>{MARK}</r>"),
        ("<h k='1'><big>x</big></h>", ["/r/h/@k"], f"<r k='0'><h k='1'/>{MARK}</r>"),
        ("<h k='1'/><h/><h  />", ["/r/h"], f"<r k='0'><h k='1'/><h/><h  />{MARK}</r>"),
        ("<h><d>1</d></h><i/>", ["/r/h/d", "/r/h", "/r/@k"], f"<r k='0'><h><d>1</d></h>{MARK}</r>"),
        ("<h k='1'>x</h><h>y</h>", ["/r/h[@k='1']"], f"<r k='0'><h k='1'>x</h>{MARK}</r>"),
        ("<p:h xmlns:p='urn:m'><p:i/></p:h><h/>", ["/r/m:h"], f"<r k='0'><p:h xmlns:p='urn:m'><p:i/></p:h>{MARK}</r>"),
        (
            "<h><!-- <d> --><![CDATA[<d>]]><?p <d?></h>",
            ["/*/h/text()"],
            f"<r k='0'><h><!-- <d> --><![CDATA[<d>]]><?p <d?></h>{MARK}</r>",
        ),
        ("<h><d>1", ["/s/h"], ""),
        ("<h/>", ["/r/@k"], f"<r k='0'>{MARK}</r>"),
    ],
)
def test_what_is_kept(before: str, paths: list[str], expected: str) -> None:
    if before == "<h><d>1":
        before = "<h><d>1</d></h>"
    document = f"<r k='0'> {before}<e><v>1</v></e><h><d>late</d></h><e/><e/></r>"
    assert kept(document, "/r/e", *paths) == expected


def test_what_stands_around_the_first_record_is_open() -> None:
    document = "<r><g n='1'><h>x</h><e/></g><g n='2'><h>y</h><e/></g></r>"
    assert kept(document, "/r/g/e", "/r/g/h", "/r/g/@n") == f"<r><g n='1'><h>x</h>{MARK}</g></r>"
    # A whole element is one that ended.
    assert kept("<r><a><h>x</h></a><g>t<h>y</h><e/></g></r>", "//e", "/r/*") == f"<r><a><h>x</h></a><g>{MARK}</g></r>"
    assert kept("<r><a>1<b>2<c k='1'>3</c></b></a><g>t<e/></g></r>", "//e", "/r/a/b", "/*/*") == (
        f"<r><a>1<b>2<c k='1'>3</c></b></a><g>{MARK}</g></r>"
    )


def test_the_first_record_of_any_path_counts_also_an_unusable_one() -> None:
    assert kept("<r><h>1</h><f/><h>2</h><e/></r>", "[/r/e, /r/f]", "/r/h") == f"<r><h>1</h>{MARK}</r>"
    document = "<r><h>1</h><e><e></r>"
    found = parts(document, "/r/e", "/r/h")
    assert {reject.skeleton and reject.skeleton.header for part in found for reject in part.rejects} == {
        f"<r><h>1</h>{MARK}</r>".encode()
    }


def test_elements_that_are_taken_are_not_passed() -> None:
    found = parts("<r><h><d/><x/></h><i/><j k='1'/><e/><h/><i/></r>", "/r/e", "/r/h/d", "/r/j/@k")
    assert set().union(*(part.passed for part in found)) == {"/r/h/x", "/r/i", "/r/h"}


def test_no_mapping_that_asks_no_header() -> None:
    found = parts("<r k='1'><h>1</h><e/></r>", "/r/e")
    assert [run.skeleton.header for part in found for run in part.runs] == [b""]


def test_runs_of_an_element_share_their_skeleton() -> None:
    (part,) = splitter("/r/e", "/r/h", split_bytes=10**6).split([b"<r><h>1</h>" + b"<e/>" * 5 + b"</r>"], 1, "dump.xml")
    assert [run.records for run in part.runs] == [5]


LATE = (
    "m.yaml:8: tables.t.columns.c0.path: {path!r} has `scope: document`, but in dump.xml it stands behind the first "
    "record only, at byte {byte} (line {line}): a value for every row has to stand before all of them. Leave the "
    "column out, or make a table of its own of what stands there."
)


@pytest.mark.parametrize(
    ("document", "path", "byte", "line"),
    [
        ("<r>\n<e/>\n<h>1</h></r>", "/r/h", 9, 3),
        ("<r><h/><e/><h><d/></h></r>", "/r/h/d", 14, 1),
        ("<r><h/><e/><h><d k=''/><d/></h></r>", "/r/h/d/@k", 14, 1),
        ("<r><h/><e/><h/>\n<h k='2'/></r>", "/r/h/@k", 16, 2),
        ("<r><h/><e/><h/>\n<h k='2'/></r>", "/r/h[@k='2']", 16, 2),
        ("<r><g><e/></g><g n='2'><e/></g></r>", "/r/g/@n", 14, 1),
    ],
)
def test_a_value_that_comes_too_late(document: str, path: str, byte: int, line: int) -> None:
    with pytest.raises(MappingError) as late:
        parts(document, "[/r/e, /r/g/e]", path)
    assert str(late.value) == LATE.format(path=path, byte=byte, line=line)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("<r><h>1</h><e/><h>2</h></r>", "/r/h"),
        ("<r><h/><e/><h>2</h></r>", "/r/h"),
        ("<r><h k=''/><e/><h k='1'/></r>", "/r/h/@k"),
        ("<r><h/><e/><h/></r>", "/r/h/@k"),
        ("<r><e><h/></e><e/></r>", "/r/*/h"),
        ("<r><e/></r>", "/r/h"),
        ("<r><h/><i><h k='1'/></i></r>", "/r/i/h/@k"),
    ],
)
def test_what_is_not_too_late(document: str, path: str) -> None:
    parts(document, "/r/e", path)


def test_the_parts_before_it_are_handed_out() -> None:
    found = splitter("/r/e", "/r/h").split([b"<r><e/><e/><h/></r>"], 1, "dump.xml")
    assert [next(found).records, next(found).records] == [1, 1]
    with pytest.raises(MappingError):
        next(found)


def refused(document: str | Iterable[bytes], each: str, *paths: str) -> str:
    with pytest.raises(SourceError) as broken:
        parts(document, each, *paths)
    return str(broken.value)


@pytest.mark.parametrize(("each", "opened"), [("/r/e", "<h>"), ("//e", "<h>"), ("/r/e", "<h k='1'>")])
def test_more_than_can_be_on_every_row(each: str, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MAX_HEADER_BYTES", 100)
    monkeypatch.setattr("etl.extract.window.MIN_READ", 1)
    text = "x" * 200
    document = f"<r><i>{text}</i>{opened}{text}</h><e/></r>"
    chunks = (document[at : at + 7].encode() for at in range(0, len(document), 7))
    assert refused(chunks, each, "/r/h") == (
        "dump.xml: what columns with `scope: document` take (/r/h) is longer than 100 bytes, the most that can go onto "
        "every row, with the element that begins at byte 210."
    )
    assert "longer than 100 bytes" in refused("<r>" + "<h/>" * 30 + "<e/></r>", each, "/r/h")
    assert kept(document, "/r/e", "/r/h/@k").startswith("<r><h")
    assert kept(document, "/r/e", "/r/i/@k") == f"<r><i/>{MARK}</r>"


def test_what_is_ill_formed_is_told_before_any_record() -> None:
    assert refused("<r><h>1</h>\n<i>&nope;</i><e/></r>", "/r/e", "/r/i") == (
        "dump.xml: columns with `scope: document` take what stands before the first record (byte 25, line 2), but that "
        "is not well-formed: Entity 'nope' not defined; --dtd FILE gives its meaning."
    )
    assert "is not well-formed" in refused("<r><h><a></b></h><e/></r>", "/r/e", "/r/h")
    assert "is not well-formed" in refused("<r><h k=1/><e/></r>", "/r/e", "/r/h/@k")
    # What nobody asks for may be as it likes.
    assert kept("<r><h k='1'><a></b>&nope;</h><e/></r>", "/r/e", "/r/h/@k") == f"<r><h k='1'/>{MARK}</r>"


def test_a_document_that_ends_before_its_records() -> None:
    assert "breaks off at byte 13" in refused("<r><h>1</h><e", "/r/e", "/r/h")
    assert "inside <h>, which begins at byte 3 (line 1) and is not closed" in refused("<r><h>1<e/>", "/r/e", "/r/h")
    assert parts("<r><h>1</h></r>", "/r/e", "/r/h")[0].records == 0
