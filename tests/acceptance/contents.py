"""What a database holds, in a form that does not depend on the database: rows, and a checksum per table.

A row becomes a line of its values joined by U+001F, in the mapping's column order; the lines are sorted and hashed
(SHA-256). A value becomes text like this, whatever the driver returns for it:

    NULL                          ``\\N``; every other value begins with ``=``
    boolean                       ``true``, ``false`` (SQLite returns 0 and 1)
    smallint, integer, bigint     decimal digits
    numeric                       decimal notation without trailing zeros (SQLite returns a float or text)
    real, double                  Python's shortest text of the float
    timestamp, timestamptz        ISO 8601 (SQLite returns text); with a zone: in UTC
    everything else               its text as it is
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from etl.mapping.model import Mapping


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a SELECT on a SQLite or PostgreSQL database, read with the driver alone."""
    if url.startswith("sqlite"):
        database = sqlite3.connect(f"file:{make_url(url).database}?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def select(url: str, table: str, columns: Iterable[str], order: Iterable[str] = ()) -> list[tuple[Any, ...]]:
    """Rows of a table."""
    sql = f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(table)}"
    keys = ", ".join(map(quoted, order))
    return query(url, f"{sql} ORDER BY {keys}" if keys else sql)


def count(url: str, table: str, column: str = "") -> int:
    """Rows of a table, or values of a column that are not NULL."""
    what = quoted(column) if column else "*"
    return int(query(url, f"SELECT count({what}) FROM {quoted(table)}")[0][0])


def checksums(url: str, mapping: Mapping) -> dict[str, str]:
    """Checksum of each table of the mapping."""
    return {
        table.name: _checksum(
            select(url, table.name, [column.name for column in table.columns]),
            [_RENDER.get(column.type.name, str) for column in table.columns],
        )
        for table in mapping.tables
    }


def _checksum(rows: Iterable[tuple[Any, ...]], render: list[Callable[[Any], str]]) -> str:
    lines = sorted(
        "\x1f".join(["\\N" if value is None else f"={text(value)}" for text, value in zip(render, row, strict=True)])
        for row in rows
    )
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _numeric(value: object) -> str:
    return format(Decimal(str(value)).normalize(), "f")


def _moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


_RENDER: dict[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "numeric": _numeric,
    "real": lambda value: repr(float(value)),
    "double": lambda value: repr(float(value)),
    "timestamp": lambda value: _moment(value).isoformat(),
    "timestamptz": lambda value: _moment(value).astimezone(UTC).isoformat(),
}
