"""Documents of archives and folders that cannot be loaded as they are, and archives that share documents."""

from __future__ import annotations

import os
import signal
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.contents import query
from tests.command import etl as command

MAPPING = """
version: 1
tables:
  item:
    each: /feed/item
    columns: {id: {path: "@id", type: bigint}, origin: {meta: source}, of: {path: /feed/of, scope: document}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(MAPPING)
    return tmp_path


def feed(*ids: int, before: str = "", behind: str = "") -> str:
    items = "".join(f'<item id="{number}"/>' for number in ids)
    return f"<feed>{before}{items}{behind}</feed>"


def pack(file: Path, documents: Mapping[str, str | bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in documents.items():
            archive.writestr(name, content)


def rejects(url: str) -> list[tuple[str, int, str]]:
    return query(
        url,
        "SELECT document.label, reject.byte_offset, reject.reason FROM etl_reject reject JOIN etl_document document"
        " ON document.source = reject.source AND document.document = reject.document ORDER BY 1, 2",
    )


@pytest.mark.parametrize("damage", ["</item>", '<item id="0">'])
def test_the_same_damage_at_the_same_place_is_a_reject_of_each_document(
    folder: Path, target_url: str, damage: str
) -> None:
    pack(folder / "a.zip", {f"{number}.xml": feed(number, behind=damage) for number in range(3)})
    result = command("load", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder)
    assert result.code == 3, result.err
    assert [label for label, _, _ in rejects(target_url)] == ["a.zip/0.xml", "a.zip/1.xml", "a.zip/2.xml"]
    assert query(target_url, "SELECT id FROM item ORDER BY id") == [(0,), (1,), (2,)]


def test_documents_that_are_too_large_are_rejects_of_their_own(folder: Path, target_url: str) -> None:
    large = '<feed><item id="1">' + "x" * 5000 + "</item></feed>"
    pack(folder / "a.zip", {"1.xml": large, "2.xml": large.replace('"1"', '"2"')})
    few = "--set", "split.max_record_bytes=2000"
    assert command("load", "a.zip", "--map", "m.yaml", "--to", target_url, *few, cwd=folder).code == 3
    assert rejects(target_url) == [("a.zip/1.xml", 6, "too_large"), ("a.zip/2.xml", 6, "too_large")]


def test_archives_of_one_run_may_share_documents(folder: Path, target_url: str) -> None:
    shared = {f"{number}.xml": feed(number) for number in range(5)}
    pack(folder / "a.zip", shared)
    pack(folder / "b.zip", {**shared, "more.xml": feed(9)})
    for told in ("5 documents more that hold the same", "Nothing to do"):
        result = command("load", "a.zip", "b.zip", "--map", "m.yaml", "--to", target_url, cwd=folder)
        assert (result.code, told in result.err) == (0, True), result.err
    assert query(target_url, "SELECT id FROM item ORDER BY id") == [(0,), (1,), (2,), (3,), (4,), (9,)]


def test_archives_go_on_that_were_killed_behind_their_last_row(folder: Path, target_url: str) -> None:
    shared = {f"{number}.xml": feed(number) for number in range(5)}
    pack(folder / "all.zip", {**shared, "more.xml": feed(9)})
    pack(folder / "some.zip", shared)  # all of them are known by then, so that it has none of its own
    load = "load", "all.zip", "some.zip", "--map", "m.yaml", "--to", target_url
    killed = command(*load, cwd=folder, env={"ETL_FAULT": "before_finish"})
    assert killed.code == -signal.SIGKILL & 255, killed.err
    result = command(*load, cwd=folder)
    assert (result.code, "lost" in result.err) == (0, False), result.err
    assert "Nothing to do" in command(*load, cwd=folder).err
    assert query(target_url, "SELECT id FROM item ORDER BY id") == [(0,), (1,), (2,), (3,), (4,), (9,)]


def test_what_is_named_as_xml_and_is_none_is_a_reject(folder: Path, target_url: str) -> None:
    strange = '<?xml version="1.0" encoding="x-unheard-of"?><feed><item id="3"/></feed>'
    pack(folder / "a.zip", {"1.xml": feed(1), "2.xml": b"\0" + feed(2).encode(), "3.xml": strange, "note.txt": "hello"})
    result = command("load", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder)
    assert (result.code, "1 file skipped (1 not XML: a.zip/note.txt)" in result.err) == (3, True), result.err
    assert rejects(target_url) == [("a.zip/2.xml", 0, "malformed"), ("a.zip/3.xml", 0, "malformed")]
    assert "Nothing to do" in command("load", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder).err


def test_a_document_that_ends_behind_its_last_record_shows_no_record(folder: Path, target_url: str) -> None:
    pack(folder / "a.zip", {"1.xml": feed(1), "2.xml": feed(2).removesuffix("</feed>")})
    assert command("load", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder).code == 3
    assert query(target_url, "SELECT id FROM item ORDER BY id") == [(1,), (2,)]
    shown = command("rejects", "--to", target_url, cwd=folder).out
    assert "a.zip/2.xml, line 1, record 2: " in shown
    assert "(0 bytes)" in shown


def test_a_message_names_its_document_once(folder: Path, target_url: str) -> None:
    broken = {"1.xml": feed(1).removesuffix("</feed>"), "2.xml": "hello"}
    for name in ("1.xml", "2.xml"):
        (folder / name).write_text(broken["1.xml"].replace("1", name[0]))
    pack(folder / "a.zip", broken)
    load = command("load", "1.xml", "2.xml", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder)
    rejects_of = "rejects", "--to", target_url, "--source", "a.zip/1.xml"
    for told in (
        load.err,
        command(*rejects_of, cwd=folder).out,
        command(*rejects_of, "--export", "-", cwd=folder).out,
        command("check", "a.zip", "--map", "m.yaml", cwd=folder).out,
    ):
        lines = [line for line in told.splitlines() if "a.zip/" in line]
        assert [line.count("a.zip/") for line in lines] == [1], told
        assert ": it breaks off" in lines[0] or ": it is not XML" in lines[0], lines
    broken_file = load.err.splitlines()
    assert "    it breaks off" in broken_file[broken_file.index("  1.xml: broken, 1 record") + 1]


def test_a_limit_counts_what_cannot_be_read(folder: Path, target_url: str) -> None:
    pack(folder / "a.zip", {"1.xml": feed(1), "2.xml": b"\0", "3.xml": feed(3), "4.xml": feed(4)})
    load = "load", "a.zip", "--map", "m.yaml", "--to", target_url
    for limit, ids in ((2, [1]), (1, [1, 3]), (9, [1, 3, 4])):
        result = command(*load, "--limit", str(limit), cwd=folder)
        assert "Error" not in result.err, result.err
        assert query(target_url, "SELECT id FROM item ORDER BY id") == [(number,) for number in ids]
    assert rejects(target_url) == [("a.zip/2.xml", 0, "malformed")]


def test_a_header_that_stands_too_late_is_its_documents_matter(folder: Path, target_url: str) -> None:
    documents = {f"{number}.xml": feed(number, before="<of>x</of>") for number in range(1, 8)}
    pack(folder / "a.zip", {**documents, "late.xml": feed(50, 51, behind="<of>y</of>")})
    result = command("load", "a.zip", "--map", "m.yaml", "--to", target_url, cwd=folder)
    assert (result.code, "stands behind the first record only" in result.err) == (3, True), result.err
    assert rejects(target_url) == [("a.zip/late.xml", 0, "missing_value")]
    assert query(target_url, "SELECT count(*), min(of), max(id) FROM item") == [(7, "x", 7)]


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_a_file_name_that_is_no_text_loads_all_the_same(folder: Path, target_url: str) -> None:
    name = os.fsdecode(b"n\xff.zip")
    try:
        pack(folder / name, {"1.xml": feed(1)})
    except OSError:
        pytest.skip("the file system takes no such names")
    result = command("load", name, "--map", "m.yaml", "--to", target_url, cwd=folder)
    assert result.code == 0, result.err
    assert query(target_url, "SELECT id, origin FROM item") == [(1, "n?.zip/1.xml")]
