"""Maps in threads of this process: no copies between processes, and enough where mapping releases the global lock."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from etl.engines.base import Engine, MakeWorker, RunSplit, WorkerSetup, in_this_process
from etl.messages import MappedBatch, Split


class ThreadEngine(Engine):
    """A pool of threads, each with a worker of its own: libxml2 serialises threads that share a parser."""

    def __init__(self, make_worker: MakeWorker, setup: WorkerSetup, workers: int, prefetch: int) -> None:
        self.workers = workers
        self.slots = workers * prefetch
        self._make_worker = make_worker
        self._setup = setup
        self._own = threading.local()
        self._lock = threading.Lock()
        self._busy = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="etl-worker")

    def submit(self, split: Split) -> Future[MappedBatch]:
        return self._pool.submit(self._map, split)

    def busy(self) -> int:
        return self._busy

    def close(self, *, cancel: bool = False) -> None:
        self._pool.shutdown(wait=True, cancel_futures=cancel)

    def peak_memory(self) -> int:
        return 0

    def _map(self, split: Split) -> MappedBatch:
        with self._lock:
            self._busy += 1
        try:
            return in_this_process(self._worker(), split)
        finally:
            with self._lock:
                self._busy -= 1

    def _worker(self) -> RunSplit:
        if not hasattr(self._own, "run_split"):
            self._own.run_split = self._make_worker(self._setup)
        run_split: RunSplit = self._own.run_split
        return run_split
