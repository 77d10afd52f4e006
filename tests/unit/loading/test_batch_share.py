"""A transaction's share of the queue's window."""

from __future__ import annotations

import pytest

from etl.loading.batch_share import batch_share


@pytest.mark.parametrize(("threads", "share"), [(1, 48), (2, 32), (3, 24), (5, 16)])
def test_each_insert_thread_has_a_part_and_what_is_mapped_meanwhile_has_one(threads: int, share: int) -> None:
    assert batch_share(96, threads) == share


def test_a_window_of_next_to_nothing_has_room_for_something() -> None:
    assert batch_share(1, 8) == 1
