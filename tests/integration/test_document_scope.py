"""`scope: document` in whole loads: resumed and retried ones, several documents, and values that come too late."""

from __future__ import annotations

from pathlib import Path

import pytest

import etl
from tests.command import etl as run_etl
from tests.integration.test_retry import KILLED
from tests.reject_place import Place

MAPPING = """\
version: 1
tables:
  item:
    each: /batch/items/item
    key: id
    columns:
      id: {path: "@id", type: integer, required: true}
      day: {path: /batch/header/day, scope: document, type: date, required: true}
      source: {path: "/batch/@of", scope: document}
  part:
    parent: item
    each: part
    columns:
      text: .
      tags: {path: /batch/header/tag, scope: document, many: array}
"""
SMALL = ["--set", "split.bytes=1", "--set", "insert.batch_records=1", "--set", "insert.threads=1"]
DAY = "2024-05-01"


def batch(
    name: str, numbers: range, *, bad: int = 0, header: str = f"<day>{DAY}</day><tag>&co;</tag><tag>b</tag>"
) -> str:
    items = "".join(
        f'<item id="{"x" if n == bad else ""}{n}"><part>p</part></item>{"</items><items>" if n % 3 == 0 else ""}\n'
        for n in numbers
    )
    declared = '<!DOCTYPE batch [<!ENTITY co "Acme">]>\n'
    return f'{declared}<batch of="{name}"><header>{header}</header><items>{items}</items></batch>'


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> Place:
    return _made(Place(tmp_path, target_url))


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return _made(Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}"))


def _made(place: Place) -> Place:
    place.write("items.yaml", MAPPING)
    place.write("items.xml", batch("one", range(1, 8)))
    return place


def items(place: Place) -> list[tuple[object, ...]]:
    return [(number, str(day), of) for number, day, of in place.rows("SELECT id, day, source FROM item ORDER BY id")]


def expected(numbers: range, of: str = "one", day: str = DAY) -> list[tuple[object, ...]]:
    return [(number, day, of) for number in numbers]


def tags(place: Place) -> set[str]:
    return {str(tags) for (tags,) in place.rows("SELECT tags FROM part")}


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_every_row_has_them(place: Place, kind: str) -> None:
    report = place.load(workers={"kind": kind, "count": 2}, split={"bytes": 1})
    assert (report.loaded, report.rejected) == (7, 0)
    assert items(place) == expected(range(1, 8))
    assert tags(place) == {'["Acme", "b"]' if place.url.startswith("sqlite") else "['Acme', 'b']"}
    assert not any("never matched" in notice for notice in report.notices)


def test_killed_in_the_middle_the_rest_has_them_too(place: Place) -> None:
    load = ["items.xml", "--map", "items.yaml", *SMALL, "--set", "workers.kind=inline"]
    assert place.command("load", *load, env={"ETL_FAULT": "after_commit:3"}).code == KILLED
    assert 0 < len(items(place)) < 7
    last = place.command("load", *load)
    assert last.code == 0, last.err
    assert items(place) == expected(range(1, 8))
    assert len(tags(place)) == 1


def test_a_retry_knows_them(place: Place) -> None:
    place.write("items.xml", batch("one", range(1, 8), bad=4))
    assert place.load().rejected == 1
    place.write("mended.yaml", MAPPING.replace("type: integer", 'type: integer, transform: {replace: ["x", ""]}'))
    assert place.retry("mended.yaml").loaded == 1
    assert items(place) == expected(range(1, 8))
    assert len(tags(place)) == 1


def test_an_export_has_the_records_and_what_stands_around_them(sqlite_place: Place) -> None:
    place = sqlite_place
    place.write("items.xml", batch("one", range(1, 8), bad=4))
    place.load()
    assert place.command("rejects", "--export", "bad.xml").code == 0
    exported = (place.folder / "bad.xml").read_text("utf-8")
    assert '<batch of="one"><items>' in exported.replace("\n", "")
    assert 'id="x4"' in exported
    assert "<day>" not in exported


def test_each_document_has_its_own(place: Place) -> None:
    place.write("more.xml", batch("two", range(11, 14), header="<day>2025-01-01</day>"))
    report = etl.load(
        [place.folder / "items.xml", place.folder / "more.xml"], mapping=place.folder / "items.yaml", target=place.url
    )
    assert report.loaded == 10
    assert items(place) == expected(range(1, 8)) + expected(range(11, 14), "two", "2025-01-01")


def test_a_document_without_them_is_as_any_column(place: Place) -> None:
    place.write("items.xml", batch("one", range(1, 4), header="<tag>a</tag>"))
    report = place.load()
    assert (report.loaded, report.rejected) == (0, 3)
    assert [(group.reason, group.column, group.count) for group in report.rejects] == [("missing_value", "day", 3)]
    # What is wrong with it is mended by what the mapping says of such a value.
    place.write("mended.yaml", MAPPING.replace("required: true}\n      source", "default: '1999-01-01'}\n      source"))
    assert place.retry("mended.yaml").loaded == 3
    assert items(place) == expected(range(1, 4), day="1999-01-01")


@pytest.mark.parametrize("kind", ["inline", "thread", "process"])
def test_a_value_behind_the_records_is_an_error_in_the_mapping(place: Place, kind: str) -> None:
    document = batch("one", range(1, 60), header="")
    place.write("items.xml", document.replace("</batch>", f"<header><day>{DAY}</day></header></batch>"))
    at = document.index("</batch>") + len("<header>")
    refused = place.command("load", "items.xml", "--map", "items.yaml", *SMALL, "--set", f"workers.kind={kind}")
    assert refused.code == 2
    assert (
        "items.yaml:8: tables.item.columns.day.path: '/batch/header/day' has `scope: document`, but in items.xml it"
        f" stands behind the first record only, at byte {at} (line " in refused.err
    )
    assert "Traceback" not in refused.err
    assert [status.state for status in place.sources()] in ([], ["interrupted"])
    again = place.command("load", "items.xml", "--map", "items.yaml")
    assert again.code == 2
    assert "behind the first record only" in again.err


def test_a_check_tells_it_too(tmp_path: Path) -> None:
    (tmp_path / "items.yaml").write_text(MAPPING, "utf-8")
    document = batch("one", range(1, 4), header="<tag>a</tag>").replace(
        "</batch>", f"<header><day>{DAY}</day></header></batch>"
    )
    (tmp_path / "items.xml").write_text(document, "utf-8")
    refused = run_etl("check", "items.xml", "--map", "items.yaml", cwd=tmp_path)
    assert refused.code == 2
    assert "items.yaml:8: tables.item.columns.day.path" in refused.err


def test_what_never_matched_is_told(sqlite_place: Place) -> None:
    place = sqlite_place
    place.write("items.yaml", MAPPING.replace("/batch/@of", "/batch/@off").replace("<tag>", "<x>"))
    report = place.load()
    assert any("item.source (line 9: /batch/@off)" in notice for notice in report.notices)
    assert not any("/batch/header" in notice for notice in report.notices)
