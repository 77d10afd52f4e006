"""Rejects in documents of archives and folders: told by their documents, written out and loaded again."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path
from typing import Any

import pytest

import etl
from tests.acceptance.contents import query
from tests.packing import pack, zipped
from tests.reject_place import MAPPING, MENDED, Place

DOCS = Path(etl.__file__).parent / "docs"
KINDS = ("docs.zip", "docs.tar", "docs.tar.gz", "docs")
SMALL = 130
BAD_SMALL = {3, 77, 101}
LONG = 3 << 19
"""Bytes of a record that the ledger does not keep."""


def _mapping(text: str) -> str:
    """Without a key, so that the records' own numbers are keys; and with what tells where a record was."""
    return text.replace("    key: id\n", "").replace(
        "number: {meta: record}", "number: {meta: record}\n      of: {meta: source}"
    )


def _document(number: int, *, bad: bool, long: bool = False) -> bytes:
    items = [
        f'<item id="{"x" if bad and each == 2 else ""}{number}{each}"><name>&co; {number}</name><part>a</part>'
        f"{'<part>' + 'y' * LONG + '</part>' if long and each == 2 else ''}</item>\n"
        for each in (1, 2, 3)
    ]
    start = f'<!DOCTYPE items [<!ENTITY co "Acme {number}">]>\n<items>\n<group name="g{number}">\n'
    return f"{start}{''.join(items)}</group>\n</items>\n".encode()


def _files() -> dict[str, bytes]:
    """Small documents, a few with a bad record; two with one that the ledger does not keep, one of them packed."""
    files = {f"{number:03}.xml": _document(number, bad=number in BAD_SMALL) for number in range(SMALL)}
    files["050.xml.gz"] = gzip.compress(_document(1050, bad=True, long=True), mtime=0)
    files["090-large.xml"] = _document(1090, bad=True, long=True)
    return dict(sorted(files.items()))


class _Collections(Place):
    """A place with mappings for the documents here."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, url)
        self.write("items.yaml", _mapping(MAPPING))
        self.write("mended.yaml", _mapping(MENDED))

    def pack(self, kind: str) -> str:
        """The documents as such a collection, what is too large for a folder of small ones left out there."""
        files = _files()
        if kind == "docs":
            del files["090-large.xml"]
        pack(kind, self.folder, files)
        return kind

    def expected(self, kind: str) -> list[list[tuple[Any, ...]]]:
        """What the tables hold where the mapping was right from the start."""
        url = f"sqlite:///{self.folder / 'expected.db'}"
        assert etl.load(self.folder / kind, mapping=self.folder / "mended.yaml", target=url).rejected == 0
        return [sorted(query(url, f"SELECT * FROM {table}")) for table in ("item", "part")]


def _number(place: Place, name: str) -> int:
    ((number,),) = place.rows(f"SELECT document FROM etl_document WHERE label LIKE '%/{name}'")
    assert isinstance(number, int)
    return number


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> _Collections:
    return _Collections(tmp_path, target_url)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> _Collections:
    return _Collections(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_mended_mapping_loads_them_as_if_they_had_never_been_rejects(place: _Collections, kind: str) -> None:
    bad = len(BAD_SMALL) + (1 if kind == "docs" else 2)
    place.pack(kind)
    assert place.load(kind).rejected == bad
    assert place.rows("SELECT count(*) FROM etl_reject WHERE raw IS NULL") == [(bad - len(BAD_SMALL),)]
    stored = "SELECT document, byte_offset, line, record, length, skeleton FROM etl_reject ORDER BY 1, 2"
    before = place.rows(stored)

    again = place.retry()
    assert (again.selected, again.loaded, again.rejected, again.left) == (bad, 0, bad, 0)
    assert place.rows(stored) == before
    assert again.rejects[0].example.startswith(
        f"{place.folder / kind}/003.xml, line 5, record 2: 'x32' is not an integer"
    )

    mended = place.retry("mended.yaml")
    assert (mended.loaded, mended.left, mended.exit_code) == (bad, 0, 0)
    assert place.content() == place.expected(kind)
    (status,) = place.sources()
    assert (status.state, status.rejected, status.records) == ("finished", 0, status.loaded)


def test_a_folder_is_found_wherever_the_command_runs(sqlite_place: _Collections) -> None:
    place = sqlite_place
    place.pack("docs")
    flags = ["--map", "items.yaml", "--set", "errors.max=unlimited"]
    assert place.command("load", "docs", *flags).code == 3
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    assert _Collections(elsewhere, place.url).command("retry", "--map", "mended.yaml").code == 0
    assert place.rows("SELECT of FROM item WHERE id = 10502") == [("docs/050.xml.gz",)]


def test_what_is_another_file_now_is_left_as_it_is(place: _Collections) -> None:
    place.pack("docs")
    place.load("docs")
    changed = place.folder / "docs" / "050.xml.gz"
    content = changed.read_bytes()
    changed.write_bytes(gzip.compress(_document(2050, bad=True, long=True), mtime=0))
    report = place.retry("mended.yaml")
    assert (report.loaded, report.left, report.exit_code) == (len(BAD_SMALL), 1, 3)
    assert "their source is gone or has changed" in report.notices[0]
    changed.unlink()
    assert place.retry("mended.yaml").left == 1
    changed.write_bytes(content)
    assert place.retry("mended.yaml").exit_code == 0
    assert place.content() == place.expected("docs")


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar.gz"])
def test_an_archive_that_is_another_now_is_left_as_it_is(place: _Collections, kind: str) -> None:
    archive = place.folder / place.pack(kind)
    place.load(kind)
    content = archive.read_bytes()
    for there in (b"", content[: len(content) // 2], b"x" + content):
        archive.write_bytes(there)
        assert place.retry("mended.yaml", reason="bad_value").left == 2
    archive.unlink()
    assert place.retry("mended.yaml").left == 2
    archive.write_bytes(content)
    assert place.retry("mended.yaml").exit_code == 0
    assert place.content() == place.expected(kind)


def test_documents_that_a_later_run_has_numbered_are_found_in_front_of_others(place: _Collections) -> None:
    place.pack("docs.tar")
    place.load("docs.tar", "items.yaml")
    # As if the first run had come to nothing but the second of them: what it skipped has higher numbers.
    number = _number(place, "050.xml.gz")
    for table in ("etl_document", "etl_split", "etl_reject"):
        place.run(f"UPDATE {table} SET document = 1000 WHERE document = {number}")
    assert place.retry("mended.yaml").exit_code == 0
    assert place.content() == place.expected("docs.tar")


def test_of_an_archive_that_is_cut_off_those_before_its_end_are_found(sqlite_place: _Collections) -> None:
    place = sqlite_place
    archive = place.folder / place.pack("docs.tar")
    content = archive.read_bytes()
    archive.write_bytes(content[: content.rindex(b"129.xml") + 600])
    with pytest.raises(etl.SourceError, match="cut off"):
        place.load("docs.tar")
    number = _number(place, "050.xml.gz")
    for table in ("etl_document", "etl_split", "etl_reject"):
        place.run(f"UPDATE {table} SET document = 1000 WHERE document = {number}")
    assert place.retry("mended.yaml").exit_code == 0
    assert place.rows("SELECT id FROM item WHERE id IN (10502, 10902)") == [(10502,), (10902,)]


def test_of_documents_that_are_mended_records_are_where_they_were(place: _Collections) -> None:
    files = {"0.xml": _document(0, bad=False), "1.xml": b"\x01" * 40 + _document(1, bad=True, long=True)}
    pack("docs.zip", place.folder, files)
    assert place.load("docs.zip", input={"repair": True}).rejected == 1
    assert place.retry("mended.yaml").exit_code == 0
    assert place.rows("SELECT id FROM item ORDER BY id") == [(1,), (2,), (3,), (11,), (12,), (13,)]


@pytest.mark.parametrize("kind", ["docs.zip", "docs"])
def test_they_are_shown_and_chosen_by_their_documents(place: _Collections, kind: str) -> None:
    place.pack(kind)
    place.load(kind)
    label = f"{place.folder / kind}/077.xml"
    shown = place.command("rejects", "--examples", "9")
    assert f"{label}, line 5, record 2: 'x772' is not an integer" in shown.out
    assert place.command("rejects", "--source", label, "--json").report["count"] == 1
    out = io.BytesIO()
    assert etl.export_rejects(place.url, out, source=label).records == 1
    assert f"{label}, line 5, record 2: bad_value in item.id".encode() in out.getvalue()
    assert b"Acme 77" in out.getvalue()
    large = f"{place.folder / kind}/050.xml.gz"
    out = io.BytesIO()
    assert etl.export_rejects(place.url, out, source=large).unavailable == 0
    assert b"y" * LONG in out.getvalue()
    (listing,) = re.findall(r"```sql\n(.*?)```", (DOCS / "rejects.md").read_text("utf-8"), re.DOTALL)
    assert [row[0] for row in place.rows(listing)][:1] == [f"{place.folder / kind}/003.xml"]
    one = place.retry("mended.yaml", source=label)
    assert (one.selected, one.loaded) == (1, 1)
    with pytest.raises(etl.SettingsError, match=r"has no source 078\.xml"):
        place.retry(source="078.xml")


def test_status_tells_how_many_documents_are_in(place: _Collections) -> None:
    place.pack("docs.zip")
    place.load("docs.zip")
    (status,) = place.sources()
    assert status.documents == SMALL + 2
    assert f"396 records of {SMALL + 2} documents: 391 loaded, 5 rejected" in place.command("status").out


@pytest.mark.parametrize("kind", ["docs.zip", "docs"])
def test_status_of_one_that_was_stopped(place: _Collections, kind: str) -> None:
    place.pack(kind)
    etl.load(place.folder / kind, mapping=place.folder / "items.yaml", target=place.url, limit=30)
    (status,) = place.sources()
    assert (status.state, status.obstacle, status.documents) == ("interrupted", "", 10)
    assert status.share is not None
    assert 0 < status.share < 0.5
    if kind == "docs":
        # Each of its files has its own identity: one that is new or another belongs to it all the same.
        (place.folder / kind / "000.xml").write_bytes(b"<items/>")
        assert place.sources()[0].obstacle == ""
        (place.folder / kind).rename(place.folder / "moved")
    else:
        archive = place.folder / kind
        archive.write_bytes(zipped({"000.xml": b"<items/>"}))
        assert place.sources()[0].obstacle == "changed"
        archive.unlink()
    assert place.sources()[0].obstacle == "gone"
