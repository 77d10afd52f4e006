"""A source on its way: what the ledger had of it, and how far this run has come with it.

Written by the feeder's thread alone, read by the load's own when that has ended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from etl.extract.mends import Mend
from etl.extract.source import Source
from etl.loading.ledger import Range, State, Totals
from etl.messages import Document, Part, SourceInfo
from etl.report import DocumentsReport, Outcome

MAX_PASSED = 1000
"""Paths of elements streamed past that are remembered of a source; nobody reads more."""


class Tiles:
    """The tiles of a document that are committed."""

    def __init__(self, done: Sequence[Range]) -> None:
        """`done`: start and end of each, sorted."""
        self._done = done

    def have(self, part: Part) -> bool:
        """Whether an earlier run committed it: it then lies within one of that run's tiles, whatever their size."""
        place = bisect_right(self._done, part.start, key=lambda tile: tile[0]) - 1
        if place < 0:
            return False
        start, end = self._done[place]
        # An empty part says that the document ends there, which a tile up to there does not.
        return part.end <= end and (part.start < part.end or start == part.start)

    def edges(self) -> list[int]:
        """Cutting there again makes every part either wholly done or wholly not."""
        return sorted({edge for tile in self._done for edge in tile})


@dataclass(slots=True)
class FedDocuments:
    """The documents of a collection, as far as this run has come with them."""

    first: int
    """Number of the first that was not known before."""
    begun: int = 0
    """Documents that were not known before: numbered from `first` on."""
    finished: int = 0
    """Those of them that were read to their end."""
    resumed: list[int] = field(default_factory=list)
    """Numbers of documents with which an earlier run had begun, those that it has lost included."""
    known: int = 0
    """Documents that were complete in the ledger already, here or as another source."""
    elsewhere: list[tuple[int, int]] = field(default_factory=list)
    """Source and number of those of them that are another collection's: until this one is finished they must stay."""
    twins: int = 0
    """Documents that hold the same as another of this run."""
    changed: int = 0
    """Files of a folder that were loaded before with another content."""
    changed_example: str = ""
    reverted: int = 0
    """Files of a folder that have a content again which they had before another one."""
    reverted_example: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    """What is no document, by the reason."""
    skipped_examples: dict[str, str] = field(default_factory=dict)
    """The first of each."""
    unmatched: int = 0
    """Documents of which nothing is a record."""
    unmatched_example: str = ""
    broken: int = 0
    """Documents that could not be read, or not to their end."""

    def report(self) -> DocumentsReport:
        """What a person is told of them."""
        return DocumentsReport(
            read=self.begun + len(self.resumed),
            known=self.known,
            twins=self.twins,
            changed=self.changed,
            changed_example=self.changed_example,
            reverted=self.reverted,
            reverted_example=self.reverted_example,
            skipped=dict(self.skipped),
            skipped_examples=dict(self.skipped_examples),
            unmatched=self.unmatched,
            unmatched_example=self.unmatched_example,
            broken=self.broken,
        )

    def skip(self, label: str, reason: str) -> None:
        """It is no document."""
        self.skipped[reason] += 1
        self.skipped_examples.setdefault(reason, label)

    def change(self, labels: Collection[str]) -> None:
        """Files of these names were loaded before with another content."""
        if labels:
            self.changed += len(labels)
            self.changed_example = self.changed_example or min(labels)

    def revert(self, label: str) -> None:
        """It has a content again that it had before another one."""
        self.reverted += 1
        self.reverted_example = self.reverted_example or label

    def miss(self, label: str) -> None:
        """Nothing in it is a record."""
        self.unmatched += 1
        self.unmatched_example = self.unmatched_example or label

    def finish(self, document: Document, records: int) -> None:
        """It was read to its end and had so many records."""
        self.finished += document.number >= self.first
        if not records:
            self.miss(document.label)


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
    nameless: bool = False
    """It has no identity: its documents are not known from other runs."""
    records: int = 0
    """Records read, skipped ones included."""
    skipped: int = 0
    """Records in tiles committed before."""
    document_bytes: int = 0
    """Bytes read of what is in it, decompressed."""
    finished: bool = False
    """The ledger has it as finished now."""
    complete: bool = False
    """The end of the document was reached, or of the last one."""
    documents: FedDocuments | None = None
    """Of a collection, once it is read."""
    passed: set[str] = field(default_factory=set)
    """Paths of elements that are no records and hold none."""
    mends: tuple[Mend, ...] = ()
    """What was mended in what was read of it."""
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
        return FedSource(self.source, self.info, done, self.state, self.totals, self.rereadable, self.nameless)

    def saw(self, part: Part, *, skipped: bool) -> None:
        self.records += part.records
        self.skipped += part.records if skipped else 0
        self.document_bytes += part.end - part.start
        self.complete = part.last
        if len(self.passed) < MAX_PASSED:
            self.passed |= part.passed


def total_size(sources: Iterable[FedSource]) -> int | None:
    """Bytes of all, compressed as they are; None where one cannot tell."""
    sizes = [fed.source.size for fed in sources]
    return None if None in sizes else sum(size or 0 for size in sizes)
