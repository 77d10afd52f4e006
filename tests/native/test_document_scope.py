"""Columns with `scope: document`, by the compiled scanner and by lxml: the same rows, rejects and notices."""

from __future__ import annotations

import pytest

from etl.messages import RowFormat, Skeleton
from etl.native import unavailable
from tests.native.test_mapper import mapped
from tests.splits import copy_rows_of, make_run, make_split, mapping_of

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

RECORDS = (b"<r><v>1</v><p>a</p><p>b</p></r>", b"<r><v>2</v></r>", b"<r skip='1'><p>c</p></r>")
OPENING = b'<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" k="7">'


def skeleton(header: bytes, subset: bytes = b"") -> Skeleton:
    kept = OPENING + header + b'<first-record xmlns="urn:etl"/></a>' if header else b""
    return Skeleton(subset, b"<a><list>", b"</list></a>", 2, kept)


HEADERS = {
    "none": b"",
    "nothing": b"<x/>",
    "one": b"<h k='1'> 5 </h>",
    "several": b"<h k='1'>5</h><h k='2'>6</h><h>7</h>",
    "empty": b"<h k=''/><h></h>",
    "nil": b"<h xsi:nil='true'/><h k='1' xsi:nil='1'/>",
    "nil and more": b"<h xsi:nil='true'><b>9</b></h><h k='k'>6</h>",
    "mixed": b"<h k='x'>a<b>b</b>c</h><h k='x'>1<b/></h>",
    "bad": b"<h k='x'>soon</h>",
    "long": b"<h k='&lt;'>%b</h>" % (b"\xc3\xa4 \t\\N\n" * 50),
}
COLUMNS = (
    "path: /a/h",
    "path: /a/h, strip: false",
    "path: /a/h, many: last",
    "path: /a/h, many: reject",
    "path: /a/h, many: join, separator: '|'",
    "path: /a/h, many: array",
    "path: /a/h, many: array, type: integer, on_error: set_null",
    "path: /a/h, many: json",
    "path: /a/h, many: json, key: '@k', value: .",
    "path: /a/h, many: json, key: b, value: '@k', type: text",
    "path: /a/h, many: count",
    "path: /a/h, type: integer",
    "path: /a/h, type: integer, on_error: set_null, default: '3'",
    "path: /a/h, type: integer, on_error: use_default, default: '3'",
    "path: /a/h, required: true",
    "path: /a/h, nulls: ['5', ''], default: none",
    "path: /a/h, transform: [upper, {map: {SOON: late}}]",
    "path: /a/h, transform: {replace: ['o+', '0']}",
    "path: /a/h/text()",
    "path: /a/h/text(), many: join, type: varchar(5)",
    "path: '/a/h/@k'",
    "path: '/a/h/@k', many: array",
    "path: '/a/@k', type: numeric",
    "path: '/a/{*}*[@k=\"1\"]'",
    "path: /a, many: count",
    "path: /b/h",
)


@pytest.mark.parametrize("row_format", ["copy", "tuples"])
@pytest.mark.parametrize("column", COLUMNS)
def test_every_kind_of_column(column: str, row_format: RowFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of(f"""
  r:
    each: //r
    where: "not(@skip)"
    columns:
      v: {{path: v, type: integer}}
      c: {{{column}, scope: document}}
  p:
    parent: r
    each: p
    columns:
      x: .
      c: {{{column}, scope: document}}
""")
    # All in one split, and one behind the other by the same worker: values are of each run's own document.
    runs = [make_run(RECORDS, skeleton(header), first_record=1 + 3 * n) for n, header in enumerate(HEADERS.values())]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch, row_format)
    assert native.notices.declined == ""
    for run in runs:
        native, _ = mapped(mapping, make_split(run), monkeypatch, row_format)
        assert native.notices.declined == ""


def test_what_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: //r
    where: "not(@skip)"
    columns:
      first: {path: /a/h, scope: document}
      all: {path: /a/h, scope: document, many: array}
      pairs: {path: /a/h, scope: document, many: json, key: '@k', value: .}
      count: {path: /a/h, scope: document, many: count}
""")
    names = ("several", "nil", "none", "mixed")
    runs = [make_run(RECORDS[:1], skeleton(HEADERS[name]), first_record=1 + n) for n, name in enumerate(names)]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch)
    assert [row[1:] for row in copy_rows_of(native)] == [
        ("5", "{5,6,7}", '{"1": "5", "2": "6", "": "7"}', "3"),
        (None, "{NULL,NULL}", '{"": null, "1": null}', "2"),
        (None, None, None, "0"),
        ("abc", "{abc,1}", '{"x": ["abc", "1"]}', "2"),
    ]
    assert native.notices.several == {(0, 1): 3}
    assert native.notices.mixed == {(0, 1), (0, 2), (0, 4)}
    assert native.notices.matched == {(0, place) for place in range(1, 5)}


def test_a_value_that_is_missing_or_wrong_rejects_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: //r
    columns: {c: {path: /a/h, scope: document, type: integer, required: true}}
  p:
    parent: r
    each: p
    columns: {c: {path: /a/h, scope: document, many: reject}}
""")
    names = ("nothing", "bad", "one", "several")
    runs = [make_run(RECORDS[:2], skeleton(HEADERS[name]), first_record=1 + 2 * n) for n, name in enumerate(names)]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch)
    found = [(reject.record, reject.table, reject.reason) for reject in native.rejects]
    assert found == [
        *((record, "r", "missing_value") for record in (1, 2)),
        *((record, "r", "bad_value") for record in (3, 4)),
        (7, "p", "several_values"),
    ]
    assert native.rejects[0].skeleton == skeleton(HEADERS["nothing"])


@pytest.mark.parametrize("row_format", ["copy", "tuples"])
def test_entities_and_declared_attributes(row_format: RowFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: //r
    columns:
      h: {path: /a/h, scope: document}
      k: {path: "/a/h/@k", scope: document}
      up: "../@k"
""")
    declared = skeleton(b"<h>&e;</h>", b"<!DOCTYPE a [<!ENTITY e '&#228;x'><!ATTLIST h k CDATA 'default'>]>")
    plain = skeleton(b"<h k='&e;'/>", b"<!DOCTYPE a [<!ENTITY e '&#228;x'>]>")
    for one, wanted in ((declared, ["äx", "default"]), (plain, ["", "äx"])):
        native, _ = mapped(mapping, make_split(make_run(RECORDS, one)), monkeypatch, row_format)
        if row_format == "copy":
            assert [list(row[1:]) for row in copy_rows_of(native)] == [[*wanted, None]] * 3


def test_markup_and_functions_are_read_by_lxml(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: //r
    columns:
      h: {path: /a/h, scope: document, type: xml}
      v: "string(v)"
      n: {path: /a/h, scope: document, transform: {python: "tests.row_functions:shorten"}}
""")
    runs = [make_run(RECORDS[:2], skeleton(HEADERS[name])) for name in ("mixed", "nothing")]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch)
    assert [row[1] for row in copy_rows_of(native)] == ['<h k="x">a<b>b</b>c</h>'] * 2 + [None] * 2
