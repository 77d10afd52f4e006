"""The worker: splits become batches; records that cannot be loaded become rejects that say why and where."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from etl.engines.base import WorkerSetup
from etl.engines.inline import InlineEngine
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.errors import InternalError
from etl.mapping.reader import parse_mapping
from etl.messages import RAW_LIMIT, CopyRows, Part, PartCounts, RejectedRecord, Skeleton, Split, TupleRows
from etl.worker import make_worker as make_process_worker
from tests.splits import ROOT, SOURCE, copy_rows_of, make_run, make_split, make_worker, mapping_of, rows_of, run_records

pytestmark = pytest.mark.usefixtures("both_ways")

MAPPING = mapping_of("""
  r:
    each: /root/r
    key: n
    columns:
      n: {path: "@n", type: integer}
      t: t
""")
PAIRS = mapping_of("""
  r:
    each: /root/r
    key: n
    columns: {n: {path: "@n", type: integer}}
  c:
    parent: r
    each: c
    columns: {v: {path: ., type: integer}}
""")


def declaring(declarations: str, *, before: str = "") -> Skeleton:
    return Skeleton(f"<!DOCTYPE root {before}[{declarations}]>".encode(), b"<root>", b"</root>", 1)


# --- batches ---


def test_copy_text() -> None:
    batch = run_records(MAPPING, b"<r n='1'><t>a\\b&#9;c\nd&#13;e</t></r>", b"<r n='2'/>", row_format="copy")
    rows = batch.tables[0]
    assert isinstance(rows, CopyRows)
    assert rows.data == b"1\ta\\\\b\\tc\\nd\\re\n2\t\\N\n"
    assert list(rows.records) == [0, 1]
    assert copy_rows_of(batch) == [("1", "a\\b\tc\nd\re"), ("2", None)]
    assert batch.split == 7
    assert batch.counts == (PartCounts(records=2, loaded=2, rejected=0, discarded=0),)
    assert batch.size >= len(rows.data)
    assert batch.busy > 0


def test_tuples() -> None:
    batch = run_records(MAPPING, b"<r n='1'><t>a</t></r>", b"<r n='2'/>")
    assert rows_of(batch) == [(1, "a"), (2, None)]
    assert list(batch.tables[0].records) == [0, 1]


def test_rows_of_children_name_their_record() -> None:
    batch = run_records(
        PAIRS, b"<r n='5'><c>1</c><c>2</c></r>", b"<r n='6'/>", b"<r n='7'><c>3</c></r>", row_format="copy"
    )
    assert copy_rows_of(batch, 1) == [("5", "1", "1"), ("5", "2", "2"), ("7", "1", "3")]
    assert list(batch.tables[1].records) == [0, 0, 2]


def test_a_bad_child_takes_its_whole_record_along() -> None:
    batch = run_records(PAIRS, b"<r n='1'><c>1</c></r>", b"<r n='2'><c>2</c><c>x</c></r>", b"<r n='3'><c>3</c></r>")
    assert rows_of(batch, 0) == [(1,), (3,)]
    assert rows_of(batch, 1) == [(1, 1, 1), (3, 1, 3)]
    assert list(batch.tables[1].records) == [0, 2]
    (reject,) = batch.rejects
    assert (reject.table, reject.column, reject.reason, reject.record) == ("c", "v", "bad_value", 2)
    assert reject.message == "'x' is not an integer: digits with an optional sign (test.mapping.yaml:11)"
    assert batch.counts == (PartCounts(records=3, loaded=2, rejected=1, discarded=0),)


def test_the_first_failure_by_table_and_column_is_the_one_told() -> None:
    batch = run_records(PAIRS, b"<r><c>x</c></r>")
    (reject,) = batch.rejects
    assert (reject.table, reject.column, reject.reason) == ("r", "n", "missing_value")


def test_a_record_element_that_no_table_takes_is_a_defect() -> None:
    worker = make_worker(MAPPING)
    with pytest.raises(InternalError, match="<q>"):
        worker.run_split(make_split(make_run([b"<r n='1'/>", b"<q/>"])))
    # What was mapped before is not left over for the next split.
    assert rows_of(worker.run_split(make_split(make_run([b"<r n='2'/>"])))) == [(2, None)]


def test_rows_know_their_split() -> None:
    (rows,) = make_worker(MAPPING).run_split(make_split(make_run([b"<r n='1'/>"]))).tables
    assert isinstance(rows, TupleRows)
    assert rows.split == 7


def test_empty_split() -> None:
    batch = make_worker(MAPPING, "copy").run_split(Split(3, (Part(1, 0, 10, 0, (), last=True),), 0, 0))
    assert batch.tables == (CopyRows(b"", batch.tables[0].records, 3),)
    assert batch.counts == (PartCounts(0, 0, 0, 0),)


def test_run_without_records() -> None:
    batch = make_worker(MAPPING).run_split(make_split(make_run([])._replace(payload=b" <!-- none -->")))
    assert len(batch.tables[0]) == 0


# --- parts and runs ---


def test_small_documents_share_a_split() -> None:
    def part(source: int, *records: bytes) -> Part:
        run = make_run(records)
        return Part(source, 0, len(run.payload), len(records), (run,))

    split = Split(1, (part(1, b"<r n='1'/>"), part(2, b"<r n='x'/>", b"<r n='2'/>"), part(3, b"<r n='3'/>")), 0, 4)
    batch = make_worker(MAPPING).run_split(split)
    assert rows_of(batch) == [(1, None), (2, None), (3, None)]
    assert list(batch.tables[0].records) == [0, 2, 3]
    assert [(c.loaded, c.rejected) for c in batch.counts] == [(1, 0), (1, 1), (1, 0)]
    assert [(r.source, r.record) for r in batch.rejects] == [(2, 1)]


def test_rejects_of_the_splitter_are_counted_and_passed_on() -> None:
    known = RejectedRecord(source=1, offset=50, line=3, record=2, reason="too_large", message="m", length=10**9)
    run = make_run([b"<r n='1'/>", b"<r/>"])
    batch = make_worker(MAPPING).run_split(make_split(run._replace(first_record=1), rejects=[known]))
    assert known in batch.rejects
    assert [r.reason for r in batch.rejects] == ["too_large", "missing_value"]
    assert batch.counts == (PartCounts(records=3, loaded=1, rejected=2, discarded=0),)


def test_runs_under_different_skeletons() -> None:
    mapping = mapping_of("""
  r:
    each: /root/group/r
    columns: {group: "../@id", root: "../../@id", n: "@n"}
""")
    runs = [
        make_run([b"<r n='1'/>", b"<r n='2'/>"], Skeleton(b"", b"<root id='R'><group id='A'>", b"</group></root>", 2)),
        make_run([b"<r n='3'/>"], Skeleton(b"", b"<root id='R'><group>", b"</group></root>", 2), first_record=3),
    ]
    batch = make_worker(mapping).run_split(make_split(*runs))
    assert [row[1:] for row in rows_of(batch)] == [("A", "R", "1"), ("A", "R", "2"), (None, "R", "3")]


def test_the_documents_root_as_record() -> None:
    mapping = mapping_of("  doc: {each: /doc, columns: {n: '@n', t: t}}")
    alone = Skeleton(b"", b"", b"", 0)
    runs = [make_run([b"<doc n='1'><t>x</t></doc>"], alone), make_run([b"<doc n='2'/>"], alone)]
    batch = make_worker(mapping).run_split(make_split(*runs))
    assert [row[1:] for row in rows_of(batch)] == [("1", "x"), ("2", None)]


def test_several_record_types_and_tables_of_one_record() -> None:
    mapping = mapping_of("""
  node: {each: /osm/node, key: id, columns: {id: "@id"}}
  way: {each: /osm/way, key: id, columns: {id: "@id"}}
  node_name: {each: "/osm/node[@named='1']", key: id, columns: {id: "@id", name: name}}
  any: {each: ["/osm/*", "/osm/way"], key: id, columns: {id: "@id"}}
""")
    records = [b"<node id='1'/>", b"<way id='2'/>", b"<node id='3' named='1'><name>x</name></node>"]
    batch = run_records(mapping, *records, skeleton=Skeleton(b"", b"<osm>", b"</osm>", 1))
    assert [rows_of(batch, table) for table in range(4)] == [
        [("1",), ("3",)],
        [("2",)],
        [("3", "x")],
        [("1",), ("2",), ("3",)],
    ]


def test_record_paths_look_at_ancestors() -> None:
    mapping = mapping_of("""
  old: {each: "/root/list[@of='old']/r", columns: {n: "@n"}}
  new: {each: "/root/list[@of='new']/r", columns: {n: "@n"}}
  deep: {each: "//deep", columns: {n: "@n"}}
""")
    runs = [
        make_run([b"<r n='1'/>"], Skeleton(b"", b"<root><list of='old'>", b"</list></root>", 2)),
        make_run([b"<r n='2'/>"], Skeleton(b"", b"<root><list of='new'>", b"</list></root>", 2)),
        make_run([b"<deep n='3'/>"], Skeleton(b"", b"<root><a><b><c>", b"</c></b></a></root>", 4)),
    ]
    batch = make_worker(mapping).run_split(make_split(*runs))
    assert [[row[1] for row in rows_of(batch, table)] for table in range(3)] == [["1"], ["2"], ["3"]]


# --- bad XML ---


@pytest.mark.parametrize(
    ("record", "reason", "words"),
    [
        (b"<r n='2'><t></r>", "malformed", "tag mismatch"),
        (
            b"<r n='2'><t>\n\n&nope;</t></r>",
            "undefined_entity",
            "Entity 'nope' not defined; --dtd FILE gives its meaning (line 33)",
        ),
        (b"<r n='&nope;'/>", "undefined_entity", "Entity 'nope' not defined"),
        (b"<r n='2'>&#1;</r>", "malformed", "invalid xmlChar value 1"),
        (b"<r n='2'>\x01</r>", "malformed", "Char"),
        (b"<r n='2'>\x00</r>", "malformed", "0x0"),
        (b"<r n='2'>\xff</r>", "malformed", "encoding"),
        (b"<r n='2' n='3'/>", "malformed", "redefined"),
        (b"<r n='2'><p:x/></r>", "malformed", "prefix p"),
        (b"<r n='2'>a & b</r>", "malformed", ""),
        (b"<r n='2'/><r n='3'/>", "malformed", "2 elements where one record was expected"),
    ],
)
def test_a_record_that_does_not_parse_is_a_reject_beside_its_neighbours(record: bytes, reason: str, words: str) -> None:
    run = make_run([b"<r n='1'/>", record, b"<r n='9'/>"], between=b"\n", offset=1000, line=30, first_record=5)
    batch = make_worker(MAPPING).run_split(make_split(run))
    assert rows_of(batch) == [(1, None), (9, None)]
    (reject,) = batch.rejects
    assert (reject.reason, reject.record, reject.offset, reject.line) == (reason, 6, 1011, 31)
    assert (reject.raw, reject.length) == (record, len(record))
    assert words in reject.message
    assert ", line 1" not in reject.message


def test_broken_xml_between_records_hurts_nobody() -> None:
    run = make_run([b"<r n='1'/>", b"<r n='2'/>"], between=b"<!-- a -- b --> & &nope; ]]>")
    batch = make_worker(MAPPING).run_split(make_split(run))
    assert rows_of(batch) == [(1, None), (2, None)]


def test_a_big_bad_record_keeps_its_length_only() -> None:
    batch = run_records(MAPPING, b"<r>" + b"x" * RAW_LIMIT + b"</r>")
    (reject,) = batch.rejects
    assert (reject.raw, reject.length) == (None, RAW_LIMIT + 7)


def test_declared_entities_and_attribute_defaults() -> None:
    skeleton = declaring("<!ENTITY e 'E&f;'><!ENTITY f '&#38;amp;'><!ATTLIST r n CDATA '4'>")
    assert rows_of(run_records(MAPPING, b"<r><t>x&e;</t></r>", skeleton=skeleton)) == [(4, "xE&")]


def test_deep_records_and_long_texts_are_fine() -> None:
    depth, length = 990, 11_000_000
    deep = b"<r n='1'>" + b"<x>" * depth + b"</x>" * depth + b"<t>t</t></r>"
    long = b"<r n='2'><t>" + b"x" * length + b"</t></r>"
    batch = run_records(MAPPING, deep, long)
    assert rows_of(batch) == [(1, "t"), (2, "x" * length)]


def test_a_record_nested_beyond_all_limits_is_a_reject() -> None:
    batch = run_records(MAPPING, b"<r n='1'>" + b"<x>" * 5000 + b"</x>" * 5000 + b"</r>", b"<r n='2'/>")
    assert rows_of(batch) == [(2, None)]
    assert batch.rejects[0].reason == "too_deep"
    assert "more than limits.depth can allow" in batch.rejects[0].message


# --- entities that want too much ---

BOMB = "<!ENTITY l0 'lolololololololol'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 11))


@pytest.mark.parametrize("record", [b"<r n='2'><t>&l10;</t></r>", b"<r n='&l10;'/>"])
@pytest.mark.timeout(30)
def test_entity_bombs_are_rejects_in_flat_memory(record: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = run_records(MAPPING, b"<r n='1'/>", record, b"<r n='3'/>", skeleton=declaring(BOMB))
    assert rows_of(batch) == [(1, None), (3, None)]
    assert [(r.reason, r.record) for r in batch.rejects] == [("entity_limit", 2)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_many_references_to_a_long_entity_are_a_bomb_too() -> None:
    skeleton = declaring(f"<!ENTITY l '{'x' * 100_000}'>")
    batch = run_records(MAPPING, b"<r n='1'>" + b"&l;" * 2000 + b"</r>", b"<r n='2'><t>&l;</t></r>", skeleton=skeleton)
    assert [row[0] for row in rows_of(batch)] == [2]
    assert [r.reason for r in batch.rejects] == ["entity_limit"]


def test_entities_in_a_circle() -> None:
    batch = run_records(MAPPING, b"<r n='1'>&a;</r>", skeleton=declaring("<!ENTITY a '&b;'><!ENTITY b '&a;'>"))
    assert [r.reason for r in batch.rejects] == ["entity_limit"]


def test_expansion_allowed_to_a_record_does_not_depend_on_its_neighbours() -> None:
    skeleton = declaring(f"<!ENTITY l '{'x' * 1000}'>")
    hungry = b"<r n='1'><t>" + b"&l;" * 1200 + b"</t></r>"
    filler = b"<r n='2'><t>" + b"y" * 400_000 + b"</t></r>"
    alone = run_records(MAPPING, hungry, skeleton=skeleton)
    among = run_records(MAPPING, filler, hungry, filler, skeleton=skeleton)
    assert len(alone.tables[0]) == 0
    assert [r.record for r in among.rejects] == [2]


# --- nothing outside the document is read ---


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret.txt"
    file.write_text("SECRET")
    return file


def test_external_entities_are_rejects(secret: Path) -> None:
    skeleton = declaring(f"<!ENTITY e SYSTEM '{secret.as_uri()}'>")
    batch = run_records(MAPPING, b"<r n='1'><t>&e;</t></r>", b"<r n='2'/>", skeleton=skeleton)
    assert rows_of(batch) == [(2, None)]
    assert [r.reason for r in batch.rejects] == ["undefined_entity"]
    assert "SECRET" not in batch.rejects[0].message


def test_external_dtd_is_not_read(tmp_path: Path) -> None:
    dtd = tmp_path / "root.dtd"
    dtd.write_text("<!ENTITY x 'SECRET'>")
    skeleton = declaring("<!ENTITY e 'E'>", before=f"SYSTEM '{dtd.as_uri()}' ")
    batch = run_records(MAPPING, b"<r n='1'><t>&e;</t></r>", b"<r n='2'><t>&x;</t></r>", skeleton=skeleton)
    assert rows_of(batch) == [(1, "E")]
    assert [r.reason for r in batch.rejects] == ["undefined_entity"]


def test_declared_default_attributes_count() -> None:
    skeleton = declaring("<!ATTLIST r n CDATA '7'>")
    batch = run_records(MAPPING, b"<r><t>a</t></r>", b"<r n='1'><t>b</t></r>", skeleton=skeleton)
    assert rows_of(batch) == [(7, "a"), (1, "b")]


class _Counting(BaseHTTPRequestHandler):
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def web_server() -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    handler = type("Handler", (_Counting,), {"requests": requests})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_nothing_is_fetched(web_server: tuple[str, list[str]]) -> None:
    url, requests = web_server
    skeleton = declaring(
        f"<!ENTITY e SYSTEM '{url}/e'><!ENTITY % p SYSTEM '{url}/p'>", before=f"PUBLIC '-//X' '{url}/x.dtd' "
    )
    batch = run_records(MAPPING, b"<r n='1'/>", b"<r n='2'>&e;</r>", b"<r n='3'>&f;</r>", skeleton=skeleton)
    assert rows_of(batch) == [(1, None)]
    assert [r.reason for r in batch.rejects] == ["undefined_entity"] * 2
    assert requests == []


# --- notices ---


def test_notices() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns:
      t: t
      missing: tt
      n: {path: n, type: integer, on_error: set_null}
      m: {path: m, type: integer, default: 0, on_error: use_default}
      last: {path: t, many: last}
  c: {parent: r, each: list/c, columns: {v: v}}
""")
    batch = run_records(
        mapping,
        b"<r><t>a</t><t>b</t><t>c</t><n>x</n><list><c><v>1<b>2</b></v></c><d/><c><v/><w/></c></list><q><p/></q></r>",
        b"<r><t>a</t><t>b</t><n>y</n><m>z</m></r>",
    )
    assert rows_of(batch)[0][1:] == ("a", None, None, 0, "c")
    assert [row[2:] for row in rows_of(batch, 1)] == [("12",), ("",)]
    notices = batch.notices
    assert notices.matched == {(0, 1), (0, 3), (0, 4), (0, 5), (1, 2)}
    assert notices.several == {(0, 1): 2}
    assert notices.set_null == {(0, 3): 2, (0, 4): 1}
    assert notices.mixed == {(1, 2)}
    assert notices.unseen == {"r/q", "r/list/d", "r/list/c/w"}


def test_an_element_is_not_unseen_if_another_table_takes_it() -> None:
    mapping = mapping_of("""
  a: {each: /root/r, columns: {x: x}}
  b: {each: /root/r, columns: {y: y}}
  c: {parent: a, each: list/c, columns: {z: ../../z, k: "v[@k='1']"}}
""")
    batch = run_records(mapping, b"<r><x/><y/><z/><list><c><v k='2'/></c></list></r>")
    assert batch.notices.unseen == set()


def test_root_run_of_a_split_keeps_meta_and_keys() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns:
      source: {meta: source}
      line: {meta: line}
      offset: {meta: offset}
      record: {meta: record}
      load: {meta: load_id}
      at: {meta: loaded_at}
      provider: {value: 5, type: integer}
  c: {parent: r, each: c, columns: {record: {meta: record}}}
""")
    run = make_run([b"<r/>", b"<r>\n<c/></r>", b"<r/>"], ROOT, between=b"\n\n", offset=40, line=3, first_record=11)
    batch = make_worker(mapping).run_split(make_split(run))
    known = ("11111111-2222-3333-4444-555555555555", "2024-05-06 07:08:09+00:00", 5)
    assert rows_of(batch) == [
        (2**40 + 11, "dump.xml", 3, 40, 11, *known),
        (2**40 + 12, "dump.xml", 5, 46, 12, *known),
        (2**40 + 13, "dump.xml", 8, 60, 13, *known),
    ]
    assert rows_of(batch, 1) == [(2**40 + 12, 1, 12)]


def test_made_up_names_without_end_do_not_pile_up() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {first: '*', deep: '*/x'}}")
    worker = make_worker(mapping)
    names = 0
    for _ in range(6):
        records = []
        for _ in range(30):
            children = "".join(f"<n{names + n}><u{names + n}/></n{names + n}>" for n in range(100))
            records.append(f"<r>{children}</r>".encode())
            names += 100
        batch = worker.run_split(make_split(make_run(records)))
        assert len(rows_of(batch)) == 30
        assert 0 < len(batch.notices.unseen) <= 1000


def test_messages_stay_short() -> None:
    name = b"n" * 20_000
    batch = run_records(MAPPING, b"<r><" + name + b"></r>", b"<r n='" + b"9" * 100_000 + b"'/>")
    assert [reject.reason for reject in batch.rejects] == ["malformed", "out_of_range"]
    assert all(len(reject.message) < 400 for reject in batch.rejects)


# --- mappings with everything, in every kind of worker ---


def test_functions_and_xpaths_work_in_every_kind_of_worker(tmp_path: Path) -> None:
    (tmp_path / "cleaning.py").write_text(
        "print('printed')\ndef row(row):\n    return {**row, 'n': row['n'] * 2} if row['n'] else None\n"
        "def text(text):\n    print(text)\n    return text[::-1]\n",
        "utf-8",
    )
    mapping = parse_mapping(
        """
version: 1
tables:
  r:
    each: /root/r
    where: "not(@no) and count(c) < 3"
    transform: {python: "cleaning:row"}
    columns:
      n: {path: "@n", type: integer}
      t: {path: t, many: array, transform: [upper, {python: "cleaning:text"}]}
      s: {path: "sum(c)", type: integer}
      j: {path: c, many: json, key: "@k", value: .}
      x: {path: t, type: xml}
""",
        str(tmp_path / "m.yaml"),
    )
    setup = WorkerSetup(mapping, "tuples", (SOURCE,))
    records = [b"<r n='2'><t>ab</t><t/><c k='a'>1</c><c k='b'>2</c></r>", b"<r n='0'/>", b"<r n='1' no=''/>"]
    split = make_split(make_run(records))
    engines = [
        InlineEngine(make_process_worker, setup),
        ThreadEngine(make_process_worker, setup, workers=2, prefetch=1),
        ProcessEngine("etl.worker", setup, workers=1, prefetch=1),
    ]
    for engine in engines:
        try:
            batches = [future.result(timeout=60) for future in [engine.submit(split), engine.submit(split)]]
        finally:
            engine.close()
        for batch in batches:
            assert rows_of(batch) == [(2**40 + 1, 4, '["BA", ""]', 3, '{"a": "1", "b": "2"}', "<t>ab</t>")]
            assert batch.counts == (PartCounts(records=3, loaded=1, rejected=0, discarded=2),)
