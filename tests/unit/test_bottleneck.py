"""Which stage is said to limit a load."""

from __future__ import annotations

import pytest

from etl.bottleneck import bottleneck
from etl.metrics import LoadMetrics, Percentiles, StageTimes

NOTHING = Percentiles(0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("reading", "workers", "room", "word"),
    [(3, 1, 1, "reading"), (1, 3, 1, "mapping"), (1, 1, 3, "writing"), (0, 0, 0, "nothing")],
)
def test_the_bottleneck_is_what_the_feeder_waited_for_most(
    reading: float, workers: float, room: float, word: str
) -> None:
    metrics = LoadMetrics(
        reading=StageTimes(reading, workers + room, 0.0),
        mapping=StageTimes(0.0, 0.0, 0.0),
        writing=StageTimes(0.0, 0.0, 0.0),
        waited_for_workers=workers,
        waited_for_room=room,
        insert=NOTHING,
        commit=NOTHING,
        most_workers=1,
        insert_threads=1,
        queue_mean_fill=0.0,
        queue_most_bytes=0,
    )
    assert bottleneck(metrics).startswith(word)
