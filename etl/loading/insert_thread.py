"""Takes batches from the InsertQueue and writes them: one thread, one connection.

Out goes `Committed` to the result thread, after each commit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from etl.errors import TransientError
from etl.loading.batch_writer import BatchWriter
from etl.loading.insert_queue import InsertQueue, QueueClosed
from etl.measuring import StateClock
from etl.messages import Committed
from etl.metrics import StageTimes


class InsertThread(threading.Thread):
    """One of the insert threads; ends with the queue, or with the first error, which it hands to `on_error`.

    Any but the first, which tries again as the settings say, leaves the work to the others where it gets no connection:
    a server may allow fewer than there are threads.
    """

    def __init__(
        self,
        number: int,
        queue: InsertQueue,
        writer: BatchWriter,
        *,
        on_committed: Callable[[Committed], None],
        on_error: Callable[[BaseException], None],
        on_note: Callable[[str], object],
    ) -> None:
        """`on_note` is told in a sentence what does not end the load."""
        super().__init__(name=f"etl-insert-{number}", daemon=True)
        self._is_first = number == 1
        self._on_note = on_note
        self._queue = queue
        self._writer = writer
        self._on_committed = on_committed
        self._on_error = on_error
        self._clock = StateClock("idle")
        self._busy = 0.0

    def run(self) -> None:
        try:
            if not self._connects():
                return
            while True:
                batch = self._queue.take()
                self._clock.enter("writing")
                began = time.thread_time()
                for committed in self._writer.write(batch):
                    self._on_committed(committed)
                self._busy += time.thread_time() - began
                self._queue.release(batch)
                self._clock.enter("idle")
                del batch  # or it would stay in memory, outside of the window, while the next one is waited for
        except QueueClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread must end the load, not hang it
            self._on_error(error)
        finally:
            self._clock.enter("idle")
            self._writer.close()

    def _connects(self) -> bool:
        try:
            self._writer.connect(once=not self._is_first)
        except TransientError as error:
            if self._is_first:
                raise
            self._on_note(f"{error} The load goes on with one insert thread fewer; insert.threads asks for as many.")
            return False
        return True

    def over(self) -> None:
        """All is committed: the time of this thread ends."""
        self.join()
        self._clock.enter(None)

    def times(self) -> StageTimes:
        """What it did with its time; any thread may ask."""
        seconds = self._clock.seconds()
        busy = min(self._busy, seconds["writing"])
        return StageTimes(busy, waiting=seconds["writing"] - busy, idle=seconds["idle"])

    def interrupt(self) -> None:
        """Make the statement now running, or the wait before it is tried again, end soon."""
        self._writer.interrupt()
