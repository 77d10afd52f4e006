"""Raw rows become whole tables: rows left out, put in order, their values gathered, what is to be said of them told."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native.core_library import MIXED, NIL, SEVERAL
from tests.native.raw_tables import (
    AND,
    AROUND,
    AROUND_BIT,
    BIT,
    LINK,
    LINK_BIT,
    NONE,
    NOT,
    OR,
    RECORD,
    SLOT,
    Column,
    Found,
    Place,
    Row,
    Table,
    Tables,
)
from tests.splits import make_run

OWN = (Column(SLOT, 0),)


def place(records: int, around: tuple[str | None, ...] = (), bits: int = 0) -> Place:
    return Place(make_run([b"<r/>"] * records), around=around, around_bits=bits)


def test_values_of_rows_in_the_order_they_were_found(core: ctypes.CDLL) -> None:
    columns = (Column(SLOT, 1), Column(RECORD), Column(SLOT, 0))
    rows = [Row(0, ("a", "1")), Row(1, (None, "2")), Row(3, ("", None))]
    with Tables(core, [Table(None, columns, rows)], [place(4)]) as tables:
        assert tables.row_records(0) == [0, 1, 3]
        assert tables.parents(0) is None
        assert tables.texts(0, 0) == ["1", "2", None]
        assert tables.texts(0, 2) == ["a", None, ""]
        assert not tables.has_values(0, 1)


def test_no_rows(core: ctypes.CDLL) -> None:
    with Tables(core, [Table(None, OWN), Table(0, OWN)], [place(2)]) as tables:
        assert (tables.row_records(1), tables.parents(1), tables.texts(1, 0)) == ([], [], [])
        assert not tables.matched(1, 0)


def test_more_rows_than_are_gathered_at_once(core: ctypes.CDLL) -> None:
    rows = [Row(record, (str(record), f"x{record}")) for record in range(1000)]
    with Tables(core, [Table(None, (Column(SLOT, 1), Column(SLOT, 0)), rows)], [place(600), place(400)]) as tables:
        assert tables.texts(0, 0) == [f"x{record}" for record in range(1000)]
        assert tables.texts(0, 1) == [str(record) for record in range(1000)]


def test_rows_of_one_parent_go_list_by_list(core: ctypes.CDLL) -> None:
    children = [Row(0, ("b1",), 1), Row(0, ("a1",), 0), Row(1, ("c",), 1), Row(0, ("b2",), 1), Row(0, ("a2",), 0)]
    with Tables(
        core, [Table(None, OWN, [Row(0, ("x",)), Row(1, ("y",))]), Table(0, OWN, children, 2)], [place(2)]
    ) as tables:
        assert tables.texts(1, 0) == ["a1", "a2", "b1", "b2", "c"]
        assert tables.parents(1) == [0, 0, 0, 0, 1]
        assert tables.row_records(1) == [0, 0, 0, 0, 1]


def test_rows_follow_parents_that_were_put_in_order(core: ctypes.CDLL) -> None:
    middle = [Row(0, ("b",), 1), Row(0, ("a",), 0)]
    last = [Row(0, ("of b",)), Row(1, ("of a",)), Row(0, ("of b too",))]
    with Tables(
        core, [Table(None, OWN, [Row(0, ("x",))]), Table(0, OWN, middle, 2), Table(1, OWN, last)], [place(1)]
    ) as tables:
        assert tables.texts(1, 0) == ["a", "b"]
        assert tables.texts(2, 0) == ["of a", "of b", "of b too"]
        assert tables.parents(2) == [0, 1, 1]


def test_below_rows_that_are_left_out_there_are_none(core: ctypes.CDLL) -> None:
    top = Table(None, OWN, [Row(0, ("no",), bits=0), Row(1, ("yes",), bits=1)], where=[(BIT, 0)])
    middle = Table(0, OWN, [Row(0, ("of no",)), Row(1, ("of yes",))])
    last = Table(1, OWN, [Row(0, ("x",)), Row(1, ("y",))])
    with Tables(core, [top, middle, last], [place(2)]) as tables:
        assert [tables.texts(table, 0) for table in range(3)] == [["yes"], ["of yes"], ["y"]]
        assert [tables.row_records(table) for table in range(3)] == [[1], [1], [1]]
        assert tables.parents(2) == [0]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ([(BIT, 0)], "ac"),
        ([(BIT, 63)], "bc"),
        ([(BIT, 0), (NOT,)], "bd"),
        ([(BIT, 0), (BIT, 63), (AND,)], "c"),
        ([(BIT, 0), (BIT, 63), (OR,)], "abc"),
        ([(BIT, 0), (BIT, 63), (OR,), (NOT,)], "d"),
        ([(BIT, 0), (BIT, 0), (BIT, 63), (NOT,), (AND,), (OR,)], "ac"),
        ([(BIT, 63), (BIT, 0), (BIT, 63), (NOT,), (AND,), (AND,)], ""),
        ([(BIT, 0)] + [(BIT, 63)] * 63 + [(OR,)] * 63, "abc"),
        ([(BIT, 0)] + [(BIT, 63)] * 63 + [(AND,)] * 63, "c"),
    ],
)
def test_a_condition_over_a_rows_bits(core: ctypes.CDLL, where: list[tuple[int, ...]], rows: str) -> None:
    found = [Row(0, ("a",), bits=1), Row(1, ("b",), bits=1 << 63), Row(2, ("c",), bits=1 | 1 << 63), Row(3, ("d",))]
    with Tables(core, [Table(None, OWN, found, where=where)], [place(4)]) as tables:
        assert tables.texts(0, 0) == list(rows)


def test_a_condition_over_an_ancestor_in_the_record(core: ctypes.CDLL) -> None:
    rows = [
        Row(0, ("a",), links=(9, 0)),
        Row(0, ("b",), links=(9, 1)),
        Row(0, ("no ancestor",), links=(9, NONE)),
    ]
    hidden = Table(None, rows=[Row(0, bits=0), Row(0, bits=4)], hidden=True)
    for where, left in (([(LINK_BIT, 2, 1, 2)], ["b"]), ([(LINK_BIT, 2, 1, 2), (NOT,)], ["a", "no ancestor"])):
        with Tables(core, [Table(None, (), [Row(0)]), Table(0, OWN, rows, where=where), hidden], [place(1)]) as tables:
            assert tables.texts(1, 0) == left


def test_a_condition_over_what_stands_around_the_record(core: ctypes.CDLL) -> None:
    where = [(AROUND_BIT, 1)]
    children = [Row(1, ("b",)), Row(0, ("a",)), Row(2, ("c",))]
    records = [Row(record, (str(record),)) for record in range(3)]
    places = [place(1, bits=2), place(1, bits=1), place(0, bits=2), place(1, bits=1)]
    with Tables(core, [Table(None, OWN, records), Table(0, OWN, children, where=where)], places) as tables:
        assert tables.texts(1, 0) == ["a"]
    with Tables(core, [Table(None, OWN, records, where=where)], places) as tables:
        assert tables.row_records(0) == [0]


def test_values_of_ancestors(core: ctypes.CDLL) -> None:
    columns = (Column(LINK, 1, link=0, table=2), Column(AROUND, 1), Column(AROUND, 0))
    hidden = Table(None, rows=[Row(0, ("n", "first")), Row(0, ("n", None))], hidden=True)
    rows = [Row(0, links=(0,)), Row(0, links=(NONE,)), Row(1, links=(1,)), Row(1, links=(0,))]
    records = Table(None, (), [Row(0), Row(1)])
    places = [place(1, around=(None, "outer")), place(1, around=(None, "other"))]
    with Tables(core, [records, Table(0, columns, rows), hidden], places) as tables:
        assert tables.texts(1, 0) == ["first", None, None, "first"]
        assert tables.texts(1, 1) == ["outer", "outer", "other", "other"]
        assert [tables.matched(1, column) for column in range(3)] == [True, True, False]


def test_what_is_told_of_columns_counts_rows_that_are_there(core: ctypes.CDLL) -> None:
    columns = tuple(Column(SLOT, slot) for slot in range(4))
    nothing, nil = None, Found("", NIL)
    rows = [
        Row(0, (nothing, nil, Found("m", MIXED), Found("s", SEVERAL)), bits=1),
        Row(0, (nothing, nothing, "x", Found("s", SEVERAL)), bits=1),
        Row(1, (Found("gone", MIXED | SEVERAL), nothing, "x", Found("s", SEVERAL)), bits=0),
        Row(2, (nothing, nothing, "x", Found("s", SEVERAL)), bits=1),
        Row(3, (nothing, nothing, "x", "one"), bits=1),
    ]
    records = Table(None, (), [Row(record) for record in range(4)])
    with Tables(core, [records, Table(0, columns, rows, where=[(BIT, 0)])], [place(4)]) as tables:
        assert [tables.matched(1, column) for column in range(4)] == [False, True, True, True]
        assert [tables.mixed(1, column) for column in range(4)] == [False, False, True, False]
        assert [tables.several(1, column) for column in range(4)] == [[], [], [], [0, 2]]
        assert tables.texts(1, 1) == [None] * 4


def test_several_values_of_an_ancestor_are_told_of_the_records_that_look(core: ctypes.CDLL) -> None:
    hidden = Table(None, rows=[Row(0, (Found("a", SEVERAL),)), Row(1, (Found("b", SEVERAL),))], hidden=True)
    rows = [Row(0, links=(0,), bits=1), Row(0, links=(0,), bits=1), Row(1, links=(1,), bits=0)]
    looking = Table(0, (Column(LINK, 0, table=2),), rows, where=[(BIT, 0)])
    with Tables(core, [Table(None, (), [Row(0), Row(1)]), looking, hidden], [place(2)]) as tables:
        assert tables.several(1, 0) == [0]


@given(st.data())
def test_the_order_of_any_rows(core: ctypes.CDLL, data: st.DataObject) -> None:
    """Three tables, rows found in any order, some left out; as sorting in Python has it."""
    above = data.draw(st.integers(1, 5), label="records")
    records = [Row(record, (str(record),), bits=data.draw(st.integers(0, 1))) for record in range(above)]
    tables = [Table(None, OWN, records, where=[(BIT, 0)])]
    for number in range(2):
        owners = st.integers(0, len(tables[-1].rows) - 1)
        rows = data.draw(st.lists(st.builds(Row, owners, bits=st.integers(0, 1), list=st.integers(0, 2)), max_size=20))
        rows = [Row(row.parent, (f"{number} {i}",), row.list, row.bits) for i, row in enumerate(rows)]
        tables.append(Table(number, OWN, rows, lists=3, where=[(BIT, 0)] if data.draw(st.booleans()) else []))
        if not rows:
            break
    places = {record: i for i, record in enumerate(row.parent for row in records if row.bits)}
    record_of = list(places)
    with Tables(core, tables, [place(above)]) as assembled:
        for number, table in enumerate(tables[1:], 1):
            alive = [i for i, row in enumerate(table.rows) if row.parent in places and (row.bits or not table.where)]
            ordered = sorted(alive, key=lambda i: (places[table.rows[i].parent], table.rows[i].list))
            parents = [places[table.rows[i].parent] for i in ordered]
            assert assembled.texts(number, 0) == [table.rows[i].values[0] for i in ordered]
            assert (assembled.parents(number) or []) == parents
            assert assembled.row_records(number) == [record_of[parent] for parent in parents]
            record_of = [record_of[parent] for parent in parents]
            places = {raw: i for i, raw in enumerate(ordered)}
