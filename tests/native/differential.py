"""Holds the scanner against lxml: the same splits go through both; the same comes out, or the scanner declines.

    python -m tests.native.differential --cases 1000000 [--seed 1]

The documents are small and well-formed to begin with; each case is one of them with some bytes changed, as the splitter
cuts it. A difference is a bug in the scanner; the case is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from etl.engines.base import WorkerSetup
from etl.errors import SourceError
from etl.extract.dtd import Dtd
from etl.extract.splitter import Splitter
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping, read_mapping
from etl.messages import Bounds, CopyRows, MappedBatch, Notices, RowFormat, SourceInfo, Split
from etl.native.families import native_families
from etl.worker import Worker

PROJECT = Path(__file__).resolve().parents[2]

_SOURCE = SourceInfo(3, "a\tname", "9f0c2c3e-0000-4000-8000-000000000000", "2024-01-02T03:04:05.600+00:00")


@contextmanager
def without_native() -> Iterator[None]:
    """The compiled modules are off."""
    before = os.environ.get("ETL_NATIVE")
    os.environ["ETL_NATIVE"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["ETL_NATIVE"]
        else:
            os.environ["ETL_NATIVE"] = before


class Difference(AssertionError):
    """The scanner gave something else than lxml."""


class Pair:
    """A worker with the scanner, and one without."""

    def __init__(
        self,
        mapping: Mapping,
        row_format: RowFormat,
        bounds: Bounds | None = None,
        *,
        unseen: bool = True,
        dtd: Dtd | None = None,
    ) -> None:
        """`unseen`: what is told as unseen is compared, too; under wildcards its paths have other names."""
        self._unseen = unseen
        setup = WorkerSetup(mapping, row_format, (_SOURCE,), bounds or Bounds())
        self.mapping = mapping
        self._native = Worker(setup)
        with without_native():
            self._reference = Worker(setup)
        paths = [path for table in mapping.tables for path in table.records]
        self._splitter = Splitter(paths, 1 << 18, 1 << 24, dtd=dtd)
        self.declined: Counter[str] = Counter()
        """Splits by the reason why lxml did them, "" for those the scanner did."""
        self._told: frozenset[str] = frozenset()
        """The scanner tells what is unseen once in its life."""

    def compare_document(self, document: bytes) -> None:
        """Raises Difference. What the splitter refuses is no case."""
        for split in self.splits([document]):
            self.compare(split)

    def splits(self, chunks: Sequence[bytes] | Iterator[bytes]) -> Iterator[Split]:
        try:
            for number, part in enumerate(self._splitter.split(chunks, _SOURCE.number, _SOURCE.label), 1):
                yield Split(number, (part,), sum(len(run.payload) for run in part.runs), part.records)
        except SourceError:
            return

    def compare(self, split: Split) -> None:
        """Raises Difference."""
        native = self._native.run_split(split)
        self.declined[native.notices.declined] += 1
        self._told |= native.notices.unseen
        if native.notices.declined:
            return
        reference = self._reference.run_split(split)
        for name in ("counts", "rejects"):
            if getattr(native, name) != getattr(reference, name):
                raise Difference(f"{name}: {getattr(native, name)} instead of {getattr(reference, name)}")
        self._compare_tables(native, reference)
        self._compare_notices(native.notices, reference.notices)

    def _compare_tables(self, native: MappedBatch, reference: MappedBatch) -> None:
        for table, found, expected in zip(self.mapping.tables, native.tables, reference.tables, strict=True):
            if isinstance(found, CopyRows) and isinstance(expected, CopyRows):
                same = found == expected
            else:
                # 1, 1.0 and True are equal, and not the same.
                same = repr(found.rows) == repr(expected.rows) and found.records == expected.records  # type: ignore[union-attr]
            if not same:
                raise Difference(f"table {table.name}: {found} instead of {expected}")

    def _compare_notices(self, native: Notices, reference: Notices) -> None:
        if self._unseen and not self._told >= reference.unseen:
            raise Difference(f"not told as unseen: {sorted(reference.unseen - self._told)}")
        found, expected = (replace(one, unseen=frozenset(), additions={}) for one in (native, reference))
        if found != expected:
            raise Difference(f"notices: {found} instead of {expected}")


_PIECES = (
    *(b"<", b">", b"/>", b"</", b"&", b";", b"'", b'"', b"=", b"]]>", b"--", b"<!--", b"-->", b"<?p ", b"?>", b" "),
    *(b"\r", b"\t", b"\n", b"\r\n", b"<![CDATA[", b"&amp;", b"&lt;", b"&#65;", b"&#x9;", b"&#0;", b"&nbsp;"),
    *(b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\x00", b"\x0b", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc3\xa4"),
    *(b" xsi:nil='true'", b" xsi:nil=' 1'", b" xmlns='urn:x'", b" xmlns=''", b" xmlns:n='u v'", b" xml:lang='x'"),
    *(b" xmlns:m='http://example.org/ns'", b" a='1'", b"<b/>", b"<b>", b"</b>", b"<m:b/>", b"<c t='1'/>", b"1", b"x"),
    *(b"-", b":", b"<!DOCTYPE x>", b"&uuml;", b"&no;", b"&long;", b"&mix;", b"&sp;", b"&bold;", b"&nest;", b"&wide;"),
)


def mutated(document: bytes, chance: random.Random) -> bytes:
    """The document with a few bytes changed, taken out, put in, or taken from another place."""
    changed = bytearray(document)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(7):
            case 0:
                changed[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del changed[at : at + chance.choice((1, 1, 2, 5, 20))]
            case 2:
                other = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[other : other + chance.randrange(1, 40)]
            case 3 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case _:
                changed[at:at] = chance.choice(_PIECES)
    return bytes(changed)


@dataclass(frozen=True, slots=True)
class Case:
    """A mapping, and documents of its kind."""

    name: str
    mapping: Mapping
    documents: tuple[bytes, ...]
    dtd: Dtd | None = None


def cases() -> list[Case]:
    """What mutations begin with: a mapping with everything in it, and the examples of the documentation."""
    rich = read_mapping(PROJECT / "tests" / "fuzz" / "rich.mapping.yaml")
    entries, depths = (parse_mapping(text, "case.yaml") for text in (_ENTRIES_MAPPING, _DEPTHS_MAPPING))
    return [
        Case("rich", rich, _RICH),
        Case("entries of keys and values", entries, _ENTRIES),
        Case("records at different depths", depths, _DEPTHS),
        Case("entities", rich, _ENTITIES),
        Case("entities of a DTD", rich, _ENTITIES, Dtd(_DTD)),
        *_documented(),
    ]


_HEAD = b'<r batch="7" xmlns:m="http://example.org/ns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
_RECORDS = (
    b'<a id="1" k="x" when="2020-02-29T12:00:00+01:00" day="n/a" flag="Yes" r="1.5e3" s="\xc3\xa4bc"> t<b>x</b> u </a>',
    b"<a id='+1'><b w='1' v='3'><c t='1'><d> 2.50 </d></c><c t='1' u='.5'/></b><c>x<b><c/></b></c><b w=''/></a>",
    b"<a m:x='7' xmlns:q='http://example.org/q'><m:t>1</m:t><m:t>2</m:t><q:n>&lt;&#x41;&#66;</q:n><m:t/></a>",
    b"<a><n><![CDATA[<&]]]]></n><n>a<!-- c -->b<?p i?>x&quot;&apos;&amp;&gt;\r</n><b>y</b></a><!-- - -->\n<a k=''/>",
    b"<a m:x='no'><b xsi:nil='true'>x<c/></b><x><e>1</e><e>2</e></x><b><c t='1'/><c u='1e2'/></b></a>\r\n<a hide=''/>",
    b"<a uid='{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}' flag='0' k=' &#10; '><b>\t</b><b/><o/></a>",
    b"<z on='1' id='+007'>o<u>n</u>e</z><z on='0'/><z on='1' id='99999999999'>two</z><z on=\"1\" id='2'/>",
    b"<m:name>\xc3\xbc<m:x>y</m:x></m:name><o><p><m:name a='1'/></p></o>",
)
_RICH = (
    *(b"".join((_HEAD, record, b"</r>")) for record in _RECORDS),
    b"".join((_HEAD, *_RECORDS, b"</r>")),
    b"".join(
        (
            b"<r xmlns:m='http://example.org/ns' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>",
            *_RECORDS,
            b"</r>",
        )
    ),
)


_DECLARATIONS = (
    b"<!ENTITY uuml '&#252;'><!ENTITY no ''><!ENTITY long 'a text that is longer than its reference'>"
    b"<!ENTITY mix '&uuml;&amp;&#38;#60;&lt;&quot;'><!ENTITY sp ' &#9;&#38;#9;&#10;&#13;'><!ENTITY bold '<b>x</b>'>"
    b"<!ENTITY nest '[&long;&uuml;&#38;#252;&no;]'><!ENTITY wide ' 1 '><!ENTITY one '1'><!ENTITY uuml 'u'>"
    b"<!ENTITY half '<b'><!ENTITY cd ']]'><!ENTITY ill '&unknown;'><!ENTITY self '&self;'>"
)
_DTD = (
    b"<!ENTITY % more 'INCLUDE'><![%more;[" + _DECLARATIONS + b"]]><!ENTITY % x '<!ENTITY flat \"-&#37;more;-\">'>%x;"
)
_ENTITY_RECORDS = (
    b'<a id="&one;" k="&uuml;&long;" s="&nest;"> t<b w="&wide;">x&uuml;</b> &long;u&no; </a>',
    b"<a><n>&nest;<b>&no;</b>&nest;</n><n>&no;</n><b w='&one;' v='3'>&cd;></b><a m:x='&one;'><m:t>&uuml;</m:t></a></a>",
    b"<a id='1' k='&mix;&sp;'><n>&mix;&sp;&bold;</n></a><a id='&wide;'><n>&flat;&uuml;</n><c>&long;</c></a>",
    b"<z on='&one;' id='+007'>&uuml;<u>&long;</u>&nest;</z>&long;<m:name>&uuml;<m:x>&no;</m:x></m:name>",
)
_ENTITIES = tuple(
    b"".join((doctype, b'<r batch="&long;" ', _HEAD.removeprefix(b'<r batch="7" '), *records, b"</r>"))
    for doctype in (
        b"<!DOCTYPE r [" + _DECLARATIONS + b"]>",
        b"<!DOCTYPE r [<!ENTITY uuml '-'>" + _DECLARATIONS + b"]>",
    )
    for records in (*((record,) for record in _ENTITY_RECORDS), _ENTITY_RECORDS)
)


_ENTRIES_MAPPING = """
version: 1
tables:
  way:
    each: [/osm/way, /osm/node]
    where: "not(@visible = 'false')"
    columns:
      id: {path: "@id", type: bigint}
      tags: {path: tag, many: json, key: "@k", value: "@v", type: jsonb}
      highway: "tag[@k='highway']/@v"
      texts: {path: tag, many: json, key: n, value: ., transform: [collapse, upper], nulls: ["-"]}
      deep: {path: "b/c[@t='1']", many: json, key: "text()", value: "d[2]", strip: false, default: '{}'}
      own: {path: ., many: json, key: nd/@ref, value: "@id", required: true}
  nd:
    parent: way
    each: [nd, b/nd]
    columns: {ref: "@ref", tags: {path: ../tag, many: json, key: ., value: "@k"}}
"""
_ENTRIES = (
    b"<osm><way id='1'><nd ref='7'/><nd/><tag k='highway' v='a &amp; b'/><tag k='name' v='\xc3\xa4'/></way></osm>",
    b"<osm><node id='2'><tag k='x' v='1'/><tag k='x' v='2'/><tag k=' x' v=' 3 '/><tag v=''/><tag k=''/></node></osm>",
    b"<osm xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><way id='3'><nd/><tag><n>a<b>c</b></n>x<n>d</n></tag>"
    b"<tag k='k' xsi:nil='true'><n>gone</n></tag><tag><n xsi:nil='1'/>y</tag><tag>-</tag></way><way id='4'/></osm>",
    b"<osm><way id='5'><b><c t='1'>k<d>1</d><d>2<e/></d>ey</c><c t='2'>n</c><nd/><c t='1'><d/><d/></c></b></way>"
    b"<way visible='false' id='6'><tag k='a' v='b'/></way></osm>",
)

_DEPTHS_MAPPING = """
version: 1
namespaces: {m: "http://example.org/ns"}
tables:
  b: {each: [/r/b, "/r/a[@t='1']/b"], columns: {t: c, up: "../@t"}}
  b_c: {parent: b, each: [c, d/c], columns: {t: ., n: {path: "@n", type: integer}, near: "../@n"}}
  name: {each: //name, columns: {t: text(), c: c, up: "../@t"}}
  o: {each: [//m:o, /r/x/y/o], where: "c or ../@t", columns: {c: {path: c, many: array}, k: "@k"}}
"""
_DEPTHS = (
    b"<r t='0'><b><c n='1'>1</c></b><a t='1'><b n='2'><d n='3'><c n=' 4'>2</c></d></b></a><name>n<c>o</c></name></r>",
    b"<r><a t='2'><b><c>no</c></b><name/></a><a t='1'><b/><name>x</name><b/></a><b/><x><y t='1'><o/></y></x></r>",
    b"<r xmlns:m='http://example.org/ns'><m:o><c>1</c></m:o><b><name>not</name></b><x t='1'><m:o k='2'/><y><o/><m:o/>"
    b"<o><c>2</c><c/></o></y><name>z</name></x><x><y><z><name><b><c>c</c></b></name></z></y></x><b><c>3</c></b></r>",
)


def _documented() -> Iterator[Case]:
    """Each ```xml block of the page on mappings with the ```yaml block behind it, where the scanner has all tables."""
    page = (PROJECT / "etl" / "docs" / "mapping.md").read_text("utf-8").split("```")
    blocks = [(kind, text) for kind, _, text in (block.partition("\n") for block in page[1::2])]
    for (kind, document), (next_kind, text) in pairwise(blocks):
        if (kind, next_kind) == ("xml", "yaml") and "python:" not in text:
            mapping = parse_mapping(text, "example.yaml")
            if not any(native_families(mapping).reasons):
                yield Case(f"documented {len(text)}", mapping, (document.encode(),))


def run(count: int, seed: int) -> dict[str, Counter[str]]:
    """`count` mutations, equally of all cases. Raises Difference, with the document; else what was declined."""
    chance = random.Random(seed)
    formats: tuple[RowFormat, ...] = ("copy", "tuples")
    prepared = [(case, Pair(case.mapping, row_format, dtd=case.dtd)) for case in cases() for row_format in formats]
    for number in range(count):
        case, pair = prepared[number % len(prepared)]
        document = mutated(chance.choice(case.documents), chance)
        try:
            pair.compare_document(document)
        except Exception as error:
            error.add_note(f"case {case.name}, document {document!r}")
            raise
    declined: dict[str, Counter[str]] = {}
    for case, pair in prepared:
        declined.setdefault(case.name, Counter()).update(pair.declined)
    return declined


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold the scanner against lxml on mutated documents.")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    declined = run(options.cases, options.seed)
    lines = [f"{options.cases:,} documents, no difference, {time.perf_counter() - began:,.0f} s"]
    for name, reasons in declined.items():
        lines.append(f"{name}: {reasons.total():,} splits, {reasons['']:,} by the scanner")
        lines += [f"    {count:>9,} {reason}" for reason, count in reasons.most_common(8) if reason]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
