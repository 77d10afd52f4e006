"""Maps in the caller's own thread: for tiny sources, and where a debugger or a profiler looks on."""

from __future__ import annotations

from concurrent.futures import Future

from etl.engines.base import Engine, MakeWorker, WorkerSetup, in_this_process
from etl.messages import MappedBatch, Split


class InlineEngine(Engine):
    """`submit` maps the split before it returns."""

    def __init__(self, make_worker: MakeWorker, setup: WorkerSetup) -> None:
        self._run_split = make_worker(setup)
        self._busy = 0
        self.workers = self.prefetch = 1

    def submit(self, split: Split) -> Future[MappedBatch]:
        future: Future[MappedBatch] = Future()
        self._busy = 1
        try:
            future.set_result(in_this_process(self._run_split, split))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asks the future
            future.set_exception(error)
        finally:
            self._busy = 0
        return future

    def resize(self, workers: int) -> None:
        """It stays the caller's own thread."""

    def busy(self) -> int:
        return self._busy

    def close(self, *, cancel: bool = False) -> None:
        """Nothing to end: no split is in hand between two calls."""

    def peak_memory(self) -> int:
        return 0
