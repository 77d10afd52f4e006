"""What is refused before anything is done, and what of a caller's own is told from our defects."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

import etl
from tests.command import etl as run_etl
from tests.reject_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")


def test_a_name_for_a_file_is_refused_before_a_mapping_is_inferred(place: Place) -> None:
    before = sorted(place.folder.iterdir())
    result = place.command("load", "items.xml", "--source-name", "other")
    assert result.code == 2
    assert "A source name is for one source that has no identity" in result.err
    assert sorted(place.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://", "throw them away"),
        ("mysql://host/db", "no target of the kind mysql"),
        ("postgresql://me:se/cret@host/db", "is not a URL that PostgreSQL understands"),
    ],
)
def test_urls_that_no_load_can_use_are_usage_errors(tmp_path: Path, url: str, words: str) -> None:
    (tmp_path / "items.xml").write_text("<items><item>1</item></items>")
    result = run_etl("load", "items.xml", "--to", url, cwd=tmp_path)
    assert result.code == 2
    assert words in result.err
    assert "memory://;" not in result.err
    assert "and memory://" not in result.err


def test_reasons_that_do_not_exist_are_a_usage_error_that_lists_them(place: Place) -> None:
    place.load()
    result = place.command("rejects", "--reason", "bogus")
    assert result.code == 2
    assert "There is no reason bogus; there are bad_encoding, bad_value, " in result.err
    with pytest.raises(etl.SettingsError, match="no reason bogus"):
        place.retry(reason="bogus")
    assert etl.rejects(place.url, reason="too_deep").count == 0


def test_no_sources_and_no_records_are_settings_errors(place: Place) -> None:
    with pytest.raises(etl.SettingsError, match="No source is given"):
        etl.load([], target=place.url)
    with pytest.raises(etl.SettingsError, match="limit: 0 records"):
        etl.load(place.folder / "items.xml", mapping=place.folder / "items.yaml", target=place.url, limit=0)
    assert not (place.folder / "target.db").exists()


def test_a_completed_callback_that_raises_is_a_callback_error_with_the_report(place: Place) -> None:
    def raises(report: etl.LoadReport) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(etl.CallbackError, match="The callback raised ZeroDivisionError: mine") as caught:
        etl.load(place.folder / "items.xml", mapping=place.folder / "items.yaml", target=place.url, on_complete=raises)
    assert caught.value.report.loaded == 6


def test_a_log_on_a_full_disk_ends_with_one_sentence(place: Place) -> None:
    result = place.command("load", "items.xml", "--map", "items.yaml", "-q", "--log", "/dev/full")
    assert result.code == 3
    told, rejected = result.err.splitlines()
    assert told.startswith("The log /dev/full ends here: No space left on device.")
    assert rejected.startswith("3 records rejected: ")
    assert place.rows("SELECT count(*) FROM item") == [(6,)]


def test_a_file_that_is_no_database_is_not_to_be_removed(place: Place) -> None:
    document = place.folder / "items.xml"
    result = run_etl("status", "--to", f"sqlite:///{document}", cwd=place.folder)
    assert result.code == 1
    assert "Name another file." in result.err
    assert "remove" not in result.err


def test_more_workers_than_the_system_starts_are_told(place: Place) -> None:
    flags = ["--map", "items.yaml", "--workers", "16", "--set", "workers.kind=process"]
    result = place.command(
        "load", "items.xml", *flags, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    )
    assert result.code == 1
    assert "does not start 16 workers: Too many open files. Fewer are asked for with --workers" in result.err
