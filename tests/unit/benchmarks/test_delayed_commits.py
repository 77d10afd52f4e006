"""The proxy that answers commits later: what it holds back, and that it ends."""

from __future__ import annotations

import time

import psycopg
import pytest
from psycopg.errors import OperationalError

from performance_tuning.benchmarks.common.delayed_commits import DelayedCommits, delayed
from performance_tuning.benchmarks.common.harness import RunFailed

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
READY = b"Z\x00\x00\x00\x05I"


@pytest.mark.parametrize(
    ("chunks", "waits"),
    [
        ([COMMITTED + READY], [0, 1]),
        ([b"1\x00\x00\x00\x04" + COMMITTED, READY], [0, 1, 1]),
        ([COMMITTED[:7], COMMITTED[7:] + READY], [0, 0, 1]),
        ([COMMITTED + READY, COMMITTED + READY], [0, 1, 2]),
        ([b"C\x00\x00\x00\x0bINSERT 0 1\x00", READY], [0, 0, 0]),
    ],
)
def test_only_the_answer_to_a_commit_is_held_back(
    chunks: list[bytes], waits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    connection = DelayedCommits(0.1).connection()
    seen = [0]
    for chunk in chunks:
        assert connection.to_client(chunk) == chunk
        seen.append(len(slept))
    assert seen == waits
    assert connection.to_server(COMMITTED) == COMMITTED
    assert len(slept) == waits[-1]


def test_the_way_leads_to_the_same_database_and_ends_with_the_context(postgres_url: str) -> None:
    with delayed(postgres_url, 1) as way:
        slow = way(postgres_url)
        with psycopg.connect(postgres_url) as direct, psycopg.connect(slow) as through:
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            assert direct.execute(query).fetchone() == through.execute(query).fetchone()
    with pytest.raises(OperationalError):
        psycopg.connect(slow)


def test_a_proxy_that_does_not_start_is_told() -> None:
    with pytest.raises(RunFailed, match="did not start"), delayed("postgresql://h:none/x", 1):
        pass
