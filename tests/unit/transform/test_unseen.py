"""Attributes, and elements in places where nothing is wanted, that nothing in a mapping takes."""

from __future__ import annotations

import pytest

from etl.transform.unseen import ELEMENTS, EVERY, FIRST
from tests.splits import make_run, make_split, make_worker, mapping_of, run_records

pytestmark = pytest.mark.usefixtures("by_lxml")

FAMILY = """
  release:
    each: "/root/release[@kind='a']"
    columns: {id: "@id", title: title, first: "track[@side='A']/pos", lang: "title/@xml:lang"}
  track:
    parent: release
    each: [track, more/track]
    columns: {n: "@n", name: name, up: "../@batch"}
"""


def unseen(tables: str, *records: bytes) -> frozenset[str]:
    return run_records(mapping_of(tables), *records).notices.unseen


def test_attributes_at_every_level() -> None:
    record = (
        b"<release id='1' kind='a' batch='2' x='3'><title lang='de' xml:lang='de'/>"
        b"<track n='1' side='A' y='4'><name z='5'/><pos/></track><more w='6'><track n='2' v='7'/></more></release>"
    )
    assert unseen(FAMILY, record) == {
        "release/@x",
        "release/title/@lang",
        "release/track/@y",
        "release/track/name/@z",
        "release/more/@w",
        "release/more/track/@v",
    }


def test_what_belongs_to_the_document_is_no_data() -> None:
    record = (
        b"<r xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b' xsi:type='t'>"
        b"<a xsi:nil='true'/></r>"
    )
    assert unseen("  r: {each: /root/r, columns: {a: a}}", record) == {"r/@type"}


def test_an_element_nobody_takes_says_enough() -> None:
    assert unseen("  r: {each: /root/r, columns: {a: a}}", b"<r><b x='1'><c y='2'/></b></r>") == {"r/b"}


def test_elements_of_a_record_of_attributes() -> None:
    assert unseen("  r: {each: /root/r, columns: {a: '@a', b: b/@c}}", b"<r a='1'><x/><b c=''><y/></b></r>") == {
        "r/x",
        "r/b/y",
    }
    assert unseen("  r: {each: /root/r, columns: {a: '@a'}}", b"<r a='1'><x/></r>") == {"r/x"}
    assert unseen("  r: {each: /root/r, columns: {a: .}}", b"<r><x/></r>") == set()


def test_nothing_is_unseen_in_markup() -> None:
    tables = "  r: {each: /root/r, columns: {raw: {path: a, type: xml}, id: b/@id, c: a/c}}"
    assert unseen(tables, b"<r><a x='1'><b y='2'/></a><b z='3'/></r>") == {"r/b/@z"}
    tables = "  r: {each: /root/r, columns: {raw: {path: ., type: xml}, n: '@n'}}"
    assert unseen(tables, b"<r x='1'><b y='2'/></r>") == set()


def test_keys_and_values_are_looked_at() -> None:
    tables = "  r: {each: /root/r, columns: {tags: {path: t, many: json, key: '@k', value: v/@w}}}"
    assert unseen(tables, b"<r><t k='1' l='2'><v w='3' x='4'/><u/></t></r>") == {"r/t/@l", "r/t/v/@x", "r/t/u"}


def test_places_and_predicates() -> None:
    tables = "  r: {each: /root/r, columns: {a: \"a[@k='1'][2]/b\"}}"
    assert unseen(tables, b"<r><a k='1' l=''><b m=''/></a></r>") == {"r/a/@l", "r/a/b/@m"}


@pytest.mark.parametrize("per_split", [1, 7, 1000])
def test_first_records_and_then_some(per_split: int) -> None:
    worker = make_worker(mapping_of("  r: {each: /root/r, columns: {a: '@a'}}"))
    found: set[str] = set()
    for first in range(0, 3 * EVERY, per_split):
        records = [f"<r a='' x{n}=''/>".encode() for n in range(first, min(first + per_split, 3 * EVERY))]
        found |= worker.run_split(make_split(make_run(records))).notices.unseen
    assert found == {f"r/@x{n}" for n in (*range(FIRST), EVERY, 2 * EVERY)}


def test_a_huge_record_is_looked_at_in_part() -> None:
    children = b"".join(b"<c x%d=''/>" % n for n in range(3 * ELEMENTS))
    found = unseen("  r: {each: /root/r, columns: {a: c/@a}}", b"<r>" + children + b"</r>")
    assert len(found) == ELEMENTS
