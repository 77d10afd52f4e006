"""Limits on what a record may ask: beyond one it is a reject that names it, and its neighbours load."""

from __future__ import annotations

import re

import pytest

from etl.engines.base import WorkerSetup
from etl.messages import Bounds, MappedBatch, Skeleton
from etl.transform.limits import RecordLimits
from etl.transform.parser import ParseFailure
from etl.worker import Worker
from tests.splits import ROOT, SOURCE, make_run, make_split, mapping_of, rows_of

pytestmark = pytest.mark.usefixtures("both_ways")

MAPPING = mapping_of("  r: {each: /root/r, key: n, columns: {n: {path: '@n', type: integer}}}")
BEFORE, BEHIND = b"<r n='1'/>", b"<r n='3'/>"


def run(bounds: Bounds, record: bytes, subset: str = "") -> MappedBatch:
    """The record between two others, under these limits."""
    worker = Worker(WorkerSetup(MAPPING, "tuples", (SOURCE,), bounds))
    skeleton = Skeleton(f"<!DOCTYPE root [{subset}]>".encode() if subset else b"", *_TAGS)
    return worker.run_split(make_split(make_run([BEFORE, record, BEHIND], skeleton)))


_TAGS = (ROOT.open_tags, ROOT.close_tags, ROOT.depth)


def nested(levels: int) -> bytes:
    """A record that many elements deep."""
    return b"<r n='2'>" + b"<x>" * (levels - 1) + b"</x>" * (levels - 1) + b"</r>"


def with_attributes(count: int, element: bytes = b"r n='2'") -> bytes:
    return b"<" + element + b"".join(b" a%d='%d'" % (n, n) for n in range(count - 1)) + b"/>"


ENTITIES = "<!ENTITY one 'x'><!ENTITY e '0123456789'><!ENTITY ee '&e;&#65;&e;&#x20AC;'><!ENTITY lt2 '&#38;#60;'>"

LIMITS = {
    "depth": (Bounds(depth=5), nested(4), nested(5), "", "too_deep", "6 elements are nested in each other; limits."),
    "default depth": (
        Bounds(),
        nested(999),
        nested(1000),
        "",
        "too_deep",
        "1,001 elements .* limits.depth allows 1,000",
    ),
    "attributes": (
        Bounds(),
        with_attributes(10_000),
        with_attributes(10_001),
        "",
        "too_many_attributes",
        "An element has 10,001 attributes; limits.attributes allows 10,000",
    ),
    "attributes of an inner element": (
        Bounds(attributes=3),
        b"<r n='2'>" + with_attributes(3, b"x y = '>'") + b"<![CDATA[<x a='' b='' c='' d=''/>]]></r>",
        b"<r n='2'>" + with_attributes(4, b"x y = '>'") + b"</r>",
        "",
        "too_many_attributes",
        "An element has 4 attributes",
    ),
    "attributes, but not what looks like them in the text": (
        Bounds(attributes=3),
        b"<r n='2'><x y='1'>" + b' a="1"' * 10 + b"</x>" + b"&lt;a href='x' class='y'&gt;" * 10 + b"</r>",
        b"<r n='2'><x y='1'>" + b' a="1"' * 10 + b"</x><x xmlns='1' xmlns:a='2' a='3' b='4'/></r>",
        "",
        "too_many_attributes",
        "An element has 4 attributes",
    ),
    "declared attributes": (
        Bounds(attributes=3),
        b"<r n='2'><y><x/></y></r>",
        b"<r n='2'><y><x p='' q=''/></y></r>",
        "<!ATTLIST x b CDATA '1' c CDATA '2'>",
        "too_many_attributes",
        "An element has 4 attributes",
    ),
    "text": (
        Bounds(text_bytes=100),
        b"<r n='2'><x>" + "\N{EURO SIGN}".encode() * 33 + b"</x>tail</r>",
        b"<r n='2'><x/>" + "\N{EURO SIGN}".encode() * 34 + b"</r>",
        "",
        "text_too_long",
        "A text or attribute has 102 bytes; limits.text_bytes allows 100",
    ),
    "attribute's text": (
        Bounds(text_bytes=100),
        b"<r n='2' a='" + b"x" * 100 + b"'/>",
        b"<r n='2' a='" + b"x" * 101 + b"'/>",
        "",
        "text_too_long",
        "has 101 bytes",
    ),
    "text of entities": (
        Bounds(text_bytes=30),
        b"<r n='2'>&e;&e;&e;</r>",
        b"<r n='2'>&e;&e;&e;&one;</r>",
        ENTITIES,
        "text_too_long",
        "has 31 bytes",
    ),
    "entities": (
        Bounds(entity_bytes=24),
        b"<r n='2'>&amp;&ee;<![CDATA[&ee;]]><!-- &ee; --></r>",
        b"<r n='2'>&ee;&one;</r>",
        ENTITIES,
        "entity_limit",
        "Its entities make 25 bytes; limits.entity_bytes allows 24",
    ),
    "no entities": (
        Bounds(entity_bytes=0),
        b"<r n='2'>&amp;&#65;</r>",
        b"<r n='&one;'/>",
        ENTITIES,
        "entity_limit",
        "limits.entity_bytes allows 0",
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_what_is_beyond_a_limit_is_a_reject_that_names_it(case: str) -> None:
    limits, good, bad, subset, reason, words = LIMITS[case]
    within = run(limits, good, subset)
    assert within.rejects == ()
    assert rows_of(within) == [(1,), (2,), (3,)]
    beyond = run(limits, bad, subset)
    assert rows_of(beyond) == [(1,), (3,)]
    (reject,) = beyond.rejects
    assert (reject.reason, reject.record, reject.raw) == (reason, 2, bad)
    assert re.search(words, reject.message), reject.message


@pytest.mark.parametrize(
    "long",
    [
        b"<![CDATA[" + b"x" * 10_000_001 + b"]]>",
        b"<!--" + b"x" * 10_000_001 + b"-->",
        b"<?x " + b"x" * 10_000_001 + b"?>",
    ],
    ids=["CDATA", "comment", "instruction"],
)
def test_what_libxml2_takes_only_when_asked_is_no_reject(long: bytes) -> None:
    assert rows_of(run(Bounds(), b"<r n='2'>" + long + b"</r>")) == [(1,), (2,), (3,)]


def test_declared_attributes_that_multiply_are_stopped() -> None:
    subset = f"<!ATTLIST x a CDATA '{'y' * 100_000}'>"
    batch = run(Bounds(), b"<r n='2'>" + b"<x/>" * 1000 + b"</r>", subset)
    assert rows_of(batch) == [(1,), (3,)]
    assert [reject.reason for reject in batch.rejects] == ["entity_limit"]


def test_entities_in_a_circle_or_a_long_chain_end() -> None:
    chain = "<!ENTITY e0 'x'>" + "".join(f"<!ENTITY e{n} '&e{n - 1};&e{n - 1};'>" for n in range(1, 3000))
    for record in (b"<r n='2'>&e2999;</r>", b"<r n='2'>&a;</r>"):
        batch = run(Bounds(), record, chain + "<!ENTITY a '&b;'><!ENTITY b '&a;'>")
        assert rows_of(batch) == [(1,), (3,)]
        assert [reject.reason for reject in batch.rejects] == ["entity_limit"]


def test_attributes_that_are_declared_are_counted_before_they_are_made() -> None:
    """To make them takes the square of their number, for each element."""
    declared = " ".join(f"a{number} CDATA 'x'" for number in range(10_001))
    skeleton = Skeleton(f"<!DOCTYPE root [<!ATTLIST x {declared}>]>".encode(), *_TAGS)
    limits = RecordLimits(Bounds())
    for record in (b"<r n='2'><x/></r>", b"<r n='2'><x >a</x></r>"):
        with pytest.raises(ParseFailure, match="An element has 10,001 attributes"):
            limits.check_bytes(skeleton, record)
    limits.check_bytes(skeleton, b"<r n='2'><xx/>x </r>")
    (reject,) = run(Bounds(), b"<r n='2'><x/></r>", f"<!ATTLIST x {declared}>").rejects
    assert reject.reason == "too_many_attributes"
