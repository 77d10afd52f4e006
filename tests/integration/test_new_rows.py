"""Rows of the ledger that may be there already: which of them were, and that names of any kind are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

import etl
from etl.native import problem, unavailable
from etl.options import Settings
from etl.targets.base import Target, TargetConnection
from etl.targets.open import open_target
from tests.breaking.outcome import Content
from tests.reject_place import wait_for

Row = tuple[int, int, str, bytes, bool]
Key = tuple[int, int]
ROWS: list[Row] = [
    *((1, 1, 'a\'b, \\ "☃" {}', b"\0\xff", True), (1, 2, "", b"", False), (2, 1, "NULL", b"y", True)),
    *((2, 2, "\\N", b"{},", True), (2**62, 1, "x\ny\t", bytes(range(256)), False), (2**62, 2, " ", b"z", True)),
]
KEYS: list[Key] = [(row[0], row[1]) for row in ROWS]
METADATA = sa.MetaData()
TABLE = sa.Table(
    "kept",
    METADATA,
    sa.Column("source", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("name", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("flag", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
MAPPING = "version: 1\ntables:\n  note: {each: /note, columns: {text: {path: text}}}\n"


@pytest.fixture(params=["postgres", "sqlite", "sqlite in python"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A target with the table in it: SQLite with the compiled function, and without."""
    if request.param == "sqlite" and (reason := unavailable() or problem("_sqlite_rows")):
        pytest.skip(reason)
    on_disk = f"sqlite:///{tmp_path / 'target.db'}"
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else on_disk
    with closing(open_target(url, Settings())) as target:
        if request.param != "postgres":
            vars(target)["compiled"] = request.param == "sqlite"
        with closing(target.connect()) as connection:
            connection.begin()
            target.create_own_tables(connection, METADATA)
            connection.commit(durable=False)
        yield target


@contextmanager
def transaction(target: Target) -> Iterator[TargetConnection]:
    with closing(target.connect()) as connection:
        connection.begin()
        yield connection
        connection.commit(durable=False)


def insert(connection: TargetConnection, rows: Sequence[Row]) -> set[Key]:
    """The keys of those that were there."""
    return connection.insert_new(TABLE, ("source", "number"), list(zip(*rows, strict=True)))


def stored(connection: TargetConnection) -> list[Row]:
    found = connection.execute(sa.select(TABLE).order_by(TABLE.c.source, TABLE.c.number))
    return [(*row[:3], bytes(row[3]), bool(row[4])) for row in found]


@pytest.mark.parametrize("known", range(len(ROWS) + 1))
def test_tells_which_rows_were_there(target: Target, known: int) -> None:
    there = ROWS[known:][::2] if known % 2 else ROWS[:known]
    if there:
        with transaction(target) as connection:
            assert insert(connection, there) == set()
    with transaction(target) as connection:
        # Not a row of a call that is in part known is lost, or there twice.
        assert insert(connection, ROWS) == {(row[0], row[1]) for row in there}
        assert stored(connection) == ROWS
        assert insert(connection, ROWS) == set(KEYS)
    with transaction(target) as connection:
        assert stored(connection) == ROWS


def test_a_row_is_there_where_any_unique_key_of_it_is(target: Target) -> None:
    with transaction(target) as connection:
        assert insert(connection, ROWS[:3]) == set()
        same_name, same_key = (9, 9, "other", ROWS[0][3], True), (1, 2, "other", b"other", True)
        assert insert(connection, [same_name, same_key, ROWS[4]]) == {(9, 9), (1, 2)}
        assert stored(connection) == [*ROWS[:3], ROWS[4]]


def test_what_was_written_before_in_the_transaction_stays(target: Target) -> None:
    with closing(target.connect()) as connection:
        connection.begin()
        insert(connection, ROWS[:2])
        assert insert(connection, ROWS[1:4]) == {KEYS[1]}
        assert stored(connection) == ROWS[:4]
        connection.rollback()
        connection.begin()
        assert stored(connection) == []
        connection.rollback()


def test_of_a_great_many(target: Target) -> None:
    rows: list[Row] = [(1, number, f"docs/{number}.xml", b"%016d" % number, False) for number in range(20_000)]
    with transaction(target) as connection:
        assert insert(connection, rows[:10_000]) == set()
        assert insert(connection, rows[10_000:]) == set()
        assert insert(connection, [*rows[:5], *ROWS[2:], rows[-1]]) == {
            (1, 0),
            (1, 1),
            (1, 2),
            (1, 3),
            (1, 4),
            (1, 19_999),
        }
        assert len(stored(connection)) == 20_000 + len(ROWS) - 2


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("share", [slice(0, 6), slice(2, 4)], ids=["all", "some"])
def test_who_comes_second_waits_and_sees_what_became_of_the_first(
    postgres_url: str, commits: bool, share: slice
) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with closing(open_target(postgres_url, Settings())) as target, ThreadPoolExecutor(1) as pool:
        with transaction(target) as connection:
            target.create_own_tables(connection, METADATA)
        with closing(target.connect()) as first, closing(target.connect()) as second:
            first.begin()
            assert insert(first, ROWS[share]) == set()
            second.begin()
            answer = pool.submit(insert, second, ROWS)
            with psycopg.connect(postgres_url, autocommit=True) as watching:
                wait_for(lambda: watching.execute(waiting).fetchone() == (1,))
            assert not answer.done()
            if commits:
                first.commit(durable=False)
            else:
                first.rollback()
            assert answer.result(30) == (set(KEYS[share]) if commits else set())
            second.commit(durable=False)
        with transaction(target) as connection:
            assert stored(connection) == ROWS


def test_two_that_bring_the_same_at_the_same_time_have_it_once(target: Target) -> None:
    rows: list[Row] = [(1, number, "x", b"%d" % number, False) for number in range(500)]

    def bring(first: int) -> int:
        """Ten groups, in one order; how many rows were new."""
        new = 0
        for group in range(first, first + 10):
            with transaction(target) as connection:
                some = rows[20 * group : 20 * group + 100]
                new += len(some) - len(insert(connection, some))
        return new

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(bring, (0, 3))) == 20 * 12 + 100
    with transaction(target) as connection:
        assert stored(connection) == rows[: 20 * 12 + 100]


@pytest.mark.usefixtures("both_ways")
def test_a_folder_may_hold_files_whose_names_are_no_text(target_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(101):
        (folder / f"{number}.xml").write_text(f"<note><text>{number}</text></note>")
    with open(os.fsencode(folder) + b"/\xff.xml", "w") as file:
        file.write("<note><text>last</text></note>")
    mapping = tmp_path / "notes.mapping.yaml"
    mapping.write_text(MAPPING)
    report = etl.load(folder, mapping=mapping, target=target_url)
    assert (report.loaded, report.state) == (102, "finished")
    labels = [row["label"] for row in Content(target_url).rows["etl_document"]]
    assert sum("?" in label for label in labels) == 1
