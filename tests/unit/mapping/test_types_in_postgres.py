"""Canonical text is what PostgreSQL prints, so a value looks the same wherever it is stored."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from etl.mapping.arrays import postgres_array
from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column, ColumnType, FromPath
from etl.mapping.paths import ValuePath
from etl.mapping.types import rule_for, rule_for_column
from etl.targets.schema import type_name
from tests.unit.mapping.test_types import ACCEPTED

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


def column(column_type: ColumnType, many: str = "first", timezone: str = "UTC") -> Column:
    return Column("c", column_type, FromPath(ValuePath("c"), many=many), timezone=timezone)  # type: ignore[arg-type]


def printed(connection: psycopg.Connection[tuple[str]], type_: str, texts: list[str]) -> list[str]:
    query = f"SELECT value::{type_}::text FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n) ORDER BY n"
    return [row[0] for row in connection.execute(query.encode(), [texts])]


@pytest.mark.parametrize(("given", "text", "canonical"), ACCEPTED)
def test_postgres_takes_what_a_rule_accepts(
    postgres_server: str, given: ColumnType | str, text: str, canonical: str
) -> None:
    column_type = ColumnType(given) if isinstance(given, str) else given
    with psycopg.connect(postgres_server) as connection:
        if column_type.name == "xml" and not has_xml(connection):
            pytest.skip("this server has no xml")
        connection.execute("SET timezone = 'UTC'; SET extra_float_digits = 1")
        (stored,) = printed(connection, type_name(column(column_type), "postgresql"), [canonical])
    if column_type.name == "jsonb":
        assert exact_json(stored) == exact_json(canonical)
    elif column_type.name in ("real", "double"):
        assert float(stored) == float(canonical) or stored == canonical == "NaN"
    else:
        assert (
            stored.replace("+00", "+00:00") == canonical if column_type.name == "timestamptz" else stored == canonical
        )


def exact_json(text: str) -> object:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def has_xml(connection: psycopg.Connection[tuple[str]]) -> bool:
    query = "SELECT setting FROM pg_config WHERE name = 'CONFIGURE'"
    return any("--with-libxml" in setting for (setting,) in connection.execute(query))


_JSON_PIECES = [
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    '"a"',
    '"',
    "1",
    "-",
    "0",
    ".5",
    "e3",
    "null",
    "tru",
    "true",
    " ",
    r'"\u00e9"',
]


@pytest.mark.parametrize("name", ["json", "jsonb"])
def test_json_is_what_postgres_takes_for_it(postgres_server: str, name: str) -> None:
    """Texts at random: those a rule accepts are those that PostgreSQL accepts."""
    made = ("".join(_RANDOM.choices(_JSON_PIECES, k=_RANDOM.randint(1, 5))) for _ in range(20_000))
    texts = sorted({text for text in made if text.strip()})
    convert = rule_for(ColumnType(name)).convert
    ours = [text for text in texts if accepts(convert, text)]
    with psycopg.connect(postgres_server) as connection:
        query = f"SELECT value FROM unnest(%s::text[]) AS value WHERE pg_input_is_valid(value, '{name}') ORDER BY value"
        if connection.info.server_version < 160000:
            pytest.skip("this server has no pg_input_is_valid")
        theirs = {text for (text,) in connection.execute(query.encode(), [texts])}
    assert set(ours) == theirs
    assert 50 < len(ours) < len(texts)


def accepts(convert: Callable[[str], str], text: str) -> bool:
    try:
        convert(text)
    except ConversionError:
        return False
    return True


_ELEMENTS = [
    "",
    " ",
    "a b",
    "{}",
    '"',
    "\\",
    "\\N",
    ",",
    "null",
    "NULL",
    "nUlL",
    "é",
    "\u00a0",
    "\u3000",
    "\x0b",
    "x\ny",
    "0",
]


def test_lists_are_written_as_postgres_prints_them(postgres_server: str) -> None:
    lists = [[_RANDOM.choice([*_ELEMENTS, None]) for _ in range(_RANDOM.randint(0, 6))] for _ in range(300)]
    with psycopg.connect(postgres_server) as connection:
        assert printed(connection, "text[]", list(map(postgres_array, lists))) == list(map(postgres_array, lists))
        query = "SELECT value::text[] FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n) ORDER BY n"
        assert [row[0] for row in connection.execute(query, [list(map(postgres_array, lists))])] == lists


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_local_times_are_the_moments_postgres_takes_them_for(postgres_server: str, zone: str) -> None:
    """Far from the hours in which clocks change: there the two may choose differently."""
    first = datetime(1950, 1, 15, 12)
    moments = [
        first + timedelta(hours=24 * _RANDOM.randrange(35_000), seconds=_RANDOM.randrange(9)) for _ in range(300)
    ]
    texts = [moment.isoformat() for moment in moments]
    convert = rule_for_column(column(ColumnType("timestamptz"), timezone=zone)).convert
    with psycopg.connect(postgres_server) as connection:
        connection.execute("SET timezone = 'UTC'")
        query = (
            "SELECT (value::timestamp AT TIME ZONE %s)::text FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n)"
            " ORDER BY n"
        )
        stored = [row[0].replace("+00", "+00:00") for row in connection.execute(query, [zone, texts])]
    assert list(map(convert, texts)) == stored


def test_bytes_are_what_postgres_decodes(postgres_server: str) -> None:
    values = [_RANDOM.randbytes(_RANDOM.randint(0, 90)) for _ in range(200)]
    with psycopg.connect(postgres_server) as connection:
        for encoding in ("hex", "base64"):
            query = (
                "SELECT encode(value, %s), value::text FROM unnest(%s::bytea[]) WITH ORDINALITY AS t(value, n)"
                " ORDER BY n"
            )
            rows = connection.execute(query, [encoding, values]).fetchall()
            convert = rule_for(ColumnType("bytes", encoding=encoding)).convert
            assert [convert(text) for text, _ in rows] == [stored for _, stored in rows]
