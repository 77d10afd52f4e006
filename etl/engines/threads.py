"""Maps in threads of this process: no copies between processes, and enough where mapping releases the global lock."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from etl.engines.base import Engine, MakeWorker, RunSplit, WorkerSetup, in_this_process
from etl.messages import MappedBatch, Split


class ThreadEngine(Engine):
    """Threads that take from one queue, each with a worker: libxml2 serialises threads that share a parser."""

    def __init__(self, make_worker: MakeWorker, setup: WorkerSetup, workers: int, prefetch: int) -> None:
        self.workers = 0
        self.prefetch = prefetch
        self._make_worker = make_worker
        self._setup = setup
        self._lock = threading.Lock()
        self._busy = 0
        self._threads: list[threading.Thread] = []
        self._orders: SimpleQueue[tuple[Split, Future[MappedBatch]] | None] = SimpleQueue()
        """None ends the thread that takes it."""
        self._closed = False
        self.resize(workers)

    def submit(self, split: Split) -> Future[MappedBatch]:
        future: Future[MappedBatch] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("The worker threads were told to end.")
            self._orders.put((split, future))
        return future

    def resize(self, workers: int) -> None:
        with self._lock:
            if self._closed:
                return
            for number in range(self.workers, workers):
                thread = threading.Thread(target=self._work, name=f"etl-worker-{number + 1}", daemon=True)
                thread.start()
                self._threads.append(thread)
            for _ in range(workers, self.workers):
                self._orders.put(None)
            self.workers = workers

    def busy(self) -> int:
        return self._busy

    def close(self, *, cancel: bool = False) -> None:
        with self._lock:
            self._closed = True
            if cancel:
                self._cancel_orders()
            for _ in self._threads:
                self._orders.put(None)
        for thread in self._threads:
            thread.join()

    def peak_memory(self) -> int:
        return 0

    def _cancel_orders(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                return
            if order is not None:
                order[1].cancel()

    def _work(self) -> None:
        """One of the threads."""
        run_split: RunSplit | None = None
        while (order := self._orders.get()) is not None:
            split, future = order
            self._count(1)
            try:
                run_split = run_split or self._make_worker(self._setup)
                batch = in_this_process(run_split, split)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asks the future
                self._count(-1)
                future.set_exception(error)
            else:
                self._count(-1)
                future.set_result(batch)
                del batch
            del order, split, future  # or they would stay in memory, outside of the window, until the next one comes

    def _count(self, sign: int) -> None:
        with self._lock:
            self._busy += sign
