"""XPath beyond the mapping's own paths: what it finds, what it may see, and what makes a record a reject."""

from __future__ import annotations

import pytest
from lxml import etree

from etl.mapping.paths import XPath
from etl.messages import PartCounts, Skeleton
from etl.transform.xpaths import names_in, number_text, truth_of
from tests.splits import mapping_of, rows_of, run_records

NAMESPACED = Skeleton(b"", b"<root xmlns='urn:d' xmlns:p='urn:p' a='A'>", b"</root>", 1)


def column(definition: str, *records: bytes) -> list[object]:
    batch = run_records(mapping_of(f"  r: {{each: /root/r, columns: {{c: {definition}}}}}"), *records)
    assert batch.rejects == ()
    return [row[1] for row in rows_of(batch)]


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ("concat(a, '-', b)", "1-x y "),
        ("normalize-space(b)", "x y"),
        ("count(a)", "2"),
        ("a[last()]", "2"),
        ("sum(a) div 2", "1.5"),
        ("a > 1", "true"),
        ("boolean(nope)", "false"),
        ("nope[1 = 1]", None),
        ("string(nope)", ""),
        ("descendant::c/text()", "in"),
        (".//@k", "K"),
        ("b | a", "1"),
        ("{path: .//c/.., type: xml}", "<d><c k='K'>in</c>out</d>".replace("'", '"')),
        ("{path: 'a[true()]', many: join}", "1, 2"),
        ("{path: 'a[true()]', many: array, type: integer}", "[1, 2]"),
        ("{path: 'a[true()]', many: count}", 2),
        ("{path: 'a[true()]', many: last}", "2"),
        ("{path: './/*[@k]', many: json, key: '@k', value: .}", '{"K": "in"}'),
        ("{path: number(nope), type: double, on_error: set_null}", None),
    ],
)
def test_columns(definition: str, value: object) -> None:
    if not definition.startswith("{"):
        definition = f'{{path: "{definition}", strip: false}}'
    record = b"<r><a>1</a><b>x <i>y</i> </b><a>2</a><d><c k='K'>in</c>out</d></r>"
    assert column(definition, record) == [value]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-3.0, "-3"),
        (5e9, "5000000000"),
        (1e21, "1000000000000000000000"),
        (0.1, "0.1"),
        (1.1 * 3, "3.3"),
        (-1.1 * 3, "-3.3"),
        (0.1 + 0.2, "0.3"),
        (2.9999999999999996, "3"),
        (2 / 3, "0.666666666666667"),
        (1e-20 / 3, "0.00000000000000000000333333333333333"),
        (2.0**53 - 1, "9007199254740991"),
        (1e-7, "0.0000001"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (float("inf"), "Infinity"),
    ],
)
def test_numbers_have_no_exponent(number: float, text: str) -> None:
    assert number_text(number) == text


def test_a_record_sees_its_ancestors_and_nothing_else() -> None:
    expressions = {
        "around": "count(../node())",
        "before": "count(preceding::node() | preceding-sibling::node())",
        "after": "count(following::node() | following-sibling::node())",
        "above": "concat(../../@a, ../@b, name(../..))",
        "text": "string-length(../..) - string-length(.)",
    }
    columns = ", ".join(f'{name}: "{text}"' for name, text in expressions.items())
    mapping = mapping_of(f"  r: {{each: /root/g/r, columns: {{{columns}}}}}")
    skeleton = Skeleton(b"", b"<root a='A'><g b='B'>", b"</g></root>", 2)
    batch = run_records(mapping, b"<r>1</r>", b"<r>22</r>", b"<r/>", skeleton=skeleton)
    assert [row[1:] for row in rows_of(batch)] == [("1", "0", "0", "ABroot", "0")] * 3


def test_the_root_may_be_the_record() -> None:
    mapping = mapping_of("  r: {each: /r, columns: {n: count(*), parent: 'count(..)'}}")
    skeleton = Skeleton(b"", b"", b"", 0)
    assert rows_of(run_records(mapping, b"<r><a/><b/></r>", skeleton=skeleton))[0][1:] == ("2", "1")


def test_tables_by_xpath_beside_quick_ones() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {n: "@n", siblings: "{*}x"}}
  every: {parent: r, each: ".//i[@v]", columns: {v: "@v", depth: {path: "count(ancestor::*)", type: integer}}}
  deep: {parent: every, each: [i, "j[last()]"], columns: {v: "@v"}}
  q: {each: /root/q, columns: {up: "../@a", v: v}}
""")
    skeleton = Skeleton(b"", b"<root a='A'>", b"</root>", 1)
    batch = run_records(
        mapping,
        b"<r n='1'><i v='1'><i v='2'/><j v='3'/><j v='4'/></i></r>",
        b"<q><v>1</v></q>",
        b"<r n='2'><b><i v='5'/></b></r>",
        b"<q><v>2</v></q>",
        skeleton=skeleton,
    )
    assert [row[1:] for row in rows_of(batch, 1)] == [(1, "1", 2), (2, "2", 3), (1, "5", 3)]
    assert [row[1:] for row in rows_of(batch, 2)] == [(1, 1, "2"), (1, 2, "4")]
    assert rows_of(batch, 3) == [(2**40 + 2, "A", "1"), (2**40 + 4, "A", "2")]


@pytest.mark.parametrize(
    ("each", "found"),
    [
        ("ancestor-or-self::r", "is not below"),
        ("a/@k[1=1]", "gives text"),
        ("parent::*/*", "is not below"),
        ("a/text()[1=1]", "gives text"),
    ],
)
def test_rows_come_of_elements_below(each: str, found: str) -> None:
    mapping = mapping_of(
        f'  r: {{each: /root/r, columns: {{n: "@n"}}}}\n  c: {{parent: r, each: "{each}", columns: {{v: .}}}}'
    )
    batch = run_records(mapping, b"<r n='1'><a k='1'>x</a></r>", b"<r n='2'/>" if "self" not in each else b"<r/>")
    reject = batch.rejects[0]
    assert (reject.record, reject.table, reject.column, reject.reason) == (1, "c", "", "xpath_failed")
    assert found in reject.message
    assert reject.message.endswith("(test.mapping.yaml:4)")
    assert batch.counts[0].loaded + batch.counts[0].rejected == 2


def test_an_xpath_that_fails_rejects_its_record_alone() -> None:
    # What stands in a predicate is worked out only where there is something it is asked of.
    mapping = mapping_of("""
  r: {each: /root/r, where: "not(w[count('x')])", columns: {n: "@n", c: "a[count('x')]", d: {path: "@n", type: date}}}
  t: {parent: r, each: t, where: "not(w[count('x')])", columns: {c: "a[count('x')]"}}
""")
    batch = run_records(
        mapping,
        b"<r/>",
        b"<r n='x'><a/></r>",
        b"<r><w/></r>",
        b"<r><t/></r>",
        b"<r><t/><t><a/></t></r>",
        b"<r><t><w/></t><a/></r>",
        b"<r/>",
    )
    assert [(found.record, found.table, found.column) for found in batch.rejects] == [
        (2, "r", "c"),
        (3, "r", ""),
        (5, "t", "c"),
        (6, "r", "c"),
    ]
    assert {found.reason for found in batch.rejects} == {"xpath_failed"}
    assert batch.rejects[0].message == "\"a[count('x')]\" cannot be worked out here: Invalid type (test.mapping.yaml:4)"
    assert [row[0] for row in rows_of(batch)] == [2**40 + number for number in (1, 4, 7)]
    assert len(rows_of(batch, 1)) == 1


def test_where_by_xpath() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, where: "count(c) > 1", columns: {n: "@n"}}
  c: {parent: r, each: c, where: "string-length(.) = 1", columns: {v: .}}
""")
    batch = run_records(mapping, b"<r n='1'><c>a</c></r>", b"<r n='2'><c>b</c><c>cc</c><c>d</c></r>")
    assert rows_of(batch, 0) == [(2**40 + 2, "2")]
    assert [row[1:] for row in rows_of(batch, 1)] == [(1, "b"), (2, "d")]
    assert batch.counts == (PartCounts(records=2, loaded=1, rejected=0, discarded=1),)


@pytest.mark.parametrize(("text", "truth"), [("1", True), ("0", False), ("0 div 0", False), ("''", False), ("a", True)])
def test_truth(text: str, truth: bool) -> None:
    assert truth_of(XPath(text))(etree.fromstring("<r><a/></r>")) is truth


def test_namespaces_survive_isolation() -> None:
    mapping = mapping_of("  r: {each: '/{*}root/{*}r', columns: {n: 'namespace-uri(*)', raw: {path: ., type: xml}}}")
    batch = run_records(
        mapping, b"<r xmlns:q='urn:q'><p:a q:x='1'/></r>", b"<p:r><b t='p:v q:v'/></p:r>", skeleton=NAMESPACED
    )
    assert [row[1:] for row in rows_of(batch)] == [
        ("urn:p", '<r xmlns:q="urn:q" xmlns="urn:d" xmlns:p="urn:p"><p:a q:x="1"/></r>'),
        ("urn:d", '<p:r xmlns:p="urn:p" xmlns="urn:d"><b t="p:v q:v"/></p:r>'),
    ]


def test_names_in_an_xpath_are_not_unseen() -> None:
    mapping = mapping_of('  r: {each: /root/r, columns: {c: "concat(a, b/@k)"}}')
    assert run_records(mapping, b"<r><a/><b k='' l=''/><x/></r>").notices.unseen == {"r/x"}


def test_names_are_neither_functions_nor_axes_nor_texts() -> None:
    text = """count(p:track-1/@n.o) + sum(child::x | ../child ::y) and contains(., 'title "z"') or text()='a'"""
    assert names_in(XPath(text)) == {"p", "track-1", "n.o", "x", "y", "and", "or"}


def test_nil_is_null_for_xpath_too() -> None:
    skeleton = Skeleton(b"", b"<root xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>", b"</root>", 1)
    mapping = mapping_of('  r: {each: /root/r, columns: {c: "a[1=1]", d: {path: "a[1=1]", type: xml}}}')
    assert rows_of(run_records(mapping, b"<r><a xsi:nil='1'>x</a></r>", skeleton=skeleton))[0][1:] == (None, None)
