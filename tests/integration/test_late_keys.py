"""Keys that PostgreSQL gets after the last row: several at once, and whatever comes in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from etl.errors import TargetError
from etl.mapping.model import ForeignKey, Mapping, ParentKey, Sequence, Table
from etl.targets import key_building
from etl.targets.base import TargetConnection
from tests.target_rows import column, opened, write

KEYS = (
    "SELECT conname, contype::text, convalidated FROM pg_constraint WHERE contype IN ('p', 'f') AND conname ~ '^[abc]_'"
)
ALL = {
    ("a_pkey", "p", True),
    ("b_pkey", "p", True),
    ("c_pkey", "p", True),
    ("b_a_id_fkey", "f", True),
    ("c_a_id_fkey", "f", True),
}


def child(name: str) -> Table:
    columns = (
        column("a_id", "bigint", required=True, source=ParentKey("id")),
        column("seq", "integer", required=True, source=Sequence()),
    )
    return Table(name, columns, ("a_id", "seq"), parent=0, foreign_key=ForeignKey(("a_id",), ("id",)))


def parent_of_two() -> Mapping:
    parent = Table("a", (column("id", "bigint", required=True), column("x")), ("id",))
    return Mapping((parent, child("b"), child("c")), "two.yaml", "version: 1")


@pytest.fixture(autouse=True)
def several_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the tables."""
    monkeypatch.setattr(key_building, "WORTH_A_CONNECTION", 1)


@pytest.fixture
def watcher(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def keys(watcher: psycopg.Connection) -> set[tuple[object, ...]]:
    return set(watcher.execute(KEYS))


def test_a_table_that_is_not_free_keeps_no_other_from_its_key(postgres_url: str, watcher: psycopg.Connection) -> None:
    mapping = parent_of_two()
    with opened(postgres_url) as target, psycopg.connect(postgres_url) as reader:
        target.prepare(mapping, "after")
        write(target, [(1, "x")], [(1, 1)], [(1, 1)])
        reader.execute("LOCK TABLE b IN ACCESS SHARE MODE")
        building = threading.Thread(target=lambda: target.build_keys(mapping))
        building.start()
        while len(keys(watcher)) < 2:
            assert building.is_alive()
        assert keys(watcher) == {("a_pkey", "p", True), ("c_pkey", "p", True)}
        reader.rollback()
        building.join()
    assert keys(watcher) == ALL


def test_a_foreign_key_that_does_not_hold_is_taken_back(postgres_url: str, watcher: psycopg.Connection) -> None:
    mapping = parent_of_two()
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "x")], [(1, 1), (2, 1)], [(1, 1)])
        (problem,) = target.build_keys(mapping)
        assert "1 rows have no parent in a (a_id = 2)" in problem.message
        assert keys(watcher) == {key for key in ALL if key[0] != "b_a_id_fkey"}
        assert set(watcher.execute("SELECT table_name FROM etl_table WHERE keys_to_come")) == {("b",)}
        watcher.execute("INSERT INTO a VALUES (2, 'y')")
        assert target.build_keys(mapping) == []
    assert keys(watcher) == ALL


def test_foreign_keys_that_were_only_declared_are_looked_at_later(
    postgres_url: str, watcher: psycopg.Connection
) -> None:
    mapping = parent_of_two()
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "x")], [(1, 1)], [(1, 1), (2, 1)])

        def declared() -> bool:
            return any(not checked for _, _, checked in keys(watcher))

        assert target.build_keys(mapping, stopped=declared) == []
        assert {checked for _, kind, checked in keys(watcher) if kind == "f"} == {False}
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        (problem,) = target.build_keys(mapping)
        assert problem.table == "c"
        watcher.execute("DELETE FROM c WHERE a_id = 2")
        assert target.build_keys(mapping) == []
    assert keys(watcher) == ALL


@pytest.mark.parametrize("name", ["a_pkey", "c_pkey"])
def test_an_error_over_any_of_the_connections_ends_it_and_another_go_goes_on(
    postgres_url: str, watcher: psycopg.Connection, name: str
) -> None:
    mapping = parent_of_two()
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "x")], [(1, 1)], [(1, 1)])
        watcher.execute(f"CREATE TABLE other AS SELECT 1 AS {name[0]}; CREATE INDEX {name} ON other ({name[0]})")
        with pytest.raises(TargetError, match=f'relation "{name}" already exists'):
            target.build_keys(mapping)
        assert not any(kind == "f" for _, kind, _ in keys(watcher))
        watcher.execute(f"DROP INDEX {name}")
        assert target.build_keys(mapping) == []
    assert keys(watcher) == ALL


def test_keys_are_built_over_as_many_connections_as_rows_are_written_over(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = parent_of_two()
    with opened(postgres_url, insert={"threads": 1}) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "x")], [(1, 1)], [(1, 1)])
        connect, connected = target.connect, 0

        def counted() -> TargetConnection:
            nonlocal connected
            connected += 1
            return connect()

        monkeypatch.setattr(target, "connect", counted)
        assert target.build_keys(mapping) == []
    assert connected == 1
