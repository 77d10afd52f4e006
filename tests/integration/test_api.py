"""The Python interface: what a program that imports `etl` relies on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import etl
from etl.messages import Committed, RejectedRecord
from etl.options import Settings, build_settings
from tests.integration.bad_input import MAPPING, document, item

EVERY_TARGET = pytest.mark.parametrize("target_url", ["sqlite", "postgres", "memory"], indirect=True)


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    return file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five records, the third of which is no good."""
    file = tmp_path / "items.xml"
    file.write_bytes(document(item(1), item(2), b"<item id='x'/>\n", item(4), item(5)))
    return file


def test_all_public_names_are_there() -> None:
    assert all(getattr(etl, name) is not None for name in etl.__all__)
    with pytest.raises(AttributeError, match="lode"):
        _ = etl.lode


def test_memory_gives_the_rows_back(source: Path, mapping: Path) -> None:
    report = etl.load(source, mapping=mapping, target="memory://")
    assert report.rows == {"item": [{"id": n, "name": "a name"} for n in (1, 2, 4, 5)]}
    assert (report.state, report.records, report.loaded, report.rejected) == ("finished", 5, 4, 1)
    assert report.tables == {"item": 4}
    [reject] = report.rejects
    assert (reject.reason, reject.table, reject.column, reject.count) == ("bad_value", "item", "id", 1)
    assert "line 4" in reject.example


def test_callbacks_hear_of_every_record_after_its_commit(
    source: Path, mapping: Path, target_url: str, tmp_path: Path
) -> None:
    batches: list[Committed] = []
    rejects: list[RejectedRecord] = []
    threads: set[str] = set()
    complete: list[etl.LoadReport] = []

    def on_batch(committed: Committed) -> None:
        batches.append(committed)
        threads.add(threading.current_thread().name)

    def on_reject(reject: RejectedRecord) -> None:
        rejects.append(reject)
        threads.add(threading.current_thread().name)

    report = etl.load(
        source,
        mapping=mapping,
        target=target_url,
        settings=build_settings({"split": {"bytes": 1}, "insert": {"batch_records": 1}}),
        on_batch=on_batch,
        on_reject=on_reject,
        on_complete=complete.append,
    )
    assert complete == [report]
    assert threads == {"etl-results"}
    assert sum(batch.records for batch in batches) == 5
    assert sum(batch.loaded for batch in batches) == sum(sum(batch.rows) for batch in batches) == 4
    assert sum(batch.source_bytes for batch in batches) == source.stat().st_size
    [reject] = rejects
    assert (reject.record, reject.line, reject.reason, reject.raw) == (3, 4, "bad_value", None)


def test_a_limit_reads_so_many_records_and_the_rest_later(source: Path, mapping: Path, target_url: str) -> None:
    first = etl.load(source, mapping=mapping, target=target_url, limit=2)
    assert (first.records, first.loaded, first.sources[0].state) == (2, 2, "stopped")
    rest = etl.load(source, mapping=mapping, target=target_url)
    assert (rest.state, rest.loaded, rest.rejected, rest.skipped) == ("finished", 2, 1, 2)
    again = etl.load(source, mapping=mapping, target=target_url)
    assert (again.state, again.loaded) == ("nothing to do", 0)


def test_check_writes_nothing_and_says_what_a_load_would(source: Path, mapping: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    report = etl.check(source, mapping=mapping, show=1)
    assert (report.records, report.loaded, report.rejected, report.exit_code) == (5, 4, 1, 3)
    assert report.first_rows == {"item": [{"id": 1, "name": "a name"}]}
    assert sorted(tmp_path.iterdir()) == before


@EVERY_TARGET
def test_names_that_databases_keep_load_without_a_mapping(tmp_path: Path, target_url: str) -> None:
    names = ["xmin", "xmax", "cmin", "cmax", "ctid", "tableoid", "oid", "rowid"]
    record = "".join(f"<{name}>1</{name}>" for name in names)
    source = tmp_path / "names.xml"
    source.write_text("<all>" + f"<sqlite>{record}<stat1>1</stat1><stat1/></sqlite>" * 2 + "</all>")
    report = etl.load(source, target=target_url)
    assert (report.state, report.loaded, report.key_problems) == ("finished", 2, ())
    assert report.tables == {"_sqlite": 2, "_sqlite_stat1": 4}


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("kind", ["process", "thread", "inline"])
def test_a_check_shows_the_first_rows_whichever_worker_is_first(tmp_path: Path, mapping: Path, kind: str) -> None:
    # The first records take longest.
    sizes = [400_000, 300_000, *[10] * 3000]
    rows = "".join(f"<item id='{number}'><name>{'n' * size}</name></item>" for number, size in enumerate(sizes, 1))
    (tmp_path / "many.xml").write_text(f"<items>{rows}</items>")
    count = 1 if kind == "inline" else 3
    settings = Settings.model_validate({"workers": {"kind": kind, "count": count}, "split": {"bytes": 2000}})
    report = etl.check(tmp_path / "many.xml", mapping=mapping, show=4, settings=settings)
    assert [row["id"] for row in report.first_rows["item"]] == [1, 2, 3, 4]
    assert report.tables == {"item": 3002}


def test_the_same_file_under_another_name_is_the_same_source(source: Path, mapping: Path, target_url: str) -> None:
    etl.load(source, mapping=mapping, target=target_url)
    moved = source.rename(source.with_name("moved.xml"))
    assert etl.load(moved, mapping=mapping, target=target_url).state == "nothing to do"


@EVERY_TARGET
def test_the_same_content_twice_in_one_load_is_loaded_once(source: Path, mapping: Path, target_url: str) -> None:
    copy = source.with_name("copy.xml")
    copy.write_bytes(source.read_bytes())
    report = etl.load([source, copy, source], mapping=mapping, target=target_url)
    assert (report.state, report.loaded, report.rejected, report.tables) == ("finished", 4, 1, {"item": 4})
    assert len(report.sources) == 1
    [notice] = [notice for notice in report.notices if "copy.xml" in notice]
    assert "items.xml" in notice
    assert "once" in notice


def test_an_error_brings_the_report_of_what_is_committed(tmp_path: Path, mapping: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_bytes(b"<items>\n" + item(1) + item(2) + b"<item id='3'>")
    with pytest.raises(etl.SourceError, match=r"broken\.xml") as caught:
        etl.load(broken, mapping=mapping, target="memory://")
    report = caught.value.report
    assert isinstance(report, etl.LoadReport)
    assert (report.state, report.loaded, report.exit_code) == ("failed", 2, 1)
    assert report.sources[0].state == "broken"


def test_a_broken_source_does_not_keep_the_others_out(tmp_path: Path, mapping: Path, target_url: str) -> None:
    (tmp_path / "1.xml").write_bytes(document(item(1)))
    (tmp_path / "2.xml").write_bytes(b"<items>" + item(2))
    (tmp_path / "3.xml").write_bytes(document(item(3)))
    with pytest.raises(etl.SourceError, match=r"2\.xml") as caught:
        etl.load(tmp_path / "[123].xml", mapping=mapping, target=target_url)
    assert caught.value.report is not None
    assert [source.state for source in caught.value.report.sources] == ["finished", "broken", "finished"]
    assert caught.value.report.loaded == 3
