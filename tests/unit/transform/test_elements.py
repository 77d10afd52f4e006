"""What is read from an element: markup that stands alone, keys and values."""

from __future__ import annotations

import pytest
from lxml import etree

from etl.mapping.paths import parse_value_path
from etl.transform.elements import NIL, own_text, pair_reader, read_markup, read_text, string_value, values
from tests.splits import copy_rows_of, mapping_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")

XSI = "http://www.w3.org/2001/XMLSchema-instance"


def element(markup: str, around: str = "<root>") -> etree._Element:
    """The first child in `around`, parsed as a worker does."""
    name = around[1:].split()[0].rstrip(">")
    return etree.fromstring(f"{around}{markup}</{name}>", etree.XMLParser(remove_comments=True, remove_pis=True))[0]


@pytest.mark.parametrize(
    ("around", "markup", "expected"),
    [
        ("<root>", "<a b='1'>x<c/> &lt;&amp;<![CDATA[<d>]]></a>tail", '<a b="1">x<c/> &lt;&amp;&lt;d&gt;</a>'),
        ("<root>", "<a><!-- no -->x<?no no?>y</a>", "<a>xy</a>"),
        ("<root>", "<a>&#13;é&#x1F600;</a>", "<a>&#13;é😀</a>"),
        ("<root xmlns='urn:d' xmlns:u='urn:unused'>", "<a><b/></a>", '<a xmlns="urn:d"><b/></a>'),
        ("<root xmlns:p='urn:p' xmlns:q='urn:q'>", "<p:a q:k=''/>", '<p:a xmlns:p="urn:p" xmlns:q="urn:q" q:k=""/>'),
        ("<root xmlns:t='urn:t&amp;'>", "<a type='t:x'/>", '<a xmlns:t="urn:t&amp;" type="t:x"/>'),
        ("<root xmlns:t='urn:t'>", "<a><b>t:x</b></a>", '<a xmlns:t="urn:t"><b>t:x</b></a>'),
        ("<root xmlns:t='urn:t'>", "<a xmlns:t='urn:own'>t:x</a>", '<a xmlns:t="urn:own">t:x</a>'),
        (f"<root xmlns:xsi='{XSI}'>", "<a xsi:nil='true'/>", NIL),
    ],
)
def test_markup(around: str, markup: str, expected: str) -> None:
    assert read_markup(element(markup, around)) == expected


def test_markup_can_be_parsed_again_and_says_the_same() -> None:
    one = element("<a t='p:q'><p:b xmlns='urn:x'><c/></p:b>t&#10;\t</a>", "<root xmlns:p='urn:p'>")
    again = etree.fromstring(read_markup(one))
    assert etree.tostring(again, method="c14n") == etree.tostring(etree.fromstring(read_markup(again)), method="c14n")
    assert [(inner.tag, dict(inner.attrib), inner.text) for inner in again.iter()] == [
        (inner.tag, dict(inner.attrib), inner.text) for inner in one.iter()
    ]


def test_markup_crosses_as_copy_text() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {raw: {path: ., type: xml}}}")
    batch = run_records(mapping, b"<r>a\\b\n<c/>\t</r>", row_format="copy")
    assert copy_rows_of(batch)[0][1] == "<r>a\\b\n<c/>\t</r>"


def test_texts() -> None:
    one = element("<a>x<b>y</b>z<c/></a>")
    assert (string_value(one), own_text(one)) == ("xyz", "xz")
    assert read_text(element("<a xsi:nil='1'/>", f"<root xmlns:xsi='{XSI}'>")) == NIL


def test_values_of_a_path() -> None:
    one = element("<a><b k='1'>x</b><c><b k='2'/></c><b>y<d/></b></a>")
    for path, expected in [("b", ["x", "y"]), ("*/b/@k", ["2"]), ("b/@k", ["1"]), ("b[2]/text()", ["y"]), ("d", [])]:
        assert values(one, parse_value_path(path, {})) == expected, path


def test_a_position_is_found_without_a_look_at_what_comes_behind() -> None:
    one = element("<a><b k='1'>x</b><c/><b>y</b><b k='1'>z</b><b k='1'>w</b></a>")
    for path, expected in [("b[1]", ["x"]), ("b[3]", ["z"]), ("b[@k='1'][2]", ["z"]), ("b[5]", []), ("*[2]", [""])]:
        assert values(one, parse_value_path(path, {})) == expected, path


def test_keys_and_values() -> None:
    read = pair_reader(parse_value_path("k", {}), parse_value_path("v", {}))
    assert read(element("<t><v>1</v><k>a</k><v>2</v><k>b</k></t>")) == ("a", ["1", "2"])
    assert read(element("<t/>")) == ("", [])
