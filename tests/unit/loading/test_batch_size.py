"""The size of transactions by the cost of their commits."""

from __future__ import annotations

import pytest

from etl.loading.batch_size import FIRST, LEAST, MOST, SAMPLE, BatchSize
from etl.messages import Committed
from etl.options import Settings


def committed(row_bytes: int, seconds: float, commit_seconds: float) -> Committed:
    return Committed(1, 1, 0, 0, (1,), 0, row_bytes, seconds, commit_seconds, (), (), (1,), 0)


def sizes(
    size: BatchSize, transactions: int, *, commit: float, by_byte: float = 1e-8, reached: int = 10**12
) -> list[int]:
    """Bytes of rows of each transaction, where a commit takes `commit` seconds and a byte `by_byte`.

    `reached`: bytes at which something else ends them.
    """
    found = []
    for _ in range(transactions):
        found.append(size.row_bytes)
        written = min(size.row_bytes, reached)
        size.after(committed(written, written * by_byte + commit, commit))
    return found


def test_the_first_size_is_what_the_setting_is_by_default() -> None:
    assert Settings().insert.batch_bytes == FIRST


def test_dear_commits_double_the_size_every_few_transactions_up_to_the_most() -> None:
    found = sizes(BatchSize(), 5 * SAMPLE, commit=10.0)
    assert found[::SAMPLE] == [FIRST, 2 * FIRST, 4 * FIRST, MOST, MOST]
    assert found == sorted(found)


def test_cheap_commits_halve_it_down_to_the_least() -> None:
    assert sizes(BatchSize(), 5 * SAMPLE, commit=0.0)[::SAMPLE] == [FIRST, FIRST // 2, FIRST // 4, LEAST, LEAST]


@pytest.mark.parametrize("milliseconds", [1, 2, 5, 10, 20, 50])
def test_it_comes_to_rest(milliseconds: int) -> None:
    found = sizes(BatchSize(), 40 * SAMPLE, commit=milliseconds / 1000)
    assert len(set(found[8 * SAMPLE :])) == 1


def test_it_goes_by_what_transactions_really_had() -> None:
    size = BatchSize()
    assert sizes(size, 3 * SAMPLE, commit=10.0, reached=3 * LEAST)[-1] == FIRST
    assert sizes(size, SAMPLE + 1, commit=0.0, reached=3 * LEAST)[-1] == 3 * LEAST // 2
    assert sizes(size, SAMPLE + 1, commit=10.0, reached=3 * LEAST)[-1] == 3 * LEAST


def test_it_follows_a_database_that_changes() -> None:
    size = BatchSize()
    assert sizes(size, 20 * SAMPLE, commit=0.5)[-1] == MOST
    assert sizes(size, 20 * SAMPLE, commit=0.0001)[-1] == LEAST
    assert sizes(size, 20 * SAMPLE, commit=0.5)[-1] == MOST


@pytest.mark.parametrize("room", [5 * LEAST, LEAST // 4])
def test_it_is_never_larger_than_what_there_is_room_for(room: int) -> None:
    found = sizes(BatchSize(most=room), 10 * SAMPLE, commit=10.0)
    assert max(found) == found[-1] == room


def test_transactions_that_took_no_time_do_no_harm() -> None:
    assert sizes(BatchSize(), SAMPLE + 1, commit=0.0, by_byte=0.0)[-1] < FIRST
