"""A world that is not what it should be: files, folders, disks, servers, settings, mappings. One sentence each."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

import etl as etl_package
from etl.errors import SourceError
from etl.mapping.reader import parse_mapping
from etl.options import build_settings
from tests.command import etl, without_override
from tests.integration.bad_input import MAPPING, Workplace, document, item, sentence

PASSWORD = "s3cret"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    place.source.write_bytes(document(item(1), item(2), item(3)))
    return place


def _small_files() -> None:
    """In the child: no file grows beyond 1 MiB, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def test_a_full_disk_is_named_and_the_load_goes_on_when_there_is_room(place: Workplace) -> None:
    numbers = range(1, 60_001)
    content = document(*(item(number, b"%0100d" % number) for number in numbers))
    result = place.load(content, preexec_fn=_small_files)
    assert result.code == 1
    assert "disk" in sentence(result).lower()
    again = place.load()
    assert again.code == 0, again.err
    assert place.ids == list(numbers)


def test_a_missing_source_is_named(place: Workplace) -> None:
    place.source.unlink()
    result = place.load()
    assert result.code == 1
    assert "items.xml" in sentence(result)
    assert not place.database.exists()


def test_a_folder_without_sources_is_named(place: Workplace) -> None:
    (place.folder / "nothing").mkdir()
    result = etl("load", "nothing", "--map", place.mapping, "-q", cwd=place.folder)
    assert result.code == 1
    assert "nothing" in sentence(result)


def test_a_pattern_without_files_is_named(place: Workplace) -> None:
    result = etl("load", "*.xml.gz", "--map", place.mapping, "-q", cwd=place.folder)
    assert result.code == 1
    assert "*.xml.gz" in sentence(result)


def test_the_missing_folder_of_a_database_is_named(place: Workplace) -> None:
    result = place.load(None, "--to", "sqlite:///no/such/folder/items.db")
    assert result.code == 1
    assert "no/such/folder" in sentence(result)
    assert not (place.folder / "no").exists()


def test_a_source_that_may_not_be_read_is_named(place: Workplace) -> None:
    place.source.chmod(0)
    result = place.load(preexec_fn=without_override)
    assert result.code == 1
    message = sentence(result)
    assert "items.xml" in message
    assert "ermission" in message


def test_a_folder_that_may_not_be_written_is_named(place: Workplace) -> None:
    (place.folder / "closed").mkdir(mode=0o555)
    result = place.load(None, "--to", "sqlite:///closed/items.db", preexec_fn=without_override)
    assert result.code == 1
    assert "closed" in sentence(result)


def test_a_database_that_may_not_be_written_is_named(place: Workplace) -> None:
    assert place.load().code == 0
    place.database.chmod(0o444)
    place.folder.chmod(0o555)
    try:
        result = place.load(document(item(4)), preexec_fn=without_override)
    except PermissionError:
        place.folder.chmod(0o755)
        raise
    place.folder.chmod(0o755)
    assert result.code == 1
    assert "items.db" in sentence(result)
    assert place.ids == [1, 2, 3]


def test_a_file_that_is_no_database_is_named(place: Workplace) -> None:
    place.database.write_bytes(b"This is a letter to my aunt.\n" * 100)
    result = place.load()
    assert result.code == 1
    assert "items.db" in sentence(result)
    assert place.database.read_bytes().startswith(b"This is a letter")


_WRONG_URLS = {
    "no such kind": f"mysqlx://user:{PASSWORD}@127.0.0.1/db",
    "port is a word": f"postgresql://user:{PASSWORD}@127.0.0.1:abc/db",
    "port too large": f"postgresql://user:{PASSWORD}@127.0.0.1:99999/db",
    "nobody listens": f"postgresql://user:{PASSWORD}@127.0.0.1:1/db",
    "password as a parameter": f"postgresql://127.0.0.1:1/db?user=me&password={PASSWORD}",
    "password with signs": f"postgresql://user:{PASSWORD}%2F%40@127.0.0.1:1/db",
    "unknown parameter": f"postgresql://user:{PASSWORD}@127.0.0.1:1/db?nonsense=1",
    "no such host": f"postgresql://user:{PASSWORD}@no-such-host.invalid/db",
    "no such socket": f"postgresql://user:{PASSWORD}@/db?host=/no/such/folder",
}


@pytest.mark.parametrize("url", _WRONG_URLS.values(), ids=_WRONG_URLS)
def test_a_wrong_database_url_is_named_without_its_password(place: Workplace, url: str) -> None:
    result = place.load(None, "--to", url)
    assert result.code in (1, 2)
    assert sentence(result)
    log = place.folder / "load.log"
    loud = etl("load", place.source, "--map", place.mapping, "--to", url, "-v", "--log", log, cwd=place.folder)
    assert loud.code == result.code
    written = log.read_text() if log.exists() else ""
    assert PASSWORD not in result.err + result.out + loud.err + loud.out + written
    assert not place.database.exists()


def test_what_is_not_a_url_is_named(place: Workplace) -> None:
    result = place.load(None, "--to", "my database")
    assert result.code in (1, 2)
    assert "my database" in sentence(result)


@pytest.mark.parametrize("way", ["ETL_TARGET", "settings", "--set"])
def test_the_password_stays_hidden_wherever_the_url_comes_from(place: Workplace, way: str) -> None:
    url = _WRONG_URLS["nobody listens"]
    if way == "ETL_TARGET":
        result = place.load(env={"ETL_TARGET": url})
    elif way == "--set":
        result = place.load(None, "--set", f"target={url}")
    else:
        settings = place.folder / "settings.yaml"
        settings.write_text(f"target: {url}\n")
        result = place.load(None, "--settings", settings)
    assert result.code == 1
    assert "127.0.0.1" in sentence(result)
    assert PASSWORD not in result.err


def test_a_database_that_is_not_there_is_named(place: Workplace, postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="no_such_database").render_as_string(hide_password=False)
    result = place.load(None, "--to", url)
    assert result.code == 1
    assert "no_such_database" in sentence(result)


def test_a_user_who_is_not_there_is_named(place: Workplace, postgres_url: str) -> None:
    url = make_url(postgres_url).set(username="no_such_user", password=PASSWORD)
    result = place.load(None, "--to", url.render_as_string(hide_password=False))
    assert result.code == 1
    assert "no_such_user" in sentence(result)
    assert PASSWORD not in result.err


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("queue.max_bytes=lots", ["queue.max_bytes", "lots"]),
        ("queue.max_bites=5", ["max_bites"]),
        ("workers.kind=magic", ["workers.kind", "magic"]),
        ("workers.count=0", ["workers.count"]),
        ("insert.max_wait=5 parsecs", ["insert.max_wait", "parsecs"]),
        ("keys=sometimes", ["keys", "sometimes"]),
        ("keys", ["keys", "NAME=VALUE"]),
    ],
)
def test_a_bad_setting_is_named(place: Workplace, setting: str, words: list[str]) -> None:
    result = place.load(None, "--set", setting)
    assert result.code == 2
    message = sentence(result)
    assert all(word in message for word in words), message
    assert not place.database.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("queue: {max_bytes: lots}\n", ["queue.max_bytes"]),
        ("queue: [\n", ["settings.yaml"]),
        ("- 1\n", ["settings.yaml"]),
    ],
)
def test_a_bad_settings_file_is_named(place: Workplace, content: str, words: list[str]) -> None:
    settings = place.folder / "settings.yaml"
    settings.write_text(content)
    result = place.load(None, "--settings", settings)
    assert result.code == 2
    message = sentence(result)
    assert all(word in message for word in [*words, "settings.yaml"]), message


def test_a_missing_settings_file_is_named(place: Workplace) -> None:
    result = place.load(None, "--settings", "nowhere.yaml")
    assert result.code == 2
    assert "nowhere.yaml" in result.err
    assert "Traceback" not in result.err


_BAD_MAPPINGS = {
    "not YAML": ("version: 1\ntables: {item: [\n", ["YAML"]),
    "not a mapping": ("- 1\n- 2\n", []),
    "empty": ("", []),
    "no tables": ("version: 1\n", ["tables"]),
    "unknown version": (MAPPING.replace("version: 1", "version: 99"), ["version", "99"]),
    "misspelt key": (MAPPING.replace("each:", "eech:"), ["eech", "4"]),
    "unknown type": (MAPPING.replace("integer", "intejer"), ["intejer", "7"]),
    "bad path": (MAPPING.replace("name: name", 'name: "name["'), ["name[", "8"]),
    "relative record": (MAPPING.replace("/items/item", "items/item"), ["items/item", "4"]),
    "key that is no column": (MAPPING.replace("key: id", "key: number"), ["number", "5"]),
    "table twice": (MAPPING + MAPPING.partition("tables:\n")[2], ["item", "9"]),
    "parent that is not there": (
        MAPPING + "  part:\n    parent: nobody\n    each: part\n    columns: {a: '@a'}\n",
        ["nobody"],
    ),
    "record in a record": (
        MAPPING + "  part:\n    each: /items/item/part\n    columns: {a: '@a'}\n",
        ["/items/item/part", "parent"],
    ),
    "unquoted attribute": (MAPPING.replace("name: name", "name: @name"), ["quotes", "8"]),
}


@pytest.mark.parametrize(("content", "words"), _BAD_MAPPINGS.values(), ids=_BAD_MAPPINGS)
def test_a_bad_mapping_is_named(place: Workplace, content: str, words: list[str]) -> None:
    place.mapping.write_text(content)
    result = place.load()
    assert result.code == 2
    assert "Traceback" not in result.err
    assert "items.mapping.yaml" in result.err
    assert all(word in result.err for word in words), result.err
    assert not place.database.exists()


def test_a_missing_mapping_is_named(place: Workplace) -> None:
    place.mapping.unlink()
    result = place.load()
    assert result.code == 2
    assert "items.mapping.yaml" in sentence(result)


def test_a_file_that_changes_while_it_is_loaded_is_not_finished(tmp_path: Path) -> None:
    """What is loaded of it may be a mixture: that must not be marked as loaded under either content."""
    path = tmp_path / "items.xml"
    path.write_bytes(document(*(item(number, b"x" * 1000) for number in range(1, 16_001))))
    url = f"sqlite:///{tmp_path / 'items.db'}"
    settings = build_settings({"queue": {"max_bytes": "1MiB"}, "workers": {"kind": "inline"}})
    mapping = parse_mapping(MAPPING, "items.mapping.yaml")
    changed = False

    def change(_committed: object) -> None:
        nonlocal changed
        if not changed:
            changed = True
            path.write_bytes(path.read_bytes())
            os.utime(path, ns=(0, 0))

    with pytest.raises(SourceError, match="was changed while it was read") as raised:
        etl_package.load(path, mapping=mapping, target=url, settings=settings, on_batch=change)
    assert raised.value.report.sources[0].state == "broken"
    report = etl_package.load(path, mapping=mapping, target=url)
    assert report.state == "finished"
    with closing(sqlite3.connect(tmp_path / "items.db")) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM item").fetchall() == [(16_000, 16_000)]
