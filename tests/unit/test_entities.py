"""Entities that are text alone: what they stand for is what lxml makes of a reference, or they are not told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from etl.entities import Entities

PIECES = ["a", "ü", " ", "&b;", "&c;", "&d;", "&lt;", "&amp;", "&gt;", "&#38;#60;", "&#38;#228;", "&#228;", "&#x41;"]
PIECES += [
    "&#60;",
    "<x/>",
    "]]",
    ">",
    "&#38;",
    "amp;",
    "&#9;",
    "\n",
    "&#38;#10;",
    "&#37;",
    "'",
    "&nope;",
    "&#38;#xD800;",
]


@given(values=st.lists(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), min_size=4, max_size=4))
def test_text_is_what_lxml_makes_of_it(values: list[str]) -> None:
    subset = "".join(f'<!ENTITY {name} "{value}">' for name, value in zip("abcd", values, strict=True)).encode()
    for name, entity in Entities(subset).plain().items():
        document = b"<!DOCTYPE r [%s]><r k='[&%s;]'>[&%s;]</r>" % (subset, name, name)
        try:
            root = etree.fromstring(document)
        except etree.XMLSyntaxError:
            # Declarations that lxml refuses as such make the scanner decline everything.
            with pytest.raises(etree.XMLSyntaxError):
                etree.fromstring(b"<!DOCTYPE r [%s]><r/>" % subset)
            return
        assert (root.text, root.get("k")) == (f"[{entity.text.decode()}]",) * 2
        assert len(root) == 0


def test_which_are_text_alone() -> None:
    entities = Entities(
        b"<!ENTITY uuml '&#252;'><!ENTITY e ''><!ENTITY n '&uuml;-&e;&gt;'><!ENTITY n 'second'>"
        b"<!ENTITY lt2 '&#38;#60;'><!ENTITY tab '&#9;'><!ENTITY m '<b/>'><!ENTITY u '&m;'><!ENTITY self '&self;'>"
        b"<!ENTITY x '&unknown;'>"
    )
    plain = entities.plain()
    assert {name: entity.text.decode() for name, entity in plain.items()} == {b"uuml": "ü", b"e": "", b"n": "ü->"}
    assert plain[b"n"].cost > plain[b"uuml"].cost + plain[b"e"].cost
    assert entities.holding_elements() == {b"m", b"u"}


def test_whether_references_make_more() -> None:
    entities = Entities(b"<!ENTITY a 'xx'><!ENTITY b '&a;&a;y'>")
    for data, made in ((b"&a;", 2), (b"&b;&a;&amp;", 7), (b"&b;" * 9, 45), (b"& &a &a;&nope;", 2)):
        assert entities.expanded(data) == made
        assert [entities.make_more(data, limit) for limit in (made - 1, made, made + 1)] == [True, False, False]


def test_entities_in_circles_and_beyond_counting_end() -> None:
    circle = Entities(b"<!ENTITY a '&b;'><!ENTITY b '&a;&a;'>")
    assert circle.plain() == {}
    assert circle.expanded(b"&a;") == 0
    laughs = b"<!ENTITY l0 'lol'>" + b"".join(
        b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 30)
    )
    entities = Entities(laughs)
    assert entities.expanded(b"&l29;") == 10**12
    assert set(entities.plain()) == {b"l0", b"l1", b"l2"}
