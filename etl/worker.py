"""Maps a split: whole records as bytes go in, encoded rows and rejects come out.

Pure: no files, no database, nothing kept from one split to the next but compiled paths; so the same code runs in the
caller's thread, in a thread of its own, or in a child process. A worker belongs to one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from etl.batches import settled, size_of
from etl.engines.base import RunSplit, WorkerSetup
from etl.engines.pipe import serve
from etl.messages import MappedBatch, RejectedRecord, Run, Skeleton, Split
from etl.native.choice import native_mapper
from etl.native.declined import Declined
from etl.positions import RecordPositions
from etl.transform.assemble import Assembled, Assembler
from etl.transform.data_mapper import DataMapper
from etl.transform.header import Header
from etl.transform.isolation import Isolation
from etl.transform.limits import RecordLimits, has_longer
from etl.transform.parser import DocumentParser, Parsed, ParseFailure
from etl.transform.records import RecordTables

EXPANSION_SAFE_BYTES = 200_000
"""libxml2 stops what the document type makes when it is more than 1 MB and more than 5 times the input. In portions up
to this size only the first of these counts, so whether a record passes does not depend on its neighbours. Each portion
holds the document type, so where that is large they are as large, or parsing it would be all the work."""


@dataclass(frozen=True, slots=True)
class _Portion:
    """Neighbouring records of a split that are parsed together."""

    skeleton: Skeleton
    payload: bytes
    first: int
    """Place of its first record in the split."""
    count: int
    runs: tuple[Run, ...]
    """Those it is made of, or is a part of."""


class Worker:
    """Maps splits, one at a time."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._parser = DocumentParser()
        self._limits = RecordLimits(setup.bounds)
        self._mapper = DataMapper(setup.mapping)
        self._assembler = Assembler(setup.mapping, setup.row_format, setup.sources)
        self._native, self._not_native = native_mapper(setup.mapping, setup.row_format, setup.bounds, self._assembler)
        self._tables: tuple[Skeleton, RecordTables] | None = None

    def run_split(self, split: Split) -> MappedBatch:
        """Parse, map and encode; a record that cannot be loaded is a reject in the batch, never an exception."""
        began = time.perf_counter()
        positions = RecordPositions(split)
        rejects: dict[int, RejectedRecord] = {}
        assembled = self._assembled(positions, rejects)
        for place, (table, column, failure) in assembled.failures.items():
            rejects[place] = positions.reject(place, failure.reason, failure.message, table, column)
        counts, all_rejects = settled(split, rejects, assembled.discarded)
        return MappedBatch(
            split=split.number,
            tables=assembled.tables,
            counts=counts,
            rejects=all_rejects,
            size=size_of(assembled.tables, all_rejects),
            busy=time.perf_counter() - began,
            notices=assembled.notices,
        )

    def _assembled(self, positions: RecordPositions, rejects: dict[int, RejectedRecord]) -> Assembled:
        """By the compiled scanner; what is not its to do, by lxml. Adds to `rejects` what lxml does not read."""
        declined = self._not_native
        if self._native is not None:
            try:
                return self._native.map(positions)
            except Declined as reason:
                declined = str(reason)
        self._mapper.begin()
        for portion in _portions(positions):
            self._map_portion(portion, positions, rejects)
        assembled = self._assembler.assemble(self._mapper.take(), positions)
        return replace(assembled, notices=replace(assembled.notices, declined=declined))

    def _map_portion(self, portion: _Portion, positions: RecordPositions, rejects: dict[int, RejectedRecord]) -> None:
        together = self._parsed_together(portion)
        if together is not None:
            self._map_records(together, portion, portion.first)
            return
        for place in range(portion.first, portion.first + portion.count):
            try:
                alone = self._parsed_alone(portion.skeleton, positions.raw(place))
            except ParseFailure as failure:
                line = positions.line(place) + failure.line
                rejects[place] = positions.reject(place, failure.reason, f"{failure.message} (line {line})")
            else:
                self._map_records(alone, portion, place)

    def _parsed_together(self, portion: _Portion) -> Parsed | None:
        """The portion's records, where nothing is wrong with any of them."""
        if self._limits.suspects(portion.skeleton, portion.payload, partial(has_longer, portion.runs)):
            return None
        try:
            parsed = self._parser.parse(portion.skeleton, portion.payload)
        except ParseFailure:
            return None
        whole = len(parsed.records) == portion.count and not self._limits.suspects_tree(portion.skeleton, parsed)
        return parsed if whole else None

    def _parsed_alone(self, skeleton: Skeleton, record: bytes) -> Parsed:
        self._limits.check_bytes(skeleton, record)
        parsed = self._parser.parse_one(skeleton, record)
        self._limits.check_tree(skeleton, parsed, len(record))
        return parsed

    def _map_records(self, parsed: Parsed, portion: _Portion, first: int) -> None:
        skeleton = portion.skeleton
        if self._tables is None or self._tables[0] != skeleton:
            self._tables = skeleton, RecordTables(self._mapper.plans, parsed.ancestors)
            self._mapper.begin_document(Header(self._parser, skeleton))
        tables = self._tables[1]
        # The attribute has a prefix, and names cannot be written as references, except inside entities.
        nil_possible = b":nil" in portion.payload or b"<!" in skeleton.subset
        if nil_possible:
            for element in parsed.records:
                self._mapper.empty_nil_elements(element)
        groups = tables.group(parsed.records, first)
        for plan, elements, places in groups:
            if not plan.alone:
                self._mapper.map_records(plan, elements, places)
        alone = [group for group in groups if group[0].alone]
        if alone:
            isolation = Isolation(parsed.ancestors[-1] if parsed.ancestors else None, parsed.records)
            for plan, elements, places in alone:
                for element, place in zip(isolation.each(elements), places, strict=True):
                    self._mapper.map_records(plan, [element], [place])


def _portions(positions: RecordPositions) -> Iterator[_Portion]:
    first = 0
    for skeleton, group in groupby((run for _, run in positions.runs), key=lambda run: run.skeleton):
        runs = list(group)
        if skeleton.subset:
            for run in runs:
                yield from _small_portions(run, first)
                first += run.records
        elif not skeleton.depth:
            for run in runs:
                yield _Portion(skeleton, run.payload, first, run.records, (run,))
                first += run.records
        else:
            count = sum(run.records for run in runs)
            yield _Portion(skeleton, b"".join([run.payload for run in runs]), first, count, tuple(runs))
            first += count


def _small_portions(run: Run, first: int) -> Iterator[_Portion]:
    """The run's records in portions of at most EXPANSION_SAFE_BYTES where they hold more than one record."""
    around = len(run.skeleton.subset) + len(run.skeleton.open_tags) + len(run.skeleton.close_tags)
    room = max(EXPANSION_SAFE_BYTES - around, around)
    begin = 0
    for index in range(1, run.records + 1):
        start = run.spans[2 * begin]
        if index == run.records or run.spans[2 * index + 1] - start > room or not run.skeleton.depth:
            payload = run.payload[start : run.spans[2 * index - 1]]
            yield _Portion(run.skeleton, payload, first + begin, index - begin, (run,))
            begin = index


def make_worker(setup: WorkerSetup) -> RunSplit:
    """A worker's `run_split`, for an engine."""
    run_split = Worker(setup).run_split
    if setup.schema is None:
        return run_split
    from etl.transform.validation import validated  # few loads have a schema

    return validated(setup.schema, setup.bounds, run_split)


if __name__ == "__main__":
    serve(make_worker)
