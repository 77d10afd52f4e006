"""What a repaired document is, whatever bytes it has and however they come."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from etl import native
from etl.extract.clean import Within, pass_clean, pass_clean_in_python
from etl.extract.mends import Mend
from etl.extract.repair import Repair, new_mender
from tests.property.documents import Document, documents

DIRT = [
    *(
        b"&",
        b"&amp;",
        b"&amp",
        b"&lt;",
        b"&nbsp;",
        b"&eacute",
        b"&AMP;",
        b"&e;",
        b"&u;",
        b"&#65;",
        b"&#x41;",
        b"&#X41;",
    ),
    *(b"&#0;", b"&#x1F;", b"&#xFFFE;", b"&#55357;", b"&#xDE00;", b"&#000000000065;", b"&#99999999999999;", b"&#", b";"),
    *(b"\0", b"\x01", b"\x1f\x0b", b"\r\n", b"\n", b"\xef\xbb\xbf", b"\xef\xbf\xbe", b"\xed\xa0\x80", b"\xff", b"\xc3"),
    *("é".encode(), "日本".encode(), "\U0001f600".encode(), b"\xf0\x9f\x98", b"\xe0\x80\x80", b"\xc0\xaf", b"\xf5\x80"),
    *(
        b"<!--",
        b"-->",
        b"--",
        b"-",
        b"<![CDATA[",
        b"]]>",
        b"]",
        b"<?p",
        b"?>",
        b"?",
        b"<",
        b"<!",
        b"<a b='",
        b"'>",
        b"</a>",
    ),
    *(
        b"<!DOCTYPE r [<!ENTITY e '&x;'>",
        b"<!ENTITY nbsp '\x02'>",
        b"]>",
        b" ",
        b"text",
        b"-" * 70,
        b"x" * 200,
        b"a&b" * 30,
        "é日".encode() * 20,
        b"&lt;&#xA;&#39;" * 9,
    ),
]
dirty = st.lists(st.sampled_from(DIRT) | st.binary(max_size=4), max_size=30).map(b"".join)
prologs = st.sampled_from(
    [b"", b"\xef\xbb\xbf<?xml version='1.0'?>", b"\0<!DOCTYPE r [<!ENTITY e '&x;'>]> <r>", b"<r>"]
)


def repaired(document: bytes, cuts: list[int] | None = None) -> tuple[bytes, tuple[Mend, ...]]:
    mender = new_mender(Repair())
    return b"".join(mender.mended(pieces(document, cuts or []))), mender.mends


def pieces(document: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({min(cut, len(document)) for cut in cuts} | {0, len(document)})
    for start, end in itertools.pairwise(edges):
        yield document[start:end]


@given(prologs, dirty, st.lists(st.integers(0, 300), max_size=20) | st.just(list(range(300))))
@example(b"<r>", b"&#55357;&#56832;", list(range(300)))
@example(b"<r>", b"&#55357;" + b"&" + b"x" * 1500 + b";", [4, 700, 1020])
@example(b"<r>", b"&" + b"x" * 998 + b";&" + b"x" * 999 + b";", [900, 1003, 1004, 2002])
def test_where_chunks_end_changes_nothing(prolog: bytes, content: bytes, cuts: list[int]) -> None:
    document = prolog + content
    assert repaired(document, cuts) == repaired(document)


@pytest.mark.skipif(bool(native.unavailable()), reason="nothing is compiled")
@given(dirty, st.integers(0, 200), st.sampled_from(Within))
def test_the_compiled_code_finds_what_the_patterns_find(text: bytes, at: int, within: Within) -> None:
    assert pass_clean() is not pass_clean_in_python
    at = min(at, len(text))
    assert pass_clean()(text, at, within) == pass_clean_in_python(text, at, within)


@given(st.data())
def test_with_either_of_them_the_document_is_the_same(data: st.DataObject) -> None:
    document = data.draw(prologs) + data.draw(dirty)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.SWITCH, "0")
        assert repaired(document) == repaired_by_compiled_code(document, patch)


def repaired_by_compiled_code(document: bytes, patch: pytest.MonkeyPatch) -> tuple[bytes, tuple[Mend, ...]]:
    patch.delenv(native.SWITCH)
    return repaired(document)


@given(documents(), st.lists(st.integers(0, 3000), max_size=5))
def test_a_clean_document_stays_as_it_is(document: Document, cuts: list[int]) -> None:
    assert repaired(document.data, cuts) == (document.data, ())


@given(st.binary(max_size=200))
def test_bytes_become_the_characters_that_python_makes_of_them(content: bytes) -> None:
    content = re.sub(rb"[<&]", b"", content)
    allowed = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", content.decode("utf-8", "replace"))
    result, _ = repaired(b"<r>" + content + b"</r>")
    assert result.decode() == f"<r>{allowed}</r>"


@given(st.lists(st.sampled_from([piece for piece in DIRT if b"<" not in piece and piece not in (b"&e;", b"&u;")])))
def test_whatever_stands_in_an_element_is_well_formed_after_it(content: list[bytes]) -> None:
    text = b"".join(content).replace(b"]]>", b"")
    result, _ = repaired(b"<r a='" + text.replace(b"'", b"") + b"'>" + text + b"</r>")
    try:
        etree.fromstring(result)
    except etree.XMLSyntaxError as error:
        assert "Entity" in str(error) and "not defined" in str(error)  # noqa: PT017, PT018
