"""The numbers of a running load, each with one owner; everyone else reads a snapshot."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The worker pool and the queue at one moment, or (idle_share) over the whole run so far."""

    workers: int
    busy: int
    """Workers mapping a split right now."""
    idle_share: float
    """Share of the workers' time so far in which they had nothing to do, 0 to 1."""
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
    """None where nothing is loaded: while a mapping is inferred."""
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
