"""Which columns that are there take every value of a mapped type, and which do not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from etl.errors import TargetError
from etl.mapping.model import Column, ColumnType
from etl.targets.base import Target
from etl.targets.fitting import fits_postgres
from etl.targets.schema import Xml
from tests.target_rows import SCALARS, column, listed, opened, single

POSTGRES = {
    "text": ["text"],
    "varchar": ["text", "varchar", "varchar(20)", "varchar(300)"],
    "boolean": ["boolean", "text"],
    "smallint": ["smallint", "integer", "bigint", "numeric", "numeric(5)", "numeric(7,2)", "double precision", "real"],
    "integer": ["integer", "bigint", "numeric", "numeric(12,2)", "double precision", "text"],
    "bigint": ["bigint", "numeric", "numeric(19)", "text"],
    "numeric": ["numeric", "text"],
    "numeric_short": ["numeric", "numeric(9,2)", "numeric(12,4)", "text"],
    "real": ["real", "double precision", "text"],
    "double": ["double precision", "text"],
    "date": ["date", "timestamp", "text"],
    "time": ["time", "time(6)", "text"],
    "timestamp": ["timestamp", "timestamp(6)", "text"],
    "timestamptz": ["timestamptz", "text"],
    "uuid": ["uuid", "text"],
    "json": ["json", "text"],
    "jsonb": ["jsonb", "json", "text"],
    "xml": ["text"],
    "bytes": ["bytea"],
}
POSTGRES_UNFIT = {
    "text": ["varchar(4000)", "char(10)", "integer", "json", "bytea", "text[]", "mood"],
    "varchar": ["varchar(19)", "char(20)", "integer"],
    "boolean": ["integer", "date"],
    "smallint": ["numeric(4)", "numeric(6,2)", "boolean"],
    "integer": ["smallint", "real", "numeric(9)"],
    "bigint": ["integer", "double precision", "numeric(18)"],
    "numeric": ["numeric(30,10)", "double precision", "bigint"],
    "numeric_short": ["numeric(9,1)", "numeric(9,3)", "double precision"],
    "real": ["integer", "numeric"],
    "double": ["real", "numeric"],
    "date": ["timestamptz", "time"],
    "time": ["time(3)", "timetz", "timestamp"],
    "timestamp": ["date", "timestamptz", "timestamp(3)"],
    "timestamptz": ["timestamp", "timestamptz(0)"],
    "uuid": ["varchar(20)", "bytea"],
    "json": ["jsonb", "varchar(9)", "json[]"],
    "jsonb": ["integer", "hstore_like"],
    "xml": ["json", "bytea", "xml[]"],
    "bytes": ["text", "bit(8)", "bytea[]"],
}
POSTGRES_LISTS = {
    "text": ["text[]", "varchar[]"],
    "integer": ["integer[]", "bigint[]", "numeric[]", "text[]"],
    "timestamptz": ["timestamptz[]"],
    "jsonb": ["jsonb[]", "json[]"],
    "bytes": ["bytea[]"],
}
POSTGRES_LISTS_UNFIT = {
    "text": ["text", "varchar(9)[]", "jsonb", "integer[]"],
    "integer": ["smallint[]", "integer"],
    "bytes": ["text[]", "bytea"],
}
SQLITE = {
    "text": ["TEXT", "VARCHAR(3)", "", "BLOB", "CLOB"],
    "boolean": ["BOOLEAN", "INTEGER", "NUMERIC", "TEXT"],
    "bigint": ["INTEGER", "BIGINT", "INT", "NUMERIC", ""],
    "numeric": ["TEXT", ""],
    "numeric_short": ["NUMERIC", "DECIMAL(3,1)", "REAL", "TEXT"],
    "numeric_long": ["TEXT"],
    "double": ["REAL", "DOUBLE", "FLOAT", "NUMERIC"],
    "date": ["TEXT", "DATE", "DATETIME"],
    "timestamptz": ["TEXT", "TIMESTAMP"],
    "uuid": ["TEXT", "CHAR(36)"],
    "json": ["TEXT", ""],
    "xml": ["TEXT", "XML"],
    "bytes": ["BLOB", "BYTEA", "TEXT", "INTEGER"],
}
SQLITE_LISTS = {"text": ["TEXT", "JSON", "BLOB"], "integer": ["TEXT", "INTEGER"]}
SQLITE_UNFIT = {
    "text": ["INTEGER", "NUMERIC", "REAL", "DATE"],
    "varchar": ["INTEGER"],
    "bigint": ["REAL"],
    "numeric": ["NUMERIC", "REAL"],
    "numeric_long": ["NUMERIC(30, 10)"],
    "double": ["INTEGER"],
    "json": ["JSON", "INTEGER"],
    "jsonb": ["JSONB"],
}


def flat(types: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, there) for name, declared in types.items() for there in declared]


def examine(target: Target, pairs: list[tuple[str, str]], make: Callable[[str, ColumnType], Column] = column) -> str:
    """The message for a table with all these columns at once; empty where they fit."""
    columns = ", ".join(f"c{n} {there}" for n, (_, there) in enumerate(pairs))
    mapped = [make(f"c{n}", SCALARS[name]) for n, (name, _) in enumerate(pairs)]
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        connection.execute(sa.text(f"CREATE TABLE there (id integer PRIMARY KEY, {columns})"))
        connection.commit(durable=False)
    try:
        target.prepare(single("there", column("id", "integer"), *mapped), "after")
    except TargetError as error:
        return str(error)
    return ""


@pytest.fixture
def postgres(postgres_url: str) -> contextlib.AbstractContextManager[Target]:
    with opened(postgres_url) as target, contextlib.closing(target.connect()) as connection:
        connection.begin()
        connection.execute(sa.text("CREATE TYPE mood AS ENUM ('good', 'bad')"))
        connection.execute(sa.text("CREATE TYPE hstore_like AS (key text, value text)"))
        connection.commit(durable=False)
    return opened(postgres_url)


def test_what_fits_in_postgres(postgres: contextlib.AbstractContextManager[Target]) -> None:
    with postgres as target:
        assert examine(target, flat(POSTGRES)) == ""


def test_what_does_not_fit_in_postgres(postgres: contextlib.AbstractContextManager[Target]) -> None:
    pairs = flat(POSTGRES_UNFIT)
    with postgres as target:
        message = examine(target, pairs)
    fitting = [pair for n, pair in enumerate(pairs) if f"there.c{n} is " not in message]
    assert fitting == []


def test_lists_that_fit_in_postgres(postgres: contextlib.AbstractContextManager[Target]) -> None:
    with postgres as target:
        assert examine(target, flat(POSTGRES_LISTS), listed) == ""


def test_lists_that_do_not_fit_in_postgres(postgres: contextlib.AbstractContextManager[Target]) -> None:
    pairs = flat(POSTGRES_LISTS_UNFIT)
    with postgres as target:
        message = examine(target, pairs, listed)
    fitting = [pair for n, pair in enumerate(pairs) if f"there.c{n} is " not in message]
    assert fitting == []
    assert "there.c0 is TEXT, not a list of values as the mapping's text[] (make it TEXT[])" in message
    assert "there.c3 is INTEGER[], too narrow for the mapping's text[] (make it TEXT[])" in message


def test_what_is_wrong_is_said(postgres: contextlib.AbstractContextManager[Target]) -> None:
    with postgres as target:
        message = examine(target, [("json", "jsonb"), ("text", "text[]"), ("jsonb", "hstore_like")])
    assert "there.c0 is JSONB, which rewrites the mapping's json (make it JSON)" in message
    assert "there.c1 is TEXT[], not one value as the mapping's text (make it TEXT)" in message
    assert "there.c2 is of a type unknown here, too narrow for the mapping's jsonb (make it JSONB)" in message


def test_xml_fits_where_the_server_has_it() -> None:
    assert fits_postgres(column("c", "xml"), Xml())
    assert fits_postgres(listed("c", "xml"), sa.ARRAY(Xml()))
    assert not fits_postgres(column("c", "jsonb"), Xml())


def test_a_type_the_mapping_names_itself_fits_anything(target_url: str) -> None:
    own = [replace(make("c", "text"), name=f"c{n}", sql="x") for n, make in enumerate((column, listed))]
    with opened(target_url) as target:
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("CREATE TABLE there (id integer PRIMARY KEY, c0 integer, c1 date NOT NULL)"))
            connection.commit(durable=False)
        with pytest.raises(TargetError, match=r"mapping there.yaml: there.c1 is NOT NULL, but [^;]*$"):
            target.prepare(single("there", column("id", "integer"), *own), "after")


def test_lists_in_sqlite(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/there.db") as target:
        assert examine(target, flat(SQLITE_LISTS), listed) == ""


def test_what_fits_in_sqlite(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/there.db") as target:
        assert examine(target, flat(SQLITE)) == ""


def test_what_does_not_fit_in_sqlite(tmp_path: Path) -> None:
    pairs = flat(SQLITE_UNFIT)
    with opened(f"sqlite:///{tmp_path}/there.db") as target:
        message = examine(target, pairs)
    fitting = [pair for n, pair in enumerate(pairs) if f"there.c{n} is " not in message]
    assert fitting == []


def test_a_generated_column_takes_no_values(postgres_url: str) -> None:
    with opened(postgres_url) as target:
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(
                sa.text(
                    "CREATE TABLE there (id integer, always integer GENERATED ALWAYS AS IDENTITY,"
                    " twice integer GENERATED ALWAYS AS (id * 2) STORED, serial bigserial)"
                )
            )
            connection.commit(durable=False)
        mapping = single("there", *(column(name, ColumnType("integer")) for name in ("id", "always", "twice")))
        with pytest.raises(TargetError) as caught:
            target.prepare(mapping, "after")
    assert "there.always is generated by the database" in str(caught.value)
    assert "there.twice is generated by the database" in str(caught.value)
    assert "serial" not in str(caught.value)


def test_sqlite_does_not_tell_upper_from_lower_case(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/there.db") as target:
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("CREATE TABLE Release (ID integer PRIMARY KEY, Title text)"))
            connection.commit(durable=False)
        assert target.prepare(single("release", column("id", "integer"), column("title")), "after").created == set()
