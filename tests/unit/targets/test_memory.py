"""Rows in memory: their order, and how many of them stay."""

from __future__ import annotations

import contextlib
from array import array

import pytest

from etl.messages import TupleRows
from etl.targets.memory import MemoryTarget
from tests.target_rows import column, single

MAPPING = single("t", column("id", "integer"))


def commit(target: MemoryTarget, *splits: tuple[int, list[int]]) -> None:
    """One transaction with the splits: the number of each, and the records of its rows, which are their values too."""
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        connection.write(0, [TupleRows.of_columns([rows], array("I", rows), number) for number, rows in splits])
        connection.commit(durable=False)


@pytest.mark.parametrize(("keep", "expected"), [(None, [0, 1, 2, 0, 5, 3]), (3, [0, 1, 2]), (4, [0, 1, 2, 0]), (0, [])])
def test_the_first_rows_whatever_order_they_come_in(keep: int | None, expected: list[int]) -> None:
    target = MemoryTarget(keep=keep)
    target.prepare(MAPPING, "after")
    commit(target, (3, [3]), (2, [5, 0]))
    commit(target, (1, [2, 0, 1]))
    assert [row["id"] for row in target.rows(MAPPING)["t"]] == expected
