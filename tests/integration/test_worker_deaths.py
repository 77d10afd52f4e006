"""Worker processes that die while a load runs: only what kills them is lost, and it is a reject."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import etl
from etl.progress import SilentProgress
from tests import row_killers
from tests.command import etl as command

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    columns:
      id: {path: "@id", type: integer}
      name: {path: name, transform: {python: "row_killers:deadly"}}
  part:
    parent: item
    each: part
    columns: {value: .}
"""


def settings(split_bytes: int, batch_records: int = 50_000) -> etl.Settings:
    return etl.Settings.model_validate(
        {
            "workers": {"kind": "process", "count": 2},
            "split": {"bytes": split_bytes},
            "insert": {"batch_records": batch_records},
        }
    )


class Listening(SilentProgress):
    """Keeps what the user is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    shutil.copy(Path(row_killers.__file__), tmp_path / "row_killers.py")
    return file


def document(records: int, name: Callable[[int], str]) -> str:
    items = (
        f'<item id="{number}"><name>{name(number)}</name><part>a</part><part>{number}</part></item>\n'
        for number in range(1, records + 1)
    )
    return f"<items>\n{''.join(items)}</items>\n"


@pytest.mark.parametrize("target", ["memory://", "sqlite"])
def test_only_the_records_that_kill_are_rejected(target: str, tmp_path: Path, mapping: Path) -> None:
    deeds = {37: "kill", 38: "crash"} if target == "memory://" else {60: "exit"}
    source = tmp_path / "items.xml"
    source.write_text(document(200, lambda number: deeds.get(number, f"name {number}")))
    progress = Listening()
    database = tmp_path / "out.db"
    report = etl.load(
        source,
        mapping=mapping,
        target=target if target == "memory://" else f"sqlite:///{database}",
        settings=settings(1000),
        progress=progress,
    )
    assert (report.loaded, report.rejected) == (200 - len(deeds), len(deeds))
    assert {(reject.reason, reject.count) for reject in report.rejects} == {("killed_worker", len(deeds))}
    assert all("; it is replaced" in note for note in progress.notes)
    assert progress.notes
    if report.rows is not None:
        assert [row["id"] for row in report.rows["item"]] == [n for n in range(1, 201) if n not in deeds]
        assert [row["value"] for row in report.rows["part"]][:4] == ["a", "1", "a", "2"]
        assert len(report.rows["part"]) == 2 * (200 - len(deeds))
        return
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM item").fetchone() == (199, 199)
        rejects = connection.execute("SELECT record, reason, message FROM etl_reject").fetchall()
    connection.close()
    assert rejects == [
        (
            60,
            "killed_worker",
            "The worker process that mapped this record ended with exit code 3, and the one after it as well.",
        )
    ]


def test_only_the_document_that_kills_is_rejected_of_those_that_travel_with_it(tmp_path: Path, mapping: Path) -> None:
    mapping.write_text(MAPPING.replace("/items/item", "/item"))
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(1, 131):
        name = "exit" if number == 60 else f"name {number}"
        text = f"<?xml version='1.0'?>\n<item id='{number}'><name>{name}</name><part>a</part></item>\n"
        (folder / f"{number:03}.xml").write_text(text)
    database = tmp_path / "out.db"
    report = etl.load(folder, mapping=mapping, target=f"sqlite:///{database}", settings=settings(1 << 18))
    assert (report.loaded, report.rejected) == (129, 1)
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*), sum(id) FROM item").fetchone() == (129, 130 * 131 // 2 - 60)
        place = "SELECT label, line, record, reason FROM etl_reject r JOIN etl_document d USING (source, document)"
        assert connection.execute(place).fetchall() == [(str(folder / "060.xml"), 2, 1, "killed_worker")]
        totals = "SELECT sum(records), sum(loaded), sum(rejected), sum(discarded) FROM etl_split"
        assert connection.execute(totals).fetchone() == (130, 129, 1, 0)
    connection.close()


def test_workers_killed_at_random_from_outside_cost_nothing(tmp_path: Path, mapping: Path) -> None:
    source = tmp_path / "items.xml"
    source.write_text(document(6000, lambda number: f"name {number}"))
    chosen = random.Random(4)
    killed: list[int] = []

    def kill_one(_: object) -> None:
        workers = sorted(set(_workers()) - set(killed))
        if workers and len(killed) < 6:
            killed.append(chosen.choice(workers))
            os.kill(killed[-1], signal.SIGKILL)

    report = etl.load(
        source,
        mapping=mapping,
        target="memory://",
        settings=settings(20_000, batch_records=300),
        on_batch=kill_one,
    )
    assert len(killed) >= 3
    assert (report.loaded, report.rejected) == (6000, 0)
    assert report.rows is not None
    assert [row["id"] for row in report.rows["item"]] == list(range(1, 6001))


def _workers() -> list[int]:
    """Worker processes that this process has."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"etl.worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has just ended
    return found


def test_a_record_that_takes_all_memory_is_rejected(tmp_path: Path, mapping: Path) -> None:
    source = tmp_path / "items.xml"
    hungry = "<item id='2'>" + "<a/>" * 3_000_000 + "</item>"
    source.write_text(f"<items><item id='1'/>{hungry}<item id='3'/></items>")

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))

    result = command(
        "load",
        source,
        *("--map", mapping, "--to", "sqlite:///out.db", "--workers", "1", "--set", "workers.kind=process", "-q"),
        cwd=tmp_path,
        preexec_fn=little_memory,
    )
    assert result.code == 3, result.err
    assert "Traceback" not in result.err
    with sqlite3.connect(tmp_path / "out.db") as connection:
        assert connection.execute("SELECT id FROM item ORDER BY id").fetchall() == [(1,), (3,)]
        ((reason, message),) = connection.execute("SELECT reason, message FROM etl_reject").fetchall()
    connection.close()
    assert reason == "killed_worker"
    assert "memory" in message
