"""Splits mapped by the compiled scanner, beside the same splits mapped by lxml; and what is left to lxml."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import etl
from etl import stages
from etl.engines.base import WorkerSetup
from etl.extract.splitter import Splitter
from etl.mapping.model import Mapping
from etl.messages import Bounds, MappedBatch, Part, RowFormat, Skeleton, Split, TupleRows
from etl.native import SWITCH, unavailable
from etl.native.choice import maps_in_threads, native_mapper, slower_tables
from etl.options import Settings
from etl.transform.assemble import Assembler
from etl.worker import Worker
from tests.splits import ROOT, SOURCE, make_run, make_split, mapping_of

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

FAMILY = mapping_of("""
  release:
    each: /root/release
    key: id
    where: "not(@hidden = 'yes')"
    columns:
      id: {path: "@id", type: integer}
      title: {path: title, transform: [collapse, lower]}
      year: {path: year, type: smallint, on_error: set_null}
      label: {path: labels/label, many: reject}
      genres: {path: genre, many: array}
      lang: "../@lang"
      file: {meta: source}
      at: {meta: loaded_at}
      line: {meta: line}
      from: {value: here}
  track:
    parent: release
    each: [track, more/track]
    columns: {name: {path: ., required: true}, seconds: {path: "@s", type: integer, default: "0"}}
""")
RELEASE = (
    b"<release id='%d'><title>A  <b>&amp; \xc3\x84</b></title><year>%s</year><genre>x,y</genre><genre/>"
    b"<track s='1'>one</track><more><track>two &#228;</track></more><![CDATA[ ]]></release>"
)
SKELETON = Skeleton(b"", b"<root lang='de&lt;'>", b"</root>", 1)


def mapped(
    mapping: Mapping,
    split: Split,
    monkeypatch: pytest.MonkeyPatch,
    row_format: RowFormat = "copy",
    bounds: Bounds | None = None,
) -> tuple[MappedBatch, MappedBatch]:
    """What the scanner and what lxml make of a split, compared but for what is unseen."""
    setup = WorkerSetup(mapping, row_format, (SOURCE, replace(SOURCE, number=2)), bounds or Bounds())
    native = Worker(setup).run_split(split)
    with monkeypatch.context() as patch:
        patch.setenv(SWITCH, "0")
        slow = Worker(setup).run_split(split)
    for mine, wanted in zip(native.tables, slow.tables, strict=True):
        if isinstance(mine, TupleRows) and isinstance(wanted, TupleRows):
            assert [list(map(type, row)) for row in mine.rows] == [list(map(type, row)) for row in wanted.rows]
            assert mine.rows == wanted.rows
        else:
            assert mine.data == wanted.data
        assert (mine.records, mine.split) == (wanted.records, wanted.split)
    assert native.rejects == slow.rejects
    assert native.counts == slow.counts
    assert native.notices.unseen >= slow.notices.unseen
    told = {"unseen": frozenset[str](), "declined": "", "additions": dict[tuple[int, str], bool]()}
    assert replace(native.notices, **told) == replace(slow.notices, **told)  # type: ignore[arg-type]
    return native, slow


def values_of(batch: MappedBatch) -> list[list[str]]:
    """What COPY text has of the first table, behind the record's number."""
    return [line.split("\t")[1:] for line in batch.tables[0].data.decode().splitlines()]


@pytest.mark.parametrize("row_format", ["copy", "tuples"])
def test_a_split_is_what_lxml_makes_of_it(row_format: RowFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [RELEASE % (number, b"19%d" % number if number % 7 else b"soon") for number in range(10, 60)]
    records += [
        b"<release id='x'><track>a</track></release>",
        b"<release id='61'><labels><label>a</label><label>b</label></labels><year>x</year></release>",
        b"<release id='62' hidden='yes'><track/></release>",
        b"<release id='63'><track s='x'>late</track></release>",
    ]
    split = make_split(make_run(records[:30], SKELETON, between=b"\n"), make_run(records[30:], SKELETON, line=31))
    native, slow = mapped(FAMILY, split, monkeypatch, row_format)
    assert native.notices.declined == ""
    assert [reject.column for reject in native.rejects] == ["id", "label", "seconds"]
    assert native.notices.set_null == {(0, 2): 8}
    assert native.counts[0].discarded == 1
    assert native.notices.additions == slow.notices.additions


def test_values_around_records_differ_from_run_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: /a/b/r
    where: "../@take = 'yes' or ../../@all"
    columns: {x: "p:x", up: "../@n", top: "../../@all"}
namespaces: {p: urn:p}
""")
    skeletons = [
        Skeleton(b"", b"<a><b xmlns:q='urn:p' take='yes' n='1'>", b"</b></a>", 2),
        Skeleton(b"", b"<a><b n='2'>", b"</b></a>", 2),
        Skeleton(b"", b"<a all='' xmlns:z='urn:z'><b xmlns=''>", b"</b></a>", 2),
    ]
    record = b"<r><q:x xmlns:q='urn:p'>1</q:x></r>"
    runs = [make_run([record, record], skeleton, first_record=1 + 2 * n) for n, skeleton in enumerate(skeletons)]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch)
    assert native.notices.declined == ""
    assert values_of(native) == [["1", "1", r"\N"]] * 2 + [["1", r"\N", ""]] * 2


def test_prefixes_declared_around_records(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /a/p:r, columns: {x: p:x, y: '{*}y'}}\nnamespaces: {p: urn:p}\n")
    skeleton = Skeleton(b"", b"<a xmlns:q='urn:p' xmlns:o='urn:o'>", b"</a>", 1)
    split = make_split(make_run([b"<q:r><q:x>1</q:x><o:y>2</o:y></q:r>"], skeleton))
    native, _ = mapped(mapping, split, monkeypatch)
    assert (native.notices.declined, values_of(native)) == ("", [["1", "2"]])


def test_python_is_asked_for_single_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns:
      a: {path: a, transform: {replace: ["[0-9]+", "#"]}}
      b: {path: b, many: join, separator: "|", transform: {replace: ["x", ""]}, nulls: [""]}
      c: {path: c, type: date, formats: ["%d.%m.%Y"], on_error: use_default, default: "2000-01-01"}
      d: {path: d, many: count}
""")
    xsi = b"xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
    records = [
        b"<r><a>1 and 22</a><b>x</b><b>y</b><b>xz</b><c>1.2.2003</c><d/><d/></r>",
        b"<r %s><a xsi:nil='true'/><b xsi:nil='1'>n</b><c>never</c></r>" % xsi,
        b"<r/>",
    ]
    for row_format in ("copy", "tuples"):
        native, _ = mapped(mapping, make_split(make_run(records)), monkeypatch, row_format)
        assert native.notices.declined == ""
        assert list(native.notices.set_null.values()) == [1]


@pytest.mark.parametrize(
    ("subset", "record", "words"),
    [
        (b"<!DOCTYPE root [<!ATTLIST r n CDATA '7'>]>", b"<r/>", "ATTLIST"),
        (b"<!DOCTYPE root [<!ATTLIST r m CDATA #IMPLIED n NMTOKEN #IMPLIED>]>", b"<r n=' 7  8 '/>", "ATTLIST"),
        (b"<!DOCTYPE root [<!ATTLIST r m CDATA #IMPLIED><!ATTLIST r n CDATA #FIXED '7'>]>", b"<r/>", "ATTLIST"),
        (b"<!DOCTYPE root [<!ENTITY % p ''> <!ENTITY e 'x'>]>", b"<r/>", "parameter entities"),
        (b"<!DOCTYPE root [<!ENTITY\n lt '&#38;#60;'>]>", b"<r>&lt;</r>", "own five"),
        (b"<!DOCTYPE root [<!ENTITY e '<b/>'>]>", b"<r n='1'><t>&e;</t></r>", "not text alone"),
        (b"<!DOCTYPE root [<!ENTITY e '<b/>'><!ENTITY f 'x&e;'>]>", b"<r n='1'><t>&f;</t></r>", "not text alone"),
        (b"<!DOCTYPE root [<!ENTITY e 'x&lt;y'>]>", b"<r n='1'><t>&e;</t></r>", "not text alone"),
        (b"<!DOCTYPE root [<!ENTITY e 'x&#9;y'>]>", b"<r n='&e;'/>", "not text alone"),
        (b"<!DOCTYPE root [<!ENTITY e ']]&#62;'>]>", b"<r n='&e;'/>", "not text alone"),
        (b"<!DOCTYPE root [<!ENTITY e 'x'>]>", b"<r n='1'>" + b"&e;" * 8000 + b"</r>", "very many references"),
        (b"<!DOCTYPE root [<!ENTITY e 'x'>]>", b"<r n='1'><t>&E;</t></r>", "not declared"),
        (b"", b"<r n='1'><t></r>", "end tag"),
        (b"", b"<r n='1'>&nbsp;</r>", "entity"),
    ],
)
def test_what_the_scanner_is_not_certain_of_is_left_to_lxml(
    subset: bytes, record: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = mapping_of('  r: {each: /root/r, columns: {n: "@n", t: t}}')
    split = make_split(make_run([b"<r n='0'/>", record], replace(ROOT, subset=subset)))
    native, slow = mapped(mapping, split, monkeypatch)
    assert words in native.notices.declined
    assert slow.notices.declined == ""
    assert native.notices == replace(slow.notices, declined=native.notices.declined)


def test_entities_that_no_record_refers_to_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of('  r: {each: /root/r, columns: {n: "@n", up: "../@e"}}')
    skeleton = Skeleton(b"<!DOCTYPE root [<!ENTITY e 'x&#228;'>]>", b"<root e='&e;'>", b"</root>", 1)
    native, _ = mapped(mapping, make_split(make_run([b"<r n='&amp;'/>"], skeleton)), monkeypatch)
    assert (native.notices.declined, values_of(native)) == ("", [["&", "xä"]])


PLAIN = (
    b"<!DOCTYPE root [<!ENTITY e ''><!ENTITY uuml '&#252;'><!ENTITY e 'second'><!ENTITY long '0123456789 &uuml;&uuml;'>"
    b"<!ENTITY longer '&long;&long;-&#38;#252;-&long;&apos;&e;'>]>"
)


@pytest.mark.parametrize("row_format", ["copy", "tuples"])
@pytest.mark.parametrize(
    "record",
    [
        b"<r n='&uuml;'><t>a&uuml;b</t></r>",
        b"<r n='&long;\n&longer;&e;&#10;&amp;'><t>&long;</t></r>",
        b"<r n='&e;'><t>&e;</t><t>&e;x&e;</t></r>",
        b"<r><t>&longer;<b>&longer;&longer;</b>&longer;<b><c>&longer;</c>x</b><![CDATA[&longer;]]>&e;<!--&x;--></t></r>",
        b"<r n='&uuml;' where='&long;'><t>" + b"&longer;" * 500 + b"</t></r>",
    ],
)
def test_entities_that_are_text_alone(record: bytes, row_format: RowFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    where: "not(@where) or @where = '0123456789 üü'"
    columns: {n: "@n", t: t, own: "t/text()", all: ., b: {path: "t/b", many: join, separator: "|"}}
""")
    split = make_split(make_run([b"<r n='0'/>", record, b"<r/>"], replace(ROOT, subset=PLAIN)))
    native, slow = mapped(mapping, split, monkeypatch, row_format)
    assert native.notices.declined == ""
    assert native.counts[0].loaded == slow.counts[0].loaded == 3


def test_entities_differ_from_document_to_document(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: .}}")
    runs = [
        make_run([b"<r>&e;</r>"], replace(ROOT, subset=b"<!DOCTYPE root [<!ENTITY e '%s'>]>" % text))
        for text in (b"one", b"another", b"one")
    ]
    native, _ = mapped(mapping, make_split(*runs), monkeypatch)
    assert (native.notices.declined, values_of(native)) == ("", [["one"], ["another"], ["one"]])


def test_what_entities_make_in_a_record_is_bounded_as_by_libxml2(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 1 MB, its own 20 bytes for each reference among them, where that is 5 times the input and more."""
    mapping = mapping_of("  r: {each: /root/r, columns: {t: .}}")
    subset = b"<!DOCTYPE root [<!ENTITY a ''><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
    for count in (100, 900, 7000, 20_000):
        split = make_split(make_run([b"<r>" + b"&b;" * count + b"</r>", b"<r/>"], replace(ROOT, subset=subset)))
        native, slow = mapped(mapping, split, monkeypatch)
        assert (native.counts, native.rejects) == (slow.counts, slow.rejects)
    assert [reject.reason for reject in slow.rejects] == ["entity_limit"]


@pytest.mark.parametrize("around", [b"<root e='&e;'>", b"<root e='" + b"&f;" * 7000 + b"'>"])
def test_references_around_records_that_count_for_libxml2(around: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    subset = b"<!DOCTYPE root [<!ENTITY e '&#9;'><!ENTITY f 'x'>]>"
    skeleton = Skeleton(subset, around, b"</root>", 1)
    native, _ = mapped(
        mapping_of("  r: {each: /root/r, columns: {t: .}}"),
        make_split(make_run([b"<r>&f;</r>"], skeleton)),
        monkeypatch,
    )
    assert native.notices.declined == "references to entities in start tags around records"


def test_attributes_declared_without_value_or_type_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of('  r: {each: /root/r, columns: {n: "@n", m: "@m"}}')
    subset = b"<!DOCTYPE root [<!ATTLIST r\n n CDATA #REQUIRED\n m CDATA #IMPLIED >\n<!ATTLIST x><!ENTITY e 'x'>]>"
    split = make_split(make_run([b"<r n=' 1\n\t 2 '/>"], replace(ROOT, subset=subset)))
    native, _ = mapped(mapping, split, monkeypatch)
    assert (native.notices.declined, values_of(native)) == ("", [["1   2", r"\N"]])


def test_a_root_that_is_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /r, columns: {t: t}}")
    for subset in (b"", b"<!DOCTYPE r [<!ENTITY e 'x'>]>"):
        skeleton = Skeleton(subset, b"", b"", 0)
        native, _ = mapped(mapping, make_split(make_run([b"<r><t>1</t></r>"], skeleton)), monkeypatch)
        assert (native.notices.declined, values_of(native)) == ("", [["1"]])


def test_limits_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}")
    split = make_split(make_run([b"<r><t>" + b"x" * 200 + b"</t></r>", b"<r><t>y</t></r>"]))
    native, _ = mapped(mapping, split, monkeypatch, bounds=Bounds(text_bytes=100))
    assert native.notices.declined == "a record longer than a text may be"
    assert [reject.reason for reject in native.rejects] == ["text_too_long"]
    split = make_split(make_run([b"<r><a><a><t>y</t></a></a></r>"]))
    native, _ = mapped(mapping, split, monkeypatch, bounds=Bounds(depth=4))
    assert [reject.reason for reject in native.rejects] == ["too_deep"]
    split = make_split(make_run([b"<r " + b" ".join(b"a%d=''" % n for n in range(50)) + b"/>"]))
    native, _ = mapped(mapping, split, monkeypatch, bounds=Bounds(attributes=49))
    assert [reject.reason for reject in native.rejects] == ["too_many_attributes"]


def test_records_under_different_paths_in_one_split(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}\n  s: {each: /root/x/s, columns: {t: t}}")
    inner = Skeleton(b"", b"<root><x>", b"</x></root>", 2)
    runs = make_run([b"<r><t>1</t></r>"]), make_run([b"<s><t>2</t></s>"], inner)
    for chosen in (runs, runs[:1], runs[::-1]):
        native, _ = mapped(mapping, make_split(*chosen), monkeypatch)
        assert native.notices.declined == ""
        assert native.counts[0].loaded == len(chosen)


def test_paths_that_fit_for_the_first_time_in_a_later_split(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of(
        "  r: {each: [/root/r, //s], columns: {t: t, up: '../@n'}}\n"
        "  s: {each: [\"/root/x[@n='1']/s\", /root/x/y/r], columns: {t: t}}\n"
        "  k: {parent: s, each: k, columns: {t: ., up: '../../@n'}}"
    )
    skeletons = [
        Skeleton(b"", b"<root n='0'>", b"</root>", 1),
        Skeleton(b"", b"<root><x n='1'>", b"</x></root>", 2),
        Skeleton(b"", b"<root><x>", b"</x></root>", 2),
        Skeleton(b"", b"<root><x><y n='2'>", b"</y></x></root>", 3),
    ]
    records = [b"<r><t>1</t></r>", b"<s><t>2</t><k>3</k></s>", b"<s><t>4</t></s>", b"<r><k>5</k><k>6</k></r>"]
    runs = [make_run([record], skeleton) for record, skeleton in zip(records, skeletons, strict=True)]
    splits = [make_split(*(runs[place] for place in places)) for places in ((0,), (1, 2), (3, 0, 1), (2,))]
    worker = Worker(WorkerSetup(mapping, "copy", (SOURCE,)))
    for most in (200, 3):
        monkeypatch.setattr("etl.native.mapper._SETS", most)
        for split in splits:
            native, _ = mapped(mapping, split, monkeypatch)
            assert native.notices.declined == ""
            assert worker.run_split(split).tables == native.tables


def test_entries_of_keys_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("""
  way:
    each: /root/way
    columns:
      id: {path: "@id", type: bigint}
      tags: {path: tag, many: json, key: "@k", value: "@v", type: jsonb}
      names: {path: "tag[@l='1']", many: json, key: "@lang", value: n, transform: [upper], nulls: ["-"], required: true}
  nd:
    parent: way
    each: nd
    columns: {ref: "@ref", near: {path: ../tag, many: json, key: ., value: text(), strip: false}}
""")
    xsi = b"xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
    records = [
        b"<way id='1'><nd ref='7'/><tag k='highway' v='a &amp; \xc3\xa4'/><tag k=' x ' v='1'/><tag k='x' v=''/></way>",
        b"<way id='2'><tag l='1' lang='de'><n>- </n></tag><tag l='1' lang='en'><n>a<b>c</b></n><n/></tag><tag/></way>",
        b"<way id='3'/>",
        b"<way id='4' %s><tag xsi:nil='1' l='1' lang='fr' k='k'><n>gone</n></tag>" % xsi
        + b"<tag>own<n xsi:nil='true'/></tag><nd/></way>",
    ]
    for row_format in ("copy", "tuples"):
        native, _ = mapped(mapping, make_split(make_run(records)), monkeypatch, row_format)
        assert native.notices.declined == ""
        assert [reject.column for reject in native.rejects] == ["names", "names"]
        assert not native.notices.mixed


def test_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {h: {path: a, type: bytes(hex)}, b: {path: b, type: bytes}}}")
    records = [b"<r><a>00fF</a><b> QUI= </b></r>", b"<r><a/><b>Q</b></r>", b"<r/>"]
    for row_format in ("copy", "tuples"):
        native, _ = mapped(mapping, make_split(make_run(records)), monkeypatch, row_format)
        assert native.notices.declined == ""
        assert [reject.column for reject in native.rejects] == ["b"]


def test_tables_of_lxml_beside_those_of_the_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}\n  s: {each: /root/s, columns: {t: 'count(t)'}}")
    assert list(slower_tables(mapping)) == ["s"]
    native, _ = mapped(mapping, make_split(make_run([b"<r><t>1</t></r>"])), monkeypatch)
    assert native.notices.declined == ""
    native, _ = mapped(mapping, make_split(make_run([b"<r><t>1</t></r>", b"<s><t>1</t></s>"])), monkeypatch)
    assert native.notices.declined == "a record of a table that is not the scanner's"


def test_what_nobody_takes_is_told_once_with_columns_that_would(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t/@a}}")
    common = [b"<r><t a='1'/></r>"] * 300
    split = make_split(make_run([*common, b"<r x='1'><t a='' xml:lang='de'/><u>1</u><u>2</u></r>", *common]))
    worker = Worker(WorkerSetup(mapping, "copy", (SOURCE,)))
    notices = worker.run_split(split).notices
    assert notices.unseen == {"r/@x", "r/t/@xml:lang", "r/u"}
    assert notices.additions == {(0, "@x"): False, (0, "t/@xml:lang"): False, (0, "u"): True}
    assert worker.run_split(split).notices.unseen == set()


def test_a_split_without_records(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped(FAMILY, Split(3, (Part(1, 0, 10, 0, (), last=True),), 0, 0), monkeypatch)
    mapped(FAMILY, make_split(make_run([])._replace(payload=b" <!-- none -->")), monkeypatch)


def test_small_documents_share_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = make_run([RELEASE % (1, b"1")], SKELETON, offset=100, line=3), make_run([RELEASE % (2, b"2")], SKELETON)
    parts = tuple(Part(n, run.offset, run.offset + len(run.payload), 1, (run,)) for n, run in enumerate(runs, 1))
    native, _ = mapped(FAMILY, Split(7, parts, 0, 2), monkeypatch)
    assert native.notices.declined == ""


def test_texts_of_all_kinds_arrive_in_sqlite(tmp_path: Path) -> None:
    texts = ["", "short", "long" * 100, "\u00e4\u20ac", "\u00e4" * 300]
    document = tmp_path / "a.xml"
    document.write_text(f"<root>{''.join(f'<r><t>{text}</t></r>' for text in texts)}</root>", "utf-8")
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}")
    url = f"sqlite:///{tmp_path / 'a.db'}"
    report = etl.load(document, mapping=mapping, target=url)
    assert (report.native.declined, report.native.splits, report.native.unavailable) == ({}, 1, "")
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert [text for (text,) in connection.execute("SELECT t FROM r ORDER BY record_id")] == texts


def test_a_document_is_let_go_when_its_split_is_done() -> None:
    worker = Worker(WorkerSetup(FAMILY, "copy", (SOURCE,)))
    run = make_run([RELEASE % (1, b"2000")], SKELETON)
    before = sys.getrefcount(run.payload), sys.getrefcount(run.spans)
    worker.run_split(make_split(run))
    worker.run_split(make_split(make_run([b"<release"], SKELETON)))
    assert (sys.getrefcount(run.payload), sys.getrefcount(run.spans)) == before


def test_workers_in_threads_do_not_meet() -> None:
    splits = [make_split(make_run([RELEASE % (n, b"%d" % n)] * 200, SKELETON)) for n in range(1000, 1008)]
    alone = [Worker(WorkerSetup(FAMILY, "copy", (SOURCE,))).run_split(split).tables for split in splits]
    found: dict[int, list[object]] = {}

    def work(number: int) -> None:
        worker = Worker(WorkerSetup(FAMILY, "copy", (SOURCE,)))
        found[number] = [worker.run_split(split).tables for split in splits]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == [alone] * 4


def test_whether_there_is_a_mapper(monkeypatch: pytest.MonkeyPatch) -> None:
    assembler = Assembler(FAMILY, "copy", (SOURCE,))
    assert native_mapper(FAMILY, "copy", Bounds(), assembler)[0] is not None
    xpath = mapping_of("  s: {each: /root/s, columns: {t: 'count(t)'}}")
    assert native_mapper(xpath, "copy", Bounds(), Assembler(xpath, "copy", ())) == (None, "column t: an XPath")
    monkeypatch.setenv(SWITCH, "0")
    assert native_mapper(FAMILY, "copy", Bounds(), assembler) == (None, "")


def test_threads_share_the_work_where_python_has_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert maps_in_threads(FAMILY)
    assert not maps_in_threads(mapping_of("  s: {each: /root/s, columns: {t: 'count(t)'}}"))
    function = mapping_of("  s: {each: /root/s, columns: {t: {path: t, transform: {python: 'os:getenv'}}}}")
    assert not maps_in_threads(function)
    monkeypatch.setenv(SWITCH, "0")
    assert not maps_in_threads(FAMILY)


class _Feed:
    """Gives a sample of one document."""

    position = 0

    def __init__(self, document: str) -> None:
        splitter = Splitter([path for table in FAMILY.tables for path in table.records], 10_000, 10_000)
        (part,) = splitter.split([document.encode()], SOURCE.number, "a.xml")
        self._split = Split(1, (part,), len(document), part.records)

    def sample(self) -> Split:
        return self._split

    def stop(self) -> None: ...

    def __iter__(self) -> Iterator[Split]:
        yield self._split


def test_workers_are_threads_where_they_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = '<root><release id="1"/></root>'
    defaults = f"<!DOCTYPE root [<!ATTLIST release a CDATA ''>]>{plain}"
    xpath = mapping_of("  s: {each: /root/s, columns: {t: 'count(t)'}}")
    ours, theirs = (WorkerSetup(mapping, "copy", (SOURCE,)) for mapping in (FAMILY, xpath))
    assert stages._threads_share(ours, _Feed(plain))
    assert not stages._threads_share(ours, _Feed(defaults))
    assert not stages._threads_share(theirs, _Feed(plain))
    monkeypatch.setattr(stages, "default_worker_count", lambda: 2)
    kinds = [
        stages._automatic_kind(Settings(), size, threads_share=share)
        for share in (True, False)
        for size in (None, 2**20, 10)
    ]
    assert kinds == ["thread", "thread", "inline", "process", "process", "inline"]
    monkeypatch.setenv(SWITCH, "0")
    assert not stages._threads_share(ours, _Feed(plain))


def test_a_report_tells_what_took_the_slower_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "a.xml"
    document.write_text("<!DOCTYPE root [<!ENTITY e '<x/>'>]><root><r><t>&e;</t></r></root>", "utf-8")
    mapping = mapping_of("  r: {each: /root/r, columns: {t: t}}\n  s: {each: /root/s, columns: {t: 'count(t)'}}")
    report = etl.load(document, mapping=mapping, target="memory://")
    assert dict(report.native.declined) == {"an entity that is not declared, or is not text alone": 1}
    assert dict(report.native.slower_tables) == {"s": "column t: an XPath"}
    assert json.loads(report.to_json())["native"]["splits"] == 1
    monkeypatch.setenv(SWITCH, "0")
    native = etl.check(document, mapping=mapping).native
    assert (native.declined, native.unavailable[:12]) == ({}, "ETL_NATIVE=0")
