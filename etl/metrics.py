"""The numbers of a running load, each with one owner; everyone else reads a snapshot."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where the time of one stage went so far: seconds, the sum over its threads or processes."""

    busy: float
    """Working."""
    waiting: float
    """Held up by what comes behind it: no free worker, no room in the queue, the database's answer."""
    idle: float
    """Nothing came from what stands before it."""

    def share(self, seconds: float) -> float:
        """`seconds` of this stage as a share of all its time, 0 to 1."""
        total = self.busy + self.waiting + self.idle
        return seconds / total if total else 0.0


def together(times: Sequence[StageTimes]) -> StageTimes:
    """The sum."""
    return StageTimes(
        sum(each.busy for each in times), sum(each.waiting for each in times), sum(each.idle for each in times)
    )


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of durations, in seconds, each right to 1 %; all 0 where there were none."""

    count: int
    p50: float
    p95: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class LoadMetrics:
    """Where the time of a load's stages and the room of its queue went so far.

    Each stage's three times make what passed from the start of the stages to the last commit, times its threads or
    workers.
    """

    reading: StageTimes
    """The feeder: reading, decompressing and cutting; idle when all is mapped, and the last commits are to come."""
    mapping: StageTimes
    """The workers, all together. Busy is by the clock: what waits for a core, or for something that a Python function
    asks, counts; a split does when it is answered. None of them ever waits for the database: waiting here is a worker
    without a split while the feeder waits for room. Idle includes their start, and the time after the last split."""
    writing: StageTimes
    """The insert threads, all together: busy is their time on a processor (encoding, sending; with SQLite the database
    itself), waiting the rest of the transactions: the database's answers, a turn on a processor or on Python's lock,
    and the waits before a transaction is tried again."""
    waited_for_workers: float
    """Seconds of `reading.waiting` in which every worker had enough in hand."""
    waited_for_room: float
    """The others: the memory window was full."""
    waited_for_commits: float
    """`reading.idle`: all was mapped, and the last commits were to come."""
    insert: Percentiles
    """Transactions, from the first statement to the commit's answer."""
    commit: Percentiles
    """Of these the commit alone."""
    most_workers: int
    """At once."""
    insert_threads: int
    queue_mean_fill: float
    """Share of the memory window in use, the mean over the time."""
    queue_most_bytes: int


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The worker pool and the queue at one moment."""

    workers: int
    busy: int
    """Workers mapping a split right now."""
    splits_in_flight: int
    """Splits handed out and not yet in the queue."""
    queued_records: int
    queued_bytes: int
    """Rows in the queue and in insert threads' hands, with the splits they come from."""
    queue_fill: float
    """Share of the memory window in use, 0 to 1 (more where a result was larger than estimated)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What progress shows."""

    position: int
    """Bytes of the (compressed) sources consumed."""
    total: int | None
    """Bytes of the (compressed) sources, None where one cannot tell (standard input)."""
    document_bytes: int
    """Bytes of the documents committed."""
    records: int
    """Records committed, rejected and discarded ones included."""
    rejected: int
    discarded: int
    seconds: float
    """Since the load, or the look at a sample, began."""
    pool: PoolStats | None
    metrics: LoadMetrics | None
    """Both None where nothing is loaded as yet: while a mapping is inferred, or tables are made."""
    bottleneck: str
    activity: str
    """What is going on in a few words: `inferring a mapping`, `loading`, `building keys` ..."""


def peak_memory() -> int:
    """Bytes: the largest resident size this process has had."""
    if sys.platform == "linux":
        # ru_maxrss would do, but a child inherits in it the size its parent had when it was started.
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
