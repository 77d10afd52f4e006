"""A worker whose splits say how long they take: it sleeps so long, and gives no rows.

For `benchmark_feeding`: what is left of a load is then the feeding itself, whatever the number of cores.
"""

from __future__ import annotations

import time
from array import array

from etl.engines.base import RunSplit, WorkerSetup
from etl.engines.pipe import serve
from etl.mapping.model import Mapping
from etl.messages import NOTHING_OPEN, MappedBatch, Notices, Part, Run, Split

SETUP = WorkerSetup(Mapping(tables=(), label="", text=""), row_format="tuples", sources=())
"""Nothing to know."""


def task(number: int, seconds: float) -> Split:
    """A split that takes so long."""
    payload = repr(seconds).encode()
    run = Run(NOTHING_OPEN, payload, 0, 1, number, array("I", (0, len(payload))))
    return Split(number, (Part(1, 0, len(payload), 1, (run,)),), len(payload), records=1)


def make_worker(_setup: WorkerSetup) -> RunSplit:
    def run_split(split: Split) -> MappedBatch:
        seconds = float(split.parts[0].runs[0].payload)
        time.sleep(seconds)
        return MappedBatch(split.number, (), (), (), size=1, busy=seconds, notices=Notices())

    return run_split


if __name__ == "__main__":
    serve(make_worker)
