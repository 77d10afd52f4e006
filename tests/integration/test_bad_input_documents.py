"""Documents that are not what they should be: what is good in them is loaded, the rest is named, nothing crashes."""

from __future__ import annotations

import gzip
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bad_input import MAPPING, Workplace, document, item, sentence


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Dear Sir or Madam,\n", id="text"),
        pytest.param(b'{"items": [{"id": 1}]}', id="json"),
        pytest.param(b"id,name\n1,a\n", id="csv"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, id="png"),
        pytest.param(b"\0" * 5000, id="zeros"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", id="pdf"),
        pytest.param(b'items\n<item id="1"><name>a</name></item>', id="text before the root"),
    ],
)
def test_what_is_not_xml_is_named(place: Workplace, content: bytes) -> None:
    result = place.load(content)
    assert result.code == 1
    message = sentence(result)
    assert "items.xml" in message
    assert "XML" in message
    assert place.ids == []


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_source_is_named(place: Workplace, content: bytes) -> None:
    result = place.load(content)
    assert result.code == 1
    message = sentence(result)
    assert "items.xml" in message
    assert "empty" in message
    assert place.ids == []


def test_an_unknown_encoding_is_named(place: Workplace) -> None:
    result = place.load(document(item(1), prolog=b'<?xml version="1.0" encoding="x-klingon"?>\n'))
    assert result.code == 1
    assert "x-klingon" in sentence(result)
    assert place.ids == []


def test_a_prolog_alone_has_no_records(place: Workplace) -> None:
    result = place.load(b'<?xml version="1.0"?>\n<!-- nothing here -->\n')
    assert result.code == 1
    assert "items.xml" in sentence(result)


def test_records_before_the_break_are_loaded_and_the_break_has_a_position(place: Workplace) -> None:
    whole = document(*(item(number) for number in range(1, 1001)))
    cut = whole.index(b'<item id="701">') + 20
    result = place.load(whole[:cut])
    assert result.code == 1
    message = sentence(result)
    assert "items.xml" in message
    assert "line 702" in message
    assert place.ids == list(range(1, 701))


def test_a_document_that_ends_between_records_is_broken_too(place: Workplace) -> None:
    result = place.load(b"<items>\n" + item(1) + item(2))
    assert result.code == 1
    message = sentence(result)
    assert "line 4" in message
    assert "items" in message
    assert place.ids == [1, 2]


def test_the_end_tag_of_another_element_is_a_break(place: Workplace) -> None:
    result = place.load(b"<items>\n" + item(1) + b"</itens>\n" + item(2))
    assert result.code == 1
    assert "line 3" in sentence(result)
    assert place.ids == [1]


def test_a_truncated_gzip_loads_what_it_still_gives(place: Workplace) -> None:
    # Records that do not compress away, so that half of the file is about half of the records.
    whole = document(*(item(number, b"%032x" % hash((number, "x"))) for number in range(1, 5001)))
    packed = gzip.compress(whole)
    result = place.load(packed[: len(packed) // 2])
    assert result.code == 1
    message = sentence(result)
    assert "items.xml" in message
    assert "byte" in message or "line" in message
    assert len(place.ids) > 1000
    assert place.ids == list(range(1, len(place.ids) + 1))


def test_a_corrupt_gzip_is_named(place: Workplace) -> None:
    packed = bytearray(gzip.compress(document(*(item(number) for number in range(1, 5001)))))
    packed[-8] ^= 0xFF  # its checksum
    result = place.load(bytes(packed))
    assert result.code == 1
    assert "items.xml" in sentence(result)
    assert place.ids == list(range(1, len(place.ids) + 1))


def test_a_mapping_that_matches_nothing_says_so(place: Workplace) -> None:
    result = place.load(b"<products><item id='1'/></products>")
    assert result.code == 1
    message = sentence(result)
    assert "/items/item" in message
    assert place.ids == []
    again = place.load()
    assert again.code == 1
    assert "/items/item" in sentence(again)


def test_a_mapping_that_matched_nothing_can_be_put_right(place: Workplace) -> None:
    assert place.load(b"<products><item id='1'/></products>").code == 1
    place.mapping.write_text(MAPPING.replace("/items/item", "/products/item"))
    result = place.load()
    assert result.code == 0, result.err
    assert place.ids == [1]


def test_a_mapping_that_rejected_everything_can_be_put_right(place: Workplace) -> None:
    assert place.load(document(b"<item id='one' number='1'/>", b"<item id='two' number='2'/>")).code == 3
    assert len(place.rejects) == 2
    place.mapping.write_text(MAPPING.replace('"@id"', '"@number"'))
    result = place.load()
    assert result.code == 0, result.err
    assert place.ids == [1, 2]
    assert place.rejects == []


_BAD_RECORDS = {
    "NUL": (b'<item id="2"><name>a\x00b</name></item>', "malformed"),
    "control character": (b'<item id="2"><name>a\x01b</name></item>', "malformed"),
    "reference to NUL": (b'<item id="2"><name>a&#0;b</name></item>', "malformed"),
    "reference to a control character": (b'<item id="2"><name>a&#x1;b</name></item>', "malformed"),
    "invalid UTF-8": (b'<item id="2"><name>a\xff\xfeb</name></item>', "malformed"),
    "cut UTF-8": (b'<item id="2"><name>a\xe2\x82</name></item>', "malformed"),
    "surrogate in UTF-8": (b'<item id="2"><name>a\xed\xa0\x80</name></item>', "malformed"),
    "overlong UTF-8": (b'<item id="2"><name>a\xc0\xbcb</name></item>', "malformed"),
    "undefined entity": (b'<item id="2"><name>a&nbsp;b</name></item>', "undefined_entity"),
    "bare ampersand": (b'<item id="2"><name>a & b</name></item>', "malformed"),
    "child not closed": (b'<item id="2"><name>a</item>', "malformed"),
    "child closed as another": (b'<item id="2"><name>a</nam></item>', "malformed"),
    "attribute twice": (b'<item id="2" id="3"><name>a</name></item>', "malformed"),
    "attribute without quotes": (b"<item id=2><name>a</name></item>", "malformed"),
    "no key": (b"<item><name>a</name></item>", "missing_value"),
    "word for a number": (b'<item id="two"><name>a</name></item>', "bad_value"),
    "digits of another script": ('<item id="\u0662"><name>a</name></item>'.encode(), "bad_value"),
    "number out of range": (b'<item id="99999999999"><name>a</name></item>', "out_of_range"),
}


@pytest.mark.parametrize(("bad", "reason"), _BAD_RECORDS.values(), ids=_BAD_RECORDS)
def test_a_bad_record_is_rejected_and_its_neighbours_load(place: Workplace, bad: bytes, reason: str) -> None:
    result = place.load(document(item(1), bad + b"\n", item(3)))
    assert result.code == 3
    assert "Traceback" not in result.out + result.err
    assert place.ids == [1, 3]
    assert place.rejects == [(2, reason)]
    [(line, offset, raw, message)] = place.query("SELECT line, byte_offset, raw, message FROM etl_reject")
    assert (line, offset) == (3, len(b"<items>\n" + item(1)))
    assert bytes(raw) == bad
    assert "\n" not in message.strip()


def _giant_text(size: int) -> bytes:
    return b'<item id="2"><name>' + b"x" * size + b"</name></item>\n"


def _giant_children(size: int) -> bytes:
    return b'<item id="2">' + b"<child>some text</child>" * (size // 24) + b"</item>\n"


def _giant_attribute(size: int) -> bytes:
    return b'<item id="2" name="' + b"x" * size + b'"/>\n'


def _giant_comment(size: int) -> bytes:
    return b'<item id="2"><!-- ' + b"<item> " * (size // 7) + b"--></item>\n"


@pytest.mark.parametrize("giant", [_giant_text, _giant_children, _giant_attribute, _giant_comment])
def test_a_record_of_100_megabytes_is_streamed_past(place: Workplace, giant: object) -> None:
    assert callable(giant)
    limit = ("--set", "split.max_record_bytes=1MiB", "--set", "workers.kind=inline")
    without = place.load(document(item(1), item(2), item(3)), *limit, "--to", "sqlite:///small.db")
    assert without.code == 0
    result = place.load(document(item(1), giant(100_000_000), item(3)), *limit)
    assert result.code == 3
    assert place.ids == [1, 3]
    assert place.rejects == [(2, "too_large")]
    assert result.peak_memory < without.peak_memory + 24 * 2**20


def test_the_default_limit_keeps_a_giant_record_out(place: Workplace) -> None:
    result = place.load(document(item(1), _giant_text(100_000_000), item(3)))
    assert result.code == 3
    assert (place.ids, place.rejects) == ([1, 3], [(2, "too_large")])
    assert result.peak_memory < 300 * 2**20


@pytest.mark.parametrize("behind", [20, 2000], ids=["until the end", "until the limit"])
def test_an_unclosed_record_does_not_swallow_those_behind_it(place: Workplace, behind: int) -> None:
    numbers = range(3, 3 + behind)
    content = document(item(1), b'<item id="2"><name>never closed\n', *(item(number) for number in numbers))
    result = place.load(content, "--set", "split.max_record_bytes=32KiB")
    assert result.code == 3
    assert place.ids == [1, *numbers]
    assert place.rejects == [(2, "malformed")]


_LAUGHS = (
    b"<!DOCTYPE items [\n<!ENTITY a0 'ha'>\n"
    + b"".join(b"<!ENTITY a%d '%s'>\n" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]>\n"
)
_QUADRATIC = b"<!DOCTYPE items [<!ENTITY big '" + b"x" * 100_000 + b"'>]>\n"


@pytest.mark.parametrize(
    ("prolog", "name"),
    [
        pytest.param(_LAUGHS, b"&a9;", id="exponential"),
        pytest.param(_QUADRATIC, b"&big;" * 5000, id="quadratic"),
        pytest.param(b"<!DOCTYPE items [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>\n", b"&a;", id="recursive"),
    ],
)
@pytest.mark.parametrize("in_attribute", [False, True], ids=["in text", "in an attribute"])
def test_an_entity_bomb_is_one_reject(place: Workplace, prolog: bytes, name: bytes, in_attribute: bool) -> None:
    bomb = b'<item id="2" name="%s"/>\n' % name if in_attribute else item(2, name)
    result = place.load(document(item(1), bomb, item(3), prolog=prolog), "--set", "workers.kind=inline")
    assert result.code == 3
    assert place.ids == [1, 3]
    assert [number for number, _ in place.rejects] == [2]
    assert result.peak_memory < 250 * 2**20


def test_entities_of_the_document_are_values(place: Workplace) -> None:
    result = place.load(document(item(1, b"&co; &amp; sons"), prolog=b"<!DOCTYPE items [<!ENTITY co 'ACME'>]>\n"))
    assert result.code == 0
    assert place.query("SELECT name FROM item") == [("ACME & sons",)]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
        readable, _, _ = select.select([server], [], [], 0)
        assert not readable, "something connected"


def _url(listener: socket.socket) -> bytes:
    return b"http://127.0.0.1:%d/secret" % listener.getsockname()[1]


def test_an_external_entity_of_a_file_is_not_read(place: Workplace) -> None:
    secret = place.folder / "secret.txt"
    secret.write_text("the secret")
    prolog = b'<!DOCTYPE items [<!ENTITY x SYSTEM "%s">]>\n' % secret.as_uri().encode()
    result = place.load(document(item(1), item(2, b"a&x;b"), item(3), prolog=prolog))
    assert result.code == 3
    assert place.ids == [1, 3]
    assert [number for number, _ in place.rejects] == [2]
    assert b"the secret" not in place.database.read_bytes()


def test_an_external_entity_of_a_server_is_not_fetched(place: Workplace, listener: socket.socket) -> None:
    prolog = b'<!DOCTYPE items [<!ENTITY x SYSTEM "%s">]>\n' % _url(listener)
    result = place.load(document(item(1), item(2, b"a&x;b"), item(3), prolog=prolog))
    assert result.code == 3
    assert place.ids == [1, 3]


@pytest.mark.parametrize(
    "prolog",
    [
        pytest.param(b'<!DOCTYPE items SYSTEM "%s">\n', id="external subset"),
        pytest.param(b'<!DOCTYPE items PUBLIC "-//X//Y//EN" "%s" [<!ENTITY co "ACME">]>\n', id="both subsets"),
        pytest.param(b'<!DOCTYPE items [<!ENTITY %% p SYSTEM "%s"> %%p;]>\n', id="parameter entity"),
        pytest.param(b'<?xml-stylesheet href="%s"?>\n', id="style sheet"),
    ],
)
def test_nothing_a_prolog_names_is_fetched(place: Workplace, listener: socket.socket, prolog: bytes) -> None:
    result = place.load(document(item(1), item(2), prolog=prolog % _url(listener)))
    assert result.code == 0
    assert place.ids == [1, 2]
