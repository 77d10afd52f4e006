"""etl status and etl rejects: what a database tells of its loads, without touching it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import psycopg
import pytest
from lxml import etree
from sqlalchemy.engine import make_url

import etl
from tests.command import etl as run_etl
from tests.command import without_override
from tests.reject_place import MENDED, Place, dump


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> Place:
    return Place(tmp_path, target_url)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")


def test_status_and_rejects_for_people_and_for_programs(place: Place) -> None:
    place.load()
    shown = place.command("status")
    assert shown.code == 0
    assert shown.out.splitlines()[0] == f"1  {place.folder / 'items.xml'}: finished, 764 bytes of XML"
    assert "9 records: 6 loaded, 3 rejected" in shown.out
    (status,) = json.loads(place.command("status", "--json").out)
    assert (status["number"], status["state"], status["share"], status["rejected"]) == (1, "finished", 1.0, 3)

    rejects = place.command("rejects", "--examples", "2")
    assert rejects.code == 0
    first, kind, message, record, *_ = rejects.out.splitlines()
    assert first.startswith("3 rejects in ")
    assert kind == "  3 x bad_value in item.id"
    assert f"{place.folder / 'items.xml'}, line 5, record 2: 'x2' is not an integer" in message
    assert record == '      <item id="x2"><name>&co; 2</name><part>a</part><part>b</part></item>'
    report = place.command("rejects", "--json", "--reason", "bad_value", "--source", "1").report
    assert report["groups"][0]["examples"][0]["record"] == 2


def test_who_may_only_read_may_ask(place: Place) -> None:
    place.load()
    if place.url.startswith("sqlite"):
        os.chmod(place.folder / "target.db", 0o444)
        os.chmod(place.folder, 0o555)
        try:
            result = place.command("status", preexec_fn=without_override)
            rejects = place.command("rejects", "--json", preexec_fn=without_override)
        finally:
            os.chmod(place.folder, 0o755)
    else:
        reader, owner = f"reader_{os.getpid()}", place.url
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {reader} LOGIN".encode())
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}".encode())
        try:
            place.url = make_url(owner).set(username=reader).render_as_string(hide_password=False)
            result, rejects = place.command("status"), place.command("rejects", "--json")
        finally:
            with psycopg.connect(owner) as connection:
                connection.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}".encode())
    assert (result.code, rejects.report["count"]) == (0, 3), result.err


def test_asking_writes_nothing_and_creates_nothing(sqlite_place: Place) -> None:
    place = sqlite_place
    place.load()
    before = (place.folder / "target.db").read_bytes()
    etl.status(place.url)
    etl.rejects(place.url)
    etl.export_rejects(place.url, io.BytesIO())
    assert (place.folder / "target.db").read_bytes() == before
    files = {file.name for file in place.folder.iterdir()}
    assert files == {"items.xml", "items.yaml", "mended.yaml", "target.db"}


def test_asking_leaves_no_file_of_a_write_ahead_log_behind(sqlite_place: Place) -> None:
    place = sqlite_place
    place.load()
    place.run("PRAGMA journal_mode = WAL")
    etl.status(place.url)
    etl.rejects(place.url)
    assert place.database_files() == ["target.db"]


def test_where_there_is_nothing_to_ask_it_says_so(tmp_path: Path, postgres_url: str) -> None:
    missing = tmp_path / "none.db"
    with pytest.raises(etl.TargetError, match=r"no database .*none.db; name the one you mean with --to"):
        etl.status(f"sqlite:///{missing}")
    assert not missing.exists()
    (tmp_path / "empty.db").touch()
    for url in (f"sqlite:///{tmp_path / 'empty.db'}", postgres_url):
        with pytest.raises(etl.TargetError, match=r"No load has been to .* no table etl_.*ledger\.schema"):
            etl.rejects(url)
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(etl.TargetError, match="not a database"):
        etl.retry(f"sqlite:///{tmp_path / 'text.db'}")
    with pytest.raises(etl.SettingsError, match="keeps nothing"):
        etl.status("memory://")
    nowhere = run_etl("status", cwd=tmp_path)
    assert nowhere.code == 2
    assert "Name the one that was loaded into with --to" in nowhere.err


def test_a_ledger_of_another_version_is_told(sqlite_place: Place) -> None:
    sqlite_place.load()
    sqlite_place.run("ALTER TABLE etl_reject DROP COLUMN skeleton")
    with pytest.raises(etl.TargetError, match="etl_reject has no column skeleton: it was made by another version"):
        etl.rejects(sqlite_place.url)


def test_nothing_a_dump_holds_controls_the_terminal(sqlite_place: Place) -> None:
    place = sqlite_place
    name = "it\x1b[2Jems\n.xml"
    text = "<items><group>\n<item id='\u202ea'><name>\x7f\n  txt\x1b</name></item></group></items>"
    place.write(name, text)
    place.load(name)
    result = place.command("rejects")
    assert "\x1b" not in result.out
    assert "      <item id='\\x202ea'><name>\\x7f txt\\x1b</name></item>\n" in result.out
    assert "\x1b" not in place.command("status").out


def test_long_records_are_cut_to_the_width_with_their_size(sqlite_place: Place) -> None:
    place = sqlite_place
    place.write(
        "items.xml", dump().replace("&co; 2", "word " * 200).replace("<part>", "<part><!--" + "y" * 2**20 + "-->", 1)
    )
    place.load()
    shown = place.command("rejects", "--examples", "3", env={"COLUMNS": "60"}).out.splitlines()
    assert shown[3].endswith("… (1.1 kB)")
    assert max(len(line) for line in shown if line.startswith("      ")) <= 60


def test_an_export_is_written_whole_once_or_to_standard_output(sqlite_place: Place) -> None:
    place = sqlite_place
    place.load()
    result = place.command("rejects", "--export", "bad.xml")
    assert result.code == 0
    assert "Wrote 3 rejects as XML to bad.xml." in result.err
    again = place.command("rejects", "--export", "bad.xml")
    assert again.code == 2
    assert "bad.xml is there already" in again.err
    piped = place.command("rejects", "--export", "-")
    assert piped.out.encode() == (place.folder / "bad.xml").read_bytes()
    root = etree.fromstring(piped.out.encode())
    assert [group.get("name") for group in root] == ["from 1", "from 4", "from 7"]
    assert root.findtext("group/item/name") == "Acme 2"
    loaded = etl.load(place.folder / "bad.xml", mapping=place.folder / "mended.yaml", target="memory://")
    assert (loaded.loaded, loaded.rejected) == (3, 0)


def test_what_cannot_be_exported_is_said(sqlite_place: Place) -> None:
    place = sqlite_place
    large = "<!-- " + "y" * (1 << 20) + " -->"
    broken = dump().replace('id="x2"><name>', 'id="x2"><!-- a--b -->').replace('id="x7">', f'id="x7">{large}')
    source = place.write("items.xml", broken)
    place.load()
    whole = io.BytesIO()
    report = etl.export_rejects(place.url, whole)
    assert (report.records, report.ill_formed, report.unavailable) == (2, 1, 0)
    root = etree.fromstring(whole.getvalue())
    assert [item.get("id") for item in root.iter("item")] == ["x5", "x7"]
    assert "- -b" in "".join(str(comment.text) for comment in root.iter(etree.Comment))
    source.unlink()
    result = place.command("rejects", "--export", "bad.xml")
    assert result.code == 0
    assert "1 more is not well-formed" in result.err
    assert "1 more is not there: too large to be kept" in result.err
    with pytest.raises(etl.SettingsError, match="there is nothing to export"):
        etl.export_rejects(place.url, place.folder / "none.xml", reason="too_long")
    assert not list(place.folder.glob("none*"))


def test_sources_that_do_not_begin_alike_are_exported_one_by_one(sqlite_place: Place) -> None:
    place = sqlite_place
    place.write("other.xml", dump().replace("<items>", '<items xmlns:a="urn:a">'))
    place.write(
        "other.yaml",
        MENDED.replace("type: integer, transform", "type: boolean, transform")
        .replace("item:", "thing:")
        .replace("part:", "piece:")
        .replace("parent: item", "parent: thing"),
    )
    place.load()
    place.load("other.xml", "other.yaml")
    for file in (place.folder / "bad.xml", io.BytesIO()):
        with pytest.raises(etl.SettingsError, match="--source chooses one"):
            etl.export_rejects(place.url, file)
    assert not (place.folder / "bad.xml").exists()
    out = io.BytesIO()
    etl.export_rejects(place.url, out, source=str(place.folder / "other.xml"))
    assert b'<items xmlns:a="urn:a">' in out.getvalue()


def test_many_rejects_take_no_more_memory_than_few(sqlite_place: Place) -> None:
    place = sqlite_place
    few = place.folder / "few"
    few.mkdir()
    other = Place(few, f"sqlite:///{few / 'target.db'}")
    other.load()
    filling = "y" * 3000
    items = "".join(f'<item id="x{n}"><name>{filling}</name></item>\n' for n in range(10_000))
    place.write("items.xml", f"<items><group>{items}</group></items>")
    place.load()
    small = other.command("rejects", "--export", "bad.xml")
    large = place.command("rejects", "--export", "bad.xml")
    assert "Wrote 10,000 rejects" in large.err
    assert large.peak_memory < small.peak_memory + 24 * 2**20
    retried = place.command("retry", "-q", "--set", "workers.kind=inline")
    assert (retried.code, place.rejects()) == (3, {"bad_value": 10_000})
