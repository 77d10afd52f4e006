"""What an engine is: something that maps splits elsewhere, and answers with futures.

An engine knows neither queue nor database. A worker never waits for either: it gets a split, answers, gets the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from etl.errors import WorkerDied
from etl.mapping.model import Mapping
from etl.messages import Bounds, MappedBatch, RowFormat, SourceInfo, Split
from etl.record_schema import RecordSchema


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker is told once, before its first split."""

    mapping: Mapping
    row_format: RowFormat
    sources: tuple[SourceInfo, ...]
    """Every source of the load."""
    bounds: Bounds = field(default_factory=Bounds)
    """What a record may ask of the machine."""
    schema: RecordSchema | None = None
    """What records are validated by; None where they are not."""


RunSplit = Callable[[Split], MappedBatch]
"""Maps one split; raises EtlError."""

MakeWorker = Callable[[WorkerSetup], RunSplit]
"""Makes a worker: called once in each thread or process that maps. Importable, so that a process can find it."""


def in_this_process(run_split: RunSplit, split: Split) -> MappedBatch:
    """Map a split where the rest of the load runs. Raises WorkerDied where the memory is at its end."""
    try:
        return run_split(split)
    except MemoryError:
        raise WorkerDied(
            f"There is not enough memory for the records from byte {split.parts[0].start:,} on: what is committed is "
            "kept. With workers.kind=process only the record that asks for too much is rejected."
        ) from None


class Engine(ABC):
    """Workers of one kind. `submit` is called by one thread, the feeder; all else by any."""

    workers: int
    """Without those that were taken away and only answer what they still have in hand."""
    prefetch: int
    """Splits a worker has in hand."""

    @property
    def slots(self) -> int:
        """Splits that may be in hand at once. The coordinator never submits more."""
        return self.workers * self.prefetch

    @abstractmethod
    def submit(self, split: Split) -> Future[MappedBatch]:
        """Hand a split out. The future ends with the batch, or with an EtlError; a defect in a worker arrives as it is.

        Never blocks beyond the copy of the split to a worker. Done-callbacks run on the engine's own threads.
        """

    @abstractmethod
    def resize(self, workers: int) -> None:
        """Have this many workers (at least 1) from now on; nothing after `close`.

        One that is taken away answers what it has in hand before it leaves. Does not wait for that. Raises OSError
        where the system does not start another; then there are as many as could be started.
        """

    @abstractmethod
    def busy(self) -> int:
        """Workers that are mapping a split right now."""

    @abstractmethod
    def close(self, *, cancel: bool = False) -> None:
        """End the workers and wait for them; `cancel` gives up what they have in hand. Safe to call twice."""

    @abstractmethod
    def peak_memory(self) -> int:
        """Bytes: the sum of the largest resident sizes of worker processes; 0 where there are none. After `close`.

        Of workers that came one after the other, one in the place of the other, the largest counts.
        """
