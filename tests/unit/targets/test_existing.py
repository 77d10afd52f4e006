"""Which columns that are there take every value of a mapped type, and which do not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from etl.errors import TargetError
from etl.mapping.model import ColumnType
from etl.targets.base import Target
from tests.target_rows import SCALARS, column, opened, single

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
}
SQLITE_UNFIT = {
    "text": ["INTEGER", "NUMERIC", "REAL", "DATE"],
    "varchar": ["INTEGER"],
    "bigint": ["REAL"],
    "numeric": ["NUMERIC", "REAL"],
    "numeric_long": ["NUMERIC(30, 10)"],
    "double": ["INTEGER"],
}


def flat(types: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, there) for name, declared in types.items() for there in declared]


def examine(target: Target, pairs: list[tuple[str, str]]) -> str:
    """The message for a table with all these columns at once; empty where they fit."""
    columns = ", ".join(f"c{n} {there}" for n, (_, there) in enumerate(pairs))
    mapped = [column(f"c{n}", SCALARS[name]) for n, (name, _) in enumerate(pairs)]
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
