"""The rule of a column: its forms and zone, its list, its own type; and elements that need no second look."""

from __future__ import annotations

import json

import pytest

from etl.mapping.arrays import json_strings, json_tokens, postgres_array
from etl.mapping.conversion import ConversionError, Rule
from etl.mapping.model import Column, ColumnSource, ColumnType, Constant, FromPath
from etl.mapping.paths import ValuePath
from etl.mapping.types import rule_for, rule_for_column

PATH = FromPath(ValuePath("x"))
LIST = FromPath(ValuePath("x"), many="array")


def rule(
    name: str,
    *formats: str,
    timezone: str = "UTC",
    source: ColumnSource = PATH,
    finite: bool = False,
    sql: str = "",
    transforms: tuple[str, ...] = (),
) -> Rule:
    column = Column(
        "c",
        ColumnType(name),
        source,
        formats=formats,
        timezone=timezone,
        sql=sql,
        transforms=transforms,  # type: ignore[arg-type]
    )
    return rule_for_column(column, finite)


@pytest.mark.parametrize(
    ("name", "forms", "text", "canonical"),
    [
        ("date", ["%d.%m.%Y"], "1.2.2020", "2020-02-01"),
        ("date", ["%Y-%d-%m"], "2020-02-01", "2020-02-01"),
        ("date", ["%d/%m/%Y", "%m/%d/%Y", "%Y"], "12/31/2020", "2020-12-31"),
        ("date", ["%Y"], "0999", "0999-01-01"),
        ("date", ["%Y-%m-%d %H:%M"], "2020-01-02 00:00", "2020-01-02"),
        ("date", ["%d %B %Y"], "29 february 2024", "2024-02-29"),
        ("date", ["%Y年%m月%d日"], "2020年1月2日", "2020-01-02"),
        ("time", ["%H:%M"], "7:05", "07:05:00"),
        ("time", ["%I:%M:%S.%f %p"], "12:00:00.500 am", "00:00:00.5"),
        ("time", ["%H:%M"], "24:00:00", "24:00:00"),
        ("timestamp", ["%Y%m%dT%H%M%S.%f"], "20200102T030405.120", "2020-01-02 03:04:05.12"),
        ("timestamp", ["%y%j"], "20366", "2020-12-31 00:00:00"),
        ("timestamptz", ["%a, %d %b %Y %H:%M:%S %z"], "Thu, 02 Jan 2020 03:04:05 -0130", "2020-01-02 04:34:05+00:00"),
        ("timestamptz", ["%d.%m.%Y %H:%M"], "02.01.2020 03:04", "2020-01-02 03:04:00+00:00"),
    ],
)
def test_forms_come_after_the_types_own(name: str, forms: list[str], text: str, canonical: str) -> None:
    convert = rule(name, *forms).convert
    assert convert(text) == canonical
    assert convert(canonical) == canonical


@pytest.mark.parametrize(
    ("name", "form", "text", "reason", "said"),
    [
        ("date", "%d.%m.%Y", "31.02.2020", "bad_value", "nor of the form %d.%m.%Y"),
        ("date", "%d.%m.%Y", "2023-02-29", "out_of_range", "not a day of the calendar"),
        ("date", "%d.%m.%Y", "\u0661.1.2020", "bad_value", "nor of the form"),
        ("date", "%Y-%m-%d %H:%M", "2020-01-02 00:01", "bad_value", "time of day, which date cannot keep"),
        ("time", "%Y-%m-%d %H:%M", "2020-01-02 00:01", "bad_value", "a day, which time cannot keep"),
        ("timestamptz", "%d.%m.%Y %z", "01.01.0001 +0100", "out_of_range", "outside the years"),
    ],
)
def test_what_no_form_takes(name: str, form: str, text: str, reason: str, said: str) -> None:
    with pytest.raises(ConversionError, match=said) as refused:
        rule(name, form).convert(text)
    assert refused.value.reason == reason
    assert repr(text) in refused.value.message


def test_all_forms_are_named() -> None:
    with pytest.raises(ConversionError, match=r"nor any of the forms %Y, %d\.%m\.%Y"):
        rule("date", "%Y", "%d.%m.%Y").convert("soon")


@pytest.mark.parametrize(
    ("zone", "text", "utc"),
    [
        ("Europe/Paris", "2020-07-01T12:00:00", "2020-07-01 10:00:00+00:00"),
        ("Europe/Paris", "2020-01-01 12:00:00.250", "2020-01-01 11:00:00.25+00:00"),
        ("Europe/Paris", "2020-07-01T12:00:00Z", "2020-07-01 12:00:00+00:00"),
        ("Europe/Paris", "2020-07-01T12:00:00-03", "2020-07-01 15:00:00+00:00"),
        ("Europe/Paris", "2020-06-30T24:00:00", "2020-06-30 22:00:00+00:00"),
        ("Europe/Paris", "1900-01-01T00:00:00", "1899-12-31 23:50:39+00:00"),
        ("Europe/Paris", "2020-10-25T02:30:00", "2020-10-25 00:30:00+00:00"),
        ("Europe/Paris", "2020-03-29T02:30:00", "2020-03-29 01:30:00+00:00"),
        ("+05:45", "2020-01-01T00:00:00", "2019-12-31 18:15:00+00:00"),
        ("-03:30", "2020-01-01T00:00:00", "2020-01-01 03:30:00+00:00"),
        ("+00:00", "2020-01-01T00:00:00", "2020-01-01 00:00:00+00:00"),
    ],
)
def test_zone_of_local_times(zone: str, text: str, utc: str) -> None:
    assert rule("timestamptz", timezone=zone).convert(text) == utc


def test_the_zone_is_for_forms_without_offset_too() -> None:
    convert = rule("timestamptz", "%d.%m.%Y", "%d.%m.%Y %z", timezone="America/New_York").convert
    assert convert("01.07.2020") == "2020-07-01 04:00:00+00:00"
    assert convert("01.07.2020 +0200") == "2020-06-30 22:00:00+00:00"


def test_a_local_time_outside_the_years() -> None:
    with pytest.raises(ConversionError, match="outside the years"):
        rule("timestamptz", timezone="Asia/Tokyo").convert("0001-01-01T00:00:00")


def test_whole_columns_keep_their_shortcut() -> None:
    """What the pattern lets through is right with forms and zone too."""
    assert rule("timestamptz", "%Y", timezone="Asia/Tokyo").plain == rule_for(ColumnType("timestamptz")).plain


AWKWARD = ["", " ", "a b", "a,b", "{}", '"', "\\", "null", "NULL", "Nulls", "\u00a0", "é", "x\ny", None]


def test_lists_in_postgres_form() -> None:
    assert postgres_array(AWKWARD) == (
        '{""," ","a b","a,b","{}","\\"","\\\\","null","NULL",Nulls,\u00a0,é,"x\ny",NULL}'
    )
    assert postgres_array([]) == "{}"


def test_lists_as_json() -> None:
    assert json.loads(json_strings(AWKWARD)) == AWKWARD
    assert json_tokens(["1", None, '{"a": 1.50}']) == '[1, null, {"a": 1.50}]'
    assert json_tokens([]) == "[]"


@pytest.mark.parametrize(
    ("name", "canonical", "as_json"),
    [
        ("text", "1", '["1"]'),
        ("integer", "1", "[1]"),
        ("boolean", "true", "[true]"),
        ("double", "1e+23", "[1e+23]"),
        ("numeric", "1.50", '["1.50"]'),
        ("date", "2020-01-02", '["2020-01-02"]'),
        ("json", "[1.50]", "[[1.50]]"),
        ("xml", "<a/>", '["<a/>"]'),
        ("bytes", "\\x00", '["\\\\x00"]'),
    ],
)
def test_values_of_a_list_where_there_is_no_copy(name: str, canonical: str, as_json: str) -> None:
    found = rule(name, source=LIST, finite=True)
    assert found.array is not None
    assert found.array([canonical]) == as_json
    assert found.python(as_json) == as_json
    copied = rule(name, source=LIST).array
    assert copied is postgres_array


def test_only_lists_have_a_text_of_lists() -> None:
    assert rule("integer").array is None


def test_a_type_of_the_databases_own_gets_text() -> None:
    assert rule("integer", sql="money").python("5") == "5"
    assert rule("bytes", sql="text").python("\\x00") == "\\x00"


def test_an_element_of_the_document_is_not_parsed_again() -> None:
    """Its markup is well-formed; only what is deep or long is looked at."""
    assert rule("xml").convert("<not checked") == "<not checked"
    for text in ("<a>" * 257 + "</a>" * 257, f'<a b="{"x" * 10_000_001}"/>'):
        with pytest.raises(ConversionError, match="256 elements inside each other, 10 MB in one text or attribute"):
            rule("xml").convert(text)
    long = "<r>" + f"<a>{'x' * 1_000_000}</a>" * 20 + "</r>"
    assert rule("xml").convert(long) == long


@pytest.mark.parametrize("given", [{"source": Constant("x")}, {"transforms": ("lower",)}])
def test_what_others_wrote_is(given: dict[str, object]) -> None:
    with pytest.raises(ConversionError, match="not an XML element"):
        rule("xml", **given).convert("<a>")  # type: ignore[arg-type]
