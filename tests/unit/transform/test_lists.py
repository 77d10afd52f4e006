"""Columns that keep several values: join, array, json, count, and reject."""

from __future__ import annotations

import json

import pytest

from etl.messages import Skeleton
from tests.splits import copy_rows_of, mapping_of, rows_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")

NIL = Skeleton(b"", b"<root xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>", b"</root>", 1)
RECORD = b"<r><t k='1'> a </t><t k='2'>b, \"c\" \\ {}</t><t/><t k='1' xsi:nil='true'/></r>"


def value(definition: str, record: bytes = RECORD) -> object:
    """The value of one column, as targets without COPY get it."""
    (row,) = rows_of(
        run_records(mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}"), record, skeleton=NIL)
    )
    return row[1]


def copied(definition: str, record: bytes = RECORD) -> str | None:
    """The same as PostgreSQL gets it."""
    mapping = mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}")
    (row,) = copy_rows_of(run_records(mapping, record, skeleton=NIL, row_format="copy"))
    return row[1]


def reject(definition: str, record: bytes) -> tuple[str, str]:
    (found,) = run_records(mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}"), record).rejects
    assert (found.table, found.column) == ("r", "c")
    return found.reason, found.message


def test_an_array_has_every_value_stripped_and_null_where_an_element_is_nil() -> None:
    assert value("{path: t, many: array}") == '["a", "b, \\"c\\" \\\\ {}", "", null]'
    assert copied("{path: t, many: array}") == '{a,"b, \\"c\\" \\\\ {}","",NULL}'


def test_an_array_of_numbers_and_of_nothing() -> None:
    assert value("{path: t/@k, type: integer, many: array}") == "[1, 2, 1]"
    assert copied("{path: t/@k, type: integer, many: array}") == "{1,2,1}"
    assert copied("{path: x, type: integer, many: array}") is None
    assert copied("{path: '@k', many: array}", b"<r k='1'/>") == "{1}"


def test_null_elements_of_an_array_stay_null() -> None:
    record = b"<r><t>1</t><t>-</t><t/></r>"
    assert copied("{path: t, type: integer, many: array, nulls: ['-', '']}", record) == "{1,NULL,NULL}"
    assert copied("{path: t, type: integer, many: array, on_error: set_null}", record) == "{1,NULL,NULL}"


def test_one_bad_element_of_an_array_rejects_the_record() -> None:
    records = [b"<r><t>1</t></r>", b"<r/>", b"<r><t>1</t><t>x</t><t>y</t></r>", b"<r><t>2</t></r>"]
    mapping = mapping_of("  r: {each: /root/r, columns: {c: {path: t, type: integer, many: array}}}")
    batch = run_records(mapping, *records)
    assert [row[1] for row in rows_of(batch)] == ["[1]", None, "[2]"]
    (found,) = batch.rejects
    assert (found.record, found.reason, found.column) == (3, "bad_value", "c")
    assert found.message.startswith("'x' is not an integer")


def test_a_required_array() -> None:
    assert reject("{path: t, many: array, required: true}", b"<r/>")[0] == "missing_value"


def test_json_of_texts() -> None:
    assert value("{path: t, many: json}") == '["a", "b, \\"c\\" \\\\ {}", "", null]'
    assert value("{path: t, many: json, nulls: ['']}", b"<r><t/></r>") == "[null]"
    assert value("{path: x, many: json}") is None
    assert value("{path: x, many: json, default: '[]'}") == "[]"
    assert value("{path: '@k', many: json}", b"<r k='\xc3\xa9'/>") == '["é"]'


def test_json_of_keys_and_values() -> None:
    definition = "{path: tag, many: json, key: '@k', value: '@v'}"
    record = b"<r><tag k='a' v=' 1 '/><tag k='b' v='2'/><tag k='a' v='3'/><tag v='4'/><tag k='c'/></r>"
    assert value(definition, record) == '{"a": ["1", "3"], "b": "2", "": "4", "c": null}'
    assert value(definition, b"<r/>") is None


def test_json_keys_are_stripped_like_values() -> None:
    record = b"<r><tag k=' a '> 1 </tag><tag k='a'>2</tag><tag k=' '>3</tag><tag>4</tag></r>"
    definition = "{path: tag, many: json, key: '@k', value: ., strip: STRIP}"
    assert value(definition.replace("STRIP", "true"), record) == '{"a": ["1", "2"], "": ["3", "4"]}'
    assert value(definition.replace("STRIP", "false"), record) == '{" a ": " 1 ", "a": "2", " ": "3", "": "4"}'


def test_json_of_keys_and_values_below_the_elements_and_nil() -> None:
    definition = "{path: a/tag, many: json, key: name, value: .}"
    assert value(definition, b"<r><a><tag><name>n</name>:<b>v</b></tag></a></r>") == '{"n": "n:v"}'
    definition = "{path: t, many: json, key: '@k', value: .}"
    assert json.loads(str(value(definition))) == {"1": ["a", None], "2": 'b, "c" \\ {}', "": ""}
    definition = "{path: tag, many: json, key: '@k', value: v}"
    assert value(definition, b"<r><tag k='a'><v>1</v><v>2</v></tag></r>") == '{"a": ["1", "2"]}'


def test_count() -> None:
    assert value("{path: t, many: count}") == 4
    assert value("{path: x, many: count}") == 0
    assert value("{path: t, many: count, type: text}") == "4"
    assert value("{path: '@k', many: count}", b"<r k='x'/>") == 1


def test_join_transforms_each_value() -> None:
    record = b"<r><t> A </t><t>B</t><t/></r>"
    assert value("{path: t, many: join, transform: lower}", record) == "a, b, "
    assert value("{path: t, many: join, transform: {map: {A: 1}}, separator: ''}", record) == "1B"


@pytest.mark.parametrize(("record", "bad"), [(b"<r><t>1</t></r>", False), (b"<r/>", False), (b"<r><t/><t/></r>", True)])
def test_reject_of_a_second_value(record: bytes, bad: bool) -> None:
    batch = run_records(mapping_of("  r: {each: /root/r, columns: {c: {path: t, many: reject}}}"), record)
    assert [found.reason for found in batch.rejects] == (["several_values"] if bad else [])
    assert not batch.notices.several


def test_a_reject_names_the_line_of_its_column() -> None:
    reason, message = reject("{path: t, many: reject}", b"<r><t/><t/></r>")
    assert reason == "several_values"
    assert message.endswith("`many: first` the first (test.mapping.yaml:3)")


def test_several_values_are_still_told_apart_after_a_reject() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {n: {path: '@n', type: integer}, c: t}}")
    batch = run_records(mapping, b"<r n='x'/>", b"<r n='1'><t>1</t><t>2</t></r>")
    assert batch.notices.several == {(0, 2): 1}
