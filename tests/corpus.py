"""Malformed and hostile documents: good ones mutated in every way we know of, always the same ones, and hand-made ones.

Each tells which records have to be loaded exactly as from the good document, whatever becomes of the others.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    columns:
      id: {path: "@id", type: integer, required: true}
      kind: "@kind"
      name: name
      note: {path: "x:note", many: first}
      lang: "x:note/@lang"
  tag:
    parent: item
    each: tag
    columns:
      value: .
namespaces: {x: "urn:x"}
"""

RECORDS = 30


@dataclass(frozen=True)
class Hostile:
    """One document of the corpus."""

    name: str
    data: bytes
    intact: frozenset[int]
    """Ids of the records that must load as they are in the good document."""


@dataclass(frozen=True)
class Good:
    """A document that is to be mutated."""

    data: bytes
    spans: tuple[tuple[int, int], ...]
    """Start and end of record n + 1."""

    def before(self, place: int) -> frozenset[int]:
        """Ids of the records that end before that byte."""
        return frozenset(number for number, (_, end) in enumerate(self.spans, 1) if end <= place)

    def all_but(self, start: int, end: int) -> frozenset[int]:
        """Ids of the records that no byte from `start` to `end` is of."""
        return frozenset(number for number, (first, last) in enumerate(self.spans, 1) if last <= start or end <= first)


def good() -> Good:
    """A document with all that documents have: a document type, namespaces, comments, CDATA, references."""
    data = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<!DOCTYPE items [<!ENTITY good "fine"><!ATTLIST item kind CDATA "plain">]>\n'
        b'<items xmlns:x="urn:x" version="1">\n<!-- a comment with <item id="0"> in it -->\n'
    )
    spans = []
    for number in range(1, RECORDS + 1):
        record = (
            f'<item id="{number}"><name>Näme {number} &good; &lt;&#8364;&gt;</name>\n'
            f'  <x:note lang="de">not{number}<![CDATA[ & <b> ]]></x:note><?look here?>\n'
            f"  <tag>a{number}</tag><!-- - --><tag>'{number}'</tag></item>"
        ).encode()
        spans.append((len(data), len(data) + len(record)))
        data += record + b"\n"
    return Good(data + b"</items>\n", tuple(spans))


def mutated() -> Iterator[Hostile]:
    """The good document, spoilt by one mutation each."""
    chosen = random.Random(20240506)
    document = good()
    for kind, mutate in _MUTATIONS.items():
        for count in range(18):
            yield from (Hostile(f"{kind} {count}", data, intact) for data, intact in [mutate(document, chosen)])
    for fragment in FRAGMENTS:
        place = chosen.randrange(document.spans[9][0], document.spans[19][1])
        data = document.data[:place] + fragment + document.data[place:]
        yield Hostile(f"with {fragment[:30]!r} at {place}", data, document.before(place))


Mutation = Callable[[Good, random.Random], tuple[bytes, frozenset[int]]]


def _place_in_record(document: Good, chosen: random.Random) -> int:
    start, end = chosen.choice(document.spans)
    return chosen.randrange(start, end)


def _any_place(document: Good, chosen: random.Random) -> int:
    return chosen.randrange(len(document.data))


def _flipped(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _any_place(document, chosen)
    data = bytearray(document.data)
    data[place] ^= 1 << chosen.randrange(8)
    return bytes(data), document.before(place)


def _byte_set(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _place_in_record(document, chosen)
    data = bytearray(document.data)
    data[place] = chosen.choice(b"\x00\x01\x08\x0b\x1f\x7f\x80\xc0\xed\xf8\xfe\xff<>&\"'/!?]-")
    return bytes(data), document.before(place)


def _text_spoilt(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    """Bytes no document may have, in the name of one record: nobody else is concerned."""
    number = chosen.randrange(RECORDS)
    start, end = document.spans[number]
    place = document.data.index(b"<name>", start) + len(b"<name>")
    return document.data[:place] + chosen.choice(BAD_TEXT) + document.data[place:], document.all_but(start, end)


def _deleted(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _any_place(document, chosen)
    return document.data[:place] + document.data[place + chosen.randint(1, 60) :], document.before(place)


def _repeated(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _any_place(document, chosen)
    end = place + chosen.randint(1, 60)
    return document.data[:end] + document.data[place:], document.before(place)


def _swapped(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    first, second, third = sorted(_any_place(document, chosen) for _ in range(3))
    data = document.data
    return data[:first] + data[second:third] + data[first:second] + data[third:], document.before(first)


def _truncated(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _any_place(document, chosen)
    return document.data[:place], document.before(place)


def _noise(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    place = _any_place(document, chosen)
    return document.data[:place] + chosen.randbytes(chosen.randint(1, 200)) + document.data[place:], document.before(
        place
    )


def _tag_removed(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    number, tag = chosen.randrange(RECORDS), chosen.choice([b"</name>", b"<name>", b"</x:note>", b"<tag>", b"</tag>"])
    start, end = document.spans[number]
    record = document.data[start:end].replace(tag, b"", 1)
    return document.data[:start] + record + document.data[end:], document.all_but(start, end)


def _end_tag_lost(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    """The record's own end tag: it and the next one may be taken for one, the ones before and behind not."""
    number = chosen.randrange(RECORDS - 1)
    start, end = document.spans[number]
    data = document.data[: end - len(b"</item>")] + document.data[end:]
    return data, document.before(start)


def _attribute_twice(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    start, end = chosen.choice(document.spans)
    record = document.data[start:end].replace(b"<item ", b'<item id="1" ', 1)
    return document.data[:start] + record + document.data[end:], document.all_but(start, end)


def _recoded(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    """In another encoding than it declares, or a part of it is."""
    codec = chosen.choice(["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "utf-7", "shift_jis", "utf-8-sig"])
    text = document.data.decode()
    if chosen.random() < 0.5:
        return text.encode(codec, "replace"), frozenset()
    start, end = chosen.choice(document.spans)
    part = document.data[start:end].decode().encode(codec, "replace")
    return document.data[:start] + part + document.data[end:], document.before(start)


def _misdeclared(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    name = chosen.choice([b"utf-16", b"latin-1", b"hex", b"idna", b"x" * 9000, b"", b"utf-8\0", b"cp65001", b"rot13"])
    return document.data.replace(b"UTF-8", name, 1), frozenset()


def _gzip(data: bytes) -> bytes:
    """Without the time in it: the same whenever it is made."""
    return gzip.compress(data, mtime=0)


def _compressed(document: Good, chosen: random.Random) -> tuple[bytes, frozenset[int]]:
    compressions: list[Callable[[bytes], bytes]] = [_gzip, bz2.compress, lzma.compress]
    data = chosen.choice(compressions)(document.data)
    place = chosen.randrange(len(data))
    return chosen.choice([data[:place], data[:place] + b"\xa5" + data[place + 1 :], data + data[:place]]), frozenset()


_MUTATIONS: dict[str, Mutation] = {
    "bit flipped": _flipped,
    "byte set": _byte_set,
    "text spoilt": _text_spoilt,
    "deleted": _deleted,
    "repeated": _repeated,
    "swapped": _swapped,
    "truncated": _truncated,
    "noise": _noise,
    "tag removed": _tag_removed,
    "end tag lost": _end_tag_lost,
    "attribute twice": _attribute_twice,
    "recoded": _recoded,
    "misdeclared": _misdeclared,
    "compressed": _compressed,
}

BAD_TEXT = (
    b"\0",
    b"\x01",
    b"\x0b",
    b"\x1f",
    b"\xff",
    b"\x80",
    b"\xc3(",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"&#0;",
    b"&#x1F;",
    b"&#xD800;",
    b"&#x110000;",
    b"&#99999999999999999999;",
    b"&#;",
    b"&#xZZ;",
    b"&",
    b"& ",
    b"&nope;",
    b"]]>",
    b"<p:x/>",
    b"<xmlns:x/>",
    b'<x xmlns:xml="urn:y"/>',
    b'<x xmlns:xmlns="urn:y"/>',
    b'<x xmlns:p=""/>',
    b"<1/>",
    b"<x a=1/>",
    b"<x a/>",
    b"<x a='<'/>",
    b"<x a='1' a='2'/>",
    b"</x>",
    b"<?xml version='1.0'?>",
    b"<!ENTITY a 'b'>",
    b"<!DOCTYPE a>",
    b"<a:b:c/>",
    b"<:a/>",
    b"<-- -->",
)
"""What no record may have in its text, and what keeps only that record from loading."""

FRAGMENTS = (
    *BAD_TEXT,
    b"<!--",
    b"-->",
    b"<!-- -- -->",
    b"<!",
    b"<![",
    b"<![CDATA[",
    b"<![CDATA[]]]]>",
    b"<?",
    b"<?x",
    b"?>",
    b"<",
    b"<<",
    b"</",
    b"<>",
    b"</>",
    b"<item",
    b"<item>",
    b'<item id="',
    b"<item id='",
    b"</item>",
    b"</items>",
    b"<items>",
    b'<item id="99"/>',
    b"<!DOCTYPE items [",
    b"<!DOCTYPE items SYSTEM 'file:///etc/passwd'>",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"\x00" * 100,
    b"\r\r\n\r",
    b"<a>" * 3000,
    b"</a>" * 300,
    b"<item>" * 300,
    b"</item>" * 300,
    b"<x " + b" ".join(b"a%d='%d'" % (n, n) for n in range(11_000)) + b"/>",
    b"<" + b"n" * 60_000 + b"/>",
    b"<x " + b"n" * 60_000 + b"=''/>",
    b"<x n='" + b"v" * 300_000 + b"'/>",
    b"&" + b"n" * 60_000 + b";",
    b"t" * 300_000,
    b"<!--" + b"c" * 300_000 + b"-->",
    b"<?" + b"c" * 300_000 + b"?>",
    b"<" * 10_000,
    b"&" * 10_000,
    b"]" * 10_000,
    b'"' * 10_001,
    b"'" * 10_001,
    b"<![CDATA[" * 1000,
    b"<!--" * 1000,
    b"<x" * 1000,
    b"<x a='" * 1000,
)
"""What may stand anywhere and break anything behind it."""


@dataclass(frozen=True)
class HandMade:
    """A document made for one attack, and what is to become of it."""

    name: str
    data: bytes
    loaded: tuple[int, ...]
    """Ids of the records that load: no others do."""
    reasons: tuple[str, ...] = ()
    """Of the rejects, in order."""
    problem: str = ""
    """A part of what is said about a document that is broken as a whole."""


def _items(*records: bytes, prolog: str = "") -> bytes:
    return prolog.encode() + b"<items>" + b"".join(records) + b"</items>"


def _item(number: int, content: bytes = b"") -> bytes:
    return b"<item id='%d'>%s</item>" % (number, content)


def hand_made() -> Iterator[HandMade]:
    """Documents that people have attacked parsers with."""
    one, three = _item(1), _item(3)

    def between(name: str, content: bytes, reason: str, prolog: str = "") -> HandMade:
        loaded, reasons = ((1, 3), (reason,)) if reason else ((1, 2, 3), ())
        return HandMade(name, _items(one, _item(2, content), three, prolog=prolog), loaded, reasons)

    def declaring(declarations: str) -> str:
        return f"<!DOCTYPE items [{declarations}]>"

    lol = "<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 13))
    external = "<!ENTITY e SYSTEM 'file:///etc/passwd'>"
    for name, said in (("", "is empty"), (" \n\t ", "white space"), ("\ufeff", "is empty")):
        yield HandMade(f"nothing but {name!r}", name.encode(), (), problem=said)
    yield HandMade("gzip of nothing", _gzip(b""), (), problem="empty")
    yield HandMade("gzip of gzip", _gzip(_gzip(_items(one))), (), problem="XML")
    yield HandMade("gzip, then junk", _gzip(_items(one)) + b"junk", (1,), problem="something else follows")
    yield HandMade("two gzip members", _gzip(_items(one)[:9]) + _gzip(_items(one)[9:]), (1,))
    yield HandMade("gzip's mark and junk", b"\x1f\x8b" + b"\x08junk" * 50, (), problem="gzip")
    yield HandMade("gzip bomb", _gzip(_items(one, b"\n" * 30_000_000, three)), (1, 3))
    yield HandMade("junk", random.Random(1).randbytes(5000), (), problem="XML")
    yield HandMade("zeros", bytes(5000), (), problem="XML")
    yield HandMade("two roots", _items(one) + _items(three), (1,), problem="behind the end of the root")
    yield HandMade("text behind the root", _items(one) + b"text", (1,), problem="outside of the root")
    yield between("billion laughs", b"<name>&l12;</name>", "entity_limit", declaring(lol))
    yield between("billion laughs in an attribute", b"<name a='&l12;'/>", "entity_limit", declaring(lol))
    yield between(
        "quadratic blowup",
        b"<name>" + b"&a;" * 900 + b"</name>",
        "entity_limit",
        declaring(f"<!ENTITY a '{'a' * 9000}'>"),
    )
    yield between("circle", b"&a;", "entity_limit", declaring("<!ENTITY a '&b;'><!ENTITY b '&a;'>"))
    yield between("itself", b"&a;", "entity_limit", declaring("<!ENTITY a '&a;'>"))
    yield between("external entity", b"<name>&e;</name>", "undefined_entity", declaring(external))
    yield between("external entity in an attribute", b"<name a='&e;'/>", "undefined_entity", declaring(external))
    yield between("external entity within one", b"&f;", "undefined_entity", declaring(f"{external}<!ENTITY f '&e;'>"))
    yield between(
        "parameter entities",
        b"<name>&leak;</name>",
        "undefined_entity",
        declaring("<!ENTITY % f SYSTEM 'file:///etc/passwd'><!ENTITY % d \"<!ENTITY leak '%f;'>\"> %d;"),
    )
    yield between("external DTD", b"&x;", "undefined_entity", "<!DOCTYPE items SYSTEM 'file:///etc/passwd'>")
    yield between("unparsed entity", b"&g;", "undefined_entity", declaring("<!ENTITY g SYSTEM 'x' NDATA y>"))
    yield between("entity with half an element", b"&h;", "malformed", declaring("<!ENTITY h '<name>'>"))
    yield between("XInclude", b"<i:include xmlns:i='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>", "")
    yield between("style sheet", b"", "", "<?xml-stylesheet type='text/xsl' href='file:///etc/passwd'?>")
    yield between("deep", b"<a>" * 998 + b"</a>" * 998, "")
    yield between("too deep", b"<a>" * 999 + b"</a>" * 999, "too_deep")
    yield between("very deep", b"<a>" * 100_000 + b"</a>" * 100_000, "too_deep")
    yield between("very deep, not closed", b"<a>" * 100_000, "too_deep")
    yield between("attributes", b"<a " + b" ".join(b"a%d=''" % n for n in range(10_000)) + b"/>", "")
    yield between(
        "too many attributes", b"<a " + b" ".join(b"a%d=''" % n for n in range(100_000)) + b"/>", "too_many_attributes"
    )
    yield between("namespaces", b"<a " + b" ".join(b"xmlns:a%d='u'" % n for n in range(9000)) + b"/>", "")
    yield between("long text", b"<name>" + b"x" * 3_000_000 + b"</name>", "")
    yield between("long CDATA", b"<name><![CDATA[" + b"x" * 10_000_001 + b"]]></name>", "")
    yield between("long name", b"<" + b"n" * 100_000 + b"/>", "malformed")
    yield between("wide", b"<a/>" * 200_000, "")
    yield between("names", b"".join(b"<n%d/>" % n for n in range(50_000)), "")
    yield HandMade("comment not closed", _items(one, b"<!--", three), (1,), problem="comment")
    yield HandMade("CDATA not closed", _items(one, b"<![CDATA[", three), (1,), problem="CDATA")
    yield HandMade("instruction not closed", _items(one, b"<?x", three), (1,), problem="processing instruction")
    yield HandMade("doctype not closed", b"<!DOCTYPE items [" + _items(one), (), problem="document type")
    yield HandMade("only start tags", b"<items>" + b"<a>" * 100_000, (), problem="breaks off")
    yield HandMade("only end tags", b"</items>" * 1000, (), problem="stands where")
