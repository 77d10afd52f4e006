"""The lexical rules: for each type what is accepted, how it is stored, and why the rest is refused."""

from __future__ import annotations

import re

import pytest

from etl.mapping.conversion import ConversionError
from etl.mapping.model import ColumnType
from etl.mapping.types import TYPE_NAMES, rule_for

BYTES_HEX = ColumnType("bytes", encoding="hex")
BYTES_BASE64 = ColumnType("bytes", encoding="base64")
NUMERIC_10_2 = ColumnType("numeric", precision=10, scale=2)

ACCEPTED: list[tuple[ColumnType | str, str, str]] = [
    ("text", " any\ttext ", " any\ttext "),
    (ColumnType("varchar", length=3), "äöü", "äöü"),
    (ColumnType("varchar", length=1), "\U0001f600", "\U0001f600"),
    *[("boolean", text, "true") for text in ("true", "True", "TRUE", "t", "yes", "y", "Y", "on", "1")],
    *[("boolean", text, "false") for text in ("false", "False", "f", "no", "N", "off", "0")],
    ("smallint", "-32768", "-32768"),
    ("smallint", "+032767", "32767"),
    ("integer", "2147483647", "2147483647"),
    ("integer", "-0", "0"),
    ("integer", "0007", "7"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("bigint", "0" * 5000 + "5", "5"),
    ("numeric", "1.50", "1.50"),
    ("numeric", "+.5", "0.5"),
    ("numeric", "5.", "5"),
    ("numeric", "-00.0", "0.0"),
    ("numeric", "1.5e3", "1500"),
    ("numeric", "15E-3", "0.015"),
    ("numeric", "0e999999999999", "0"),
    (NUMERIC_10_2, "3", "3.00"),
    (NUMERIC_10_2, "3.1000", "3.10"),
    (NUMERIC_10_2, "-99999999.99", "-99999999.99"),
    (ColumnType("numeric", precision=3, scale=3), ".5", "0.500"),
    (ColumnType("numeric", precision=3, scale=0), "12.000", "12"),
    ("double", "1e23", "1e+23"),
    ("double", "0.1", "0.1"),
    ("double", "100", "100"),
    ("double", "1e14", "100000000000000"),
    ("double", "1e15", "1e+15"),
    ("double", "0.0001", "0.0001"),
    ("double", "-0.00001", "-1e-05"),
    ("double", "-0", "-0"),
    ("double", "INF", "Infinity"),
    ("double", "-inf", "-Infinity"),
    ("double", "nan", "NaN"),
    ("double", "1" * 6000 + "e-5990", "1111111111.1111112"),
    ("real", "0.1", "0.1"),
    ("real", "16777217", "1.6777216e+07"),
    ("real", "999999", "999999"),
    ("real", "1000000", "1e+06"),
    ("real", "3.4028235e38", "3.4028235e+38"),
    ("date", "2024-02-29", "2024-02-29"),
    ("date", "0001-01-01", "0001-01-01"),
    ("time", "23:59:59.1230", "23:59:59.123"),
    ("time", "24:00:00.0", "24:00:00"),
    ("timestamp", "2020-01-02T03:04:05", "2020-01-02 03:04:05"),
    ("timestamp", "2020-01-02 03:04:05.000", "2020-01-02 03:04:05"),
    ("timestamp", "2020-01-02T03:04:05.1234560000", "2020-01-02 03:04:05.123456"),
    ("timestamp", "2019-12-31T24:00:00", "2020-01-01 00:00:00"),
    ("timestamptz", "2020-01-02T03:04:05.123Z", "2020-01-02 03:04:05.123+00:00"),
    ("timestamptz", "2020-01-02T03:04:05", "2020-01-02 03:04:05+00:00"),
    ("timestamptz", "2020-01-01T00:30:00+01:00", "2019-12-31 23:30:00+00:00"),
    ("timestamptz", "2020-01-01T00:30:00.5-0930", "2020-01-01 10:00:00.5+00:00"),
    ("timestamptz", "2020-01-01 00:30:00-02", "2020-01-01 02:30:00+00:00"),
    ("uuid", "990D3FA1-A80C-4b14-9414-14b2ec0fd7ad", "990d3fa1-a80c-4b14-9414-14b2ec0fd7ad"),
    ("uuid", "{990d3fa1-a80c-4b14-9414-14b2ec0fd7ad}", "990d3fa1-a80c-4b14-9414-14b2ec0fd7ad"),
    ("uuid", "990d3fa1a80c4b14941414b2ec0fd7ad", "990d3fa1-a80c-4b14-9414-14b2ec0fd7ad"),
    ("json", ' {"a": 1.50, "a": [null]}\n', '{"a": 1.50, "a": [null]}'),
    ("json", r'"\u0000\ud800"', r'"\u0000\ud800"'),
    ("json", "9" * 5000, "9" * 5000),
    ("json", "[" * 500 + "]" * 500, "[" * 500 + "]" * 500),
    ("json", f'"{"[" * 501}"', f'"{"[" * 501}"'),
    ("jsonb", r'"\\u0000 \ud83d\ude00 \\ud800"', r'"\\u0000 \ud83d\ude00 \\ud800"'),
    ("jsonb", "1e131071", "1e131071"),
    ("xml", '<m:a xmlns:m="u">x<b/></m:a>', '<m:a xmlns:m="u">x<b/></m:a>'),
    ("xml", "<a>" * 255 + "<b/>" + "</a>" * 255, "<a>" * 255 + "<b/>" + "</a>" * 255),
    (BYTES_HEX, "CA fe\n00", "\\xcafe00"),
    (BYTES_HEX, "", "\\x"),
    (BYTES_HEX, "\\xFF", "\\xff"),
]

REFUSED: list[tuple[ColumnType | str, str, str]] = [
    (ColumnType("varchar", length=3), "abcd", "too_long"),
    *[("boolean", text, "bad_value") for text in ("", "maybe", "2", "-1", "ja", "tru\u0435")],
    *[
        ("integer", text, "bad_value")
        for text in (
            "",
            "1.0",
            "1e3",
            "0x1F",
            "1_000",
            "1,000",
            "\u0661\u0662",
            "\uff11\uff12",
            "\u00b2",
            "--1",
            "+",
            "1 2",
            "NaN",
            " 1",
            "1\n",
        )
    ],
    ("smallint", "32768", "out_of_range"),
    ("integer", "-2147483649", "out_of_range"),
    ("bigint", "9223372036854775808", "out_of_range"),
    ("bigint", "9" * 5000, "out_of_range"),
    *[
        ("numeric", text, "bad_value")
        for text in ("", ".", "-", "1,5", "1e", "0x1F", "1_0", "NaN", "INF", "\u0663", "1.2.3")
    ],
    ("numeric", "1e131072", "out_of_range"),
    ("numeric", "1e999999999999", "out_of_range"),
    ("numeric", "1e-16384", "out_of_range"),
    (NUMERIC_10_2, "0.001", "out_of_range"),
    (NUMERIC_10_2, "100000000", "out_of_range"),
    (ColumnType("numeric", precision=3, scale=3), "1", "out_of_range"),
    *[("double", text, "bad_value") for text in ("", "1,5", "0x1p3", "1_0", "infinite", "\u0663", "1 e5")],
    ("double", "1e309", "out_of_range"),
    ("double", "1e-400", "out_of_range"),
    ("real", "3.5e38", "out_of_range"),
    ("real", "1e-50", "out_of_range"),
    *[
        ("date", text, "bad_value")
        for text in (
            "",
            "now",
            "today",
            "20200101",
            "2020-1-1",
            "01/02/2020",
            "2020-01-01Z",
            "\u0662\u0660\u0662\u0660-\u0660\u0661-\u0660\u0661",
        )
    ],
    *[("date", text, "out_of_range") for text in ("2023-02-29", "2020-00-10", "2020-13-01", "0000-01-01")],
    *[("time", text, "bad_value") for text in ("", "noon", "1:02:03", "01:02", "01:02:03Z", "01:02:03.")],
    *[("time", text, "out_of_range") for text in ("24:00:01", "25:00:00", "00:60:00", "23:59:60", "01:02:03.1234567")],
    *[
        ("timestamp", text, "bad_value")
        for text in ("", "now", "2020-01-02", "2020-01-02T03:04", "2020-01-02T03:04:05Z")
    ],
    *[("timestamp", text, "out_of_range") for text in ("2020-02-30T00:00:00", "9999-12-31T24:00:00")],
    *[("timestamptz", text, "bad_value") for text in ("", "2020-01-02T03:04:05 Z", "2020-01-02T03:04:05 UTC")],
    *[("timestamptz", text, "out_of_range") for text in ("2020-01-01T00:00:00+16:00", "0001-01-01T00:00:00+01:00")],
    *[
        ("uuid", text, "bad_value")
        for text in ("", "990d3fa1", "{990d3fa1a80c4b14941414b2ec0fd7ad", "g" * 32, "9-90d3fa1a80c4b14941414b2ec0fd7ad")
    ],
    *[
        (name, text, "bad_value")
        for name in ("json", "jsonb")
        for text in (
            "",
            "{",
            "{'a': 1}",
            '{"a": 1,}',
            "{a: 1}",
            "[1 2]",
            "01",
            "+1",
            ".5",
            "1.",
            "0x1F",
            "NaN",
            "[-Infinity]",
            "True",
            "\u0661",
            "// no\n1",
            '"\t"',
            r'"\x41"',
            r'"\u12g4"',
            "\ufeff1",
            "\u00a01",
            "1 1",
        )
    ],
    ("json", "[" * 501 + "]" * 501, "out_of_range"),
    ("json", '{"a":' * 100_000, "out_of_range"),
    *[("jsonb", text, "out_of_range") for text in (r'"\u0000"', r'"\\\u0000"', r'"\ud800"', r'"\udc00\ud800"')],
    *[("jsonb", text, "out_of_range") for text in ("1e131072", "-1e-16384", "9" * 131073)],
    *[
        ("xml", text, "bad_value")
        for text in (
            "",
            "text",
            "<a>",
            "<a/><b/>",
            "<p:a/>",
            "<a b=1/>",
            "<a>&x;</a>",
            "<a>&#0;</a>",
            "<!DOCTYPE a><a/>",
            "<?xml version='1.0'?><a/>",
        )
    ],
    ("xml", "<a>" * 257 + "</a>" * 257, "out_of_range"),
    ("xml", f"<a>{'ä' * 5_100_000}</a>", "out_of_range"),
    *[(BYTES_HEX, text, "bad_value") for text in ("0", "0g", "0x00", "\u0661\u0661", "\\xf", "x41")],
    *[
        (BYTES_BASE64, text, "bad_value")
        for text in ("A", "AAE", "AAE==", "AA=E", "=", "A-_=", "AAE=AAE=", "\u0661AAA", "AA*E=", "\\x00")
    ],
]


def _type(given: ColumnType | str) -> ColumnType:
    return ColumnType(given) if isinstance(given, str) else given


@pytest.mark.parametrize(("given", "text", "canonical"), ACCEPTED)
def test_accepted(given: ColumnType | str, text: str, canonical: str) -> None:
    convert = rule_for(_type(given)).convert
    assert convert(text) == canonical
    # What a database would hand back is stored the same again.
    assert convert(canonical) == canonical


@pytest.mark.parametrize(("given", "text", "reason"), REFUSED)
def test_refused(given: ColumnType | str, text: str, reason: str) -> None:
    with pytest.raises(ConversionError) as refused:
        rule_for(_type(given)).convert(text)
    assert refused.value.reason == reason
    assert repr(text[:50])[1:-1] in refused.value.message
    assert len(refused.value.message) < 250


@pytest.mark.parametrize(("given", "text", "canonical"), ACCEPTED)
def test_shortcut_for_whole_columns_agrees(given: ColumnType | str, text: str, canonical: str) -> None:
    rule = rule_for(_type(given))
    if rule.plain is not None and re.fullmatch(rf"(?:{rule.plain})\x01", text + "\x01"):
        assert (rule.bulk(text + "\x01") if rule.bulk else text + "\x01") == canonical + "\x01"


@pytest.mark.parametrize(("given", "text", "reason"), REFUSED)
def test_shortcut_for_whole_columns_lets_nothing_wrong_through(given: ColumnType | str, text: str, reason: str) -> None:
    rule = rule_for(_type(given))
    assert rule.plain is None or re.fullmatch(rf"(?:{rule.plain})\x01", text + "\x01") is None


@pytest.mark.parametrize(
    ("given", "canonical", "value"),
    [
        ("text", "x", "x"),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("bigint", "-5", -5),
        ("double", "1e+23", 1e23),
        ("real", "0.1", 0.1),
        ("numeric", "1.50", "1.50"),
        (NUMERIC_10_2, "1.50", 1.5),
        (ColumnType("numeric", precision=9, scale=0), "15", 15),
        (ColumnType("numeric", precision=16, scale=2), "1.50", "1.50"),
        ("date", "2020-01-02", "2020-01-02"),
        ("json", "[1]", "[1]"),
        ("jsonb", "1", "1"),
        ("xml", "<a/>", "<a/>"),
        (BYTES_HEX, "\\x00ff", b"\x00\xff"),
        (BYTES_BASE64, "\\x", b""),
    ],
)
def test_python_values(given: ColumnType | str, canonical: str, value: object) -> None:
    found = rule_for(_type(given)).python(canonical)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["NaN", "INF", "-INF"])
@pytest.mark.parametrize("name", ["real", "double"])
def test_finite_targets_refuse_what_they_cannot_store(name: str, text: str) -> None:
    with pytest.raises(ConversionError) as refused:
        rule_for(ColumnType(name), finite=True).convert(text)
    assert refused.value.reason == "out_of_range"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "\\x"),
        ("AAECAw==", "\\x00010203"),
        ("\n  aGVs\r\n\tbG8=  ", "\\x68656c6c6f"),
        ("+/+/", "\\xfbffbf"),
    ],
)
def test_base64(text: str, canonical: str) -> None:
    assert rule_for(BYTES_BASE64).convert(text) == canonical
    assert rule_for(ColumnType("bytes")).convert(text) == canonical
    assert rule_for(BYTES_BASE64).python(canonical) == bytes.fromhex(canonical[2:])


def test_every_type_is_in_these_tables() -> None:
    assert {_type(given).name for given, _, _ in ACCEPTED} == set(TYPE_NAMES)
    assert {_type(given).name for given, _, _ in REFUSED} == set(TYPE_NAMES) - {"text"}


def test_short_decimals_keep_their_digits_as_doubles() -> None:
    rule = rule_for(ColumnType("numeric", precision=15, scale=7))
    for number in range(1, 10**15, 10**15 // 1000 + 7):
        canonical = rule.convert(f"{number}e-7")
        assert rule.convert(repr(rule.python(canonical))) == canonical
