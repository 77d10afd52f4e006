"""Canonical text is what PostgreSQL prints, so a value looks the same wherever it is stored."""

from __future__ import annotations

import random
import struct

import psycopg
import pytest

from etl.mapping.model import ColumnType
from etl.mapping.types import rule_for

_RANDOM = random.Random(20240506)

SAMPLES: dict[ColumnType, list[str]] = {
    ColumnType("boolean"): ["Yes", "ON", "0", "N"],
    ColumnType("bigint"): ["007", "-0", "+5", "-9223372036854775808"],
    ColumnType("numeric"): ["1.50", "-0.00", ".5", "5.", "1e5", "1.5e-3", "0e5", "0e-5", "0.00e1", "-0.5e0", "100e-2"],
    ColumnType("numeric", precision=10, scale=2): ["1.5", "-0", "0.001e1", "-12345678.90"],
    ColumnType("date"): ["2020-02-29", "0001-01-01", "9999-12-31"],
    ColumnType("time"): ["24:00:00", "01:02:03.450000", "23:59:59.999999"],
    ColumnType("timestamp"): ["2018-02-06T20:08:57.350", "2018-02-06T24:00:00", "0001-01-01 00:00:00.0"],
    ColumnType("timestamptz"): ["2013-05-06T20:39:19Z", "2013-05-06T20:39:19.12+05:30", "2013-12-31T23:00:00-0200"],
    ColumnType("uuid"): ["{990D3FA1-a80c-4b14-9414-14b2ec0fd7ad}", "990d3fa1a80c4b14941414b2ec0fd7ad"],
    ColumnType("double"): [repr(_RANDOM.uniform(-1, 1) * 10 ** _RANDOM.randint(-8, 14)) for _ in range(300)],
    ColumnType("real"): [repr(_RANDOM.uniform(-1, 1) * 10 ** _RANDOM.randint(-8, 5)) for _ in range(300)],
}
_SQL_TYPES = {"double": "double precision"}


@pytest.mark.parametrize("column_type", SAMPLES, ids=str)
def test_canonical_text_is_what_postgres_prints(postgres_server: str, column_type: ColumnType) -> None:
    sql_type = _SQL_TYPES.get(column_type.name, str(column_type))
    samples = SAMPLES[column_type]
    with psycopg.connect(postgres_server) as connection:
        connection.execute("SET timezone = 'UTC'")
        query = f"SELECT value::{sql_type}::text FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n) ORDER BY n"
        printed = [row[0] for row in connection.execute(query.encode(), [samples])]
    if column_type.name == "timestamptz":
        # PostgreSQL leaves the minutes of the offset out, which SQLite's functions do not read.
        printed = [text.replace("+00", "+00:00") for text in printed]
    assert [rule_for(column_type).convert(text) for text in samples] == printed


@pytest.mark.parametrize(("name", "code"), [("double", "<d"), ("real", "<f")])
def test_any_floating_number_comes_back_the_same(postgres_server: str, name: str, code: str) -> None:
    numbers = [struct.unpack(code, _RANDOM.randbytes(struct.calcsize(code)))[0] for _ in range(2000)]
    texts = [rule_for(ColumnType(name)).convert(repr(number)) for number in numbers]
    sql_type = _SQL_TYPES.get(name, name)
    with psycopg.connect(postgres_server) as connection:
        query = f"SELECT value::{sql_type} FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n) ORDER BY n"
        stored = [row[0] for row in connection.execute(query.encode(), [texts], binary=True)]
    assert [struct.pack(code, number) for number in stored if number == number] == [
        struct.pack(code, number) for number in numbers if number == number
    ]
