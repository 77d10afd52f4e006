"""etl status: what is true of a source that is not finished, or not quite."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import etl
from tests.command import etl as run_etl
from tests.reject_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")


def limited(place: Place, source: str = "items.xml") -> None:
    etl.load(place.folder / source, mapping=place.folder / "items.yaml", target=place.url, limit=1)


def test_what_is_read_ahead_is_not_told_as_loaded(place: Place) -> None:
    limited(place)
    (status,) = place.sources()
    assert status.share is not None
    assert 0 < status.share < 0.5
    assert "nobody is at it: the same command goes on" in place.command("status").out


def test_a_source_whose_file_is_another_or_gone_does_not_go_on(place: Place) -> None:
    limited(place)
    place.write("items.xml", "<items/>")
    assert place.sources()[0].obstacle == "changed"
    assert "has another content now" in place.command("status").out
    (place.folder / "items.xml").unlink()
    assert place.sources()[0].obstacle == "gone"
    shown = place.command("status").out
    assert "its file is not there any more" in shown
    assert "goes on" not in shown


def test_standard_input_without_a_name_begins_anew(place: Place) -> None:
    document = (place.folder / "items.xml").read_bytes()
    flags = ["--map", "items.yaml", "--limit", "1"]
    load = place.command("load", "-", *flags, stdin=document)
    assert "the same command begins standard input anew" in load.err
    assert "goes on" not in load.err
    assert place.sources()[0].obstacle == "nameless"
    assert "the same command begins anew" in place.command("status").out

    named = place.command("load", "-", "--source-name", "items", *flags, stdin=document)
    assert "the same command goes on" in named.err
    assert place.sources()[1].obstacle == ""


def test_a_finished_source_without_its_keys_says_so(tmp_path: Path, postgres_url: str) -> None:
    place = Place(tmp_path, postgres_url)
    place.write("items.xml", '<items><group name="g"><item id="1"/><item id="1"/></group></items>')
    assert place.load(keys="after").key_problems
    (status,) = place.sources()
    assert (status.state, status.keys_to_come) == ("finished", ("item", "part"))
    assert "finished, but without the keys of item, part" in run_etl("status", "--to", place.url, cwd=place.folder).out


def test_a_locked_ledger_is_told_and_not_waited_for(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, postgres_url)
    place.load()
    monkeypatch.setattr("etl.targets.reading.LOCK_SECONDS", 0.1)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE etl_source IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(etl.TransientError, match=r"another session has locked .*pg_locks shows who"):
            etl.status(postgres_url)
