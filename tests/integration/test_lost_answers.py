"""A commit whose answer never came: whether it happened is in the ledger, and what is told of it is told once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import etl
from etl.errors import ConnectionLost, TransientError
from etl.messages import Committed, RejectedRecord
from etl.options import build_settings
from etl.targets.sqlite import SqliteConnection
from tests.acceptance.contents import count, query
from tests.integration.bad_input import MAPPING, document, item
from tests.integration.test_bad_network import Notes

SETTINGS = build_settings(
    {
        "workers": {"kind": "inline"},
        "insert": {"batch_records": 100},
        "split": {"bytes": "2KiB"},
        "retry": {"first_wait": "1ms"},
    }
)


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    return file


def break_commits(patch: pytest.MonkeyPatch, happens: Callable[[int], bool], error: TransientError) -> list[int]:
    """Every third commit of the insert thread fails with `error`; `happens` tells by its number whether it happened."""
    broken: list[int] = []
    commits = 0
    commit = SqliteConnection.commit

    def fail(self: SqliteConnection, *, durable: bool) -> None:
        nonlocal commits
        if not threading.current_thread().name.startswith("etl-insert"):
            commit(self, durable=durable)
            return
        commits += 1
        if commits % 3:
            commit(self, durable=durable)
            return
        if happens(commits):
            commit(self, durable=durable)
        broken.append(commits)
        raise error

    patch.setattr(SqliteConnection, "commit", fail)
    return broken


REFUSING = """
    CREATE TABLE item (
        id integer PRIMARY KEY, name text, CHECK (id % 37 <> 0 OR id > 1000)
    )
"""
"""So that some of the batches go in split by split."""

NUMBERS = range(1, 2001)
BAD = {number for number in NUMBERS if number % 50 == 0}
REFUSED = {number for number in range(1, 1001) if number % 37 == 0} - BAD


@pytest.mark.parametrize("refusing", [False, True], ids=["whole", "split-by-split"])
@pytest.mark.parametrize("error", [ConnectionLost("It was lost."), TransientError("It is busy.")], ids=["lost", "busy"])
@pytest.mark.parametrize(
    "happens",
    [lambda _: True, lambda _: False, lambda number: number % 2 == 0],
    ids=["it-happened", "it-did-not", "now-and-then"],
)
def test_it_is_decided_by_the_ledger(
    tmp_path: Path,
    mapping: Path,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[int], bool],
    error: TransientError,
    *,
    refusing: bool,
) -> None:
    source = tmp_path / "items.xml"
    bad = b"<item id='x'><name>no number</name></item>\n"
    source.write_bytes(document(*(bad if number in BAD else item(number) for number in NUMBERS)))
    file = tmp_path / "items.db"
    if refusing:
        with closing(sqlite3.connect(file)) as database:
            database.execute(REFUSING)
    broken = break_commits(monkeypatch, happens, error)
    told: list[Committed] = []
    rejected: list[RejectedRecord] = []
    notes = Notes()
    url = f"sqlite:///{file}"
    report = etl.load(
        source,
        mapping=mapping,
        target=url,
        settings=SETTINGS,
        on_batch=told.append,
        on_reject=rejected.append,
        progress=notes,
    )

    assert len(broken) == len(notes.retries) > 5
    rejects = len(BAD) + (len(REFUSED) if refusing else 0)
    account = (len(NUMBERS), len(NUMBERS) - rejects, rejects)
    assert (report.records, report.loaded, report.rejected) == account
    assert query(url, "SELECT sum(records), sum(loaded), sum(rejected) FROM etl_split") == [account]
    assert query(url, "SELECT count(*), count(DISTINCT id) FROM item") == [(account[1], account[1])]
    assert count(url, "etl_reject") == rejects
    # What was told while it ran is the same, each thing once.
    assert (sum(each.records for each in told), sum(each.loaded for each in told), len(rejected)) == account
    assert sum(sum(each.rows) for each in told) == account[1]
    assert len({reject.record for reject in rejected}) == rejects
    assert sum(each.duplicates for each in told) == 0
    splits = [number for each in told for number in each.splits]
    assert len(splits) == len(set(splits)) == count(url, "etl_split")
