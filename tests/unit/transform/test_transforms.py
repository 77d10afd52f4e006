"""The `transform` of a column: what each step makes of a text, and what a user's function may do."""

from __future__ import annotations

import pytest

from etl.errors import MappingError
from etl.mapping.reader import parse_mapping
from tests import row_functions
from tests.splits import make_worker, mapping_of, rows_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")


def value(definition: str, text: str) -> object:
    mapping = mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}")
    batch = run_records(mapping, f"<r><t>{text}</t></r>".encode())
    assert batch.rejects == ()
    return rows_of(batch)[0][1]


def failure(definition: str, text: str) -> tuple[str, str]:
    mapping = mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}")
    (reject,) = run_records(mapping, f"<r><t>{text}</t></r>".encode()).rejects
    assert (reject.table, reject.column) == ("r", "c")
    return reject.reason, reject.message


@pytest.mark.parametrize(
    ("transform", "text", "expected"),
    [
        ("lower", " ÄB ", "äb"),
        ("upper", "straße", "STRASSE"),
        ("collapse", "a \n\t b\xa0 c", "a b\xa0 c"),
        ("{replace: ['(\\d+)-(\\d+)', '\\2/\\1']}", "1-2 3-4", "2/1 4/3"),
        ("{map: {m: male, f: female}}", "m", "male"),
        ("{map: {m: male, f: female}}", "x", "x"),
        ("[lower, {map: {a: b}}, upper]", "A", "B"),
        ("{python: 'html:escape'}", "a&amp;b", "a&amp;b"),
        ("{python: 'tests.row_functions:shorten'}", "one two", "one"),
        ("{python: 'tests.row_functions:shorten'}", "-", None),
        ("[{python: 'tests.row_functions:shorten'}, upper]", "-", None),
        ("{python: 'tests.row_functions:number'}", "1.50", "3.00"),
    ],
)
def test_steps(transform: str, text: str, expected: object) -> None:
    assert value(f"{{path: t, transform: {transform}}}", text) == expected


def test_order_strip_transform_nulls_default_convert() -> None:
    assert value("{path: t, transform: {map: {none: n/a}}, nulls: n/a}", " none ") is None
    assert value("{path: t, type: integer, transform: {replace: [',', '']}}", "1,234") == 1234
    assert value("{path: t, type: integer, transform: {python: 'tests.row_functions:shorten'}, default: 5}", "-") == 5
    assert failure("{path: t, required: true, transform: {python: 'tests.row_functions:shorten'}}", "-")[0] == (
        "missing_value"
    )


def test_null_is_not_transformed() -> None:
    assert value("{path: x, transform: {python: 'tests.row_functions:odd'}}", "list") is None


@pytest.mark.parametrize(
    ("definition", "text", "said"),
    [
        ("shorten", "bad", "tests.row_functions:shorten raised ValueError for 'bad': no good (test.mapping.yaml:3)"),
        ("number", "x", "raised InvalidOperation for 'x': "),
        ("raises", "Mute()", "tests.row_functions:raises raised Mute for 'Mute()' (test.mapping.yaml:3)"),
        ("raises", "KeyboardInterrupt(1)", "raised KeyboardInterrupt for 'KeyboardInterrupt(1)': 1 ("),
        ("raises", "GeneratorExit", "raised GeneratorExit for 'GeneratorExit' ("),
        ("returns", "10**5000", "returned int '', which is no value: Exceeds the limit (4300 digits)"),
        ("returns", "Mute()", "returned Mute '', which is no value: no column takes Mute ("),
        ("returns", "'\\ud800'", "holds the character U+D800, which XML does not allow"),
        ("odd", "list", "returned list \"['list']\", which is no value: no column takes list (test.mapping.yaml:3)"),
        ("odd", "x", "holds the character U+0002, which XML does not allow"),
        ("odd", "exit", "raised SystemExit for 'exit': over"),
    ],
)
def test_a_function_that_fails_makes_a_reject(definition: str, text: str, said: str) -> None:
    reason, message = failure(f"{{path: t, transform: {{python: 'tests.row_functions:{definition}'}}}}", text)
    assert reason == "transform_failed"
    assert said in message


def test_on_error_holds_for_transforms() -> None:
    definition = "{path: t, transform: {python: 'tests.row_functions:shorten'}, on_error: set_null}"
    assert value(definition, "bad") is None
    assert value(definition.replace("path: t", "path: t, many: join"), "bad") is None
    assert value(definition.replace("path: t", "path: t, many: array"), "bad") == "[null]"


def test_several_values_are_transformed_each() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns:
      a: {path: t, many: array, transform: {python: "tests.row_functions:shorten"}}
      j: {path: t, many: join, transform: {python: "tests.row_functions:shorten"}}
      o: {path: t, many: json, transform: {python: "tests.row_functions:shorten"}}
""")
    batch = run_records(mapping, b"<r><t>a b</t><t>-</t><t>c</t></r>", b"<r><t>x</t><t>bad</t></r>")
    assert rows_of(batch)[0][1:] == ('["a", null, "c"]', "a, c", '["a", null, "c"]')
    assert [(found.column, found.reason) for found in batch.rejects] == [("a", "transform_failed")]


def test_a_value_is_worked_out_once_in_a_split() -> None:
    # With a folder in which the module does not lie, it is the one imported here.
    columns = "{c: {path: t, transform: {python: 'tests.row_functions:shorten'}}}"
    mapping = parse_mapping(f"version: 1\ntables: {{r: {{each: /root/r, columns: {columns}}}}}", "/nowhere/m.yaml")
    row_functions.calls.clear()
    batch = run_records(mapping, *[b"<r><t>same</t></r>"] * 100, b"<r><t>other</t></r>")
    assert len(rows_of(batch)) == 101
    assert sorted(map(str, row_functions.calls)) == ["other", "same"]


def test_a_function_that_is_not_there_is_an_error_when_the_worker_begins() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {c: {path: t, transform: {python: 'nowhere_at_all:f'}}}}")
    with pytest.raises(MappingError, match="nowhere_at_all"):
        make_worker(mapping)
