"""Reports of loads that did not happen."""

from __future__ import annotations

from etl.metrics import LoadMetrics, Percentiles, StageTimes
from etl.report import LoadReport


def load_report(records: int, seconds: float) -> LoadReport:
    """So many records, all loaded, in so many seconds."""
    times, durations = StageTimes(1.0, 0.5, 0.5), Percentiles(3, 0.1, 0.2, 0.3, 0.4)
    metrics = LoadMetrics(
        reading=times,
        mapping=times,
        writing=times,
        waited_for_workers=0.0,
        waited_for_room=0.5,
        waited_for_commits=0.0,
        insert=durations,
        commit=durations,
        most_workers=2,
        insert_threads=2,
        queue_mean_fill=0.5,
        queue_most_bytes=1000,
    )
    return LoadReport(
        state="finished",
        target="sqlite:///x.db",
        mapping="x.mapping.yaml",
        sources=(),
        tables={},
        rejects=(),
        key_problems=(),
        notices=(),
        records=records,
        loaded=records,
        rejected=0,
        discarded=0,
        skipped=0,
        seconds=seconds,
        phases={"loading": 90.0},
        source_bytes=100 * records,
        peak_memory=10**8,
        metrics=metrics,
        bottleneck="mapping",
    )
