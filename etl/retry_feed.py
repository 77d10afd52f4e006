"""Makes splits of stored rejects: one part a reject, at the place where its record was read.

In: rejects from the ledger, and their documents where it does not keep the record. Out: numbered splits, so that record
numbers, offsets, lines and all that is made of them are those of the first load. Iterated by the feeding thread;
`position` and `stop` may be called from any.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from etl.errors import TransientError
from etl.extract.breakage import shown
from etl.extract.doctype import parse_doctype, subset_of
from etl.extract.dtd import Dtd
from etl.extract.records import too_large
from etl.extract.repair import mended_record
from etl.extract.skeletons import RecordTest, element_name, start_tags
from etl.loading.ledger_reading import LedgerReader, Selection, StoredReject
from etl.loading.retries import Retries
from etl.mapping.paths import RecordPath
from etl.messages import NOTHING_OPEN, Document, Part, RejectedRecord, Run, Skeleton, Split
from etl.options import Settings
from etl.originals import Originals


class RetryFeed:
    """Iterable of the splits of the selected rejects; once."""

    def __init__(
        self,
        ledger: LedgerReader,
        selection: Selection,
        originals: Originals,
        paths: Sequence[RecordPath],
        settings: Settings,
        retries: Retries,
        dtd: Dtd | None = None,
    ) -> None:
        """`retries` are those by which `ledger` looks again after a lost connection; what `dtd` declares holds below
        what their documents declared.
        """
        self._retries = retries
        self._ledger = ledger
        self._selection = selection
        self._originals = originals
        self._records = RecordTest(paths)
        self._split_bytes = settings.split.bytes
        self._split_records = min(settings.insert.batch_records, settings.queue.max_records or 1 << 30)
        self._max_record_bytes = settings.split.max_record_bytes
        self._is_mended = settings.input.repair
        self._dtd = dtd
        self._declared: tuple[Skeleton | None, Skeleton] = None, NOTHING_OPEN
        self._stopped = False
        self._position = 0
        self._number = 0
        self.unavailable = 0
        """Rejects whose record is not kept, and whose source is gone or changed."""
        self.unmet: Counter[str] = Counter()
        """Rejects that are no records of the mapping, by the name of their element."""

    @property
    def position(self) -> int:
        """Bytes of records dealt with."""
        return self._position

    def stop(self) -> None:
        """Give out no more splits, also when a lost connection is waited for."""
        self._stopped = True
        self._retries.interrupt()

    def sample(self) -> None:
        """None: rejects are of all kinds."""

    def __iter__(self) -> Iterator[Split]:
        try:
            yield from self._splits()
        except TransientError:
            if not self._stopped:
                raise

    def _splits(self) -> Iterator[Split]:
        parts: list[Part] = []
        size = 0
        for stored in self._ledger.rejects(self._selection):
            if self._stopped:
                return
            part = self._part(stored)
            self._position += stored.record.length
            if part is None:
                continue
            weight = sum(len(run.payload) for run in part.runs)
            if parts and (size + weight > self._split_bytes or len(parts) >= self._split_records):
                yield self._split(parts, size)
                parts, size = [], 0
            parts.append(part)
            size += weight
        if parts and not self._stopped:
            yield self._split(parts, size)

    def _split(self, parts: Sequence[Part], size: int) -> Split:
        self._number += 1
        return Split(self._number, tuple(parts), size, len(parts))

    def _part(self, stored: StoredReject) -> Part | None:
        """The reject as a part of its own; None where it is left as it is."""
        reject = stored.record
        if reject.document and stored.document is None:  # somebody has deleted its row: its keys cannot be told
            self.unavailable += 1
            return None
        if reject.length > self._max_record_bytes:
            message = too_large(reject.length, self._max_record_bytes)
            again = replace(reject, reason="too_large", message=message, table="", column="")
            return _as_part(stored, rejects=(again,))
        record = self._originals.record(stored)
        if record is None:
            self.unavailable += 1
            return None
        raw = b"".join(record)
        skeleton = self._declaring(reject.skeleton or NOTHING_OPEN, raw)
        # What is not kept is read again by its length, which must stay what it is.
        if self._is_mended and reject.raw is not None:
            raw = mended_record(raw, skeleton.subset)
            # What is wrong with it may stand in the tags around it.
            skeleton = replace(skeleton, open_tags=mended_record(skeleton.open_tags, skeleton.subset))
        if not self._records.is_record(skeleton, raw):
            self.unmet[shown(element_name(raw))] += 1
            return None
        run = Run(skeleton, raw, reject.offset, reject.line, reject.record, array("I", [0, len(raw)]))
        return _as_part(stored, runs=(run,))

    def _declaring(self, skeleton: Skeleton, raw: bytes) -> Skeleton:
        """The skeleton, with what the DTD that the user names declares."""
        if self._dtd is None:
            return skeleton
        # Neighbours stand in the same one.
        if skeleton != self._declared[0]:
            doctype = parse_doctype(skeleton.subset, self._dtd)
            root = element_name((start_tags(skeleton) or [raw])[0])
            subset = subset_of(root, self._dtd)[0] if doctype is None else doctype.subset
            self._declared = skeleton, replace(skeleton, subset=subset)
        return self._declared[1]


def _as_part(stored: StoredReject, runs: tuple[Run, ...] = (), rejects: tuple[RejectedRecord, ...] = ()) -> Part:
    reject, of = stored.record, stored.document
    # Nobody asks by what its document is known: that has its row.
    document = None if of is None else Document(of.number, of.label, "", of.records_before, of.records_most)
    end = reject.offset + reject.length
    return Part(reject.source, reject.offset, end, records=1, runs=runs, rejects=rejects, document=document)
