"""What a DTD and parameter entities declare, flat: the same as libxml2 makes of them where it may read the file."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from etl.entities import Entities
from etl.errors import SettingsError
from etl.extract.doctype import given_dtd, parse_doctype
from etl.extract.dtd import Dtd, IllFormed, read_dtd


class Given(etree.Resolver):
    """The DTD where one is asked for."""

    def __init__(self, dtd: bytes) -> None:
        self.dtd = dtd

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # type: ignore[override]
        return self.resolve_string(self.dtd if system_url == "given" else b"", context, base_url="given")


def by_libxml2(dtd: bytes, internal: bytes, content: bytes) -> bytes:
    parser = etree.XMLParser(load_dtd=True, attribute_defaults=True, resolve_entities=True, no_network=True)
    parser.resolvers.add(Given(dtd))
    doctype = b"<!DOCTYPE r SYSTEM 'given' [" + internal + b"]>"
    return etree.tostring(etree.fromstring(doctype + content, parser), method="c14n")


def by_us(dtd: bytes, internal: bytes, content: bytes) -> bytes:
    doctype = parse_doctype(b"<!DOCTYPE r SYSTEM 'r.dtd' [" + internal + b"]>", Dtd(dtd))
    assert doctype is not None
    assert b"r.dtd" not in doctype.subset
    assert doctype.system == b"r.dtd"
    parser = etree.XMLParser(attribute_defaults=True, resolve_entities="internal")  # type: ignore[arg-type]
    return etree.tostring(etree.fromstring(doctype.subset + content, parser), method="c14n")


CASES = {
    "characters": (b"<!ENTITY auml '&#228;'><!ENTITY euro '&#x20AC;'>", b"", b"<r a='&auml;'>&auml;&euro;</r>"),
    "encoding": (b"<?xml version='1.0' encoding='ISO-8859-1'?><!ENTITY u '\xfc'>", b"", b"<r>&u;</r>"),
    "UTF-16": ("<!ENTITY u 'ü'>".encode("utf-16"), b"", b"<r>&u;</r>"),
    "nested": (b"<!ENTITY b 'b&c;b'><!ENTITY a 'a&b;&b;'><!ENTITY c '&#99;'>", b"", b"<r a='&a;'>&a;</r>"),
    "escapes": (
        b"<!ENTITY lt2 '&#38;#60;'><!ENTITY amp2 '&#38;#38;'><!ENTITY all '&lt2;&amp2;&lt;&amp;&quot;&#34;&#39;&#37;'>",
        b"",
        b"<r a='&all;'>&all;</r>",
    ),
    "white space": (b"<!ENTITY w ' \t\n&#9;&#10;&#13;&#38;#9; x'>", b"", b"<r a='&w;'>&w;</r>"),
    "line ends": (b"<!ENTITY w 'a\r\nb\rc'>\r\n", b"", b"<r>&w;</r>"),
    "markup": (b"<!ENTITY m '<b>x</b>&n;'><!ENTITY n '<c d=\"&#38;#34;\"/>'>", b"", b"<r>&m;</r>"),
    "internal first": (b"<!ENTITY a 'theirs'><!ENTITY b 'b'>", b"<!ENTITY a 'ours'>", b"<r>&a;&b;</r>"),
    "first": (b"<!ENTITY a 'first'><!ENTITY a 'second'>", b"", b"<r>&a;</r>"),
    "own five": (b"<!ENTITY lt '&#38;#60;'><!ENTITY amp '&#38;#38;'><!ENTITY gt '>'>", b"", b"<r>&lt;&amp;&gt;</r>"),
    "names": ("<!ENTITY ü 'x'><!ENTITY a.b-c '_'>".encode(), b"", "<r>&ü;&a.b-c;</r>".encode()),
    "parameter entities": (
        b"<!ENTITY % v 'value'><!ENTITY % d '<!ENTITY e \"[&#37;v;]\">'> %d; <!ENTITY f '(%v;)'>",
        b"",
        b"<r>&e;&f;</r>",
    ),
    "parameter entities of the document win": (
        b"<!ENTITY % v 'theirs'><!ENTITY e '%v;'>",
        b"<!ENTITY % v 'ours'>",
        b"<r>&e;</r>",
    ),
    "conditional sections": (
        b"<!ENTITY % draft 'IGNORE'><![%draft;[<!ENTITY e 'draft'>]]><![INCLUDE[<!ENTITY f 'f'>]]><!ENTITY e 'final'>",
        b"<!ENTITY % draft 'INCLUDE'>",
        b"<r>&e;&f;</r>",
    ),
    "attributes": (
        b"<!ELEMENT r ANY><!ATTLIST r a CDATA 'x &amp; &#60; &quot;&#10;\n' b NMTOKENS ' 1  2 ' c (u|v) 'v'"
        b" d CDATA #IMPLIED e CDATA #FIXED 'e'><!ATTLIST r a CDATA 'no'>",
        b"",
        b"<r/>",
    ),
    "attributes with entities": (b"<!ENTITY e '&#228;&amp;'><!ATTLIST r a CDATA '[&e;]'>", b"", b"<r/>"),
    "attributes by type": (b"<!ATTLIST r a ID #IMPLIED b NMTOKEN #REQUIRED>", b"", b"<r a=' i ' b=' n '/>"),
    "attributes of the document first": (
        b"<!ATTLIST r a CDATA 'theirs' b CDATA 'b'>",
        b"<!ATTLIST r a CDATA 'ours'>",
        b"<r/>",
    ),
    "namespaces": (b"<!ATTLIST r xmlns CDATA #FIXED 'urn:r' xmlns:p CDATA 'urn:p'>", b"", b"<r><p:x/></r>"),
    "attribute lists from parameter entities": (
        b"<!ENTITY % common \"id ID #IMPLIED lang CDATA 'en'\"><!ATTLIST r %common; own CDATA 'x'>",
        b"",
        b"<r/>",
    ),
    "comments and instructions": (b"<!-- <!ENTITY a 'x'> --><?p <!ENTITY a 'y'> ?><!ENTITY a 'z'>", b"", b"<r>&a;</r>"),
}


@pytest.mark.parametrize("case", CASES)
def test_flat_is_the_same_as_libxml2_makes_of_the_file(case: str) -> None:
    assert by_us(*CASES[case]) == by_libxml2(*CASES[case])


def test_parameter_entities_of_the_internal_subset_are_followed() -> None:
    internal = b"<!ENTITY % d '<!ENTITY e \"&#38;#228;\"><!ATTLIST r k CDATA \"7\">'> %d; <!ENTITY f '&e;'>"
    doctype = parse_doctype(b"<!DOCTYPE r [" + internal + b"]>")
    assert doctype is not None
    root = etree.fromstring(doctype.subset + b"<r>&f;</r>", etree.XMLParser(attribute_defaults=True))
    assert (root.text, dict(root.attrib)) == ("ä", {"k": "7"})


@pytest.mark.parametrize(
    "internal",
    [
        b"<!ENTITY % a '%b;'><!ENTITY % b '%a;'> %a;",
        b"<!ENTITY % a '<!ENTITY e \"x\"'> %a;",
        b"".join(
            b"<!ENTITY %% l%d '%s'>" % (n, b"&#37;l%d;" % (n - 1) * 10 if n else b"<!-- lol -->") for n in range(13)
        )
        + b"%l12;",
    ],
    ids=["circle", "half a declaration", "bomb"],
)
def test_of_an_internal_subset_that_cannot_be_followed_the_rest_is_kept(internal: bytes) -> None:
    doctype = parse_doctype(b"<!DOCTYPE r [<!ENTITY k 'kept'>" + internal + b"]>")
    assert doctype is not None
    assert doctype.subset == b"<!DOCTYPE r [<!ENTITY k 'kept'>]>"


def test_what_says_nothing_about_records_is_left_out() -> None:
    dtd = Dtd(
        b"<!ELEMENT r (a|b)*><!ATTLIST r a CDATA #IMPLIED b CDATA #REQUIRED><!NOTATION n SYSTEM 'x'><!ENTITY % p 'q'>"
        b"<!ENTITY e 'x'><!ENTITY % no SYSTEM 'file:///etc/passwd'><!ENTITY no SYSTEM 'file:///etc/passwd'>"
    )
    assert dtd.alone.declarations == b'<!ENTITY e "x">'
    assert dtd.alone.elsewhere == {b"no"}
    assert dtd.alone.unread == ()


def test_files_that_a_dtd_takes_in_are_not_opened_but_named(tmp_path: Path) -> None:
    beside, file = tmp_path / "more.ent", tmp_path / "a.dtd"
    beside.write_text("<!ENTITY more 'x'>")
    file.write_text("<!ENTITY % m SYSTEM 'more.ent'> %m; %m;\n<!ENTITY after 'y'><!ATTLIST r k CDATA 'z'>")
    said: list[str] = []
    dtd = given_dtd(file, said.append)
    assert dtd is not None
    assert dtd.alone.declarations == b'<!ENTITY after "y"><!ATTLIST r k CDATA "z">'
    (sentence,) = said
    assert sentence.startswith(f"{file} takes in more.ent, which is not read")


def test_entities_that_hold_elements_or_stand_for_files() -> None:
    doctype = parse_doctype(
        b"<!DOCTYPE r [<!ENTITY m '<b/>'><!ENTITY n 'x&m;'><!ENTITY f SYSTEM 'f.xml'><!ENTITY t '&#38;#60;'>]>",
        Dtd(b"<!ENTITY o '&n;'><!ENTITY p SYSTEM 'p.xml'><!ENTITY q '&t;'>"),
    )
    assert doctype is not None
    assert doctype.elements == {b"m", b"n", b"o", b"f", b"p"}


def laughs(opening: bytes, reference: bytes) -> bytes:
    """Each of the entities l1 to l12 makes ten of the one before."""
    made = (b"<!ENTITY %sl%d '%s'>" % (opening, n, (b"%sl%d;" % (reference, n - 1)) * 10) for n in range(1, 13))
    return b"<!ENTITY %sl0 'lol'>" % opening + b"".join(made)


_BOMB = "(what it declares makes more than 2,097,152 bytes|limit on input amplification)"
BAD = {
    "not a declaration": (b"\n\n<html>x</html>", r"line 3: syntax error\. Expected are declarations of a DTD"),
    "text": (b"just text", "line 1: syntax error"),
    "zeros": (bytes(500), "line 1: not well-formed"),
    "compressed": (b"\x1f\x8b\x08\0abc", "line 1: not well-formed"),
    "half": (b"<!ELEMENT a ANY>\n<!ENTITY b 'x", "line 2: unclosed token"),
    "encoding": (b"<?xml version='1.0' encoding='shift_jis'?><!ENTITY a 'x'>", "an encoding that Expat does not know"),
    "no encoding": (b"<?xml version='1.0' encoding='nope'?><!ENTITY a 'x'>", "encoding"),
    "bytes of another encoding": (b"<!ENTITY a 'x'>\n<!ENTITY u '\xfc'>", "line 2: not well-formed"),
    "empty": (b" \n", "is empty"),
    "too large": (b"<!-- " + b"x" * 2**20 + b" -->", "has more than 1,048,576 bytes"),
    "circle": (b"<!ENTITY % a '&#37;a;'>\n%a;", "line 2: recursive entity reference"),
    "laughs": (b"\n" + laughs(b"", b"&"), "line 2: the entity l6 makes more than 1,000,000 bytes"),
    "parameter laughs": (laughs(b"% ", b"&#37;") + b"<!ENTITY e '%l12;'>", f"line 1: {_BOMB}"),
    "quadratic": (b"<!ENTITY % a '" + b" " * 50_000 + b"'>" + b"%a; " * 10_000, f"line 1: {_BOMB}"),
    "quadratic, of text": (
        b"<!ENTITY % a '" + b"a" * 50_000 + b"'>" + b"".join(b"<!ENTITY x%d '%%a;'>" % n for n in range(10_000)),
        f"line 1: {_BOMB}",
    ),
    "laughs in a default": (laughs(b"", b"&") + b"<!ATTLIST r a CDATA '&l12;'>", "limit on input amplification"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_dtd_is_told_in_a_sentence(case: str, tmp_path: Path) -> None:
    data, words = BAD[case]
    file = tmp_path / "bad.dtd"
    file.write_bytes(data)
    with pytest.raises(SettingsError, match=words) as caught:
        read_dtd(file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(file))


@pytest.mark.timeout(10)
def test_files_that_are_none(tmp_path: Path) -> None:
    for file, words in (
        (tmp_path, "Is a directory"),
        (tmp_path / "nope.dtd", "There is no DTD"),
        (Path("/dev/zero"), "has more than"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=words):
            read_dtd(file)
    assert given_dtd(None, print) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "a.dtd"
    file.touch(mode=0)
    with pytest.raises(SettingsError, match="Permission denied"):
        read_dtd(file)


@pytest.mark.parametrize("case", [case for case in BAD if "laughs" in case or "quadratic" in case])
def test_a_bomb_takes_little_memory(case: str) -> None:
    tracemalloc.start()
    try:
        with suppress(IllFormed):
            Entities(Dtd(BAD[case][0]).alone.declarations).make_more(b"&l5;", 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.skipif(os.name != "posix", reason="named pipes are files on POSIX alone")
def test_a_pipe_is_no_dtd(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.dtd"
    os.mkfifo(pipe)
    with pytest.raises(SettingsError, match=r"pipe\.dtd cannot be read: it is a pipe"):
        read_dtd(pipe)
