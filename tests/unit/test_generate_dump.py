"""The generator: same arguments, same bytes; clean dumps are XML, dirty ones hold every kind of dirt."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

import etl
from env_prep import generate_dump

SAMPLE = Path(generate_dump.__file__).parent / "sample"


def make(kind: str, size: int | None = None, seed: int = 1) -> bytes:
    pieces: list[bytes] = []
    generate_dump.write_dump(kind, pieces.append, size=size, seed=seed)
    return b"".join(pieces)


def elements(document: bytes) -> Counter[str]:
    root = etree.fromstring(document, etree.XMLParser(no_network=True))
    return Counter(str(element.tag) for element in root.iter(etree.Element))


@pytest.mark.parametrize("kind", ["catalog", "catalog-dirty"])
def test_committed_samples_are_what_the_generator_makes(kind: str, tmp_path: Path) -> None:
    committed = (SAMPLE / f"{kind}.xml.gz").read_bytes()
    assert len(committed) < 100_000
    assert gzip.decompress(committed) == make(kind)
    again = tmp_path / "again.xml.gz"
    assert generate_dump.main([kind, "--output", str(again)]) == 0
    # Not the compressed bytes: another zlib may find other matches. The header holds neither a time nor a name.
    assert again.read_bytes()[:8] == committed[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    assert gzip.decompress(again.read_bytes()) == gzip.decompress(committed)


@pytest.mark.parametrize("kind", generate_dump.KINDS)
def test_seed_decides(kind: str) -> None:
    assert make(kind, 50_000, seed=7) == make(kind, 50_000, seed=7)
    assert make(kind, 50_000, seed=7) != make(kind, 50_000, seed=8)


@pytest.mark.parametrize("kind", generate_dump.KINDS)
def test_size_is_reached_by_the_last_record(kind: str) -> None:
    for size in (30_000, 1_500_000):
        assert size <= len(make(kind, size)) < size + 20_000


def test_catalog_is_rich() -> None:
    document = make("catalog")
    found = elements(document)
    assert found["release"] > 200
    assert found["label"] > 5
    assert min(found[name] for name in ("artist", "track", "sub_tracks", "genre", "notes", "released", "price")) > 50
    for wanted in (
        b"<![CDATA[",
        b"&house;",
        b"&#9834;",
        b"<!-- no notes",
        "山田".encode(),
        "🌊".encode(),
        b"</release> -->",
    ):
        assert wanted in document


def test_nested_rows_and_elements_have_the_promised_density() -> None:
    document = make("nested", 2_000_000)
    found = elements(document)
    kilobytes = len(document) / 1000
    assert 30 < sum(found.values()) / kilobytes < 40
    root = etree.fromstring(document)
    rows = found["release"] + found["label"] + found["track"]
    rows += len(root.findall("release/artists/artist")) + len(root.findall(".//track/artists/artist"))
    assert 5 < rows / kilobytes < 6
    ids = [release.get("id") for release in root]
    assert len(set(ids)) == len(ids)


def test_flat_has_escaped_html_in_attributes() -> None:
    document = make("flat", 500_000)
    rows = etree.fromstring(document).findall("row")
    assert document.startswith(b"\xef\xbb\xbf<?xml")
    assert b"&#xA;" in document
    bodies = {row.get("Body", "") for row in rows}
    assert any("<p>" in body and "\n" in body for body in bodies)
    assert {row.get("PostTypeId") for row in rows} == {"1", "2"}
    assert len({row.get("Id") for row in rows}) == len(rows)


def test_wide_paths_has_ten_thousand_and_one() -> None:
    tree = etree.fromstring(make("wide-paths", 600_000)).getroottree()
    paths = {re.sub(r"\[\d+\]", "", tree.getpath(element)) for element in tree.iter(etree.Element)}
    assert len(paths) == 10_001


def test_dirty_differs_only_where_it_is_dirty() -> None:
    clean, dirty = make("catalog").split(b"    <release "), make("catalog-dirty").split(b"    <release ")
    assert len(clean) == len(dirty)
    changed = [new for old, new in zip(clean, dirty, strict=True) if old != new]
    assert len(changed) == 20
    for mark in (b"</trackslit>", b"Rock & Roll", b"&nightjar;", b"\x07", b"Caf\xe9 ", b"1999-02-30", b"99999999999"):
        assert sum(mark in record for record in changed) == 2
    assert sum(b">about 12<" in record for record in changed) == 2
    assert sum(not record.startswith(b'id="') for record in changed) == 2
    assert sum(b"</release>\n" not in record for record in changed) == 2


def test_samples_load_as_they_promise() -> None:
    clean = etl.load(
        str(SAMPLE / "catalog.xml.gz"), mapping=SAMPLE / "catalog-by-hand.mapping.yaml", target="memory://"
    )
    assert (clean.records, clean.loaded, clean.rejected) == (246, 246, 0)
    assert clean.notices == ()
    assert all(clean.tables.values())
    dirty = etl.load(
        str(SAMPLE / "catalog-dirty.xml.gz"), mapping=SAMPLE / "catalog-dirty.mapping.yaml", target="memory://"
    )
    assert (dirty.records, dirty.loaded) == (241, 223)
    found = {(reject.reason, reject.table, reject.column): reject.count for reject in dirty.rejects}
    assert found == {
        ("malformed", "", ""): 10,
        ("undefined_entity", "", ""): 2,
        ("bad_value", "release", "price"): 2,
        ("missing_value", "release", "id"): 2,
        ("out_of_range", "release", "votes"): 2,
    }


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("10B", 10), ("2 kb", 2000), ("200MB", 200_000_000), ("1.5GB", 1_500_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert generate_dump.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "200 potatoes", "1.2.3MB", "1e3"])
def test_sizes_that_are_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        generate_dump.main(["flat", f"--size={text}"])
    assert caught.value.code == 2
    assert "write it like 200MB" in capsys.readouterr().err


def test_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate_dump.main(["catalog", "--output", str(tmp_path / "missing" / "x.xml")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
