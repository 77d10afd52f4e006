"""Hand-overs without a load around them: by the queue, which wakes who waits, and by a loop that polls.

Pushes come at random moments, the same for both; out come the seconds from each push until it was taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from random import Random

from etl.loading.insert_queue import BatchLimits, QueueClosed
from etl.messages import MappedBatch, Notices, Split
from performance_tuning.profiling.timed_queue import TimedQueue

POLL_SECONDS = 1.0
_MEAN_GAP = 0.05
"""Seconds between two pushes, on average."""


def polled(pushes: int) -> list[float]:
    """A thread that sleeps, takes all there is and sleeps again: how workers and inserter met before."""
    pushed: SimpleQueue[float] = SimpleQueue()
    seconds: list[float] = []

    def poll() -> None:
        while len(seconds) < pushes:
            time.sleep(POLL_SECONDS)
            now = time.perf_counter()
            try:
                while True:
                    seconds.append(now - pushed.get_nowait())
            except Empty:
                continue

    taker = threading.Thread(target=poll, name="poller", daemon=True)
    taker.start()
    _push(pushes, lambda _number: pushed.put(time.perf_counter()))
    taker.join()
    return seconds


def woken(pushes: int) -> list[float]:
    """The InsertQueue by itself, with a thread that takes."""
    queue = TimedQueue(2**30, None, BatchLimits(records=1, row_bytes=1, memory=1, max_wait=60.0))

    def take() -> None:
        try:
            while True:
                queue.release(queue.take())
        except QueueClosed:
            return

    taker = threading.Thread(target=take, name="taker", daemon=True)
    taker.start()

    def push(number: int) -> None:
        queue.put(
            queue.reserve(Split(number, (), 1, 1)), MappedBatch(number, (), (), (), size=1, busy=0.0, notices=Notices())
        )

    _push(pushes, push)
    queue.close()
    taker.join()
    return queue.seconds


def _push(pushes: int, push: Callable[[int], None]) -> None:
    moments = Random(1)
    for number in range(pushes):
        time.sleep(moments.uniform(0, 2 * _MEAN_GAP))
        push(number)
