"""Opens the sources one after the other, cuts them, and hands the splits to the coordinator.

In come the sources of a load with what the ledger already has of each; out go numbered splits of what it has not. A
source that breaks is noted with its sentence, and the next one is begun: one bad file must not keep the others out.
Iterated by the feeder's thread; `position` and `stop` may be called from any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from etl.collection_feed import PART_BYTES, CollectionFeed
from etl.errors import CutOff, SourceError, TransientError
from etl.extract.doctype import given_dtd
from etl.extract.header import header_paths
from etl.extract.source import looked_at, open_source
from etl.extract.splitter import Splitter
from etl.fed_source import FedSource, Tiles
from etl.mapping.model import Mapping
from etl.messages import Part, Split
from etl.options import Settings
from etl.packs import documents_in, payload_bytes
from etl.patient_ledger import PatientLedger
from etl.recent_documents import RecentDocuments

SAMPLE_RECORDS = 20
"""Mapped in no time, and enough to see what stands around all of them."""


def make_splitter(mapping: Mapping, settings: Settings) -> Splitter:
    """What cuts documents into splits of the size that the settings want."""
    paths = [path for table in mapping.tables for path in table.records]
    split_records = settings.insert.batch_records
    if settings.queue.max_records is not None:
        # A split for each slot must fit, twice over, or the workers would take turns.
        _, workers = settings.workers.least_and_most()
        slots = workers * settings.workers.prefetch
        split_records = max(1, min(split_records, settings.queue.max_records // (2 * slots)))
    dtd = given_dtd(settings.input.dtd)
    most = settings.split.max_record_bytes
    return Splitter(paths, settings.split.bytes, most, split_records, header_paths(mapping), dtd)


class SplitFeed(Protocol):
    """What stages are fed by: `position` and `stop` may be called from any thread."""

    @property
    def position(self) -> int: ...
    def stop(self) -> None: ...
    def sample(self) -> Split | None:
        """A few records of those to come; None where they could not be read again. Called before all else."""

    def __iter__(self) -> Iterator[Split]: ...


class _Reading(Protocol):
    """What a source is being read by."""

    @property
    def position(self) -> int: ...
    def stop(self) -> None: ...


class Feeder:
    """Iterable of the splits of all sources; once."""

    def __init__(
        self,
        sources: Sequence[FedSource],
        splitter: Splitter,
        limit: int | None,
        ledger: PatientLedger | None = None,
        settings: Settings | None = None,
    ) -> None:
        """`ledger` is asked for the documents of collections; without it all of them are new."""
        self._sources = sources
        self._splitter = splitter
        self._remaining = limit
        settings = settings or Settings()
        self._collection = partial(CollectionFeed, splitter=splitter, settings=settings)
        self._ledger = ledger
        self._recent = RecentDocuments(settings.queue.max_bytes)
        self._lock = threading.Lock()
        self._reading: _Reading | None = None
        self._stopped = False
        self._position = 0
        self._number = 0

    @property
    def position(self) -> int:
        """Bytes of the (compressed) sources consumed so far."""
        with self._lock:
            return self._position + (self._reading.position if self._reading else 0)

    def stop(self) -> None:
        """Give out no more splits, also when reading is blocked (standard input from a silent process)."""
        with self._lock:
            self._stopped = True
            if self._ledger is not None:
                self._ledger.stop()
            if self._reading is not None:
                self._reading.stop()

    def sample(self) -> Split | None:
        first = self._sources[0]
        if not first.rereadable:
            return None
        try:
            parts = next(self._looked_at(first))
        except (SourceError, StopIteration):
            return None
        return _split_of(parts, 0)

    def _looked_at(self, fed: FedSource) -> Iterator[list[Part]]:
        """The first parts of a source, which nobody counts."""
        if fed.source.is_collection:
            yield from self._collection(fed.to_feed_again(()), ledger=None, limit=SAMPLE_RECORDS).parts()
        else:
            with open_source(fed.source) as reader:
                label = fed.info.label
                for part in self._splitter.split(reader, fed.info.number, label, limit=SAMPLE_RECORDS):
                    yield [part]

    def __iter__(self) -> Iterator[Split]:
        for fed in self._sources:
            if self._stopped or self._remaining == 0:
                return
            try:
                self._look_at(fed)
                for parts in self._documents(fed) if fed.source.is_collection else self._document(fed):
                    self._number += 1
                    yield _split_of(parts, self._number)
                    if self._stopped:
                        return
            except SourceError as error:
                if not self._stopped:
                    fed.problem = _told(fed, error)
            except TransientError:
                if not self._stopped:
                    raise

    def _look_at(self, fed: FedSource) -> None:
        """Whether it is an archive that comes through a pipe; who inferred a mapping from it has seen that before."""
        source = fed.source.kept()
        stream = source.stream
        if stream is None or fed.source.stream is not None:
            return
        self._begin(stream)
        fed.source = looked_at(source)
        stream.keep_no_more()
        with self._lock:
            self._reading = None

    def _document(self, fed: FedSource) -> Iterator[list[Part]]:
        with open_source(fed.source) as reader:
            tiles = Tiles(fed.done)
            self._begin(reader)
            try:
                for part in self._splitter.split(
                    reader, fed.info.number, fed.info.label, tiles.edges(), self._remaining
                ):
                    skip = tiles.have(part)
                    fed.saw(part, skipped=skip)
                    if self._remaining is not None:
                        self._remaining -= part.records
                    if not skip:
                        yield [part._replace(position=reader.position)]
                    if self._stopped:
                        return
            finally:
                fed.mends = reader.mends
                self._end(fed)

    def _documents(self, fed: FedSource) -> Iterator[list[Part]]:
        feed = self._collection(fed, ledger=self._ledger, recent=self._recent, limit=self._remaining)
        self._begin(feed)
        try:
            yield from feed.parts()
        finally:
            self._remaining = feed.remaining
            self._end(fed)

    def _begin(self, reading: _Reading) -> None:
        with self._lock:
            self._reading = reading
            if self._stopped:
                reading.stop()

    def _end(self, fed: FedSource) -> None:
        with self._lock:
            read = self._reading.position if self._reading else 0
            whole = fed.source.size if fed.complete else None
            self._position += read if whole is None else whole
            self._reading = None


def _told(fed: FedSource, error: SourceError) -> str:
    rest = " When the file is whole, a load goes on from there." if isinstance(error, CutOff) and fed.rereadable else ""
    return f"{error}{rest}"


def _split_of(parts: Sequence[Part], number: int) -> Split:
    # Many small documents weigh more than their records do.
    size = PART_BYTES * (sum(map(documents_in, parts)) - 1) + sum(map(payload_bytes, parts))
    return Split(number, tuple(parts), size, sum(part.records for part in parts))
