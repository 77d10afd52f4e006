"""The running stages of a load: which engine, how many threads, which bounds; started and ended in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from etl.bottleneck import Circumstances, bottleneck
from etl.engines.base import Engine, WorkerSetup
from etl.engines.inline import InlineEngine
from etl.engines.processes import ProcessEngine
from etl.engines.threads import ThreadEngine
from etl.errors import PermanentError
from etl.feeding import SplitFeed
from etl.loading.batch_share import batch_share
from etl.loading.batch_size import FIRST, BatchSize
from etl.loading.batch_writer import BatchWriter
from etl.loading.error_limit import ErrorLimit
from etl.loading.insert_queue import BatchLimits, InsertQueue
from etl.loading.insert_thread import InsertThread
from etl.loading.ledger_base import BatchLedger
from etl.loading.result_thread import OnBatch, OnReject, ResultThread, Tally
from etl.loading.retries import Retries
from etl.mapping.model import Mapping
from etl.messages import Committed, SourceInfo
from etl.metrics import LoadMetrics, StageTimes, together
from etl.native.choice import maps_in_threads
from etl.options import Settings, default_worker_count
from etl.parallel_coordinator import ParallelCoordinator
from etl.record_schema import RecordSchema
from etl.scaling import Scaler, Scaling
from etl.targets.base import Target
from etl.worker import make_worker

INLINE_BELOW = 256 * 2**10
"""Bytes of all documents up to which starting processes takes longer than the work itself."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the caller of a load wants to hear while it runs."""

    on_batch: OnBatch | None = None
    on_reject: OnReject | None = None


class Stages:
    """Everything between the sources and the target, for one pass over the sources.

    `run` is called by the load's own thread; `stop` and `fail` by any.
    """

    def __init__(
        self,
        feeder: SplitFeed,
        sources: Sequence[SourceInfo],
        size: int | None,
        mapping: Mapping,
        target: Target,
        ledger: BatchLedger,
        settings: Settings,
        tally: Tally,
        callbacks: Callbacks,
        *,
        durable: bool,
        schema: RecordSchema | None = None,
        documents: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """`size`: bytes that are fed, where one can tell, right up to `INLINE_BELOW`; `durable`: no commit may be lost
        in a crash of the server; `schema`: by which records are validated; `documents`: how many came by so far, and
        the bytes read of them."""
        threads = settings.insert.threads or target.default_insert_threads
        threads = min(threads, target.max_insert_threads or threads)
        limits = _batch_limits(settings, threads)
        self._batch_size = BatchSize(most=limits.memory) if settings.insert.batch_bytes is None else None
        self.queue = InsertQueue(settings.queue.max_bytes, settings.queue.max_records, limits)
        self.feeder = feeder
        self.stop_reason = ""
        """Why the stages stopped by themselves, in a sentence."""
        setup = WorkerSetup(mapping, target.row_format, tuple(sources), settings.limits.bounds(), schema)
        # Finding out takes some milliseconds, so it is not done where nothing hangs on it.
        asks = settings.workers.kind != "process" and not _is_inline_work(settings, size)
        threads_share = asks and _threads_share(setup, feeder)
        self.worker_kind = settings.workers.kind or _automatic_kind(settings, size, threads_share=threads_share)
        self._given = Circumstances(
            settings,
            default_worker_count(),
            target.max_insert_threads,
            self.worker_kind,
            threads_share=threads_share,
        )
        self._documents = documents
        self._tally = tally
        self._error_limit = ErrorLimit(settings.errors)
        self._on_batch = callbacks.on_batch
        self.results = ResultThread(tally, self.fail, self._committed, callbacks.on_reject)
        retries = Retries(settings.retry, target.notify)
        self.inserters = [
            InsertThread(
                number,
                self.queue,
                BatchWriter(target, ledger, retries, durable=durable),
                on_committed=self.results.push,
                on_error=self.fail,
                on_note=target.notify,
            )
            for number in range(1, threads + 1)
        ]
        self.engine = _start_engine(self.worker_kind, settings, setup, target.notify)
        self.coordinator = ParallelCoordinator(self.engine, self.queue, settings.queue.max_bytes, self.fail)
        least, most = settings.workers.least_and_most()
        self._scaled: AbstractContextManager[object] = nullcontext()
        if least < most:
            self._scaled = Scaler(self.coordinator, Scaling(least, most, workers=least), target.notify)

    def run(self) -> None:
        """Load until all is committed, or `stop` or `fail` was called. Raises nothing: `queue.error` tells."""
        self.results.start()
        for inserter in self.inserters:
            inserter.start()
        try:
            with self._scaled:
                self.coordinator.run(self.feeder)
        except BaseException as error:  # noqa: BLE001 - the load ends with it, in order
            self.fail(error)
        self.queue.close()
        for inserter in self.inserters:
            inserter.over()
        self.coordinator.over()
        self.engine.close(cancel=self.queue.error is not None)
        self.results.finish()

    def metrics(self) -> LoadMetrics:
        """Where the time and the room of the queue went so far."""
        feeder = self.coordinator.feeder.seconds()
        mean_fill, most_bytes = self.queue.use_so_far()
        return LoadMetrics(
            reading=StageTimes(feeder["reading"], waiting=feeder["workers"] + feeder["room"], idle=feeder["commits"]),
            mapping=self.coordinator.mapping_times(),
            writing=together([inserter.times() for inserter in self.inserters]),
            waited_for_workers=feeder["workers"],
            waited_for_room=feeder["room"],
            waited_for_commits=feeder["commits"],
            insert=self._tally.inserts.percentiles(),
            commit=self._tally.commits.percentiles(),
            most_workers=self.coordinator.most_workers,
            insert_threads=len(self.inserters),
            queue_mean_fill=mean_fill,
            queue_most_bytes=most_bytes,
        )

    def bottleneck(self, metrics: LoadMetrics) -> str:
        """What limits, by these metrics, and what to turn."""
        number, size = self._documents()
        return bottleneck(metrics, replace(self._given, documents=number, document_bytes=size))

    def stop(self) -> None:
        """Read no further; commit what is in hand."""
        self.coordinator.stop()
        self.feeder.stop()

    def fail(self, error: BaseException) -> None:
        """End at once with this error; what is in hand is given up."""
        self.coordinator.fail(error)
        self.feeder.stop()
        for inserter in self.inserters:
            inserter.interrupt()

    def _committed(self, committed: Committed) -> None:
        """On the result thread, when a batch is counted."""
        self.stop_reason = self.stop_reason or self._error_limit.exceeded(self._tally.rejected, self._tally.records)
        if self.stop_reason:
            self.stop()
        if self._batch_size is not None:
            self._batch_size.after(committed)
            self.queue.limit_row_bytes(self._batch_size.row_bytes)
        if self._on_batch is not None:
            self._on_batch(committed)


def _batch_limits(settings: Settings, threads: int) -> BatchLimits:
    return BatchLimits(
        records=settings.insert.batch_records,
        row_bytes=settings.insert.batch_bytes or FIRST,
        memory=batch_share(settings.queue.max_bytes, threads),
        max_wait=settings.insert.max_wait,
        threads=threads,
    )


def _threads_share(setup: WorkerSetup, feeder: SplitFeed) -> bool:
    """Whether threads share the work of mapping as well as processes do: the compiled scanner takes these records."""
    if not maps_in_threads(setup.mapping):
        return False
    sample = feeder.sample()
    return sample is None or not make_worker(setup)(sample).notices.declined


def _start_engine(kind: str, settings: Settings, setup: WorkerSetup, on_note: Callable[[str], object]) -> Engine:
    workers, _ = settings.workers.least_and_most()
    if kind == "inline":
        return InlineEngine(make_worker, setup)
    try:
        if kind == "thread":
            return ThreadEngine(make_worker, setup, workers, settings.workers.prefetch)
        return ProcessEngine("etl.worker", setup, workers, settings.workers.prefetch, on_note)
    except OSError as error:
        raise PermanentError(
            f"The system does not start {workers} workers: {error.strerror}. Fewer are asked for"
            " with --workers (workers.count); `ulimit -a` shows what is allowed. The same command goes on then."
        ) from error


def _automatic_kind(settings: Settings, size: int | None, *, threads_share: bool) -> str:
    if _is_inline_work(settings, size):
        return "inline"
    return "thread" if threads_share else "process"


def _is_inline_work(settings: Settings, size: int | None) -> bool:
    """Whether workers, where their kind is left open, are not worth it."""
    small = size is not None and size < INLINE_BELOW
    alone = settings.workers.count is None and default_worker_count() == 1
    return settings.workers.kind is None and (small or alone)
