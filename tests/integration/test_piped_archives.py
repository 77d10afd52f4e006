"""Archives through standard input and pipes: read as files of them are, but for what only a file can do."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

import etl
from tests.command import etl as run_etl
from tests.packing import ARCHIVES
from tests.reject_place import MAPPING, Place, dump, wait_for

TARS = sorted(name for name in ARCHIVES if name.startswith("tar"))
WITHOUT_KEY = MAPPING.replace("    key: id\n", "").replace("{meta: record}", "{meta: source}")
LARGE_RECORDS = 9000


def _items(first: int, count: int) -> bytes:
    items = "".join(f'<item id="{number}"><part>a</part></item>\n' for number in range(first, first + count))
    return f"<items><group>\n{items}</group></items>\n".encode()


FILES = {
    **{f"{number:03}.xml": _items(number * 10, 3) for number in range(40)},
    "large.xml": _items(100_000, LARGE_RECORDS),
    "notes.txt": b"nothing",
    "rejects.xml": dump().encode(),
}
RECORDS = 40 * 3 + LARGE_RECORDS + 6
"""Good ones."""


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> Place:
    place = Place(tmp_path, target_url)
    place.write("items.yaml", WITHOUT_KEY)
    return place


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    place = Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")
    place.write("items.yaml", WITHOUT_KEY)
    return place


def _load(place: Place, archive: bytes, *flags: str, map_: bool = True) -> tuple[int, str]:
    mapping = ["--map", "items.yaml"] if map_ else []
    result = place.command("load", "-", *mapping, *flags, stdin=archive)
    return result.code, result.err


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_is_loaded_as_from_a_file(place: Place, kind: str) -> None:
    code, said = _load(place, ARCHIVES[kind](FILES))
    assert code == 3, said
    assert "42 documents read" in said
    assert "1 file skipped (1 not XML: standard input/" in said
    assert place.rows("SELECT count(*), count(DISTINCT record_id) FROM item") == [(RECORDS, RECORDS)]
    assert place.rows("SELECT number FROM item WHERE id = 10") == [("standard input/001.xml",)]
    (status,) = place.sources()
    assert (status.state, status.documents, status.rejected) == ("finished", 42, 3)
    assert "standard input/rejects.xml, line 5, record 2" in place.command("rejects").out


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_without_a_mapping_one_is_inferred_and_nothing_is_lost(sqlite_place: Place, kind: str) -> None:
    place = sqlite_place
    (place.folder / "items.yaml").unlink()
    files = {name: content for name, content in FILES.items() if name != "rejects.xml"}
    code, said = _load(place, ARCHIVES[kind](files), map_=False)
    assert code == 0, said
    assert place.rows("SELECT count(*) FROM group_item") == [(RECORDS - 6,)]
    (status,) = place.sources()
    assert status.documents == 41


def test_infer_and_check_take_one(tmp_path: Path) -> None:
    archive = ARCHIVES["tar.gz"](FILES)
    inferred = run_etl("infer", "-", cwd=tmp_path, stdin=archive)
    assert inferred.code == 0, inferred.err
    assert "item:" in inferred.out
    (tmp_path / "items.yaml").write_text(WITHOUT_KEY)
    checked = run_etl("check", "-", "--map", "items.yaml", cwd=tmp_path, stdin=archive)
    assert f"{RECORDS:,} loaded + 3 rejected" in checked.out


def test_a_name_makes_it_go_on_and_without_one_it_begins_anew(place: Place) -> None:
    archive = ARCHIVES["tar.gz"](FILES)
    limited = ["--limit", "3000", "--set", "split.bytes=10000"]
    _load(place, archive, "--source-name", "dump", *limited)
    assert 0 < place.rows("SELECT count(*) FROM item")[0][0] < RECORDS
    code, said = _load(place, archive, "--source-name", "dump")
    assert code == 3, said
    assert place.rows("SELECT count(*), count(DISTINCT record_id) FROM item") == [(RECORDS, RECORDS)]
    assert "nothing" in _load(place, archive, "--source-name", "dump")[1].lower()

    for times in (2, 3):
        code, said = _load(place, archive)
        assert code == 3, said
        assert place.rows("SELECT count(*) FROM item") == [(times * RECORDS,)]
    assert [status.documents for status in place.sources()] == [42, 42, 42]


def test_one_that_was_stopped_within_a_document_is_in_nobodys_way(place: Place) -> None:
    archive = ARCHIVES["tar"](FILES)
    _load(place, archive, "--limit", "3000", "--set", "split.bytes=10000")
    before = place.rows("SELECT count(*) FROM item")[0][0]
    assert 120 < before < RECORDS
    code, said = _load(place, archive)
    assert code == 3, said
    assert place.rows("SELECT count(*) FROM item") == [(before + RECORDS,)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (ARCHIVES["zip"](FILES), "standard input is a zip archive that comes through a pipe, but its directory"),
        (ARCHIVES["tar"](FILES)[:50_000], "standard input is cut off"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(1000), "standard input is a 7z archive, which is not read here"),
    ],
)
@pytest.mark.parametrize("map_", [True, False])
def test_what_cannot_be_read_says_why(sqlite_place: Place, content: bytes, sentence: str, map_: bool) -> None:
    if not map_:
        (sqlite_place.folder / "items.yaml").unlink()
    code, said = _load(sqlite_place, content, map_=map_)
    assert code == 1
    assert sentence in said


@pytest.mark.parametrize("given", [0, 700, 300_000])
def test_ctrl_c_ends_it_while_the_pipe_is_silent(sqlite_place: Place, given: int) -> None:
    place = sqlite_place
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    flags = ["--map", "items.yaml", "--set", "insert.max_wait=1ms"]
    with place.running("load", str(pipe), *flags) as load, pipe.open("wb", buffering=0) as into:
        feed = threading.Thread(target=into.write, args=(ARCHIVES["tar"](FILES)[:given],), daemon=True)
        feed.start()
        wait_for(lambda: _is_begun(place, given > 1000))
        load.interrupt()
        assert load.wait() == 4, load.output
        feed.join()


def _is_begun(place: Place, read: bool) -> bool:
    """Whether it waits for the pipe, or does so at once."""
    with contextlib.suppress(etl.EtlError):
        return any(status.state == "loading" and (status.records or not read) for status in place.sources())
    return False
