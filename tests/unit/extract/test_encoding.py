"""Which encoding a document is in, and what becomes of it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import pytest
from lxml import etree

from etl.errors import SourceError
from etl.extract.encoding import to_utf8

BODY = "<r><e>Grüße, Ω? € 日本</e></r>"


def transcoded(data: bytes, chunk_bytes: int = 10**6) -> bytes:
    chunks = (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))
    return b"".join(to_utf8(chunks, "dump.xml"))


def declared(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}" standalone="yes"?>\n{BODY}'


def test_utf8_passes_untouched_however_it_is_broken() -> None:
    chunks = [b'<?xml version="1.0" encoding="UTF-8"?><r>', b"\xff\xc3", b"\xa9\x00" * 3000]
    passed = list(to_utf8(chunks, "dump.xml"))
    assert b"".join(passed) == b"".join(chunks)


def test_large_chunks_of_utf8_are_not_copied() -> None:
    chunks = [b"<r>" + b"x" * 10000, b"y" * 10000]
    passed = list(to_utf8(iter(chunks), "dump.xml"))
    assert passed[0] is chunks[0]
    assert passed[1] is chunks[1]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 10**6])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32-le", b""),
        ("utf-32-be", b""),
    ],
)
def test_unicode_by_mark_or_by_its_looks(encoding: str, mark: bytes, chunk_bytes: int) -> None:
    expected = declared("x").replace(' encoding="x"', "").encode()
    assert transcoded(mark + declared("utf-16").encode(encoding), chunk_bytes) == expected
    assert transcoded(mark + BODY.encode(encoding), chunk_bytes) == BODY.encode()


@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("Windows-1251", "cp1251"),
        ("koi8-r", "koi8-r"),
        ("US-ASCII", "ascii"),
        ("Shift_JIS", "shift_jis"),
        ("x-sjis", "cp932"),
        ("EUC-JP", "euc-jp"),
        ("GB18030", "gb18030"),
        ("Big5", "big5"),
        ("IBM037", "cp037"),
        ("ibm1140", "cp1140"),
    ],
)
def test_declared_encodings(name: str, codec: str, chunk_bytes: int) -> None:
    text = declared(name).encode(codec, "ignore")
    result = transcoded(text, chunk_bytes)
    assert result == text.decode(codec).replace(f' encoding="{name}"', "").encode()
    assert etree.fromstring(result).findtext("e") == etree.fromstring(
        BODY.encode(codec, "ignore").decode(codec)
    ).findtext("e")


def test_the_mark_outweighs_the_declaration() -> None:
    assert b"Gr\xc3\xbc" in transcoded(codecs.BOM_UTF8 + declared("ISO-8859-1").encode())


def test_a_declaration_of_utf16_in_a_document_that_is_not() -> None:
    assert transcoded(declared("UTF-16").encode()) == declared("x").replace(' encoding="x"', "").encode()


def test_single_quotes_and_white_space_in_the_declaration() -> None:
    data = b"\n<?xml version='1.0'\n encoding = 'latin1' ?><r>\xe9</r>"
    assert transcoded(data) == b"\n<?xml version='1.0' ?><r>\xc3\xa9</r>"


def test_encoding_elsewhere_is_no_declaration() -> None:
    data = b"<?xml version='1.0'?><?pi encoding='latin1'?><r encoding='latin1'>\xc3\xa9</r>"
    assert transcoded(data) == data


@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
def test_what_cannot_be_decoded_spoils_its_record_alone(chunk_bytes: int) -> None:
    data = declared("Shift_JIS").encode("shift_jis", "ignore").replace(b"</e>", b"\x81</e><e>next</e>")
    result = transcoded(data, chunk_bytes)
    assert result.endswith(b"\xff</e><e>next</e></r>")


def test_a_file_that_ends_within_a_character() -> None:
    assert transcoded("<r/>".encode("utf-16-le") + b"\x0a") == b"<r/>\xff"


@pytest.mark.parametrize("name", ["klingon", "hex", "rot13", "idna", "unicode_escape", "undefined", "", "a\0b"])
def test_unknown_encodings_are_named(name: str) -> None:
    with pytest.raises(SourceError, match=r"^dump\.xml declares the encoding '.*', which is not known here; convert"):
        transcoded(declared(name).encode())


def test_transcoding_is_a_stream() -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        yield b"<?xml version='1.0' encoding='latin1'?><r>" + b" " * 5000
        for number in range(3):
            taken.append(number)
            yield b"\xe9"

    stream = to_utf8(chunks(), "dump.xml")
    next(stream)
    assert next(stream) == b"\xc3\xa9"
    assert taken == [0]


def test_what_came_before_a_source_breaks_off_is_handed_on_however_little_it_is() -> None:
    def chunks() -> Iterator[bytes]:
        yield "<a>\N{EURO SIGN}".encode("utf-16")
        raise SourceError("it breaks off")

    read: list[bytes] = []
    with pytest.raises(SourceError, match="it breaks off"):
        read.extend(to_utf8(chunks(), "a.xml"))
    assert b"".join(read) == "<a>\N{EURO SIGN}".encode()
