"""DDL as people read it, and names that stay apart."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable

import pytest

from etl.errors import TargetError
from etl.mapping.model import Column, ColumnType, ForeignKey, Mapping, Table
from etl.targets.schema import MAX_COLUMNS, MAX_NAME_BYTES, ddl, late_keys, quote, sql_type
from tests.target_rows import SCALARS, column, family, listed, scalars, single


def test_postgres_gets_its_keys_after_the_last_row() -> None:
    assert ddl(family(), "postgresql", "after") == (
        'CREATE TABLE "release" (\n'
        '    "id" BIGINT NOT NULL,\n'
        '    "title" TEXT\n'
        ");\n\n"
        'CREATE TABLE "track" (\n'
        '    "release_id" BIGINT NOT NULL,\n'
        '    "seq" INTEGER NOT NULL,\n'
        '    "name" TEXT\n'
        ");\n\n"
        "-- After the last row:\n"
        'ALTER TABLE "release" ADD CONSTRAINT "release_pkey" PRIMARY KEY ("id");\n'
        'ALTER TABLE "track" ADD CONSTRAINT "track_pkey" PRIMARY KEY ("release_id", "seq");\n'
        'ALTER TABLE "track" ADD CONSTRAINT "track_release_id_fkey"'
        ' FOREIGN KEY("release_id") REFERENCES "release" ("id");\n'
    )


def test_sqlite_declares_what_it_cannot_add() -> None:
    assert ddl(family(), "sqlite", "after") == (
        'CREATE TABLE "release" (\n'
        '    "id" INTEGER NOT NULL,\n'
        '    "title" TEXT,\n'
        '    CONSTRAINT "release_pkey" PRIMARY KEY ("id")\n'
        ");\n\n"
        'CREATE TABLE "track" (\n'
        '    "release_id" BIGINT NOT NULL,\n'
        '    "seq" INTEGER NOT NULL,\n'
        '    "name" TEXT,\n'
        '    CONSTRAINT "track_release_id_fkey" FOREIGN KEY("release_id") REFERENCES "release" ("id")\n'
        ");\n\n"
        "-- After the last row:\n"
        'CREATE UNIQUE INDEX "track_pkey" ON "track" ("release_id", "seq");\n'
    )


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_keys_before_leave_nothing_for_later(dialect: str) -> None:
    text = ddl(family(), dialect, "before")
    assert "After the last row" not in text
    assert 'CONSTRAINT "track_pkey" PRIMARY KEY ("release_id", "seq")' in text
    assert 'CONSTRAINT "track_release_id_fkey" FOREIGN KEY' in text


@pytest.mark.parametrize("keys", ["after", "before"])
def test_sqlite_runs_what_is_shown(keys: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(ddl(scalars(), "sqlite", keys))  # type: ignore[arg-type]
    connection.executescript(ddl(family(), "sqlite", keys))  # type: ignore[arg-type]
    connection.close()


@pytest.mark.parametrize(
    ("name", "postgres", "sqlite"),
    [
        ("text", "TEXT", "TEXT"),
        ("varchar", "VARCHAR(20)", "VARCHAR(20)"),
        ("boolean", "BOOLEAN", "BOOLEAN"),
        ("smallint", "SMALLINT", "SMALLINT"),
        ("integer", "INTEGER", "INTEGER"),
        ("bigint", "BIGINT", "BIGINT"),
        ("numeric", "NUMERIC", "TEXT"),
        ("numeric_short", "NUMERIC(9, 2)", "NUMERIC(9, 2)"),
        ("numeric_long", "NUMERIC(30, 10)", "TEXT"),
        ("real", "REAL", "REAL"),
        ("double", "DOUBLE PRECISION", "DOUBLE PRECISION"),
        ("date", "DATE", "TEXT"),
        ("time", "TIME WITHOUT TIME ZONE", "TEXT"),
        ("timestamp", "TIMESTAMP WITHOUT TIME ZONE", "TEXT"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE", "TEXT"),
        ("uuid", "UUID", "TEXT"),
        ("json", "JSON", "TEXT"),
        ("jsonb", "JSONB", "TEXT"),
        ("xml", "XML", "TEXT"),
        ("bytes", "BYTEA", "BLOB"),
    ],
)
def test_types(name: str, postgres: str, sqlite: str) -> None:
    mapping = single("t", column("id", "integer"), column("value", SCALARS[name]))
    assert f'"value" {postgres}\n' in ddl(mapping, "postgresql", "after")
    assert f'"value" {sqlite},\n' in ddl(mapping, "sqlite", "after")
    lists = single("t", column("id", "integer"), listed("value", SCALARS[name]))
    assert f'"value" {postgres}[]\n' in ddl(lists, "postgresql", "after")
    assert '"value" TEXT,\n' in ddl(lists, "sqlite", "after")


def test_sqlite_keeps_fifteen_digits_as_a_number() -> None:
    assert str(sql_type(column("n", ColumnType("numeric", precision=15, scale=2)), "sqlite")) == "NUMERIC(15, 2)"
    assert str(sql_type(column("n", ColumnType("numeric", precision=16, scale=2)), "sqlite")) == "TEXT"


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
@pytest.mark.parametrize("make", [column, listed])
def test_a_type_of_the_databases_own_stands_as_it_is(dialect: str, make: Callable[[str, str], Column]) -> None:
    own = dataclasses.replace(make("value", "integer"), sql='character varying (20)\n  COLLATE "C"')
    key = dataclasses.replace(column("id", "integer"), sql="oid")
    text = ddl(single("t", key, own), dialect, "after")
    assert '"value" character varying (20) COLLATE "C"\n' in text
    assert '"id" oid NOT NULL,\n' in text


COMMENTED = single(
    "release",
    dataclasses.replace(column("id", "bigint", required=True), comment="the number; unique"),
    column("title"),
    dataclasses.replace(column("a rather long name of a column, longer than most"), comment="-- 'x' /* \\q"),
    dataclasses.replace(column("line\nbreak"), comment="nowhere"),
    dataclasses.replace(column("last"), comment="a\r\nDROP TABLE x;\u2028\x00\x85.quit"),
)
COMMENTED = dataclasses.replace(
    COMMENTED, tables=(dataclasses.replace(COMMENTED.tables[0], comment="one row a release\n.quit; \\q"),)
)


def test_comments_stand_beside_what_they_are_about() -> None:
    mapping = dataclasses.replace(
        COMMENTED, tables=(dataclasses.replace(COMMENTED.tables[0], columns=COMMENTED.tables[0].columns[:3]),)
    )
    assert ddl(mapping, "postgresql", "before") == (
        "-- one row a release .quit; \\q\n"
        'CREATE TABLE "release" (\n'
        '    "id" BIGINT NOT NULL,                                     -- the number; unique\n'
        '    "title" TEXT,\n'
        "    \"a rather long name of a column, longer than most\" TEXT,  -- -- 'x' /* \\q\n"
        '    CONSTRAINT "release_pkey" PRIMARY KEY ("id")\n'
        ");\n"
    )


def test_comments_end_with_their_line() -> None:
    text = ddl(COMMENTED, "sqlite", "after")
    assert '"last" TEXT,' in text
    assert len(text.splitlines()) == 10
    assert "nowhere" not in text
    assert '"title" TEXT,\n' in text
    connection = sqlite3.connect(":memory:")
    connection.executescript(text)
    assert [row[1] for row in connection.execute("PRAGMA table_info(release)")][-2:] == ["line\nbreak", "last"]
    connection.close()


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_table_of_more_columns_than_there_can_be(dialect: str) -> None:
    limit = MAX_COLUMNS[dialect]
    widest = single("wide", column("id", "integer"), *(column(f"c{n}") for n in range(limit - 1)))
    assert ddl(widest, dialect, "after").count(" TEXT") == limit - 1
    table = dataclasses.replace(widest.tables[0], columns=(*widest.tables[0].columns, column("more")), line=7)
    with pytest.raises(
        TargetError, match=rf"The table wide \(wide.yaml:7\) has {limit + 1} columns, \w+ takes {limit}\. Move some"
    ):
        ddl(dataclasses.replace(widest, tables=(table,)), dialect, "after")


def test_required_columns_and_keys_are_not_null() -> None:
    mapping = single("t", column("id", "uuid"), column("must", required=True), column("may"))
    text = ddl(mapping, "postgresql", "after")
    assert '"id" UUID NOT NULL' in text
    assert '"must" TEXT NOT NULL' in text
    assert '"may" TEXT\n' in text


def test_names_are_quoted() -> None:
    assert quote('a"b%') == '"a""b%"'
    text = ddl(single('ta"ble %s', column("select"), key=["select"]), "postgresql", "after")
    assert 'CREATE TABLE "ta""ble %s" (\n    "select" TEXT NOT NULL\n)' in text
    assert 'ADD CONSTRAINT "ta""ble %s_pkey" PRIMARY KEY ("select")' in text


def test_long_names_of_keys_stay_apart() -> None:
    mappings = [single("é" * 28 + ending, column("id", "text")) for ending in ("ab", "cd")]
    names = {key.name for mapping in mappings for key in late_keys(mapping, "postgresql")}
    assert len(names) == 2
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in names)
    assert all(name.endswith("_pkey") for name in names)


def test_a_child_with_a_key_of_its_own_gets_an_index_on_its_parents_key() -> None:
    parent = Table("parent", (column("id", "bigint"),), ("id",))
    child = Table(
        "child",
        (column("parent_id", "bigint"), column("code")),
        ("code",),
        parent=0,
        foreign_key=ForeignKey(("parent_id",), ("id",)),
    )
    mapping = Mapping((parent, child), "m.yaml", "")
    assert 'CREATE INDEX "child_parent_id_idx" ON "child" ("parent_id");' in ddl(mapping, "postgresql", "after")
    assert 'CREATE INDEX "child_parent_id_idx" ON "child" ("parent_id");' in ddl(mapping, "sqlite", "after")
    covered = dataclasses.replace(child, key=("parent_id", "code"))
    assert "CREATE INDEX" not in ddl(Mapping((parent, covered), "m.yaml", ""), "postgresql", "after")
