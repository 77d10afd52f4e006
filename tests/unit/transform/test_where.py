"""`where`: which elements give rows, and what is counted of the others."""

from __future__ import annotations

import pytest
from lxml import etree

from etl.mapping.conditions import parse_condition
from etl.mapping.paths import XPath
from etl.messages import PartCounts, Skeleton
from etl.transform.elements import Element, string_value
from etl.transform.where import compile_condition
from tests.splits import mapping_of, rows_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")

ELEMENT = etree.fromstring(
    "<r k='1' e=''>one<a k='x'>1</a><a> 2 </a><b><c>3</c>tail</b><p:d xmlns:p='urn:p' p:k='y'>4</p:d></r>"
)


@pytest.mark.parametrize(
    "text",
    [
        "@k",
        "@nope",
        "@e = ''",
        "@e",
        "not(@e)",
        "@k = '1' and @e != ''",
        "@k != '2' or nope",
        "a = '1'",
        "a = '2'",
        "a != '1'",
        "not(a = '1')",
        "nope = ''",
        "nope != ''",
        "b = '3tail'",
        "b/c = '3'",
        ". = 'one1 2 3tail4'",
        "a[2] = ' 2 '",
        "a[@k='x'] = ' 2 '",
        "a/@k = 'x'",
        "p:d/@p:k != 'x'",
        "*/c",
        "a[3]",
        "count(a) = 2",
        "contains(., '3')",
        "nope or (a and not(b/d))",
    ],
)
def test_a_condition_means_what_xpath_means(text: str) -> None:
    namespaces = {"p": "urn:p"}
    (held,) = compile_condition(parse_condition(text, namespaces))([ELEMENT])
    assert held is ELEMENT.xpath(f"boolean({text})", namespaces=namespaces)


@pytest.mark.parametrize("path", ["text()", "b/text()", "a/text()", "nope/text()", "b/c/text()"])
def test_text_nodes_are_compared_one_by_one(path: str) -> None:
    comparisons = [f"{path} {sign} '{literal}'" for literal in ("one", "tail", "3", "1", "") for sign in ("=", "!=")]
    for text in (path, *comparisons, f"not({path})", f"@nope or {path} = 'tail'"):
        condition = parse_condition(text, {})
        assert compile_condition(condition)([ELEMENT]) == [ELEMENT.xpath(f"boolean({text})")], text


def test_what_is_looked_at_above_is_looked_at_once_for_all_children(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(element: Element) -> str:
        asked.append(element.tag)
        return string_value(element)

    monkeypatch.setattr("etl.transform.where.string_value", counted)
    root = etree.fromstring(f"<g><r><k>1</k>{'<c/>' * 9}</r><r><k>2</k>{'<c/>' * 9}</r></g>")
    where = compile_condition(parse_condition("../k = '1' or not(../k = '1' or ../k != '2')", {}))
    children = [child for record in root for child in record.iterchildren("c")]
    assert where(children) == [True] * 9 + [True] * 9
    # Three conditions, of which the first is enough in the first record.
    assert asked == ["k"] * (1 + 3)
    assert where(children[:1]) == [True]
    assert len(asked) == 5, "nothing is kept for other elements of other records"


def test_the_quick_form_is_quick() -> None:
    assert not isinstance(parse_condition("@k = '1' and not(a or b/@c != 'x')", {}), XPath)


def test_discarded_records_are_counted_and_have_no_children() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, key: n, where: "@ok = 'yes'", columns: {n: {path: "@n", type: integer}}}
  c: {parent: r, each: c, columns: {v: .}}
""")
    batch = run_records(
        mapping, b"<r n='1' ok='yes'><c>1</c></r>", b"<r n='x' ok='no'><c>2</c></r>", b"<r n='x' ok='yes'/>", b"<r"
    )
    assert rows_of(batch, 0) == [(1,)]
    assert rows_of(batch, 1) == [(1, 1, "1")]
    assert batch.counts == (PartCounts(records=4, loaded=1, rejected=2, discarded=1),)
    assert [reject.record for reject in batch.rejects] == [3, 4]


def test_a_record_is_discarded_when_no_table_takes_it() -> None:
    mapping = mapping_of("""
  a: {each: /root/r, where: "@k = 'a'", columns: {n: "@n"}}
  b: {each: /root/r, where: "@k = 'b' or @k = 'ab'", columns: {n: "@n"}}
""")
    batch = run_records(mapping, *(f"<r n='{k}' k='{k}'/>".encode() for k in ("a", "b", "c", "ab")))
    assert [row[1] for row in rows_of(batch, 0)] == ["a"]
    assert [row[1] for row in rows_of(batch, 1)] == ["b", "ab"]
    assert batch.counts[0].discarded == 1


def test_seq_counts_the_rows_of_a_child_table_that_are_there() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {n: "@n"}}
  c: {parent: r, each: c, where: "@x != '0' and ../@keep", columns: {v: .}}
  d: {parent: c, each: d, columns: {v: .}}
""")
    batch = run_records(
        mapping,
        b"<r keep=''><c x='0'>no<d/></c><c x='1'>a<d>D</d></c><c>no</c><c x='2'>b</c></r>",
        b"<r><c x='1'/></r>",
    )
    assert [row[1:] for row in rows_of(batch, 1)] == [(1, "aD"), (2, "b")]
    assert [row[1:] for row in rows_of(batch, 2)] == [(1, 1, "D")]
    assert batch.counts[0].loaded == 2


def test_attributes_of_ancestors_decide() -> None:
    mapping = mapping_of("  r: {each: //r, where: \"../@kind = 'good'\", columns: {n: '@n'}}")
    good = Skeleton(b"", b"<root><list kind='good'>", b"</list></root>", 2)
    bad = Skeleton(b"", b"<root><list kind='bad'>", b"</list></root>", 2)
    assert len(rows_of(run_records(mapping, b"<r/>", skeleton=good))) == 1
    batch = run_records(mapping, b"<r/>", skeleton=bad)
    assert (len(rows_of(batch)), batch.counts[0].discarded) == (0, 1)


def test_what_a_condition_looks_at_is_not_unseen() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, where: "a/@x or b/c = '1'", columns: {n: "@n"}}
  t: {parent: r, each: t, where: "../s/@y and @z", columns: {v: .}}
""")
    batch = run_records(mapping, b"<r n='1'><a x=''/><b><c/></b><t z='' q=''/><s y='' w=''/></r>")
    assert batch.notices.unseen == {"r/t/@q"}
