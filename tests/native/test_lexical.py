"""What the C core says of a text is what the reference says, or nothing; and it knows the forms that dumps hold."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.mapping.conversion import ConversionError
from etl.mapping.declared_types import parse_type
from etl.mapping.types import rule_for
from tests.native.core_library import UNSURE, Type, lex, type_of
from tests.native.near_values import near_values

TYPES = (
    *("text", "varchar(3)", "varchar(9)", "boolean", "smallint", "integer", "bigint", "real", "double", "uuid"),
    *("numeric", "numeric(5,2)", "numeric(4,0)", "numeric(3,3)", "numeric(30,10)", "numeric(1000,500)"),
    *("date", "time", "timestamp", "timestamptz"),
)


def native(declared: str) -> Type:
    found = parse_type(declared)
    return type_of(found.name, found.length, found.precision, found.scale)


def reference(declared: str, text: str) -> str | None:
    try:
        return rule_for(parse_type(declared)).convert(text)
    except ConversionError:
        return None


@pytest.mark.parametrize("declared", TYPES)
def test_never_another_opinion_than_the_reference(core: ctypes.CDLL, declared: str) -> None:
    type_ = native(declared)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(near_values(declared.partition("(")[0]), min_size=5, max_size=40))
    def check(texts: list[str]) -> None:
        for text in texts:
            canonical = lex(core, type_, text)
            assert canonical is None or canonical == reference(declared, text), (declared, text)

    check()


@pytest.mark.parametrize("declared", TYPES)
def test_any_text_at_all(core: ctypes.CDLL, declared: str) -> None:
    type_ = native(declared)

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(codec="utf-8"), max_size=70))
    def check(text: str) -> None:
        canonical = lex(core, type_, text)
        assert canonical is None or canonical == reference(declared, text), (declared, text)

    check()


def test_every_day_of_the_calendar_and_those_beside(core: ctypes.CDLL) -> None:
    type_ = native("date")
    for year in (0, 1, 4, 100, 400, 1600, 1899, 1900, 1999, 2000, 2023, 2024, 2100, 9999):
        for month in range(14):
            for day in range(33):
                text = f"{year:04d}-{month:02d}-{day:02d}"
                assert lex(core, type_, text) == reference("date", text), text


def test_every_offset_at_the_ends_of_years(core: ctypes.CDLL) -> None:
    type_ = native("timestamptz")
    for moment in ("0001-01-01T00:30:00", "2023-12-31T24:00:00", "2024-02-29T23:59:59.5", "9999-12-31T12:00:00"):
        for hour in range(16):
            for minute in range(60):
                for sign in "+-":
                    text = f"{moment}{sign}{hour:02d}:{minute:02d}"
                    assert lex(core, type_, text) == reference("timestamptz", text), text


def test_every_single_precision_text_of_few_digits(core: ctypes.CDLL) -> None:
    for declared, exponents in (("real", range(-40, 40)), ("double", (*range(-310, 310, 7), 14, 15, 16, -4, -5, -6))):
        type_ = native(declared)
        for digits in ("1", "9", "16777", "999999", "100001", "9.99999", "1.17549", "3.40282", "83886.1", "0.8388610"):
            for exponent in exponents:
                text = f"{digits}e{exponent}"
                canonical = lex(core, type_, text)
                assert canonical is None or canonical == reference(declared, text), text
                assert canonical is not None or abs(exponent) > 30, text


@pytest.mark.parametrize(
    ("declared", "texts"),
    [
        ("text", ["", "a", "ä€"]),
        ("varchar(3)", ["", "abc", "äöü", "€€€", "字字字", "\U0001f600\U0001f600\U0001f600"]),
        ("boolean", ["true", "false", "True", "FALSE", "t", "F", "yes", "NO", "Y", "n", "on", "OFF", "1", "0"]),
        ("smallint", ["0", "7", "-7", "+5", "007", "-0", "32767", "-32768", "+0"]),
        ("integer", ["0", "2147483647", "-2147483648", "+000012", "-0000"]),
        ("bigint", ["9223372036854775807", "-9223372036854775808", "00000000000000000000000000000001"]),
        ("numeric", ["0", "1.50", "-1.50", "+1", "007.5", "5.", ".5", "-0.0", "1e3", "1.5E-3", "9" * 1000, "0.00"]),
        ("numeric(5,2)", ["1", "1.5", "1.50", "1.500000", "999.99", "-0", "00001.1", "+.5", "1e2", "12345e-2"]),
        ("numeric(4,0)", ["1", "9999", "1.0", "1.", "-12", "0.000"]),
        ("double", ["0", "-0", "1.50", "0.1", "-179.9999999", "1e3", "1E-7", "123456789012345", "48.856614", "1.0"]),
        (
            "double",
            ["1000000000000000", "0.00001", "100", "00.50", "+5", "5.", ".5", "1.5e+300", "1.000000000000000000"],
        ),
        ("real", ["0", "1.50", "0.1", "-179.999", "1e3", "123456", "1000000", "0.00012", "48.8566"]),
        ("date", ["2020-01-01", "2020-02-29", "0001-01-01", "9999-12-31", "2000-02-29"]),
        (
            "time",
            ["00:00:00", "23:59:59", "24:00:00", "12:30:00.5", "12:30:00.500", "12:30:00.123456000", "24:00:00.0"],
        ),
        ("timestamp", ["2020-01-01T00:00:00", "2020-01-01 00:00:00", "2020-01-01T10:20:30.000", "2020-12-31T24:00:00"]),
        ("timestamptz", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00+01:00"]),
        (
            "timestamptz",
            ["2020-01-01T00:00:00", "2020-01-01 00:00:00.12-0530", "2020-01-01T00:00:00+00", "0001-01-01T00:00:00-01"],
        ),
        ("timestamptz", ["2020-01-01 00:00:00+00:00", "2024-02-28T23:00:00-02:00", "2020-03-01T24:00:00Z"]),
        ("uuid", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"]),
        ("uuid", ["6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"]),
    ],
)
def test_forms_of_ordinary_dumps_need_no_python(core: ctypes.CDLL, declared: str, texts: list[str]) -> None:
    for text in texts:
        canonical = lex(core, native(declared), text)
        assert canonical is not None, text
        assert canonical == reference(declared, text)


def test_a_moment_without_offset_is_asked_where_the_column_has_a_zone(core: ctypes.CDLL) -> None:
    type_ = native("timestamptz")
    type_.utc = 0
    assert lex(core, type_, "2020-01-01T00:00:00") is None
    assert lex(core, type_, "2020-01-01T00:00:00Z") == "2020-01-01 00:00:00+00:00"


def test_types_of_python_are_asked(core: ctypes.CDLL) -> None:
    assert lex(core, type_of("python"), "1") is None


def test_what_was_written_is_said_to_be(core: ctypes.CDLL) -> None:
    written = ctypes.c_size_t()
    canonical = ctypes.create_string_buffer(64)
    type_ = native("integer")
    results = [
        core.etl_lex(ctypes.byref(type_), text, len(text), canonical, written) for text in (b"5", b"+5", b"five")
    ]
    assert results == [0, 1, UNSURE]
