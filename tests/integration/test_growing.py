"""Files that are not whole, downloads broken off and dumps still being written: what is there loads, the rest later."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import etl
from etl.errors import SourceError, SourceHeld
from etl.options import Settings, build_settings
from etl.report import LoadReport
from tests.acceptance.contents import query
from tests.command import etl as etl_command
from tests.integration.bad_input import document, item

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    columns:
      id:     {path: "@id", type: integer}
      name:   name
      offset: {meta: offset}
      line:   {meta: line}
  part:
    parent: item
    each: part
    columns: {text: "."}
"""
RECORDS = 4000
KILLED = 256 - signal.SIGKILL


def grown_item(number: int) -> bytes:
    """Names that no compressor makes nothing of."""
    name = bytes(97 + (number * number * 7919 >> shift) % 26 for shift in range(24))
    return item(number, name).replace(b"</item>", b"<part>%d</part><part/></item>" % number)


DOCUMENT = document(*(grown_item(number) for number in range(1, RECORDS + 1)))
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": lambda data: b"".join(bz2.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000)),
    "xz": lzma.compress,
    "zstd": lambda data: b"".join(zstandard.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000)),
}


def settings(split_bytes: int = 2048) -> Settings:
    return build_settings({"split": {"bytes": split_bytes}, "insert": {"batch_records": 500, "threads": 1}})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    return tmp_path


def load(place: Path, url: str, how: Settings | None = None) -> LoadReport:
    return etl.load(place / "items.xml", mapping=place / "items.mapping.yaml", target=url, settings=how or settings())


def load_broken(place: Path, url: str, how: Settings | None = None) -> tuple[LoadReport, str]:
    """What is loaded of a file that is not whole, and the sentence."""
    with pytest.raises(SourceError) as error:
        load(place, url, how)
    report = error.value.report
    assert isinstance(report, LoadReport)
    return report, str(error.value)


def contents(url: str) -> list[tuple[object, ...]]:
    """All rows with their keys; what tells of the source's number is the same where it is the first."""
    items = query(url, 'SELECT record_id, id, name, "offset", line FROM item ORDER BY record_id')
    return [*items, *query(url, "SELECT * FROM part ORDER BY 1, 2")]


def undisturbed(place: Path, content: bytes) -> list[tuple[object, ...]]:
    url = f"sqlite:///{place}/undisturbed.db"
    (place / "items.xml").write_bytes(content)
    load(place, url)
    return contents(url)


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("sizes", [(300, 1 << 18), (1 << 18, 300), (1000, 7000)])
def test_what_is_whole_loads_and_the_complete_file_goes_on(
    place: Path, target_url: str, kind: str, sizes: tuple[int, int]
) -> None:
    whole = COMPRESSED[kind](DOCUMENT)
    expected = undisturbed(place, whole)
    (place / "items.xml").write_bytes(whole[: len(whole) * 3 // 5])
    report, sentence = load_broken(place, target_url, settings(sizes[0]))
    assert sentence.endswith("When the file is whole, a load goes on from there.")
    if kind != "plain":
        assert f"is cut off: its {kind} data ends too early, at byte {len(whole) * 3 // 5}." in sentence
    assert 0 < report.loaded < RECORDS
    assert report.rejected == 0
    assert report.sources[0].state == "broken"

    again, _ = load_broken(place, target_url, settings(sizes[1]))
    assert (again.loaded, again.skipped) == (0, report.loaded)

    (place / "items.xml").write_bytes(whole)
    (status,) = etl.status(target_url)
    assert (status.state, status.obstacle) == ("interrupted", "")
    finished = load(place, target_url, settings(sizes[1]))
    assert (finished.state, finished.loaded, finished.skipped) == ("finished", RECORDS - report.loaded, report.loaded)
    notice = f"from {len(whole) * 3 // 5:,} to {len(whole):,} bytes: it goes on behind what was loaded then."
    assert [told for told in finished.notices if told.endswith(notice)]
    assert contents(target_url) == expected
    assert load(place, target_url).state == "nothing to do"
    assert [(source.number, source.size, source.state) for source in etl.status(target_url)] == [
        (1, len(whole), "finished")
    ]


@pytest.mark.parametrize("fault", ["before_commit:3", "after_commit:2"])
def test_a_load_of_the_rest_that_is_killed_goes_on(place: Path, target_url: str, fault: str) -> None:
    whole = gzip.compress(DOCUMENT)
    expected = undisturbed(place, whole)
    arguments = ["load", "items.xml", "--to", target_url, "-q", "--set", "insert.batch_records=200"]
    (place / "items.xml").write_bytes(whole[: len(whole) // 2])
    assert etl_command(*arguments, cwd=place, env={"ETL_FAULT": fault}).code == KILLED
    (place / "items.xml").write_bytes(whole[: len(whole) * 3 // 4])
    assert etl_command(*arguments, cwd=place, env={"ETL_FAULT": fault}).code == KILLED
    (place / "items.xml").write_bytes(whole)
    assert etl_command(*arguments, cwd=place, env={"ETL_FAULT": fault}).code == KILLED
    assert etl_command(*arguments, cwd=place).code == 0
    assert contents(target_url) == expected
    assert len(etl.status(target_url)) == 1


def test_a_dump_that_is_still_being_written_loads_step_by_step(place: Path, target_url: str) -> None:
    loaded = 0
    for end in range(len(DOCUMENT) // 5, len(DOCUMENT), len(DOCUMENT) // 5):
        (place / "items.xml").write_bytes(DOCUMENT[:end])
        loaded += load_broken(place, target_url)[0].loaded
        whole = DOCUMENT[:end].count(b"</item>")
        assert loaded == whole
        assert query(target_url, "SELECT count(*) FROM item") == [(whole,)]
    (place / "items.xml").write_bytes(DOCUMENT)
    assert load(place, target_url).loaded == RECORDS - loaded
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]
    assert query(target_url, "SELECT count(*) FROM etl_reject") == [(0,)]


def test_a_file_that_grows_while_it_is_loaded(place: Path) -> None:
    """What is read is what was there when it was named: only that has an identity."""
    url = f"sqlite:///{place}/items.db"
    # More than is read ahead.
    content = document(*(item(number, b"x" * 4000) for number in range(1, RECORDS + 1)))
    half = len(content) // 2
    (place / "items.xml").write_bytes(content[:half])
    grown: list[int] = []

    def grow(_committed: object) -> None:
        if not grown:
            with (place / "items.xml").open("ab") as file:
                grown.append(file.write(content[half:]))

    with pytest.raises(SourceError) as error:
        etl.load(
            place / "items.xml",
            mapping=place / "items.mapping.yaml",
            target=url,
            settings=build_settings({"workers": {"kind": "inline"}, "queue": {"max_bytes": "1MiB"}}),
            on_batch=grow,
        )
    # It may be looked at while it is being written.
    told = rf"has grown while it was read, from {half:,} to [\d,]+ bytes\. The document breaks off at byte {half} "
    assert re.search(told, str(error.value))
    assert str(error.value).endswith("When the file is whole, a load goes on from there.")
    assert error.value.report.loaded == content[:half].count(b"</item>")
    assert load(place, url).state == "finished"
    assert query(url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]


def test_another_beginning_is_another_source(place: Path, target_url: str) -> None:
    (place / "items.xml").write_bytes(DOCUMENT[: len(DOCUMENT) // 2])
    load_broken(place, target_url)
    (place / "items.xml").write_bytes(DOCUMENT.replace(b"<items>", b"<items >", 1))
    (status,) = etl.status(target_url)
    assert status.obstacle == "changed"
    report = load(place, target_url)
    assert report.loaded == RECORDS
    assert any("began to be loaded, and was not finished, with other content before" in told for told in report.notices)


def test_a_document_that_was_whole_is_another_one_when_it_has_grown(place: Path, target_url: str) -> None:
    (place / "items.xml").write_bytes(DOCUMENT)
    load(place, target_url)
    (place / "items.xml").write_bytes(DOCUMENT + b"<!-- more -->\n")
    assert load(place, target_url).loaded == RECORDS
    assert len(etl.status(target_url)) == 2


def test_so_is_one_of_which_all_was_read_before_its_load_ended(place: Path) -> None:
    url = f"sqlite:///{place}/items.db"
    (place / "items.xml").write_bytes(DOCUMENT)
    killed = etl_command("load", "items.xml", "--to", url, "-q", cwd=place, env={"ETL_FAULT": "at_gap_check"})
    assert killed.code == KILLED
    assert query(url, "SELECT count(*) FROM item") == [(RECORDS,)]
    (place / "items.xml").write_bytes(DOCUMENT + b"<!-- more -->\n")
    assert load(place, url).loaded == RECORDS


def test_a_copy_in_another_place_goes_on_with_nothing(place: Path) -> None:
    url = f"sqlite:///{place}/items.db"
    (place / "items.xml").write_bytes(DOCUMENT[: len(DOCUMENT) // 2])
    load_broken(place, url)
    (place / "other.xml").write_bytes(DOCUMENT)
    report = etl.load(place / "other.xml", mapping=place / "items.mapping.yaml", target=url, settings=settings())
    assert report.loaded == RECORDS


def test_a_source_that_somebody_loads_is_not_taken_from_him(place: Path, target_url: str) -> None:
    (place / "items.xml").write_bytes(DOCUMENT[: len(DOCUMENT) // 2])
    raised: list[BaseException] = []

    def grow(_committed: object) -> None:
        if raised:
            return
        (place / "grown.xml").write_bytes(DOCUMENT)
        (place / "grown.xml").rename(place / "items.xml")
        with pytest.raises(SourceHeld, match=r"is being loaded in .* already, by ") as error:
            load(place, target_url)
        raised.append(error.value)

    with pytest.raises(SourceError):
        etl.load(
            place / "items.xml",
            mapping=place / "items.mapping.yaml",
            target=target_url,
            settings=settings(),
            on_batch=grow,
        )
    assert raised
    assert load(place, target_url).state == "finished"
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]


def test_an_archive_that_was_cut_off_goes_on_too(place: Path, target_url: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for first in range(0, RECORDS, 40):
            content = document(*(grown_item(number) for number in range(first, first + 40)))
            member = tarfile.TarInfo(f"items/{first}.xml")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    whole = packed.getvalue()
    (place / "items.xml").write_bytes(whole[: len(whole) // 2])
    report, _ = load_broken(place, target_url)
    assert 0 < report.loaded < RECORDS
    (place / "items.xml").write_bytes(whole)
    assert load(place, target_url).loaded == RECORDS - report.loaded
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]
    assert [source.state for source in etl.status(target_url)] == ["finished"]
