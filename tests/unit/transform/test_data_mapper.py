"""Elements to rows: what each kind of path finds, in which order."""

from __future__ import annotations

import pytest

from etl.mapping.reader import parse_mapping
from etl.messages import Skeleton
from tests.splits import mapping_of, rows_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")

XSI = Skeleton(b"", b"<root xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'>", b"</root>", 1)


def values(definition: str, record: bytes, skeleton: Skeleton | None = None) -> tuple[object, ...]:
    """The values of the columns `definition` for one record."""
    mapping = mapping_of(f"  r: {{each: /root/r, columns: {definition}}}")
    batch = run_records(mapping, record) if skeleton is None else run_records(mapping, record, skeleton=skeleton)
    (row,) = rows_of(batch)
    return row[1:]


@pytest.mark.parametrize(
    ("path", "record", "value"),
    [
        ("t", b"<r><t>x</t></r>", "x"),
        ("t", b"<r><t/></r>", ""),
        ("t", b"<r><T>x</T></r>", None),
        ("t", b"<r><a><t>x</t></a></r>", None),
        ("t", b"<r><t>x<b>y<i>z</i></b> w</t></r>", "xyz w"),
        ("t", b"<r><t>x<!-- c -->y<?p i?>z<![CDATA[<&]]></t></r>", "xyz<&"),
        ("t", b"<r><t> \t\r\n x\xc2\xa0 \n</t></r>", "x\xa0"),
        (".", b"<r>x<t>y</t>z</r>", "xyz"),
        ("text()", b"<r>x<t>y</t>z</r>", "xz"),
        ("t/text()", b"<r><t>x<b>y</b>z</t></r>", "xz"),
        ("@n", b"<r n='a&#10;b'/>", "a\nb"),
        ("t/@n", b"<r><t/><t n='1'/></r>", "1"),
        ("a/b/c", b"<r><a><b/></a><a><b><c>1</c></b></a></r>", "1"),
        ("*", b"<r><x>1</x><y>2</y></r>", "1"),
        ("*[2]", b"<r><x>1</x><y>2</y></r>", "2"),
        ("*/b[1]", b"<r><x/><y><b>1</b></y></r>", "1"),
        ("t[@k='v']", b"<r><t>1</t><t k='v'>2</t></r>", "2"),
        ("t[@k='v'][2]", b"<r><t k='v'>1</t><t>2</t><t k='v'>3</t></r>", "3"),
        ("t[2]/@n", b"<r><t n='1'/><t/><t n='3'/></r>", None),
        ("{*}t", b"<r><p:t xmlns:p='urn:p'>1</p:t></r>", "1"),
        ("t", b"<r><t xmlns='urn:p'>1</t></r>", None),
        ("@xml:lang", b"<r xml:lang='de'/>", "de"),
        ("../@n", b"<r/>", None),
    ],
)
def test_paths(path: str, record: bytes, value: str | None) -> None:
    assert values(f'{{c: "{path}"}}', record) == (value,)


def test_namespaces() -> None:
    mapping = parse_mapping(
        "version: 1\nnamespaces: {m: 'urn:m'}\n"
        "tables: {r: {each: /root/m:r, columns: {a: 'm:a', n: '@m:n', any: 'm:*'}}}",
        "m",
    )
    skeleton = Skeleton(b"", b"<root xmlns:q='urn:m'>", b"</root>", 1)
    batch = run_records(mapping, b"<q:r q:n='1' n='2'><a>no</a><q:b>b</q:b><q:a>a</q:a></q:r>", skeleton=skeleton)
    assert rows_of(batch)[0][1:] == ("a", "1", "b")


@pytest.mark.parametrize(
    ("many", "value"),
    [("first", "a"), ("last", ""), ("join", "a, b, ")],
)
def test_many(many: str, value: str) -> None:
    assert values(f"{{c: {{path: t, many: {many}}}}}", b"<r><t>a</t><t> b </t><t/></r>") == (value,)


def test_join_without_strip_and_of_nothing() -> None:
    definition = "{c: {path: t/@n, many: join, separator: '', strip: false}, d: {path: x, many: join}}"
    assert values(definition, b"<r><t n=' a'/><t/><t n='b '/></r>") == (" ab ", None)


def test_the_same_path_twice_and_paths_that_share_their_beginning() -> None:
    definition = "{a: t/u, b: t/u, c: t, d: t/@k, e: {path: t/u, many: last}}"
    assert values(definition, b"<r><t k='1'>x<u>1</u></t><t><u>2</u></t></r>") == ("1", "1", "x1", "1", "2")


@pytest.mark.parametrize("true", ["true", "1", " true "])
def test_nil_is_null_whatever_it_holds(true: str) -> None:
    definition = "{a: a, b: {path: b, many: join}, c: a/x, d: a/@k, e: ., f: a/text(), g: {path: g, default: G}}"
    record = (
        f"<r><a xsi:nil='{true}' k='K'>text<x>x</x></a><a>second</a>"
        f"<b>1</b><b xsi:nil='{true}'/><b>2</b><g xsi:nil='{true}'/></r>"
    )
    assert values(definition, record.encode(), XSI) == (None, "1, 2", None, "K", "second12", None, "G")


def test_nil_that_is_not_meant() -> None:
    assert values("{a: a, b: b}", b"<r><a xsi:nil='false'>x</a><b nil='true'>y</b></r>", XSI) == ("x", "y")


def test_nil_record() -> None:
    assert values("{a: ., k: '@k'}", b"<r xsi:nil='true' k='1'>x</r>", XSI) == (None, "1")


def test_children_run_path_by_path_and_level_by_level() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, key: id, columns: {id: "@id"}}
  track: {parent: r, each: [list/track, list/track/sub/track], columns: {t: "@t"}}
  artist: {parent: track, each: [main/artist, extra/artist], columns: {n: ., track: ../../@t, first: ../../../track/@t}}
""")
    batch = run_records(
        mapping,
        b"<r id='R'><list>"
        b"<track t='1'><extra><artist>e</artist></extra><main><artist>m</artist><artist>n</artist></main>"
        b"<sub><track t='1a'><main><artist>s</artist></main></track></sub></track><track t='2'/></list></r>",
        b"<r id='S'/>",
    )
    assert rows_of(batch, 1) == [("R", 1, "1"), ("R", 2, "2"), ("R", 3, "1a")]
    assert rows_of(batch, 2) == [
        ("R", 1, 1, "m", "1", "1"),
        ("R", 1, 2, "n", "1", "1"),
        ("R", 1, 3, "e", "1", "1"),
        ("R", 3, 1, "s", "1a", "1a"),
    ]


def test_tables_may_want_the_same_elements() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {first: i, n: {path: i/@n, many: last}}}
  a: {parent: r, each: i, columns: {v: ., n: "@n"}}
  b: {parent: r, each: "i[@n='2']", columns: {v: .}}
""")
    batch = run_records(mapping, b"<r><i n='1'>x</i><i n='2'>y</i></r>")
    assert [row[1:] for row in rows_of(batch, 0)] == [("x", "2")]
    assert [row[1:] for row in rows_of(batch, 1)] == [(1, "x", "1"), (2, "y", "2")]
    assert [row[1:] for row in rows_of(batch, 2)] == [(1, "y")]


def test_many_siblings_that_look_up_cost_one_look() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}\n  c: {parent: r, each: c, columns: {t: ../t, v: .}}")
    count = 20_000
    batch = run_records(mapping, b"<r>" + b"<c>1</c>" * count + b"<t>T</t></r>")
    assert rows_of(batch, 1)[-1] == (2**40 + 1, count, "T", "1")
