"""What stands in a folder beside its documents: skipped and counted, however many files there are."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from etl.extract.member import SMALL_BYTES
from etl.extract.source import MANY
from tests.acceptance.contents import query
from tests.command import etl as command

MAPPING = "version: 1\ntables: {item: {each: /r/item, columns: {id: {path: '@id', type: integer}}}}\n"

OTHERS = {
    "README": b"Read this.",
    "image.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "notes.gz": gzip.compress(b"hello", mtime=0),
    "nothing": b"",
    "empty.xml": b"",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(MAPPING)
    return tmp_path


def folder(place: Path, documents: int, others: dict[str, bytes]) -> Path:
    path = place / "docs"
    path.mkdir()
    for number in range(documents):
        (path / f"{number:03}.xml").write_bytes(b'<r><item id="%d"/></r>' % number)
    for name, content in others.items():
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("documents", [3, MANY + 1])
def test_what_is_no_document_is_skipped_and_counted(place: Path, target_url: str, documents: int) -> None:
    folder(place, documents, OTHERS)
    load = "load", "docs", "--map", "m.yaml", "--to", target_url
    told = "5 files skipped (2 empty: docs/empty.xml, ...; 3 not XML: docs/README, ...)"
    result = command(*load, cwd=place)
    assert (result.code, told in result.err) == (0, True), result.err
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(documents, documents)]
    report = command(*load, "--json", cwd=place).report
    assert report["state"] == "nothing to do"
    of_folder = (report["sources"][0]["documents"] or {}).get("skipped", {})
    assert {**of_folder, **report["skipped_files"]} == {"empty": 2, "not XML": 3}
    checked = command("check", "docs", "--map", "m.yaml", cwd=place)
    assert (checked.code, told in checked.out) == (0, True), checked.err


@pytest.mark.parametrize("documents", [3, MANY + 1])
def test_large_files_are_looked_at_too(place: Path, target_url: str, documents: int) -> None:
    ids = range(1000, 1000 + SMALL_BYTES // 10)
    large = b"\n" * 5000 + b"<r>%s</r>" % b"".join(b'<item id="%d"/>' % number for number in ids)
    random = bytes(range(1, 256)) * (SMALL_BYTES // 200)
    folder(place, documents, {"large": large, "large.bz2": bz2.compress(large), "large.png": random})
    result = command("load", "docs", "--map", "m.yaml", "--to", target_url, cwd=place)
    assert (result.code, "  1 file skipped (1 not XML: docs/large.png)" in result.err) == (0, True), result.err
    # The same content packed is another file.
    assert query(target_url, "SELECT count(*) FROM item WHERE id >= 1000") == [(2 * len(ids),)]


def test_what_a_pattern_brings_is_skipped_and_what_is_named_is_not(place: Path, target_url: str) -> None:
    folder(place, 3, OTHERS)
    load = "load", "--map", "m.yaml", "--to", target_url
    assert command(*load, "docs/*", cwd=place).code == 0
    assert query(target_url, "SELECT count(*) FROM item") == [(3,)]
    for named in (["docs/README"], ["docs", "docs/README"]):
        result = command(*load, *named, cwd=place)
        assert (result.code, "docs/README is not XML: it begins with" in result.err) == (1, True), result.err


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 10])
def test_what_is_named_as_xml_and_is_none_is_an_error(place: Path, target_url: str, size: int) -> None:
    folder(place, 3, {"bad.xml": b"Dear Sir or Madam,".ljust(size)})
    result = command("load", "docs", "--map", "m.yaml", "--to", target_url, "--json", cwd=place)
    assert (result.code, "docs/bad.xml is not XML: it begins with" in result.err) == (1, True), result.err
    assert query(target_url, "SELECT count(*) FROM item") == [(3,)]


def test_a_load_that_fails_tells_what_was_skipped(place: Path, target_url: str) -> None:
    folder(place, 3, {**OTHERS, "bad.xml": b"<r>"})
    result = command("load", "docs", "--map", "m.yaml", "--to", target_url, "--json", cwd=place)
    assert (result.code, result.report["skipped_files"]) == (1, {"empty": 2, "not XML": 3}), result.err
    assert result.report["skipped_files_examples"] == {"empty": "docs/empty.xml", "not XML": "docs/README"}


@pytest.mark.parametrize("name", ["load", "check", "infer"])
def test_nothing_but_other_files_is_an_error(place: Path, name: str) -> None:
    folder(place, 0, OTHERS)
    result = command(name, "docs", cwd=place)
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "Error: There is no XML document in docs: 5 files skipped (2 empty: docs/empty.xml, ...;"
        " 3 not XML: docs/README, ...)."
    )


def test_a_mapping_is_inferred_without_them(place: Path) -> None:
    folder(place, 3, OTHERS)
    result = command("infer", "docs", cwd=place)
    assert result.code == 0, result.err
    assert result.err.startswith("5 files skipped (2 empty: docs/empty.xml, ...; 3 not XML: docs/README, ...).\n")
    assert "passed over" not in result.err + result.out
