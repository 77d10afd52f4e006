"""What a load needs of a ledger, and the values that go in and out; see `etl.loading.ledger` for what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from etl.errors import InternalError
from etl.messages import Part, PartCounts, RejectedRecord, SourceInfo
from etl.targets.base import TargetConnection

State = Literal["loading", "rows_done", "keys_built", "finished"]

REJECT_REASONS = frozenset(
    [
        "malformed",
        "invalid",
        "undefined_entity",
        "entity_limit",
        "too_large",
        "too_deep",
        "too_many_attributes",
        "text_too_long",
        "killed_worker",
        "missing_value",
        "bad_value",
        "out_of_range",
        "too_long",
        "several_values",
        "transform_failed",
        "xpath_failed",
        "not_null",
        "check_failed",
        "duplicate_key",
        "missing_parent",
        "bad_encoding",
        "refused",
    ]
)
"""The codes that etl_reject may have as reasons."""

Range = tuple[int, int]
"""Start and end of a tile of a document."""

RejectGroup = tuple[str, str, str, int, str]
"""Reason, table, column, how many, and the first one's place and message."""


Prefix = Callable[[int], str | None]
"""The fingerprint that a file had when it ended behind so many of its bytes."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of the records of a source, by all runs together."""

    records: int = 0
    loaded: int = 0
    rejected: int = 0
    discarded: int = 0


@dataclass(frozen=True, slots=True)
class Tile:
    """A committed piece of a document: the bytes ``[start, end)``."""

    start: int
    end: int
    last: bool
    """True where it reaches the document's end."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a document that is not committed; `end` None means up to its end."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A source at the start of a run."""

    info: SourceInfo
    state: State
    done: tuple[Range, ...]
    """Start and end of each tile that earlier runs committed, in order."""
    totals: Totals
    notices: tuple[str, ...] = ()
    """Sentences for the user: other content was loaded from there before, the mapping has changed, ..."""

    @property
    def finished(self) -> bool:
        return self.state == "finished"


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document of a collection of which something is committed."""

    source: int
    number: int
    records_before: int
    """As `Document.records_before`."""
    records: int
    """Committed so far."""
    done: tuple[Range, ...]
    complete: bool
    """Nothing of it is missing."""
    source_label: str
    """What the source is called that it is of: another one may hold it, too."""


class DocumentGap(NamedTuple):
    """Numbers between those of a collection's documents that none of them has: a load that died has lost some."""

    number: int
    end: int
    """Behind the last."""
    records_before: int
    records_end: int
    """Record numbers between those of the documents around it."""


class DocumentsSoFar(NamedTuple):
    """What is in the ledger before a run reads a collection."""

    last: int
    """The largest number among its documents, 0 without any."""
    records_taken: int
    """Record numbers that are theirs."""
    any_known: bool
    """Whether any of its documents can be known, here or as another source."""
    gaps: tuple[DocumentGap, ...] = ()
    """In order."""


class BatchLedger(Protocol):
    """What the writing of a batch needs of a ledger."""

    def claim(
        self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]], batch: int
    ) -> list[bool]: ...
    def correct(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]]) -> None: ...
    def write_rejects(self, connection: TargetConnection, rejects: Sequence[RejectedRecord]) -> None: ...
    def hold_again(self) -> None: ...


class LedgerLike(BatchLedger, Protocol):
    """What a load needs of a ledger; `Ledger` keeps it in the target, `NoLedger` for the length of the load."""

    def prepare(self) -> None: ...
    def begin_again(self, fingerprints: Sequence[str], paths: Sequence[str] = ()) -> None: ...
    def register(
        self,
        label: str,
        fingerprint: str | None,
        size: int | None,
        *,
        path: str | None = None,
        open_ended: bool = False,
        prefix: Prefix | None = None,
    ) -> RegisteredSource: ...
    def unfinished_paths(self) -> frozenset[str]: ...
    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]: ...
    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]: ...
    def documents_so_far(self, source: int) -> DocumentsSoFar: ...
    def document_labels(self, source: int) -> Mapping[str, int]: ...
    def document_label(self, source: int, document: int) -> str: ...
    def done(self, source: int) -> tuple[Range, ...]: ...
    def mark_rows_done(self, source: int) -> tuple[Gap, ...]: ...
    def mark_documents_done(
        self,
        source: int,
        first: int,
        count: int,
        resumed: Sequence[int],
        elsewhere: Sequence[tuple[int, int]] = (),
    ) -> bool: ...
    def mark_keys_built(self, sources: Sequence[int]) -> bool: ...
    def mark_finished(self, sources: Sequence[int]) -> bool: ...
    def totals(self, source: int) -> Totals: ...
    def reject_summary(self, sources: Sequence[int]) -> list[RejectGroup]: ...


def find_gaps(tiles: Iterable[Tile]) -> tuple[Gap, ...]:
    """What is missing for `tiles` (in order) to cover a document from its first byte to its end."""
    gaps = []
    end, last = 0, False
    for tile in tiles:
        if tile.start < end or last:
            raise InternalError(f"Two committed tiles overlap at byte {tile.start}.")
        if tile.start > end:
            gaps.append(Gap(end, tile.start))
        end, last = tile.end, tile.last
    if not last:
        gaps.append(Gap(end, None))
    return tuple(gaps)


def now() -> str:
    """The time as the ledger keeps it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()
