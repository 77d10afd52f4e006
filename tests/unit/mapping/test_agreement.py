"""Keys of a column that go together, and what is said of those that do not."""

from __future__ import annotations

import pytest

from etl.errors import MappingError
from etl.mapping.model import Column, ColumnType, FromPath
from etl.mapping.paths import XPath, parse_value_path
from etl.mapping.reader import parse_mapping
from etl.mapping.types import TYPE_NAMES


def mapping(definition: str, defaults: str = "") -> str:
    head = f"version: 1\n{defaults}tables:\n  t:\n    each: /a/b\n    columns:\n"
    return f"{head}      c: {definition}\n"


def column(definition: str, defaults: str = "") -> Column:
    return parse_mapping(mapping(definition, defaults), "m.yaml").tables[0].columns[1]


def problem(text: str) -> str:
    with pytest.raises(MappingError) as refused:
        parse_mapping(text, "m.yaml")
    return str(refused.value)


def path(text: str) -> FromPath:
    return FromPath(parse_value_path(text, {}))


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("{path: x, many: count}", Column("c", ColumnType("integer"), FromPath(path("x").path, "count"), line=6)),
        ("{path: x, many: json}", Column("c", ColumnType("json"), FromPath(path("x").path, "json"), line=6)),
        (
            "{path: x, many: array, type: date, formats: ['%Y']}",
            Column(
                "c", ColumnType("date"), FromPath(path("x").path, "array"), nulls=("",), formats=("%Y",), line=6
            ),
        ),
        (
            "{path: tag, many: json, key: '@k', value: '@v', type: jsonb}",
            Column(
                "c",
                ColumnType("jsonb"),
                FromPath(path("tag").path, "json", pair=(parse_value_path("@k", {}), parse_value_path("@v", {}))),
                line=6,
            ),
        ),
        ("{path: ., type: xml}", Column("c", ColumnType("xml"), path("."), nulls=("",), strip=False, line=6)),
        ("{path: x, type: bytes}", Column("c", ColumnType("bytes", encoding="base64"), path("x"), nulls=("",), line=6)),
        (
            "{path: x, type: timestamptz, timezone: Europe/Berlin}",
            Column("c", ColumnType("timestamptz"), path("x"), nulls=("",), timezone="Europe/Berlin", line=6),
        ),
        ("{path: x, sql: citext}", Column("c", ColumnType("text"), path("x"), sql="citext", line=6)),
        ("{path: 'count(x)'}", Column("c", ColumnType("text"), FromPath(XPath("count(x)")), line=6)),
    ],
)  # fmt: skip
def test_columns(definition: str, expected: Column) -> None:
    assert column(definition) == expected


@pytest.mark.parametrize(
    ("definition", "place", "expected"),
    [
        ("{path: x, separator: ';'}", "separator", "only with `many: join`"),
        ("{path: x, many: array, separator: ';'}", "separator", "only with `many: join`"),
        ("{path: x, on_error: use_default}", "on_error", "use_default needs a `default`"),
        ("{path: x, required: true, on_error: set_null}", "on_error", "set_null contradicts `required: true`"),
        ("{path: x, sql: ' '}", "sql", "expected a type of the database on one line"),
        ('{path: x, sql: "text\\n)"}', "sql", "expected a type of the database on one line"),
        ("{path: x, formats: ['%Y']}", "formats", "only with the types date, time, timestamp, timestamptz"),
        ("{path: x, type: integer, formats: '%Y'}", "formats", "(this is integer)"),
        ("{path: x, type: date, formats: ['%Y', '%m']}", "formats", "'%m': gives no year"),
        ("{path: x, type: timestamp, timezone: UTC}", "timezone", "only with the type timestamptz (this is timestamp)"),
        ("{path: x, type: timestamptz, timezone: Berlin}", "timezone", "'Berlin' is no time zone"),
        ("{path: x, many: count, type: date}", "type", "`many: count` gives bigint, integer, numeric"),
        ("{path: x, many: count, type: boolean}", "type", "(this is boolean)"),
        ("{path: x, many: json, type: integer}", "type", "`many: json` gives json, jsonb, text"),
        (
            "{path: x, many: join, type: json}",
            "many",
            "join is not for the types bytes, json, jsonb, xml (this is json)",
        ),
        ("{path: x, many: join, type: bytes(hex)}", "many", "join is not for the types"),
        ("{path: x, many: count, transform: lower}", "transform", "has no meaning with `many: count`"),
        ("{path: x, many: count, nulls: a}", "nulls", "has no meaning with `many: count`"),
        ("{path: x, many: count, default: 0}", "default", "has no meaning with `many: count`"),
        ("{path: x, many: array, default: a}", "default", "an array has none"),
        ("{path: '@x', type: xml}", "path", "'@x' leads to a text; the type xml needs the path of an element"),
        ("{path: 'x/text()', type: xml}", "path", "leads to a text"),
        (
            "{path: 'string(x)', type: xml}",
            "path",
            "'string(x)', position 1: it gives a text, but must lead to elements",
        ),
        ("{path: x, type: xml, strip: true}", "strip", "has no meaning with the type xml"),
        ("{path: x, key: '@k'}", "key", "only as in {path: tag, many: json, key: '@k', value: '@v'}"),
        ("{path: x, many: json, key: '@k'}", "key", "all four together"),
        ("{path: x, many: json, value: '@v'}", "key", "all four together"),
        ("{path: x, many: array, key: '@k', value: '@v'}", "key", "all four together"),
        ("{path: x, many: json, key: 'count(k)', value: '@v'}", "key", "'count(k)', position 1: 'count(k)' cannot"),
        ("{path: x, many: json, key: '../@k', value: '@v'}", "key", "must start from each element found"),
        ("{path: '@x', many: json, key: '@k', value: '@v'}", "path", "'@x' leads to a text, but must lead to elements"),
        ("{path: 'name(x)', many: json, key: '@k', value: '@v'}", "path", "gives a text, but must lead to elements"),
        ("{path: x, type: json, default: '{a}'}", "default", "'{a}' is not JSON"),
        ("{path: x, type: xml, default: '<a>'}", "default", "'<a>' is not"),
        ("{path: x, type: bytes(hex), default: xyz}", "default", "'xyz' is not hexadecimal"),
        ("{path: x, type: bytes(base32)}", "type", "bytes(hex) or bytes(base64)"),
        ("{path: x, type: blob}", "type", "did you mean 'bytes'? allowed: text, varchar(n)"),
        ("{path: x, type: 'varchar(1,2)'}", "type", "varchar needs a length from 1"),
        ("{path: x, type: numeric()}", "type", "numeric(p,s) needs p"),
        ("{meta: line, sql: int8, key: x}", "key", "has no meaning beside `meta`"),
        ("{meta: loaded_at, timezone: UTC}", "timezone", "has no meaning beside `meta`"),
        ("{path: 'x[', type: text}", "path", "'x[', position 3: expected a name, but it ends here"),
        ("{path: 'x//id(1)'}", "path", "'x//id(1)', position 4: a function cannot be a step of a path"),
    ],
)
def test_what_does_not_go_together(definition: str, place: str, expected: str) -> None:
    message = problem(mapping(definition))
    assert message.startswith(f"m.yaml:6: tables.t.columns.c.{place}: ")
    assert expected in message
    assert message.endswith(".") != message.endswith("?")
    assert "\n" not in message


@pytest.mark.parametrize("name", [*TYPE_NAMES, "numeric(5,2)", "bytes(hex)"])
def test_arrays_are_of_any_type(name: str) -> None:
    name = f"{name}(9)" if name == "varchar" else name
    assert column(f"{{path: x, many: array, type: '{name}'}}").is_array


def test_a_default_is_written_as_the_document_would() -> None:
    assert column("{path: x, type: date, formats: ['%d.%m.%Y'], default: 31.12.1999}").default == "31.12.1999"
    assert "'31.12.1999' is not a date" in problem(mapping("{path: x, type: date, default: 31.12.1999}"))


# --- defaults of the file ---

DEFAULTS = "defaults: {many: reject, strip: false, nulls: [N/A], on_error: set_null, timezone: '+01:00'}\n"


def test_defaults_hold_for_columns_with_a_path() -> None:
    one = column("x", DEFAULTS)
    assert isinstance(one.source, FromPath)
    assert (one.source.many, one.strip, one.nulls, one.on_error, one.timezone) == (
        "reject", False, ("N/A",), "set_null", "UTC",
    )  # fmt: skip
    assert column("{path: x, type: timestamptz}", DEFAULTS).timezone == "+01:00"


def test_columns_say_otherwise() -> None:
    one = column("{path: x, many: last, strip: true, nulls: [], on_error: reject}", DEFAULTS)
    assert isinstance(one.source, FromPath)
    assert (one.source.many, one.strip, one.nulls, one.on_error) == ("last", True, (), "reject")
    assert column("{path: x, type: timestamptz, timezone: UTC}", DEFAULTS).timezone == "UTC"


def test_defaults_do_not_hold_where_they_contradict_the_column() -> None:
    assert column("{path: x, required: true}", DEFAULTS).on_error == "reject"
    constant = column("{value: N/A}", DEFAULTS)
    assert (constant.strip, constant.nulls, constant.on_error) == (True, (), "reject")


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        (
            "{many: join}",
            "m.yaml:2: defaults.many: first, last or reject; join, array, json and count are for",
        ),
        ("{on_error: use_default}", "m.yaml:2: defaults.on_error: reject or set_null"),
        ("{timezone: Nowhere}", "m.yaml:2: defaults.timezone: 'Nowhere' is no time zone"),
        ('{nulls: "\\x01"}', "m.yaml:2: defaults.nulls: control characters"),
        ("{type: text}", "m.yaml:2: defaults.type: there is no key 'type'; allowed: many, strip, nulls"),
        ("{manny: last}", "did you mean 'many'?"),
        ("{many: lsat}", "m.yaml:2: defaults.many: 'lsat' is not allowed; did you mean 'last'?"),
        ("[a]", "m.yaml:2: defaults: expected keys"),
    ],
)
def test_defaults_that_are_none(defaults: str, expected: str) -> None:
    assert expected in problem(mapping("x", f"defaults: {defaults}\n"))
