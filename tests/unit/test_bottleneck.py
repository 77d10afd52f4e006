"""Which stage is said to limit a load, by which numbers, and what is to be turned then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etl.bottleneck import Circumstances, bottleneck, format_latency, limiting_stage, slow_phase
from etl.metrics import LoadMetrics, Percentiles, StageTimes
from etl.options import build_settings


def metrics(
    reading: float = 0.0,
    workers: float = 0.0,
    room: float = 0.0,
    commits: float = 0.0,
    *,
    transaction: float = 1.2,
    commit: float = 0.1,
) -> LoadMetrics:
    """Seconds of the reader at its source, waiting for workers, for room and for the last commits, and of a transaction
    and its commit."""
    return LoadMetrics(
        reading=StageTimes(reading, waiting=workers + room, idle=commits),
        mapping=StageTimes(19.4, waiting=0.0, idle=0.6),
        writing=StageTimes(0.5, waiting=9.5, idle=0.0),
        waited_for_workers=workers,
        waited_for_room=room,
        waited_for_commits=commits,
        insert=Percentiles(10 if transaction else 0, transaction, transaction, transaction, transaction),
        commit=Percentiles(10 if transaction else 0, commit, commit, commit, commit),
        most_workers=2,
        insert_threads=1,
        queue_mean_fill=0.0,
        queue_most_bytes=0,
    )


def said(
    found: LoadMetrics,
    *,
    cores: int = 2,
    most_insert_threads: int | None = None,
    chosen: str = "process",
    documents: tuple[int, int] = (0, 0),
    **settings: Any,
) -> str:
    """`chosen`: the kind of worker where the settings leave that open."""
    given = build_settings(settings)
    kind = given.workers.kind or chosen
    number, size = documents
    return bottleneck(
        found, Circumstances(given, cores, most_insert_threads, kind, documents=number, document_bytes=size)
    )


@pytest.mark.parametrize(
    ("reading", "workers", "room", "stage"),
    [
        (3, 1, 1, "reading"),
        (1, 3, 1, "mapping"),
        (1, 1, 3, "writing"),
        (2, 2, 1, None),
        (0.3, 0, 0.3, None),
        (0, 0, 0, None),
    ],
)
def test_what_takes_most_of_the_readers_time_limits(
    reading: float, workers: float, room: float, stage: str | None
) -> None:
    found = metrics(reading, workers, room)
    assert limiting_stage(found) == stage
    assert said(found).startswith(f"{stage}: " if stage else ("nothing stands out", "too short to say"))


def test_a_load_without_a_limit_says_where_the_time_went_and_a_short_one_that_it_is_short() -> None:
    assert said(metrics(2.0, 1.5, 1.5)) == (
        "nothing stands out: 40% of the reader's time went to the source, 30% to waiting for workers, 30% to waiting"
        " for room in the queue"
    )
    assert said(metrics(workers=0.9)) == "too short to say"


@pytest.mark.parametrize(
    ("cores", "kind", "turn"),
    [
        (2, "process", "there are 2 cores: more cores, or fewer columns and Python functions in the mapping"),
        (8, "auto", "there are 8 cores: raise workers.count"),
        (8, "thread", "there are 8 cores: workers.kind is thread, which uses one of them; process uses all"),
        (1, "inline", "there is 1 core: more cores, or fewer columns"),
    ],
)
def test_mapping(cores: int, kind: str, turn: str) -> None:
    told = said(metrics(workers=9.0, room=1.0), cores=cores, workers={"kind": kind})
    evidence = "mapping: the reader waited 90% of its time for a worker; the 2 workers were busy 97% of the time, and"
    assert told.startswith(f"{evidence} {turn}")


@pytest.mark.parametrize(
    ("cores", "most", "turn"),
    [
        (8, 2, "raise workers.count.max"),
        (8, 3, "while that lasts, workers are added up to workers.count.max (3)"),
        (2, 3, "more cores, or fewer columns"),
    ],
)
def test_mapping_by_workers_that_come_and_go(cores: int, most: int, turn: str) -> None:
    told = said(metrics(workers=9.0, room=1.0), cores=cores, workers={"count": {"min": 1, "max": most}})
    assert f"there are {cores} cores: {turn}" in told


def test_reading() -> None:
    told = said(metrics(reading=9.0, workers=1.0))
    assert told.startswith("reading: 90% of the reader's time went to the source")
    assert "the workers had nothing to do for 3% of theirs" in told
    assert "zstd" in told


def test_many_small_documents_cost_what_each_of_them_costs() -> None:
    told = said(metrics(reading=9.0, workers=1.0), documents=(100_000, 170_000_000))
    assert told.endswith(
        "of theirs: 100,000 documents took 90 us each, most of it what every document costs, however small: the same"
        " records are read faster from fewer, larger documents"
    )
    assert "disk" not in told


@pytest.mark.parametrize("documents", [(0, 0), (1, 10**9), (10_000, 10**9), (5000, 5_000_000)])
def test_few_large_and_slow_documents_wait_for_their_source(documents: tuple[int, int]) -> None:
    assert "a faster disk" in said(metrics(reading=9.0, workers=1.0), documents=documents)


def test_a_source_that_was_taken_for_a_small_one() -> None:
    told = said(metrics(workers=9.0), chosen="inline")
    assert "workers.kind is inline, chosen for so small a source, which uses one of them; process uses all" in told


def test_a_database_at_its_limit_and_one_that_is_far_away_need_different_things() -> None:
    evidence = (
        "writing: the reader waited 62% of its time for room in the queue; a transaction takes 1.2 s (p50), 95% of it"
        " waiting for the database, and the commit alone"
    )
    limit = said(metrics(reading=3.8, room=6.2))
    assert limit.startswith(f"{evidence} 100 ms: the database itself is at its limit")
    assert "more insert.threads (now 1) use idle cores of its server" in limit
    far = said(metrics(reading=3.8, room=6.2, commit=0.9), queue={"max_bytes": "128MiB"})
    assert far.startswith(f"{evidence} 900 ms: larger transactions (insert.batch_bytes, insert.batch_records)")
    assert far.endswith("more insert.threads (now 1) wait for several at once")


def test_larger_batches_need_room_first() -> None:
    slow_commits = metrics(room=5.0, commit=0.9)
    both = "raise queue.max_bytes (now 64MiB) together with insert.threads (now 1)"
    room = ", since larger or more transactions need room"
    then = "; then larger transactions (insert.batch_bytes, insert.batch_records) wait for fewer commits"
    small = {"max_bytes": "64MiB"}
    assert said(slow_commits, queue=small).endswith(f"900 ms: {both}{room}{then}")
    assert said(slow_commits, insert={"batch_bytes": "auto"}, queue=small).endswith(f"900 ms: {both}{room}")
    alone = said(slow_commits, most_insert_threads=1, queue=small)
    assert alone.endswith(f"900 ms: raise queue.max_bytes (now 64MiB), since larger transactions need room{then}")
    assert "queue.max_bytes" not in said(slow_commits, insert={"batch_bytes": "4MiB"}, queue=small)
    assert "queue.max_bytes" not in said(slow_commits, insert={"batch_bytes": "auto"}, queue={"max_bytes": "1GiB"})
    assert "queue.max_bytes" not in said(metrics(room=5.0))


def test_the_last_commits_are_told_from_a_full_queue() -> None:
    told = said(metrics(reading=1.0, commits=9.0))
    assert told.startswith("writing: the reader waited 90% of its time for the last commits, when all was mapped; a")
    assert "room in the queue" not in told
    both = said(metrics(reading=1.0, room=6.0, commits=3.0))
    assert "waited 60% of its time for room in the queue and 30% of its time for the last commits" in both


def test_a_queue_that_is_too_small_is_told_from_a_database_at_its_limit() -> None:
    idle = replace(metrics(room=5.0), writing=StageTimes(0.5, waiting=2.5, idle=7.0))
    told = said(idle, queue={"max_bytes": "64KiB", "max_records": 1})
    assert told.endswith(
        ": yet the insert threads had nothing to do for 70% of theirs: raise queue.max_bytes (now 64KiB) and"
        " queue.max_records (now 1)"
    )


def test_splits_that_are_too_small_are_told_from_workers_at_their_limit() -> None:
    handing = replace(metrics(workers=5.0), mapping=StageTimes(3.0, waiting=0.0, idle=7.0))
    turn = "handing splits over takes longer than mapping them: raise split.bytes (now 4KiB)"
    assert said(handing, split={"bytes": "4KiB"}).endswith(turn)
    assert "split.bytes" not in said(handing)


def test_single_transactions_that_waited_are_named() -> None:
    waited = replace(metrics(room=5.0, transaction=0.019, commit=0.001), insert=Percentiles(100, 0.019, 0.03, 8.0, 8.0))
    assert "; single ones took up to 8.0 s (other sessions' locks, a checkpoint): the database" in said(waited)
    assert "single ones" not in said(metrics(room=5.0))


def test_what_took_most_of_a_load_may_not_be_its_rows() -> None:
    assert slow_phase({"preparing": 0.1, "loading": 1.5, "building keys": 11.0}).startswith(
        "keys: building them took 11.0 of 12.6 s"
    )
    assert slow_phase({"preparing": 9.0, "loading": 1.5}).startswith("preparing: 9.0 of 10.5 s went by before")
    assert slow_phase({"preparing": 1.0, "loading": 9.0, "building keys": 5.0}) == ""
    assert slow_phase({"preparing": 0.6}) == ""


def test_only_what_can_be_turned_is_named() -> None:
    slow_commits = metrics(room=5.0, commit=0.9)
    assert "batch_bytes" not in said(slow_commits, insert={"batch_bytes": "auto"})
    assert "insert.threads" not in said(slow_commits, most_insert_threads=1)
    assert "keys: after" in said(slow_commits, keys="before")
    assert "keys" not in said(slow_commits, write="upsert")
    roomy = {"max_bytes": "1GiB"}
    nothing = said(slow_commits, insert={"batch_bytes": "auto"}, queue=roomy, most_insert_threads=1)
    assert nothing.endswith("the commit alone 900 ms: nothing here is to be turned")
    assert "transaction takes" not in said(metrics(room=5.0, transaction=0.0))


def test_latencies_are_short() -> None:
    assert [format_latency(seconds) for seconds in (0.0, 0.00042, 0.0123, 0.999, 1.26, 90.0)] == [
        "0.0 ms",
        "0.4 ms",
        "12 ms",
        "999 ms",
        "1.3 s",
        "90.0 s",
    ]
