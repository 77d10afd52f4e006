"""Opens the sources one after the other, cuts them, and hands the splits to the coordinator.

In come the sources of a load with what the ledger already has of each; out go numbered splits of what it has not. A
source that breaks is noted with its sentence, and the next one is begun: one bad file must not keep the others out.
Iterated by the feeder's thread; `position` and `stop` may be called from any.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from etl.errors import SourceError
from etl.extract.header import header_paths
from etl.extract.reader import SourceReader
from etl.extract.source import Source, open_source
from etl.extract.splitter import Splitter
from etl.loading.ledger import Range, State, Totals
from etl.mapping.model import Mapping
from etl.messages import Part, SourceInfo, Split
from etl.options import Settings
from etl.report import Outcome

MAX_PASSED = 1000
"""Paths of elements streamed past that are remembered of a source; nobody reads more."""

SAMPLE_RECORDS = 20
"""Mapped in no time, and enough to see what stands around all of them."""


@dataclass(slots=True)
class FedSource:
    """A source and how far this run has come with it. Written by the feeder's thread alone."""

    source: Source
    info: SourceInfo
    done: Sequence[Range]
    """Tiles committed before, sorted."""
    state: State
    """What the ledger said of it at the beginning."""
    totals: Totals
    """What earlier runs made of its records."""
    rereadable: bool
    """Whether it can be fed again in this run; where not, no commit may be lost."""
    records: int = 0
    """Records read, skipped ones included."""
    skipped: int = 0
    """Records in tiles committed before."""
    document_bytes: int = 0
    """Where reading has come to, in the decompressed document."""
    finished: bool = False
    """The ledger has it as finished now."""
    complete: bool = False
    """The end of the document was reached."""
    passed: set[str] = field(default_factory=set)
    """Paths of elements that are no records and hold none."""
    problem: str = ""
    """Why it was not, in a sentence."""

    def outcome(self) -> Outcome:
        """What a report says of it, at the end of a run."""
        if self.state == "finished":
            return "finished before"
        if self.problem:
            return "broken"
        return "finished" if self.finished else "stopped"

    def to_feed_again(self, done: Sequence[Range]) -> FedSource:
        """The same source for another pass, which gives out what is not among the tiles `done`."""
        return FedSource(self.source, self.info, done, self.state, self.totals, self.rereadable)

    def has(self, part: Part) -> bool:
        """Whether an earlier run committed it: it then lies within one of that run's tiles, whatever their size."""
        place = bisect_right(self.done, part.start, key=lambda tile: tile[0]) - 1
        if place < 0:
            return False
        start, end = self.done[place]
        # An empty part says that the document ends there, which a tile up to there does not.
        return part.end <= end and (part.start < part.end or start == part.start)

    def cut_at(self) -> list[int]:
        """The edges of the committed tiles: cutting there again makes every part either wholly done or wholly not."""
        return sorted({edge for tile in self.done for edge in tile})

    def saw(self, part: Part, *, skipped: bool) -> None:
        self.records += part.records
        self.skipped += part.records if skipped else 0
        self.document_bytes = part.end
        self.complete = part.last
        if len(self.passed) < MAX_PASSED:
            self.passed |= part.passed


def total_size(sources: Iterable[FedSource]) -> int | None:
    """Bytes of all, compressed as they are; None where one cannot tell."""
    sizes = [fed.source.size for fed in sources]
    return None if None in sizes else sum(size or 0 for size in sizes)


def make_splitter(mapping: Mapping, settings: Settings) -> Splitter:
    """What cuts documents into splits of the size that the settings want."""
    paths = [path for table in mapping.tables for path in table.records]
    split_records = settings.insert.batch_records
    if settings.queue.max_records is not None:
        # A split for each slot must fit, twice over, or the workers would take turns.
        _, workers = settings.workers.least_and_most()
        slots = workers * settings.workers.prefetch
        split_records = max(1, min(split_records, settings.queue.max_records // (2 * slots)))
    return Splitter(paths, settings.split.bytes, settings.split.max_record_bytes, split_records, header_paths(mapping))


class SplitFeed(Protocol):
    """What stages are fed by: `position` and `stop` may be called from any thread."""

    @property
    def position(self) -> int: ...
    def stop(self) -> None: ...
    def sample(self) -> Split | None:
        """A few records of those to come; None where they could not be read again. Called before all else."""

    def __iter__(self) -> Iterator[Split]: ...


class Feeder:
    """Iterable of the splits of all sources; once."""

    def __init__(self, sources: Sequence[FedSource], splitter: Splitter, limit: int | None) -> None:
        self._sources = sources
        self._splitter = splitter
        self._remaining = limit
        self._lock = threading.Lock()
        self._reader: SourceReader | None = None
        self._stopped = False
        self._position = 0
        self._number = 0

    @property
    def position(self) -> int:
        """Bytes of the (compressed) sources consumed so far."""
        with self._lock:
            return self._position + (self._reader.position if self._reader else 0)

    def stop(self) -> None:
        """Give out no more splits, also when reading is blocked (standard input from a silent process)."""
        with self._lock:
            self._stopped = True
            if self._reader is not None:
                self._reader.stop()

    def sample(self) -> Split | None:
        first = self._sources[0]
        if not first.rereadable:
            return None
        try:
            with open_source(first.source) as reader:
                part = next(self._splitter.split(reader, first.info.number, first.info.label, limit=SAMPLE_RECORDS))
        except (SourceError, StopIteration):
            return None
        return _split_of(part, 0)

    def __iter__(self) -> Iterator[Split]:
        for fed in self._sources:
            if self._stopped or self._remaining == 0:
                return
            try:
                yield from self._splits(fed)
            except SourceError as error:
                if not self._stopped:
                    fed.problem = str(error)

    def _splits(self, fed: FedSource) -> Iterator[Split]:
        with open_source(fed.source) as reader:
            with self._lock:
                self._reader = reader
                if self._stopped:
                    return
            try:
                for part in self._splitter.split(
                    reader, fed.info.number, fed.info.label, fed.cut_at(), self._remaining
                ):
                    skip = fed.has(part)
                    fed.saw(part, skipped=skip)
                    if self._remaining is not None:
                        self._remaining -= part.records
                    if not skip:
                        yield self._as_split(part._replace(position=reader.position))
                    if self._stopped:
                        return
            finally:
                with self._lock:
                    whole = fed.source.size if fed.complete else None
                    self._position += reader.position if whole is None else whole
                    self._reader = None

    def _as_split(self, part: Part) -> Split:
        self._number += 1
        return _split_of(part, self._number)


def _split_of(part: Part, number: int) -> Split:
    size = sum(len(run.payload) for run in part.runs)
    return Split(number=number, parts=(part,), size=size, records=part.records)
