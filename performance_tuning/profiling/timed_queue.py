"""The queue of a load that notes how long each push takes to wake an insert thread; run, a load that has it.

    python -m performance_tuning.profiling.timed_queue DUMP MAPPING URL KIND WORKERS SWITCH_INTERVAL

loads with so many WORKERS of KIND (process, thread) and prints the seconds as JSON. SWITCH_INTERVAL: milliseconds a
thread keeps the global lock while another one wants it (`sys.setswitchinterval`).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import etl
from etl import stages
from etl.loading.insert_queue import InsertQueue, QueuedBatch, Reservation
from etl.messages import MappedBatch
from etl.options import build_settings
from performance_tuning.profiling.run_delay import run_delay


class TimedQueue(InsertQueue):
    """Times the hand-overs: from a push that finds a thread waiting in `take` until `take` returns what was pushed.

    A push that finds all of them busy with a transaction waits for the database, and says nothing of the hand-over.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pushes = 0
        self.seconds: list[float] = []
        self.for_processor: list[float] = []
        """Of each of these, about how long the thread could have run and no processor was free (Linux; else 0)."""
        # Changed by single operations only: a lock of its own would be another thing to wait for.
        self._waiting: set[int] = set()
        self._pushed: dict[int, float | None] = {}
        """By split, what is pushed and not taken yet: the time, None where no thread was free for it."""

    def put(self, reservation: Reservation, mapped: MappedBatch) -> None:
        free = len(self._waiting) > len(self._pushed)
        self.pushes += 1
        self._pushed[reservation.split.number] = time.perf_counter() if free else None
        super().put(reservation, mapped)

    def take(self) -> list[QueuedBatch]:
        own, delayed = threading.get_ident(), run_delay("thread-self")
        self._waiting.add(own)
        try:
            batch = super().take()
        finally:
            now = time.perf_counter()
            self._waiting.discard(own)
        for entry in batch:
            pushed = self._pushed.pop(entry.split.number)
            if pushed is not None:
                self.seconds.append(now - pushed)
                self.for_processor.append(min(now - pushed, run_delay("thread-self") - delayed))
        return batch


def main(arguments: Sequence[str]) -> None:
    dump, mapping, url, kind, workers, interval = arguments
    made: list[TimedQueue] = []

    def make_queue(*given: Any) -> TimedQueue:
        made.append(TimedQueue(*given))
        return made[-1]

    sys.setswitchinterval(float(interval) / 1000)
    # Every split is a batch, so that every push wakes a thread, and mostly there is one that waits.
    insert = {"batch_bytes": 1, "threads": 4}
    settings = build_settings({"workers": {"count": int(workers), "kind": kind}, "insert": insert})
    with patch.object(stages, "InsertQueue", make_queue):
        etl.load(dump, mapping=mapping, target=url, settings=settings)
    (queue,) = made
    told = {"pushes": queue.pushes, "handed_over": queue.seconds, "for_processor": queue.for_processor}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
