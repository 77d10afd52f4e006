"""The compiled splitter against the one in Python: the same parts and the same sentences, whatever the bytes are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import native
from etl.errors import SourceError
from etl.extract import plain, tile, window
from etl.extract.source import expand, open_source
from etl.extract.splitter import Splitter
from etl.mapping.paths import parse_record_path
from etl.messages import Part
from tests.property.documents import Document, documents

pytestmark = pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())

PIECES = [
    *(
        b"<e>",
        b"</e>",
        b"<e/>",
        b"<e a='1'>",
        b'<e a="<">',
        b"<e xmlns='urn:x'>",
        b"<e xmlns:p='u' p:a=''/>",
        b"<e",
        b"</e",
    ),
    *(
        b"<f>",
        b"</f>",
        b"<f/>",
        b"<f b='>'>x</f>",
        b"<ee>",
        b"</ee>",
        b"<p:e>",
        b"</p:e>",
        b"</e\n>",
        b"</e/>",
        b"<e\x0b/>",
    ),
    *(b"<s>", b"</s>", b"<s/>", b"<s xmlns='urn:x'/>", b"<s><s/></s>", b"<e='1'>", b"</r>", b"<r>"),
    *(b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?p", b"?>", b"<!-->", b"<?>", b"<!", b"<![", b"<!DOCTYPE"),
    *(
        b'"',
        b"'",
        b"<",
        b">",
        b"/",
        b"/>",
        b"=",
        b"&",
        b"&amp;",
        b"\n",
        b" ",
        b"\t",
        b"\0",
        b"x",
        b"xmlns",
        b"\xc3\xa9",
        b"\xff",
    ),
]
WHOLE = [
    b"<e>1</e>",
    b"<!-- <e> -->",
    b"<?x ?>",
    b"<e a='x'/>",
    b"<f><e/>2</f>",
    b"<e><e>3</e><!-- </e> --></e>",
    b'<f a="\'"><?x </f>?></f>\n',
]
PATHS = st.sampled_from([["/r/e"], ["/r/e", "/r/f"], ["/*/e"], ["//e"], ["/r/*"], ["/r/e[@a='1']"], ["/r/s/e", "/r/f"]])
SIZES = st.one_of(st.integers(1, 60), st.just(10**6))
RELAXED = settings(deadline=None, max_examples=500)


def outcome(
    data: bytes,
    paths: Sequence[str],
    compiled: bool,
    split_bytes: int = 10**6,
    chunk_bytes: int = 10**6,
    longest: int = 10**6,
    cut_at: Sequence[int] = (),
    limit: int | None = None,
    split_records: int | None = None,
    gap: int = tile.MAX_GAP_BYTES,
) -> tuple[list[Part], str]:
    """The parts of the document, and what is said in the end."""
    splitter = Splitter([parse_record_path(path, {}) for path in paths], split_bytes, longest, split_records)
    chunks = (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))
    parts: list[Part] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.SWITCH, "1" if compiled else "0")
        patch.setattr(window, "MIN_READ", 1)
        for module in (plain, tile):
            patch.setattr(module, "MAX_GAP_BYTES", gap)
        try:
            parts.extend(splitter.split(chunks, 3, "dump.xml", cut_at, limit))
        except SourceError as error:
            return parts, str(error)
    return parts, ""


def soup(pieces: Sequence[bytes]) -> bytes:
    return b"<r>" + b"".join(pieces) + b"</r>"


@RELAXED
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(WHOLE)), max_size=40),
    PATHS,
    SIZES,
    SIZES,
    st.one_of(st.integers(4, 60), st.just(10**6)),
    st.one_of(st.none(), st.integers(1, 4)),
    st.one_of(st.none(), st.integers(1, 4)),
    st.one_of(st.integers(0, 30), st.just(tile.MAX_GAP_BYTES)),
)
def test_of_any_bytes(
    pieces: list[bytes],
    paths: list[str],
    split_bytes: int,
    chunk_bytes: int,
    longest: int,
    limit: int | None,
    split_records: int | None,
    gap: int,
) -> None:
    data = soup(pieces)
    one = outcome(data, paths, True, split_bytes, chunk_bytes, longest, (), limit, split_records, gap)
    assert one == outcome(data, paths, False, split_bytes, chunk_bytes, longest, (), limit, split_records, gap)
    edges = [part.end for part in one[0]][::2]
    one = outcome(data, paths, True, 7, chunk_bytes, longest, edges)
    assert one == outcome(data, paths, False, 7, chunk_bytes, longest, edges)


@RELAXED
@given(documents(), SIZES, SIZES, st.data())
def test_of_documents_and_damaged_ones(
    document: Document, split_bytes: int, chunk_bytes: int, data: st.DataObject
) -> None:
    text = document.data
    paths = [path for path in document.paths if ":" not in path] or ["/*/*"]
    assert outcome(text, paths, True, split_bytes, chunk_bytes) == outcome(text, paths, False, split_bytes, chunk_bytes)
    at = data.draw(st.integers(0, len(text)))
    broken = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + data.draw(st.integers(0, 5)) :]
    assert outcome(broken, paths, True, split_bytes) == outcome(broken, paths, False, split_bytes)


def test_of_a_document_cut_off_anywhere() -> None:
    data = soup([*WHOLE, b"<!-- <e> -->", *WHOLE, b"<s><e>4</e></s>", *WHOLE])
    for end in range(len(data)):
        assert outcome(data[:end], ["/r/e", "/r/f"], True, 20) == outcome(data[:end], ["/r/e", "/r/f"], False, 20)


REAL = {
    "discogs/discogs_20200806_releases.xml.gz": ["/releases/release"],
    "osm/andorra.osm.gz": ["/osm/node", "/osm/way", "/osm/relation"],
    "pubmed/pubmed20n0014.xml.gz": ["/PubmedArticleSet/PubmedArticle"],
    "mediawiki/enwiki-pages-articles-shortened.xml.bz2": ["/*/*"],
    "dblp/dblp_demo.xml": ["/dblp/article", "/dblp/book", "/dblp/www"],
    "stackexchange/Posts.xml.gz": ["/*/row"],
}


def _damaged(text: bytes, random: Random) -> bytes:
    spoilt = bytearray(text)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(spoilt))
        spoilt[at : at + random.randint(0, 3)] = random.choice(PIECES)
    return bytes(spoilt)


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_of_real_dumps_and_damaged_ones(real_data: Path, name: str) -> None:
    (source,) = expand([str(real_data / name)])
    with open_source(source) as reader:
        whole = b"".join(itertools.islice(reader, 4))
    for text in _texts(whole):
        one = outcome(text, REAL[name], True, 20_000, 70_001)
        assert one == outcome(text, REAL[name], False, 20_000, 70_001)


def _texts(whole: bytes) -> Iterator[bytes]:
    yield whole
    random = Random(whole[:100])
    for _ in range(30):
        start = len(whole[:2000])
        yield whole[:start] + _damaged(whole[start : random.randint(start + 1, 60_000)], random)
