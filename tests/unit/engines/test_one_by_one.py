"""A split mapped record by record, and put together again, is the split mapped as a whole."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from etl.batches import size_of
from etl.engines.base import WorkerSetup
from etl.engines.one_by_one import merged, single_records
from etl.messages import CopyRows, MappedBatch, Part, RejectedRecord, RowFormat, Skeleton, SourceInfo, Split
from etl.worker import Worker
from tests.splits import SOURCE, make_pack, make_run, mapping_of, part_of, rows_of, split_of

MAPPING = mapping_of("""
  item:
    each: /root/list/item
    where: "@id != '9'"
    columns:
      id: {path: "@id", type: integer}
      list: "../@of"
      source: {meta: source}
      line: {meta: line}
      offset: {meta: offset}
      record: {meta: record}
      name: {path: name, default: none}
      weight: {path: weight, type: integer, on_error: set_null}
  part:
    parent: item
    each: part
    columns: {value: ., size: {path: "@size", type: integer}}
  other:
    each: /root/list/other
    key: id
    columns: {id: {path: "@id", type: integer, required: true}}
""")
SETUP_SOURCES = (SOURCE, SourceInfo(2, "second.xml", "load", SOURCE.loaded_at))

RECORDS = st.sampled_from(
    [
        b"<item id='1'><name>a</name><name>b</name><part size='1'>x</part>\n<part>y\t\\</part></item>",
        b"<item id='2'><weight>heavy</weight><extra/></item>",
        b"<item id='3'><part size='big'/></item>",
        b"<item\nid='4'>&e;</item>",
        b"<item id='9'/>",
        b"<item id='5'><part>",
        b"<other id='6'/>",
        b"<other/>",
    ]
)
SKELETONS = st.sampled_from(
    [
        Skeleton(subset, b"<root><list of='%s'>" % name, b"</list></root>", 2)
        for name in (b"A", b"B")
        for subset in (b"", b"<!DOCTYPE root [<!ENTITY e 'E'>]>")
    ]
)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    parts = []
    for source in draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=3)):
        runs, at, line, number = [], 100, 7, 3
        for records in draw(st.lists(st.lists(RECORDS, min_size=1, max_size=4), max_size=3)):
            run = make_run(records, draw(SKELETONS), between=b"\n \n", offset=at, line=line, first_record=number)
            runs.append(run)
            at, line, number = at + len(run.payload) + 5, line + run.payload.count(b"\n"), number + len(records)
        known = [RejectedRecord(source, at, line, number, "too_large", "m", length=9)] * draw(st.integers(0, 1))
        mapped = sum(run.records for run in runs)
        parts.append(Part(source, 90, at + 20, mapped + len(known), tuple(runs), tuple(known)))
    size = sum(len(run.payload) for part in parts for run in part.runs)
    return Split(5, tuple(parts), size, sum(part.records for part in parts))


def plain(batch: MappedBatch) -> tuple[object, ...]:
    """Without what tells how it was made: seconds, bytes, how closely a record was looked at for what nobody takes, by
    what it was read."""
    notices = replace(batch.notices, unseen=frozenset(), additions={}, declined="")
    tables = [
        (table.data if isinstance(table, CopyRows) else table.values, table.records, table.split)
        for table in batch.tables
    ]
    return batch.split, tables, batch.counts, batch.rejects, notices


@given(splits(), st.sampled_from(["copy", "tuples"]))
def test_record_by_record_is_as_good_as_whole(split: Split, row_format: RowFormat) -> None:
    setup = WorkerSetup(MAPPING, row_format, SETUP_SOURCES)
    whole = Worker(setup).run_split(split)
    # Another one, since what nobody takes is told once.
    worker = Worker(setup)
    singles = single_records(split)
    assert [single.records for single in singles] == [1] * len(singles)
    again = merged(split, [worker.run_split(single) for single in singles], len(MAPPING.tables), row_format)
    assert plain(again) == plain(whole)
    assert again.notices.unseen >= whole.notices.unseen
    # Compiled code may write shorter rows than Python does.
    assert again.size == size_of(again.tables, again.rejects)


@given(splits(), st.data())
def test_records_that_were_given_up_are_rejects_among_the_others(split: Split, data: st.DataObject) -> None:
    worker = Worker(WorkerSetup(MAPPING, "tuples", SETUP_SOURCES))
    singles = single_records(split)
    given_up = data.draw(st.sets(st.integers(0, max(0, len(singles) - 1)))) if singles else set()
    outcomes = ["it died" if place in given_up else worker.run_split(single) for place, single in enumerate(singles)]
    batch = merged(split, outcomes, len(MAPPING.tables), "tuples")
    killed = [reject for reject in batch.rejects if reject.reason == "killed_worker"]
    assert [(reject.offset, reject.record, reject.message) for reject in killed] == [
        (singles[place].parts[0].start, singles[place].parts[0].runs[0].first_record, "it died")
        for place in sorted(given_up)
    ]
    assert sum(counts.records for counts in batch.counts) == split.records
    assert all(c.records == c.loaded + c.rejected + c.discarded for c in batch.counts)
    assert len(rows_of(batch)) + len(rows_of(batch, 2)) == sum(counts.loaded for counts in batch.counts)


WHOLE = mapping_of("""
  item:
    each: /item
    where: "@id != '9'"
    columns:
      id: {path: "@id", type: integer}
      source: {meta: source}
      line: {meta: line}
      offset: {meta: offset}
      record: {meta: record}
  part:
    parent: item
    each: part
    columns: {value: .}
""")
ITEMS = st.sampled_from(
    [
        b"<item id='1'><part>x</part><part>y</part></item>\n",
        b"<?xml version='1.0'?>\n<!-- -->\n<item id='2'/ ></item>",
        b"<item id='x'></item>",
        b"<item id='9'></item>",
        b"\n<item id='4'><part></item>",
        b"<item id='5'>&e;</item>",
    ]
)
PACKS = st.lists(
    st.tuples(st.lists(ITEMS, min_size=1, max_size=4), st.sampled_from([1, 2]), st.integers(1, 200)),
    min_size=1,
    max_size=3,
).map(
    lambda packs: split_of(
        *(
            part_of(make_pack(*items, number=number, records_before=100 * number), source)
            for items, source, number in packs
        )
    )
)


@given(PACKS, st.sampled_from(["copy", "tuples"]))
def test_documents_of_packs_one_by_one_are_as_good_as_whole(split: Split, row_format: RowFormat) -> None:
    setup = WorkerSetup(WHOLE, row_format, SETUP_SOURCES)
    worker = Worker(setup)
    singles = single_records(split)
    assert [single.records for single in singles] == [1] * split.records
    again = merged(split, [worker.run_split(single) for single in singles], len(WHOLE.tables), row_format)
    assert plain(again) == plain(Worker(setup).run_split(split))


def test_a_document_of_a_pack_that_kills_is_a_reject_among_the_others() -> None:
    items = [b"<item id='%d'><part>x</part></item>" % number for number in range(1, 6)]
    items[2] = b"<?xml version='1.0'?>\n" + items[2]
    split = split_of(part_of(make_pack(*items, number=30, records_before=7)), part_of(make_pack(items[0], number=40)))
    worker = Worker(WorkerSetup(WHOLE, "tuples", SETUP_SOURCES))
    outcomes = ["it died" if place == 2 else worker.run_split(one) for place, one in enumerate(single_records(split))]
    batch = merged(split, outcomes, len(WHOLE.tables), "tuples")
    (reject,) = batch.rejects
    assert (reject.document, reject.record, reject.line, reject.offset) == (32, 1, 2, 22)
    assert (reject.reason, reject.message, reject.raw) == ("killed_worker", "it died", items[2][22:])
    assert [tuple(counts) for counts in batch.counts] == [(5, 4, 1, 0), (1, 1, 0, 0)]
    assert [list(table.records) for table in batch.tables] == [[0, 1, 3, 4, 5]] * 2
