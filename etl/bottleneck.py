"""Which stage limits a load, by which numbers, and what to turn here. Pure.

While rows are loaded the reader's time decides: all of it goes to the source, to waiting for a worker, to waiting for
room in the queue, that is for a commit, or in the end to waiting for the last commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from etl.loading.batch_share import batch_share
from etl.loading.batch_size import MOST
from etl.metrics import LoadMetrics
from etl.options import Settings, WorkerRange
from etl.sizes import written_size

_SHORT = 1.0
"""Seconds of a load below which its start is most of it."""

_MOST = 0.5
"""Share of the reader's time from which a stage limits the load; below it none does alone."""

_SLOW_COMMIT = 0.3
"""Share of a transaction's time from which it is the commit's answer, and not the rows, that it waits for."""

_ROOM = 4
"""Times the size of a batch from which its share of the queue does not end it first: rows are in there together with
their XML, which may be some times as large."""

_IDLE = 0.5
"""Share of a stage's time without work from which it is not that stage that limits, but what hands it its work."""

_SMALL_SPLIT = 64 * 2**10
"""Bytes of a split below which handing it over is no small part of the work on it."""

_SMALL_DOCUMENT = 16 * 2**10
"""Bytes of a document, in the mean, below which it costs more that it is one than what is in it."""

_DOCUMENT_SECONDS = 0.0005
"""Of the reader's time for a small document, up to which it is work; above, something was waited for."""

_RARE = 20
"""Times the usual duration of a transaction from which the slowest of them waited for something of its own."""

Stage = Literal["reading", "mapping", "writing"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a load runs with, as far as advice depends on it."""

    settings: Settings
    cores: int
    """That it may use."""
    most_insert_threads: int | None
    """That the database allows; None: no limit of its own."""
    worker_kind: str
    """`workers.kind`, or what was chosen where that is auto."""
    threads_share: bool = False
    """Mapping hardly needs Python's global lock, so threads use all cores."""
    documents: int = 0
    """Come by so far, those included that were known."""
    document_bytes: int = 0
    """Read of them, decompressed."""


def limiting_stage(metrics: LoadMetrics) -> Stage | None:
    """The stage that limits; None where it is too early to say, or where none stands out."""
    shares = _shares(metrics)
    stage = max(shares, key=shares.__getitem__)
    return stage if _reader_seconds(metrics) >= _SHORT and shares[stage] >= _MOST else None


def bottleneck(metrics: LoadMetrics, given: Circumstances) -> str:
    """One line: the stage that limits, the numbers that show it, and what to turn."""
    match limiting_stage(metrics):
        case "reading":
            return f"reading: {_reading(metrics, given)}"
        case "mapping":
            return f"mapping: {_mapping(metrics, given)}"
        case "writing":
            return f"writing: {_writing(metrics, given)}"
    if _reader_seconds(metrics) < _SHORT:
        return "too short to say"
    shares = _shares(metrics)
    return (
        f"nothing stands out: {shares['reading']:.0%} of the reader's time went to the source, {shares['mapping']:.0%}"
        f" to waiting for workers, {shares['writing']:.0%} to waiting for room in the queue"
    )


def slow_phase(phases: Mapping[str, float]) -> str:
    """Where most of a load did not go into its rows: what it went into; else empty. `phases`: as in `LoadReport`."""
    total = sum(phases.values())
    keys, preparing = phases.get("building keys", 0.0), phases.get("preparing", 0.0)
    if total < _SHORT or max(keys, preparing) < _MOST * total:
        return ""
    if keys > preparing:
        return (
            f"keys: building them took {keys:.1f} of {total:.1f} s, with what they waited for (other sessions' locks on"
            " the tables): keys: before has them built with each row instead"
        )
    return (
        f"preparing: {preparing:.1f} of {total:.1f} s went by before the first row: connections, making tables, waiting"
        " for other sessions' locks"
    )


def format_latency(seconds: float) -> str:
    """``0.4 ms``, ``12 ms``, ``1.2 s``."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def _reader_seconds(metrics: LoadMetrics) -> float:
    return metrics.reading.busy + metrics.reading.waiting + metrics.reading.idle


def _shares(metrics: LoadMetrics) -> dict[Stage, float]:
    """Of the reader's time, by the stage that it was spent on or waiting for."""
    total = _reader_seconds(metrics) or 1.0
    return {
        "reading": metrics.reading.busy / total,
        "mapping": metrics.waited_for_workers / total,
        "writing": (metrics.waited_for_room + metrics.waited_for_commits) / total,
    }


def _reading(metrics: LoadMetrics, given: Circumstances) -> str:
    mapping, number = metrics.mapping, given.documents
    seconds = metrics.reading.busy / (number or 1)
    if given.document_bytes < number * _SMALL_DOCUMENT and seconds <= _DOCUMENT_SECONDS:
        turn = (
            f"{number:,} documents took {1e6 * seconds:.0f} us each, most of it what every document costs, however"
            " small: the same records are read faster from fewer, larger documents"
        )
    else:
        turn = (
            "a faster disk (network, or program that writes the pipe), or a compression undone faster (zstd, gzip) or"
            " none, would feed them"
        )
    return (
        f"{_shares(metrics)['reading']:.0%} of the reader's time went to the source (reading, decompressing, cutting),"
        f" and the workers had nothing to do for {mapping.share(mapping.idle):.0%} of theirs: {turn}"
    )


def _mapping(metrics: LoadMetrics, given: Circumstances) -> str:
    workers, kind, count = metrics.most_workers, given.worker_kind, given.settings.workers.count
    who = "the only worker was" if workers == 1 else f"the {workers} workers were"
    busy = metrics.mapping.share(metrics.mapping.busy)
    where = "there is 1 core" if given.cores == 1 else f"there are {given.cores} cores"
    split = given.settings.split.bytes
    if busy < _IDLE and split < _SMALL_SPLIT:
        turn = f"handing splits over takes longer than mapping them: raise split.bytes (now {written_size(split)})"
    elif given.cores > 1 and (kind == "inline" or (kind == "thread" and not given.threads_share)):
        chosen = "" if given.settings.workers.kind else ", chosen for so small a source"
        other = "thread" if given.threads_share else "process"
        turn = f"workers.kind is {kind}{chosen}, which uses one of them; {other} uses all"
    elif workers >= given.cores:
        turn = (
            "more cores, or fewer columns and Python functions in the mapping, make it faster; and more workers.count"
            " where its functions wait for something else"
        )
    elif not isinstance(count, WorkerRange):
        turn = "raise workers.count"
    elif workers < count.max:
        turn = f"while that lasts, workers are added up to workers.count.max ({count.max})"
    else:
        turn = "raise workers.count.max"
    return (
        f"the reader waited {_shares(metrics)['mapping']:.0%} of its time for a worker; {who} busy {busy:.0%} of the"
        f" time, and {where}: {turn}"
    )


def _writing(metrics: LoadMetrics, given: Circumstances) -> str:
    writing, insert = metrics.writing, metrics.insert
    waits = {
        "room in the queue": metrics.reading.share(metrics.waited_for_room),
        "the last commits, when all was mapped": metrics.reading.share(metrics.waited_for_commits),
    }
    told = " and ".join(f"{share:.0%} of its time for {what}" for what, share in waits.items() if share >= 0.01)
    seen = f"the reader waited {told}"
    if insert.count:
        waiting = writing.waiting / ((writing.busy + writing.waiting) or 1.0)
        seen += (
            f"; a transaction takes {format_latency(insert.p50)} (p50), {waiting:.0%} of it waiting for the"
            f" database, and the commit alone {format_latency(metrics.commit.p50)}"
        )
        if insert.most >= max(1.0, _RARE * insert.p50):
            seen += f"; single ones took up to {format_latency(insert.most)} (other sessions' locks, a checkpoint)"
    return f"{seen}: {'; '.join(_faster_writing(metrics, given))}"


def _faster_writing(metrics: LoadMetrics, given: Circumstances) -> list[str]:
    """What would help, the likeliest first."""
    queue, idle = given.settings.queue, metrics.writing.share(metrics.writing.idle)
    if idle >= _IDLE and metrics.waited_for_room > metrics.waited_for_commits:
        bounds = [f"queue.max_bytes (now {written_size(queue.max_bytes)})"]
        bounds += [f"queue.max_records (now {queue.max_records:,})"] if queue.max_records is not None else []
        return [f"yet the insert threads had nothing to do for {idle:.0%} of theirs: raise {' and '.join(bounds)}"]
    more_threads = given.most_insert_threads is None or metrics.insert_threads < given.most_insert_threads
    if metrics.insert.count and metrics.commit.p50 >= _SLOW_COMMIT * metrics.insert.p50:
        turns = _faster_commits(given.settings, metrics.insert_threads, more_threads=more_threads)
    else:
        turns = ["the database itself is at its limit (processor, disk, the tables' indexes and triggers)"]
        if more_threads:
            turns.append(f"more insert.threads (now {metrics.insert_threads}) use idle cores of its server")
    if given.settings.keys == "before" and given.settings.write == "append":
        turns.append("keys: after spares it to look after keys with each row")
    return turns or ["nothing here is to be turned"]


def _faster_commits(settings: Settings, threads: int, *, more_threads: bool) -> list[str]:
    """What would help against waiting for commits."""
    turns = []
    share = batch_share(settings.queue.max_bytes, threads)
    crowded = share <= _ROOM * (settings.insert.batch_bytes or MOST)
    if crowded:
        queue = f"raise queue.max_bytes (now {written_size(settings.queue.max_bytes)})"
        if more_threads:
            turns.append(
                f"{queue} together with insert.threads (now {threads}), since larger or more transactions need room"
            )
        else:
            turns.append(f"{queue}, since larger transactions need room")
    if settings.insert.batch_bytes is not None:  # else they grow by themselves
        then = "then " if crowded else ""
        turns.append(f"{then}larger transactions (insert.batch_bytes, insert.batch_records) wait for fewer commits")
    if more_threads and not crowded:
        turns.append(f"more insert.threads (now {threads}) wait for several at once")
    return turns
