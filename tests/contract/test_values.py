"""Every type on every target, the whole way: what a rule accepts is stored as it says, however awkward it is."""

from __future__ import annotations

import contextlib
import json
from array import array
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from etl.mapping.model import Column, ColumnType, FromPath, Mapping
from etl.mapping.paths import ValuePath
from etl.mapping.types import rule_for_column
from etl.targets.base import Target
from etl.transform.elements import NULL
from etl.transform.encoder import encode
from tests.target_rows import column, opened, read, single

TEXTS = [
    "",
    " ",
    "\\",
    "\\N",
    "\\x41",
    "tab\tline\ncarriage\r",
    'quote\'s "double"',
    "100 %s %(x)s :name ?",
    "{braces}, commas",
    "null",
    "NULL",
    "ünïcödé ☃ 𝄞 日本語 \u200b\ufeff\x7f\u2028\u00a0",
]

JSON_TEXTS = [
    '{"a": {"b": [1, null, {"c": [[]]}]}, "a": "twice"}',
    r'"\"quoted\" \\ \u00e9 \ud83d\ude00 \n"',
    "123456789012345678901234567890.000000000000000000001",
    "-0.0e-5",
    "[]",
    "null",
    '"𝄞 {not, an, array} \'s"',
]

XML_TEXTS = [
    '<a xmlns="http://example.org/d" xmlns:m="http://example.org/m"><m:b m:c="&quot;&#10;">&lt;\\N&amp;&#13;</m:b></a>',
    "<ä>𝄞\t\n</ä>",
    "<a/>",
]

SCALARS: dict[str, tuple[ColumnType, list[str]]] = {
    "text": (ColumnType("text"), TEXTS),
    "varchar": (ColumnType("varchar", length=40), TEXTS),
    "boolean": (ColumnType("boolean"), ["yes", "0"]),
    "smallint": (ColumnType("smallint"), ["-32768", "+7"]),
    "bigint": (ColumnType("bigint"), ["9223372036854775807", "-9223372036854775808"]),
    "numeric": (ColumnType("numeric"), ["1" * 400 + "." + "2" * 400, "1e-5", "-0.10"]),
    "short": (ColumnType("numeric", precision=9, scale=2), ["1234567.89", "-0.5"]),
    "double": (ColumnType("double"), ["0.1", "1e-300", "-123456.789"]),
    "real": (ColumnType("real"), ["0.5", "16777217"]),
    "date": (ColumnType("date"), ["0001-01-01", "9999-12-31"]),
    "time": (ColumnType("time"), ["24:00:00", "00:00:00.000001"]),
    "timestamp": (ColumnType("timestamp"), ["2020-02-29T24:00:00"]),
    "timestamptz": (ColumnType("timestamptz"), ["2020-02-29T12:00:00.5+05:30"]),
    "uuid": (ColumnType("uuid"), ["{990D3FA1-A80C-4B14-9414-14B2EC0FD7AD}"]),
    "json": (ColumnType("json"), JSON_TEXTS),
    "jsonb": (ColumnType("jsonb"), JSON_TEXTS),
    "xml": (ColumnType("xml"), XML_TEXTS),
    "hex": (ColumnType("bytes", encoding="hex"), ["", "00ff", "5C4e 0a 09"]),
    "base64": (ColumnType("bytes", encoding="base64"), ["", "AAECAw==", "XE4KCQ=="]),
}
LISTS = sorted(set(SCALARS) - {"json", "jsonb", "xml"})


@pytest.fixture(params=["sqlite", "postgres copy", "postgres executemany", "memory"])
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each way rows travel into a target: URL and insert.method."""
    kind, _, method = str(request.param).partition(" ")
    if kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/target.db", "auto"
    return (request.getfixturevalue("postgres_url"), method) if kind == "postgres" else ("memory://", "auto")


def stored(target: Target, mapping: Mapping, texts: Sequence[str]) -> list[object]:
    """Write canonical texts into the column `value` by the worker's encoder; what the target then holds, as text."""
    table = mapping.tables[0]
    ids = [str(number) for number in range(len(texts))]
    target.prepare(mapping, "after")
    rows = encode(table, [ids, list(texts)], array("I", range(len(texts))), target.row_format)
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        connection.write(0, [rows])
        connection.commit(durable=False)
        if target.dialect == "memory":
            return [row[1] for row in sorted(read(target, mapping, table.name), key=lambda row: int(str(row[0])))]
        connection.begin()
        as_text = "CAST(value AS text)" if target.dialect == "postgresql" else "value"
        if target.dialect == "postgresql":
            connection.execute(sa.text("SET LOCAL timezone = 'UTC'"))
        found = connection.execute(sa.text(f"SELECT {as_text} FROM t ORDER BY id"))
        connection.rollback()
    return [value for (value,) in found]


def mapped(value: Column) -> Mapping:
    return single("t", column("id", "integer", required=True), value)


@pytest.mark.parametrize("name", SCALARS)
def test_values_come_back_as_their_canonical_text(way: tuple[str, str], name: str) -> None:
    column_type, given = SCALARS[name]
    described = column("value", column_type)
    with opened(way[0], insert={"method": way[1]}) as target:
        rule = rule_for_column(described, finite=target.row_format == "tuples")
        canonical = [rule.convert(text) for text in given]
        found = stored(target, mapped(described), [*canonical, NULL])
    assert found.pop() is None
    if way[0].startswith("postgresql"):
        expected: list[object] = [text.replace("+00:00", "+00") for text in canonical]
        if column_type.name == "jsonb":
            assert list(map(json.loads, map(str, found))) == list(map(json.loads, canonical))
            return
    else:
        expected = [rule.python(text) for text in canonical]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected] or column_type.name == "boolean"


@pytest.mark.parametrize("name", LISTS)
def test_lists_come_back_with_their_values(way: tuple[str, str], name: str) -> None:
    column_type, given = SCALARS[name]
    described = column("value", column_type, source=FromPath(ValuePath("x"), many="array"))
    with opened(way[0], insert={"method": way[1]}) as target:
        rule = rule_for_column(described, finite=target.row_format == "tuples")
        assert rule.array is not None
        canonical = [rule.convert(text) for text in given]
        lists: list[list[str | None]] = [[*canonical, None], [None], [], list(canonical[:1])]
        found = stored(target, mapped(described), [*map(rule.array, lists), NULL])
    assert found.pop() is None
    if way[0].startswith("postgresql"):
        copied = rule_for_column(described, finite=False).array
        assert copied is not None
        if name == "boolean":
            found = [str(text).replace("t", "true").replace("f", "false") for text in found]
        assert found == [copied(values).replace("+00:00", "+00") for values in lists]
    else:
        plain = rule_for_column(column("value", column_type), finite=True).python
        back = [json.loads(str(text)) for text in found]
        as_json = [
            [value if value is None else _json_value(plain(value), value) for value in values] for values in lists
        ]
        assert back == as_json


def _json_value(value: object, canonical: str) -> object:
    return canonical if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", ["json", "jsonb", "xml"])
def test_lists_of_documents(way: tuple[str, str], name: str) -> None:
    column_type, given = SCALARS[name]
    given = [text for text in given if text != "null"]
    described = column("value", column_type, source=FromPath(ValuePath("x"), many="array"))
    with opened(way[0], insert={"method": way[1]}) as target:
        array_text = rule_for_column(described, finite=target.row_format == "tuples").array
        assert array_text is not None
        mapping = mapped(described)
        stored(target, mapping, [array_text([*given, None])])
        if target.dialect != "postgresql":
            (row,) = read(target, mapping, "t")
            back = json.loads(str(row[1]))
        else:
            with contextlib.closing(target.connect()) as connection:
                connection.begin()
                back = [
                    text if text is None or name == "xml" else json.loads(text)
                    for (text,) in connection.execute(sa.text("SELECT CAST(unnest(value) AS text) FROM t"))
                ]
                connection.rollback()
    assert back == [*(given if name == "xml" else map(json.loads, given)), None]


def test_a_type_of_the_databases_own_gets_the_canonical_text(way: tuple[str, str]) -> None:
    described = Column("value", ColumnType("integer"), FromPath(ValuePath("x")), sql="varchar(20)")
    with opened(way[0], insert={"method": way[1]}) as target:
        rule = rule_for_column(described, finite=target.row_format == "tuples")
        assert stored(target, mapped(described), [rule.convert("007"), NULL]) == ["7", None]


@pytest.mark.parametrize("method", ["copy", "executemany"])
def test_lists_of_a_type_of_the_databases_own(postgres_url: str, method: str) -> None:
    source = FromPath(ValuePath("x"), many="array")
    described = Column("value", ColumnType("text"), source, sql="inet[]")
    with opened(postgres_url, insert={"method": method}) as target:
        array_text = rule_for_column(described, finite=target.row_format == "tuples").array
        assert array_text is not None
        assert stored(target, mapped(described), [array_text(["10.0.0.1", None])]) == ["{10.0.0.1,NULL}"]
