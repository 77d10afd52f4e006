"""Maps splits by the compiled scanner: whole records as bytes go in, encoded tables and why records failed come out.

Either exactly what lxml and `etl.transform` make of the split, or `Declined`: then they do it. Only values that Python
must convert, and a few records with something that nobody takes, are looked at here. Runs in a worker; a mapper belongs
to one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from etl.mapping.model import FromMeta, FromPath, Mapping
from etl.messages import NOTHING_OPEN, Bounds, CopyRows, Notices, Pack, Part, RowFormat, Run, Skeleton, TupleRows
from etl.native._scanner import Plan, Scanner
from etl.native.declined import Declined
from etl.native.look import Look
from etl.native.program import Candidates, Program, candidates, compile_program
from etl.native.surroundings import Surroundings, open_elements, surroundings
from etl.positions import RecordPositions
from etl.transform.assemble import SEVERAL, Assembled, Assembler, Found
from etl.transform.header import Header
from etl.transform.limits import RecordLimits, has_longer
from etl.transform.parser import PLAIN_TEXT_BYTES, DocumentParser

if TYPE_CHECKING:
    from etl.native._scanner import PlacedRun

_SKELETONS = 500
"""Whose surroundings are remembered: a document with much around its records has as many in some splits."""

_SETS = 200
"""Sets of record paths that the program is right for; a mapping for one kind of document needs a few."""

Column = tuple[int, int]
"""Table and place of the column."""

_Texts = tuple[bytes, ...] | list[tuple[bytes, ...]]
"""What columns can have of a source, as UTF-8; of a pack for each document."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """A program, and what runs it."""

    program: Program
    scanner: Scanner
    roots: dict[Candidates, int]
    """The nodes that stand for what is around records, by the record paths that fit there."""


def _skeleton(run: Run | Pack) -> Skeleton:
    return NOTHING_OPEN if isinstance(run, Pack) else run.skeleton


class NativeMapper:
    """Maps splits of a mapping of which some record tables are the scanner's (`etl.native.families`)."""

    def __init__(self, mapping: Mapping, row_format: RowFormat, bounds: Bounds, assembler: Assembler) -> None:
        self._mapping = mapping
        self._row_format = row_format
        self._bounds = bounds
        self._assembler = assembler
        self._limits = RecordLimits(bounds)
        self._parser = DocumentParser()
        self._look = Look(mapping, self._parser)
        self._rejects_several = frozenset(
            (number, place)
            for number, table in enumerate(mapping.tables)
            for place, column in enumerate(table.columns)
            if isinstance(column.source, FromPath) and column.source.many == "reject"
        )
        self._tells_sources = any(
            isinstance(column.source, FromMeta) and column.source.name in ("source", "load_id", "loaded_at")
            for table in mapping.tables
            for column in table.columns
        )
        self._surroundings = lru_cache(_SKELETONS)(self._surroundings_of)
        self._ready = self._made_ready([()])

    def map(self, positions: RecordPositions) -> Assembled:
        """Everything about a split. Raises Declined; MemoryError."""
        ready, runs = self._placed(positions)
        scanner = ready.scanner
        try:
            reason = scanner.scan(runs)
            if reason is not None:
                raise Declined(reason)
            return self._assembled(ready, positions)
        finally:
            scanner.release()

    def _placed(self, positions: RecordPositions) -> tuple[_Ready, list[PlacedRun]]:
        """The runs with what is around them, and the one program that is right for all of them."""
        fitting: list[Candidates] = []
        placed: list[tuple[Run | Pack, int, int, _Texts, Surroundings]] = []
        first = 0
        skeleton: Skeleton | None = None
        for part in positions.parts:
            texts = self._source_texts(part) if self._tells_sources else ()
            runs: Sequence[Run | Pack] = part.runs if part.pack is None else (part.pack,)
            for run in runs:
                if (around := _skeleton(run)) is not skeleton:
                    skeleton = around
                    paths, surroundings = self._surroundings(skeleton)
                self._check(run, skeleton)
                fitting.append(paths)
                placed.append((run, first, part.keys_from, texts, surroundings))
                first += len(run.sizes) if isinstance(run, Pack) else run.records
        ready = self._ready_for(dict.fromkeys(fitting))
        return ready, [(*run, ready.roots[paths]) for run, paths in zip(placed, fitting, strict=True)]

    def _check(self, run: Run | Pack, skeleton: Skeleton) -> None:
        """Raise Declined where the scanner does not know a limit that records may be beyond."""
        longest = min(PLAIN_TEXT_BYTES, self._bounds.text_bytes)
        if isinstance(run, Pack):
            if max(run.sizes) > longest:
                raise Declined("a record longer than a text may be")
            return
        longer = partial(has_longer, (run,))
        if len(run.payload) > longest and longer(longest):
            raise Declined("a record longer than a text may be")
        # What a document type makes is not counted by the scanner, which knows the limits on all else itself.
        if skeleton.subset and self._limits.suspects(skeleton, run.payload, longer):
            raise Declined("a record that may be beyond a limit, by its document type")

    def _ready_for(self, wanted: Collection[Candidates]) -> _Ready:
        known = self._ready.roots
        more = [paths for paths in wanted if paths not in known]
        if more:
            self._ready = self._made_ready([*known, *more] if len(known) + len(more) <= _SETS else [(), *wanted])
        return self._ready

    def _source_texts(self, part: Part) -> _Texts:
        """What columns can have of a part's document, or of each of a pack's."""
        try:
            label, *others = self._assembler.source_texts(part)
            rest = tuple(text.encode() for text in others)
            if part.pack is None:
                return label.encode(), *rest
            return [(label.encode(), *rest) for label in part.pack.labels]
        except UnicodeEncodeError:
            raise Declined("a source whose name is no Unicode") from None

    def _surroundings_of(self, skeleton: Skeleton) -> tuple[Candidates, Surroundings]:
        ancestors = open_elements(self._parser, skeleton)
        # What is asked of them does not depend on which records may follow.
        around = surroundings(self._ready.program, skeleton, ancestors, Header(self._parser, skeleton))
        return candidates(self._mapping, ancestors), around

    def _made_ready(self, sets: Iterable[Candidates]) -> _Ready:
        roots = {paths: number for number, paths in enumerate(dict.fromkeys(sets))}
        program = compile_program(self._mapping, self._row_format, list(roots))
        marshals = self._row_format == "tuples"
        scanner = Scanner(Plan(program), self._bounds.depth, self._bounds.attributes, marshals=marshals)
        return _Ready(program, scanner, roots)

    def _assembled(self, ready: _Ready, positions: RecordPositions) -> Assembled:
        scanner = ready.scanner
        matched, mixed, several = scanner.noticed()
        found = self._convert_asked(scanner, several)
        unseen, additions = self._look.told(scanner, ready.program, positions)
        return Assembled(
            tables=tuple(self._encoded(scanner, found.failures, positions)),
            failures={record: self._assembler.named(*failure) for record, failure in found.failures.items()},
            discarded=self._assembler.discarded(scanner.records, positions.count),
            notices=Notices(
                matched=frozenset(matched),
                several={at: len(records) for at, records in several.items() if at not in self._rejects_several},
                set_null=found.replaced,
                mixed=frozenset(mixed),
                unseen=unseen,
                additions=additions,
            ),
        )

    def _convert_asked(self, scanner: Scanner, several: dict[Column, Any]) -> Found:
        """Convert what only Python converts; what fails is found in the order in which `Assembler` finds it."""
        found = Found()
        asked = {(table, place): (rows, raw) for table, place, rows, raw in scanner.asked()}
        for table, place in sorted(asked.keys() | (several.keys() & self._rejects_several)):
            if (table, place) in self._rejects_several:
                for record in several.get((table, place), ()):
                    found.failures.setdefault(record, (table, place, SEVERAL))
            if (table, place) in asked:
                rows, raw = asked[table, place]
                converted = self._assembler.convert(table, place, raw)
                scanner.answer(table, place, list(converted.texts))
                records = scanner.records(table) if converted.failures else ()
                found.note(table, place, converted, [records[row] for row in rows] if records else ())
        return found

    def _encoded(
        self, scanner: Scanner, failed: Collection[int], positions: RecordPositions
    ) -> Iterator[CopyRows | TupleRows]:
        bad = None
        if failed:
            marks = bytearray(positions.count)
            for record in failed:
                marks[record] = 1
            bad = bytes(marks)
        made = scanner.encode(bad)
        if made is None:
            raise Declined("a value that only Python encodes")
        kind: type[CopyRows | TupleRows] = CopyRows if self._row_format == "copy" else TupleRows
        for data, records in made:
            yield kind(data, records, positions.split)
