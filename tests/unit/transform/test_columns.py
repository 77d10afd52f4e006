"""The order of what happens to a value: strip, nulls, default, required, convert, on_error."""

from __future__ import annotations

from etl.mapping.model import Column, FromPath
from etl.mapping.reader import parse_mapping
from etl.transform.columns import Converted, Failure
from etl.transform.elements import NIL, NULL
from etl.transform.lists import converter


def column(definition: str) -> Column:
    text = f"version: 1\ntables: {{t: {{each: /a/b, columns: {{c: {definition}}}}}}}"
    found = parse_mapping(text, "m").tables[0].columns[1]
    assert isinstance(found.source, FromPath)
    return found


def convert(definition: str, *raw: str | list[str], nil: bool = False, finite: bool = False) -> Converted:
    found = column(definition)
    assert isinstance(found.source, FromPath)
    return converter(found, found.source, finite=finite)(raw, nil)


def texts(definition: str, *raw: str | list[str], nil: bool = False) -> list[str]:
    converted = convert(definition, *raw, nil=nil)
    assert not converted.failures
    return list(converted.texts)


def test_text_keeps_empty_and_strips_xml_white_space_only() -> None:
    assert texts("x", "", " a\t\r\n", "\xa0b\u3000", NULL) == ["", "a", "\xa0b\u3000", NULL]
    assert texts("{path: x, strip: false}", " a ") == [" a "]


def test_empty_is_null_for_other_types_unless_told_otherwise() -> None:
    assert texts("{path: x, type: integer}", "", " ", "1", NULL) == [NULL, NULL, "1", NULL]
    refused = convert("{path: x, type: integer, nulls: []}", "")
    assert refused.failures[0].reason == "bad_value"


def test_nulls_after_strip() -> None:
    assert texts("{path: x, nulls: ['-', 'n/a']}", " - ", "n/a", "", "N/A") == [NULL, NULL, "", "N/A"]
    assert texts("{path: x, nulls: '-', strip: false}", " - ", "-") == [" - ", NULL]
    assert texts("{path: x, type: integer, nulls: ['', '0']}", "0", "00", "") == [NULL, "0", NULL]
    assert texts("{path: x, type: varchar(5), nulls: ['none']}", "none", "some") == [NULL, "some"]


def test_default_is_converted_and_not_taken_for_null() -> None:
    assert texts("{path: x, type: 'numeric(5,2)', default: 1, nulls: ['1']}", NULL, "1", "2") == [
        "1.00",
        "1.00",
        "2.00",
    ]
    assert texts("{path: x, default: none}", NULL, "") == ["none", ""]


def test_required() -> None:
    converted = convert("{path: x, required: true}", "a", NULL, "")
    assert converted.failures == {1: Failure("missing_value", "a value is required, none was found")}
    assert convert("{path: x, type: date, required: true}", "").failures[0].reason == "missing_value"
    assert texts("{path: x, required: true, default: d}", NULL) == ["d"]


def test_on_error() -> None:
    reject = convert("{path: x, type: integer}", "1", "x", "2", "x")
    assert sorted(reject.failures) == [1, 3]
    assert reject.replaced == 0
    set_null = convert("{path: x, type: integer, on_error: set_null}", "1", "x", "99999999999", "x", NULL)
    assert (list(set_null.texts), set_null.failures, set_null.replaced) == (["1", NULL, NULL, NULL, NULL], {}, 3)
    default = convert("{path: x, type: integer, on_error: use_default, default: 7}", "x", NULL, "1")
    assert (list(default.texts), default.replaced) == (["7", "7", "1"], 1)


def test_whole_columns_become_canonical_at_once() -> None:
    assert texts("{path: x, type: timestamp}", "2020-01-02T03:04:05.120", NULL, "2020-01-02 00:00:00") == [
        "2020-01-02 03:04:05.12",
        NULL,
        "2020-01-02 00:00:00",
    ]
    assert texts("{path: x, type: uuid}", "990D3FA1-A80C-4B14-9414-14B2EC0FD7AD") == [
        "990d3fa1-a80c-4b14-9414-14b2ec0fd7ad"
    ]
    assert texts("{path: x, type: integer}") == []


def test_one_odd_value_does_not_change_the_others() -> None:
    raw = ["2020-01-02T03:04:05.120Z", " 2020-01-02T04:04:05+01:00", "2024-02-29T00:00:00Z"]
    together = texts("{path: x, type: timestamptz}", *raw)
    assert together == [texts("{path: x, type: timestamptz}", one)[0] for one in raw]


def test_join_strips_each_piece_and_leaves_nil_out() -> None:
    definition = "{path: x, many: join, separator: ';'}"
    assert texts(definition, [" a", "b "], ["c"], NULL, [NIL], [NIL, "d"], nil=True) == ["a;b", "c", NULL, NULL, "d"]
    assert texts("{path: x, many: join, separator: '', type: integer}", ["1", "2"]) == ["12"]


def test_nil_is_null() -> None:
    assert texts("x", "a", NIL, nil=True) == ["a", NULL]
    assert texts("{path: x, type: integer, default: 5}", NIL, nil=True) == ["5"]


def test_infinity_only_where_it_can_be_stored() -> None:
    assert list(convert("{path: x, type: double}", "INF").texts) == ["Infinity"]
    assert convert("{path: x, type: double}", "INF", finite=True).failures[0].reason == "out_of_range"
