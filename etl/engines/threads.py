"""Maps in threads of this process: no copies between processes, and enough where mapping releases the global lock."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from etl.engines.base import Engine, MakeWorker, RunSplit, WorkerSetup, in_this_process
from etl.engines.worker_thread import start_worker_thread
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
        """Those that were told to end included, until the next `resize` after they have."""
        self._orders: SimpleQueue[tuple[Split, Future[MappedBatch]] | None] = SimpleQueue()
        """None ends the thread that takes it."""
        self._closed = False
        try:
            self.resize(workers)
        except BaseException:
            self.close(cancel=True)
            raise

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
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            while self.workers < workers:
                self._threads.append(start_worker_thread(self.workers + 1, self._work))
                self.workers += 1
            for _ in range(workers, self.workers):
                self._orders.put(None)
            self.workers = workers

    def busy(self) -> int:
        return self._busy

    def close(self, *, cancel: bool = False) -> None:
        with self._lock:
            self._closed = True
            given_up = self._orders_left() if cancel else []
            for _ in self._threads:
                self._orders.put(None)
        for future in given_up:  # without the lock: who is told of it may ask this engine something
            future.cancel()
        for thread in self._threads:
            thread.join()

    def peak_memory(self) -> int:
        return 0

    def _orders_left(self) -> list[Future[MappedBatch]]:
        """Take out what no thread has taken."""
        futures = []
        with suppress(Empty):
            while True:
                order = self._orders.get_nowait()
                if order is not None:
                    futures.append(order[1])
        return futures

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
