"""What becomes of a record does not depend on its neighbours: every cut gives the same rows and rejects."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl.messages import RejectedRecord, Run, Skeleton
from tests.splits import copy_rows_of, make_run, make_split, make_worker, mapping_of

MAPPING = mapping_of("""
  r:
    each: /root/r
    columns:
      n: {path: "@n", type: integer, required: true}
      day: {path: day, type: date, on_error: set_null}
      text: text
      record: {meta: record}
      line: {meta: line}
      offset: {meta: offset}
  part:
    parent: r
    each: part
    columns:
      size: {path: ., type: numeric}
""")

GOOD = [
    '<r n="1"><text>a\tb\\c\n</text></r>',
    '<r n="2"><day>x</day><part>1</part><part>2.50</part></r>',
    '<r n="3">&e;</r>',
]
BAD = [
    '<r n="x"/>',
    "<r/>",
    '<r n="4"><text></r>',
    '<r n="5">&nope;</r>',
    '<r n="6"><part>1</part><part>one</part></r>',
]

WHOLE_LANGUAGE = mapping_of("""
  r:
    each: /root/r
    where: "not(@skip)"
    transform: {python: "tests.row_functions:chosen"}
    columns:
      n: {path: "@n", type: integer, on_error: set_null}
      words: {path: w, many: array, transform: [lower, {python: "tests.row_functions:shorten"}]}
      pairs: {path: w, many: json, key: "@k", value: .}
      total: {path: "sum(p) + count(../* | preceding::* | following::*)", type: numeric}
      fails: {path: "x[count('x')]"}
      many: {path: w, many: count}
      raw: {path: ., type: xml}
  part:
    parent: r
    each: ".//p"
    where: "string-length(.) < 3"
    columns:
      n: {path: ., type: integer}
      twice: {path: q, many: reject}
  same: {each: /root/r, where: "@skip = '2' or w", columns: {n: "@n"}}
  other: {each: /root/o, columns: {v: {path: v, many: join, transform: upper}, k: "../@a"}}
  other_v: {parent: other, each: v, where: ". != 'b'", columns: {v: {path: ., transform: {map: {a: A}}}}}
""")

PIECES = [
    '<r n="1"><w k="a"> Two Words</w><w>-</w><p>1</p><p>22</p></r>',
    '<r n="2"><w>dropped by the function</w></r>',
    '<r n="3" skip="1"><w>bad</w></r>',
    '<r n="3" skip="2"><p>x</p></r>',
    '<r n="5"><w>bad</w></r>',
    '<r n="7"/>',
    '<r n="9"><x/></r>',
    '<r n="11"><a><p>1</p></a><p>333</p><p>4<q/><q/></p></r>',
    '<r n="13"><p>z</p></r>',
    "<o><v>a</v><v>b</v><v>c</v></o>",
    "<o/>",
    "<o><v></o>",
    '<r n="15">',
]

SKELETONS = [
    Skeleton(b"<!DOCTYPE root [<!ENTITY e 'E'>]>", b"<root>", b"</root>", 1),
    Skeleton(b"<!DOCTYPE root [<!ENTITY e 'E'>\n<!ATTLIST r m CDATA 'D'>]>", b"<root\n a='1'>", b"</root>", 1),
]


@given(
    records=st.lists(st.sampled_from(GOOD + BAD), min_size=1, max_size=8),
    cuts=st.sets(st.integers(1, 8)),
    between=st.sampled_from(["", "\n", " <!-- <r> -->\n", "<?pi?>"]),
    skeleton=st.sampled_from(SKELETONS),
)
def test_every_cut_gives_the_same(records: list[str], cuts: set[int], between: str, skeleton: Skeleton) -> None:
    whole = make_run([record.encode() for record in records], skeleton, between=between.encode(), offset=100, line=10)
    together = make_worker(MAPPING, "copy").run_split(make_split(whole))
    alone = [make_worker(MAPPING, "copy").run_split(make_split(piece)) for piece in _cut(whole, set(range(9)))]
    some = make_worker(MAPPING, "copy").run_split(make_split(*_cut(whole, cuts)))

    for table in (0, 1):
        rows = [row for batch in alone for row in copy_rows_of(batch, table)]
        assert copy_rows_of(together, table) == rows
        assert copy_rows_of(some, table) == rows
    rejects = [reject for batch in alone for reject in batch.rejects]
    assert list(together.rejects) == rejects
    assert list(some.rejects) == rejects
    assert {reject.record for reject in rejects} == {n for n, text in enumerate(records, 1) if text in BAD}
    for reject in rejects:
        _check_position(reject, whole, records)
    assert together.counts[0].loaded + together.counts[0].rejected == len(records)


@given(records=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), cuts=st.sets(st.integers(1, 8)))
def test_every_cut_gives_the_same_whatever_the_mapping_says(records: list[str], cuts: set[int]) -> None:
    skeleton = Skeleton(b"", b"<root a='1'>", b"</root>", 1)
    whole = make_run([record.encode() for record in records], skeleton, between=b"\n<!-- x -->", line=10)
    worker = make_worker(WHOLE_LANGUAGE, "copy")
    together = worker.run_split(make_split(whole))
    alone = [worker.run_split(make_split(piece)) for piece in _cut(whole, set(range(9)))]
    some = worker.run_split(make_split(*_cut(whole, cuts)))
    for table in range(len(WHOLE_LANGUAGE.tables)):
        rows = [row for batch in alone for row in copy_rows_of(batch, table)]
        assert copy_rows_of(together, table) == copy_rows_of(some, table) == rows
    assert list(together.rejects) == list(some.rejects) == [reject for batch in alone for reject in batch.rejects]
    discarded = sum(batch.counts[0].discarded for batch in alone)
    assert together.counts == some.counts
    (counts,) = together.counts
    assert (counts.discarded, counts.rejected) == (discarded, len(together.rejects))
    assert counts.records == len(records) == counts.loaded + counts.rejected + counts.discarded


def _cut(run: Run, cuts: set[int]) -> list[Run]:
    edges = sorted({0, run.records, *(cut for cut in cuts if cut < run.records)})
    pieces = []
    for first, end in pairwise(edges):
        start = run.spans[2 * first]
        stop = run.spans[2 * end] if end < run.records else len(run.payload)
        spans = run.spans[2 * first : 2 * end]
        for place, position in enumerate(spans):
            spans[place] = position - start
        pieces.append(
            run._replace(
                payload=run.payload[start:stop],
                offset=run.offset + start,
                line=run.line + run.payload.count(b"\n", 0, start),
                first_record=run.first_record + first,
                spans=spans,
            )
        )
    return pieces


def _check_position(reject: RejectedRecord, run: Run, records: list[str]) -> None:
    assert reject.raw == records[reject.record - 1].encode()
    start = reject.offset - run.offset
    assert run.payload[start : start + reject.length] == reject.raw
    assert reject.line == run.line + run.payload.count(b"\n", 0, start)
