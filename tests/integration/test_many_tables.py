"""Mappings at the edge of what a database holds: very many tables, very many columns, keys that do not hold."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import psycopg
import pytest
import sqlalchemy as sa

from etl.errors import RowsRefused, TargetError
from etl.mapping.model import ColumnType, ForeignKey, Mapping, ParentKey, Sequence, Table
from etl.targets import key_building, sql
from etl.targets.sql import SqlTarget
from tests.target_rows import column, family, opened, read, single, write


def families(count: int) -> Mapping:
    """`count` parents with a text key, each with a child, in turn."""
    tables: list[Table] = []
    for number in range(count):
        parent = f"r{number:03}"
        tables.append(Table(parent, (column("id", required=True), column("x")), ("id",), line=10 + number))
        child = (
            column("r_id", required=True, source=ParentKey("id")),
            column("seq", "integer", required=True, source=Sequence()),
        )
        reference = ForeignKey(("r_id",), ("id",))
        tables.append(
            Table(f"{parent}_child", child, ("r_id", "seq"), parent=len(tables) - 1, foreign_key=reference, line=99)
        )
    return Mapping(tuple(tables), "many.yaml", "version: 1")


def with_lines(mapping: Mapping, *, line: int) -> Mapping:
    return dataclasses.replace(mapping, tables=tuple(dataclasses.replace(table, line=line) for table in mapping.tables))


@pytest.mark.parametrize("keys", ["after", "before"])
def test_tables_and_keys_in_groups(target_url: str, keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "CREATED_AT_ONCE", 7)
    monkeypatch.setattr(key_building, "FEW_KEYS", 3)
    monkeypatch.setattr(key_building, "KEYS_AT_ONCE", 4)
    mapping = families(10)
    with opened(target_url) as target:
        assert len(target.prepare(mapping, keys).created) == 20  # type: ignore[arg-type]
        write(target, *([("a", "x")] if place % 2 == 0 else [("a", 1)] for place in range(20)))
        assert target.build_keys(mapping) == []
    with opened(target_url) as target:
        assert target.prepare(mapping, keys).created == set()  # type: ignore[arg-type]
        for place in range(20):
            rows: list[list[tuple[object, ...]]] = [[] for _ in range(20)]
            rows[place] = [("a", 1)]
            with pytest.raises(RowsRefused):
                write(target, *rows)


def test_keys_that_do_not_hold_leave_the_others_of_their_group(
    target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_building, "FEW_KEYS", 3)
    monkeypatch.setattr(key_building, "KEYS_AT_ONCE", 50)
    mapping = families(6)
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        rows: list[list[tuple[object, ...]]] = [[("a", "x")] if place % 2 == 0 else [("a", 1)] for place in range(12)]
        rows[2] = [("a", "x"), ("a", "y")]
        rows[7] = [("lost", 1)]
        write(target, *rows)
        problems = target.build_keys(mapping)
        assert [problem.table for problem in problems] == ["r001", "r001_child", "r003_child"]
        assert "id = a in 2 rows" in problems[0].message
        assert "key of its parent table" in problems[1].message
        assert "1 rows have no parent in r003 (r_id = lost)" in problems[2].message
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("DELETE FROM r001 WHERE x = 'y'"))
            connection.execute(sa.text("DELETE FROM r003_child"))
            connection.commit(durable=False)
        assert target.build_keys(mapping) == []
        with pytest.raises(RowsRefused):
            write(target, [], [], [("a", "again")])


def test_a_thousand_tables_take_few_statements(postgres_url: str) -> None:
    """Each one is a way to the server and back, which may be long."""
    mapping = families(150)
    statements: list[str] = []
    with opened(postgres_url) as target:
        assert isinstance(target, SqlTarget)
        engine = target._engine  # type: ignore[attr-defined]
        sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        sa.event.listen(engine, "begin", lambda connection: statements.append("BEGIN"))
        target.prepare(mapping, "after")
        assert target.build_keys(mapping) == []
    with opened(postgres_url) as target:
        engine = target._engine  # type: ignore[attr-defined]
        sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        target.prepare(mapping, "after")
    assert len(statements) < 100
    with psycopg.connect(postgres_url) as connection:
        query = (
            "SELECT contype, count(*) FROM pg_constraint WHERE conname ~ '^r[0-9]' AND contype IN ('p', 'f') GROUP BY 1"
        )
        assert dict(connection.execute(query).fetchall()) == {"f": 150, "p": 300}


def test_who_waits_for_a_table_keeps_no_later_one(postgres_url: str) -> None:
    """So that two loads never wait for each other."""
    a, b, c = (single(name, column("id", required=True), column("x")) for name in "abc")
    all_three = Mapping((*a.tables, *b.tables, *c.tables), "all.yaml", "")
    waiting, done = threading.Event(), threading.Event()
    said: list[str] = []

    def tell(sentence: str) -> None:
        said.append(sentence)
        waiting.set()

    def second() -> None:
        with opened(postgres_url) as target:
            target.notify = tell
            target.prepare(all_three, "after")
            done.set()

    with opened(postgres_url) as target:
        target.prepare(all_three, "before")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("UPDATE etl_table SET keys_to_come = true"))
            connection.commit(durable=False)
    with opened(postgres_url) as first:
        first.prepare(b, "after")
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        with opened(postgres_url) as third:
            third.notify = said.append
            third.prepare(c, "after")
        assert not done.is_set()
    thread.join()
    assert done.is_set()
    assert len(said) == 1
    assert "which is loading into b and" in said[0]


def test_the_widest_tables(target_url: str) -> None:
    limit = 2000 if target_url.startswith("sqlite") else 1600
    mapping = single("wide", column("id", "integer"), *(column(f"c{n}", "boolean") for n in range(limit - 1)))
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [(n, *[n % 2 == 0] * (limit - 1)) for n in range(120)])
        assert target.build_keys(mapping) == []
        rows = read(target, mapping, "wide")
    assert len(rows) == 120
    assert set(rows[0][1:]) == {True}


def test_a_table_too_wide_is_told_before_anything_is_written(target_url: str) -> None:
    wide = single("wide", column("id", "integer"), *(column(f"c{n}", "boolean") for n in range(2000)))
    both = with_lines(Mapping((*family().tables, *wide.tables), "m.yaml", ""), line=5)
    with opened(target_url) as target:
        with pytest.raises(TargetError, match=r"The table wide \(m.yaml:5\) has 2001 columns, \w+ takes (1600|2000)\."):
            target.prepare(both, "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            wanted = {"release", "track", "wide", "etl_table"}
            assert target.missing_tables(connection, wanted) == wanted


def test_a_row_too_wide_for_a_page_is_told(postgres_url: str) -> None:
    mapping = single("wide", column("id", "integer"), *(column(f"c{n}") for n in range(1000)))
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        with pytest.raises(TargetError, match=r"row is too big.*put some columns into a table of their own"):
            write(target, [(1, *["ten letter"] * 1000)])


def test_a_second_value_of_a_key_says_which(target_url: str) -> None:
    mapping = with_lines(family(), line=3)
    with opened(target_url) as target:
        target.prepare(mapping, "before")
        write(target, [(1, "one")], [(1, 1, "a")])
        with pytest.raises(RowsRefused) as there:
            write(target, [(2, "two"), (1, "again")])
        with pytest.raises(RowsRefused) as child:
            write(target, [], [(1, 1, "again")])
    assert (there.value.reason, there.value.table) == ("duplicate_key", "release")
    assert (child.value.reason, child.value.table) == ("duplicate_key", "track")
    assert str(there.value).endswith(" (family.yaml:3)")
    if target_url.startswith("postgresql"):
        assert "Key (id)=(1) already exists" in str(there.value)
        assert "Key (release_id, seq)=(1, 1) already exists" in str(child.value)


def test_duplicates_found_last_say_what_to_change(target_url: str) -> None:
    mapping = with_lines(single("r", column("id", required=True), column("x")), line=4)
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [("a", "1"), ("a", "2")])
        (problem,) = target.build_keys(mapping)
    assert "id = a in 2 rows" in problem.message
    assert "Remove `key: id` from the table r (r.yaml:4), so that its records are numbered" in problem.message


def test_a_key_too_long_for_an_index_is_told_and_the_rows_stay(postgres_url: str) -> None:
    mapping = single("r", column("id", required=True), column("x"))
    with opened(postgres_url) as target:
        target.prepare(mapping, "after")
        # Noise, since PostgreSQL compresses what goes into an index.
        noise = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(9000))
        write(target, [(noise, "1")])
        (problem,) = target.build_keys(mapping)
        assert len(read(target, mapping, "r")) == 1
    assert problem.message.startswith("The key of r (id) is not built: index row ")
    assert "All rows stay. Remove `key: id`" in problem.message


@pytest.mark.parametrize(
    ("target_url", "own"),
    [
        ("postgres", "no_such_type"),
        *[(kind, own) for kind in ("postgres", "sqlite") for own in ("text COLLATE nowhere", "integer CHECK")],
    ],
    indirect=["target_url"],
)
def test_a_type_the_database_does_not_know(target_url: str, own: str) -> None:
    described = dataclasses.replace(column("x"), sql=own, line=8)
    mapping = single("r", column("id", required=True), described)
    with opened(target_url) as target, pytest.raises(TargetError) as caught:
        target.prepare(mapping, "after")
    assert str(caught.value).endswith(f"The mapping names types of its own: r.x (r.yaml:8) is {own}.")


@pytest.mark.parametrize("method", ["copy", "executemany"])
def test_xml_is_text_where_the_server_has_none(postgres_url: str, method: str) -> None:
    mapping = single("r", column("id", "integer"), column("x", ColumnType("xml")))
    with psycopg.connect(postgres_url) as connection:
        built = connection.execute("SELECT setting FROM pg_config WHERE name = 'CONFIGURE'").fetchone()
    has_xml = built is not None and "--with-libxml" in built[0]
    with opened(postgres_url, insert={"method": method}) as target:
        notices = target.prepare(mapping, "after").notices
        assert [notice for notice in notices if "built without xml" in notice] == ([] if has_xml else list(notices))
        write(target, [(1, "<a>b</a>")])
        assert target.build_keys(mapping) == []
        assert target.prepare(mapping, "after").created == frozenset()
        assert read(target, mapping, "r") == [(1, "<a>b</a>")]
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT data_type FROM information_schema.columns WHERE table_name = 'r' AND column_name = 'x'"
        assert connection.execute(query).fetchone() == (("xml",) if has_xml else ("text",))
