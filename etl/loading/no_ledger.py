"""A ledger for targets that keep nothing: the same counts, in memory, every source new.

Used by the same threads as the ledger in a database; one lock guards all of it.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence

from etl.loading.ledger_base import (
    DocumentsSoFar,
    Gap,
    KnownDocument,
    Prefix,
    Range,
    RegisteredSource,
    RejectGroup,
    Tile,
    Totals,
    find_gaps,
    now,
)
from etl.messages import Part, PartCounts, RejectedRecord, SourceInfo
from etl.packs import unpacked
from etl.reject_line import describe_reject
from etl.targets.base import TargetConnection


class NoLedger:
    """The null object beside `Ledger`. Raises nothing; its claims always hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._load_id = str(uuid.uuid4())
        self._labels: dict[int, str] = {}
        self._totals: dict[int, Totals] = {}
        self._tiles: defaultdict[tuple[int, int], list[Tile]] = defaultdict(list)
        """By source and document."""
        self._documents: dict[tuple[int, int], str] = {}
        """What they are called."""
        self._groups: dict[tuple[int, str, str, str], list[RejectedRecord]] = {}
        self._counts: dict[tuple[int, str, str, str], int] = {}

    def prepare(self) -> None:
        """Nothing: there are no tables."""

    def begin_again(self, fingerprints: Sequence[str], paths: Sequence[str] = ()) -> None:
        """Nothing: every load begins anew."""

    def register(
        self,
        label: str,
        fingerprint: str | None,
        size: int | None,
        *,
        path: str | None = None,
        open_ended: bool = False,
        prefix: Prefix | None = None,
    ) -> RegisteredSource:
        with self._lock:
            number = len(self._labels) + 1
            self._labels[number] = label
            self._totals[number] = Totals()
        return RegisteredSource(SourceInfo(number, label, self._load_id, now()), "loading", (), Totals())

    def claim(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]], batch: int) -> list[bool]:
        with self._lock:
            for part, counts in parts:
                before = self._totals[part.source]
                self._totals[part.source] = Totals(
                    before.records + counts.records,
                    before.loaded + counts.loaded,
                    before.rejected + counts.rejected,
                    before.discarded + counts.discarded,
                )
                for alone in unpacked(part):
                    if alone.document is not None:
                        self._documents[alone.place[:2]] = alone.document.label
                    self._tiles[alone.place[:2]].append(Tile(alone.start, alone.end, alone.last))
        return [True] * len(parts)

    def hold_again(self) -> None:
        """Nothing: nobody else knows of these sources."""

    def correct(self, connection: TargetConnection, parts: Sequence[tuple[Part, PartCounts]]) -> None:
        """Nothing: memory refuses no rows."""

    def write_rejects(self, connection: TargetConnection, rejects: Sequence[RejectedRecord]) -> None:
        with self._lock:
            for reject in rejects:
                group = (reject.source, reject.reason, reject.table, reject.column)
                self._counts[group] = self._counts.get(group, 0) + 1
                first = self._groups.setdefault(group, [reject])
                if reject.offset < first[0].offset:
                    first[0] = reject

    def unfinished_paths(self) -> frozenset[str]:
        return frozenset()

    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        return {}

    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]:
        return []

    def documents_so_far(self, source: int) -> DocumentsSoFar:
        return DocumentsSoFar(0, 0, any_known=False)

    def document_labels(self, source: int) -> Mapping[str, int]:
        return {}

    def document_label(self, source: int, document: int) -> str:
        with self._lock:
            return self._documents.get((source, document), "")

    def done(self, source: int) -> tuple[Range, ...]:
        with self._lock:
            return tuple(sorted((tile.start, tile.end) for tile in self._tiles[source, 0]))

    def mark_rows_done(self, source: int) -> tuple[Gap, ...]:
        with self._lock:
            return find_gaps(_sorted(self._tiles[source, 0]))

    def mark_documents_done(
        self,
        source: int,
        first: int,
        count: int,
        resumed: Sequence[int],
        elsewhere: Sequence[tuple[int, int]] = (),
    ) -> bool:
        with self._lock:
            numbers = [number for owner, number in self._tiles if owner == source and number >= first]
            return count == sum(not find_gaps(_sorted(self._tiles[source, number])) for number in numbers)

    def mark_keys_built(self, sources: Sequence[int]) -> bool:
        return True

    def mark_finished(self, sources: Sequence[int]) -> bool:
        return True

    def totals(self, source: int) -> Totals:
        with self._lock:
            return self._totals[source]

    def reject_summary(self, sources: Sequence[int]) -> list[RejectGroup]:
        merged: dict[tuple[str, str, str], tuple[int, str]] = {}
        with self._lock:
            for key in sorted(self._counts):
                source, *group = key
                if source in sources:
                    first = self._groups[key][0]
                    label = self._documents.get((source, first.document), self._labels[source])
                    example = describe_reject(label, first.line, first.record, first.message)
                    count, earlier = merged.get((group[0], group[1], group[2]), (0, example))
                    merged[group[0], group[1], group[2]] = (count + self._counts[key], earlier)
        groups = [(*group, count, example) for group, (count, example) in merged.items()]
        return sorted(groups, key=lambda group: (-group[3], group[:3]))


def _sorted(tiles: Sequence[Tile]) -> list[Tile]:
    return sorted(tiles, key=lambda tile: (tile.start, tile.end))
