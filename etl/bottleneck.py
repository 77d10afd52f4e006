"""Which stage limits a load, and what to turn. Pure."""

from __future__ import annotations

from etl.metrics import LoadMetrics


def bottleneck(metrics: LoadMetrics) -> str:
    """The stage that the feeder waited for most limits."""
    longest = max(metrics.reading.busy, metrics.waited_for_workers, metrics.waited_for_room)
    if longest == 0.0:
        return "nothing yet"
    if longest == metrics.waited_for_workers:
        return "mapping (more workers.count helps while there are idle cores)"
    if longest == metrics.waited_for_room:
        return "writing (the database; try insert.threads, insert.batch_bytes, keys: after)"
    return "reading (source and splitter)"
