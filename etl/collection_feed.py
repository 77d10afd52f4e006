"""The documents of one collection, as parts that share splits: small ones together, larger ones cut as any document is.

In: a source that is a collection, and the ledger, which tells what is known of its documents. Out: lists of parts, each
for one split. What is no document is counted; a small document that is broken is a reject from where it breaks, a
larger one leaves the source unfinished. Iterated by the feeder's thread; `position` and `stop` may be called from any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from etl.document_places import DocumentPlaces
from etl.errors import MappingError, SourceError
from etl.extract.bunch import MOST, Bunch, part_of
from etl.extract.collection import Found, alone, bunched_documents
from etl.extract.member import FOLDER, ArchiveLimits
from etl.extract.mends import Mend, sum_up
from etl.extract.reader import SourceReader
from etl.extract.splitter import Splitter, broken_rest, in_document
from etl.fed_source import FedDocuments, FedSource, Tiles
from etl.loading.ledger import DocumentsSoFar, KnownDocument, Range
from etl.loading.stored_text import storable
from etl.messages import Document, Part
from etl.options import Settings
from etl.packs import records_most
from etl.recent_documents import RecentDocuments

PART_BYTES = 512
"""About what a part weighs beside its records: splits of tiny documents are bounded by this."""

_FEW = 16
"""Documents of a bunch that are not worth looking which of them cannot be packed."""


class DocumentLedger(Protocol):
    """What is asked of a ledger."""

    def documents_so_far(self, source: int) -> DocumentsSoFar: ...
    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]: ...
    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]: ...
    def document_labels(self, source: int) -> MappingOf[str, int]: ...


class CollectionFeed:
    """One reading of a collection."""

    def __init__(
        self,
        fed: FedSource,
        *,
        splitter: Splitter,
        ledger: DocumentLedger | None,
        settings: Settings,
        recent: RecentDocuments | None = None,
        limit: int | None = None,
    ) -> None:
        """Without `ledger` every document is new. `limit`: of records."""
        self.remaining = limit
        """Records that may still come."""
        self._fed = fed
        self._splitter = splitter
        self._ledger = ledger
        self._limits = ArchiveLimits.of(settings.limits)
        self._split_bytes = settings.split.bytes
        self._most = min(MOST, splitter.split_records or MOST, max(1, self._split_bytes // PART_BYTES))
        """Documents in a split."""
        self._recent = RecentDocuments() if recent is None else recent
        self._lock = threading.Lock()
        self._reader: SourceReader | None = None
        self._stopped = False
        self._position = 0
        self._names_before: MappingOf[str, int] = {}
        """Of a folder's files that earlier runs have loaded, with the number of the last document of each."""

    @property
    def position(self) -> int:
        """Bytes of the collection read, as it is stored."""
        return self._position

    def stop(self) -> None:
        """Give out no more; from any thread."""
        with self._lock:
            self._stopped = True
            if self._reader is not None:
                self._reader.stop()
        if self._fed.source.stream is not None:
            self._fed.source.stream.stop()

    def parts(self) -> Iterator[list[Part]]:
        """Parts that are not in the ledger, once. Raises SourceError where an archive breaks, TargetError."""
        fed = self._fed
        so_far = self._ledger.documents_so_far(fed.info.number) if self._ledger else DocumentsSoFar(0, 0, False)
        self._places = DocumentPlaces(so_far)
        self._told = fed.documents = FedDocuments(first=self._places.first)
        self._any_known = so_far.any_known
        if self._ledger is not None and fed.source.kind == "folder" and so_far.last:
            self._names_before = self._ledger.document_labels(fed.info.number)
        for group in self._groups():
            yield from self._parts_of(group)
            # The last part of a document says that it is complete, which the collection is not.
            fed.complete = False
            if self._stopped or self.remaining == 0:
                return
        fed.complete = not self._told.broken

    def _groups(self) -> Iterator[list[Found | Bunch]]:
        """What is in the collection, as much at once as goes into a split; a larger document alone."""
        group: list[Found | Bunch] = []
        size = number = 0
        try:
            for found in self._found():
                larger = isinstance(found, Found) and found.open is not None
                documents = len(found.sizes) if isinstance(found, Bunch) else 1
                if group and (larger or size >= self._split_bytes or number + documents > self._most):
                    yield group
                    group, size, number = [], 0, 0
                if larger:
                    yield [found]
                    continue
                group.append(found)
                number += documents
                size += documents * PART_BYTES + len(found.text if isinstance(found, Bunch) else found.content or b"")
        except SourceError:
            if group:
                yield group
            raise
        if group:
            yield group

    def _found(self) -> Iterator[Found | Bunch]:
        """What is in the collection, as this source holds it: in one without identity it is new each time, as all of it
        is.
        """
        number = self._fed.info.number
        for found in bunched_documents(self._fed.source, self._limits, self._split_bytes):
            if isinstance(found, Bunch):
                yield from (found._replace(suffix=f" {number}") if self._fed.nameless else found).pieces(self._most)
            elif self._fed.nameless and found.fingerprint:
                yield found._replace(fingerprint=f"{found.fingerprint} {number}")
            else:
                yield found

    def _parts_of(self, group: Sequence[Found | Bunch]) -> Iterator[list[Part]]:
        known = self._known(group)
        together: list[Part] = []
        for found in self._packed(group, known):
            if isinstance(found, Part):
                together.append(found)
                continue
            self._position = found.position
            before = known.get(found.fingerprint)
            if not self._is_wanted(found, before):
                continue
            document = self._document(found, before)
            if found.content is not None and found.problem:
                together.append(self._unreadable(found.content, document, found.problem))
                if self.remaining == 0:
                    break
                continue
            if found.content is not None and before is None and self.remaining is None:
                together += self._whole(found.content, document)
                continue
            for part in self._in_pieces(found, document, before.done if before else ()):
                yield [part]
            if self._stopped or self.remaining == 0:
                break
        if together:
            yield together

    def _known(self, group: Sequence[Found | Bunch]) -> dict[str, KnownDocument]:
        self._recent.forget_old()
        if self._ledger is None or not (self._any_known or self._recent.has_forgotten):
            return {}
        read: list[str] = []
        for found in group:
            read += found.fingerprints if isinstance(found, Bunch) else [found.fingerprint] if found.fingerprint else []
        wanted = self._recent.may_have_forgotten(read)
        if self._any_known and read:
            wanted += self._ledger.possible_documents(read)
        return self._ledger.find_documents(self._fed.info.number, sorted({*wanted})) if wanted else {}

    def _packed(self, group: Sequence[Found | Bunch], known: MappingOf[str, KnownDocument]) -> Iterator[Found | Part]:
        """Bunches as parts where nothing is to be looked at in any of their documents, else these one by one."""
        for found in group:
            if isinstance(found, Found):
                yield found
            elif self.remaining is not None or self._places.has_gaps:
                yield from alone(found)
            else:
                for together, some in self._runs(found, known):
                    yield from self._together(some) if together else alone(some)

    def _runs(self, bunch: Bunch, known: MappingOf[str, KnownDocument]) -> Iterator[tuple[bool, Bunch]]:
        """A bunch in pieces, each with whether its documents go together: records that the ledger does not know."""
        together = self._splitter.are_records(bunch)
        if known:
            new = (fingerprint not in known for fingerprint in bunch.fingerprints)
            together = [is_record and is_new for is_record, is_new in zip(together, new, strict=True)]
        first = 0
        for is_together, run in groupby(together):
            behind = first + sum(1 for _ in run)
            yield is_together, bunch.piece(first, behind)
            first = behind

    def _together(self, bunch: Bunch) -> Iterator[Found | Part]:
        if (part := self._pack(bunch)) is not None:
            yield part
        elif len(bunch.sizes) > _FEW:
            for half in bunch.pieces((len(bunch.sizes) + 1) // 2):
                yield from self._together(half)
        else:
            yield from alone(bunch)

    def _pack(self, bunch: Bunch) -> Part | None:
        """All documents of a bunch, each of which is a record, where none of them was read before."""
        fingerprints = bunch.fingerprints
        if not self._recent.add_new(fingerprints):
            return None
        place = self._places.take_together(len(fingerprints), sum(map(records_most, bunch.sizes)))
        if place is None:
            raise self._full(bunch.labels[0])
        if not all(map(str.isascii, bunch.labels)):
            bunch = bunch._replace(labels=tuple(storable(label, "utf-8") for label in bunch.labels))
        self._position = bunch.position
        part = part_of(bunch, self._fed.info.number, *place)
        self._fed.saw(part, skipped=False)
        self._told.change(self._names_before.keys() & bunch.labels)
        self._told.begun += part.records
        self._told.finished += part.records
        return part

    def _is_wanted(self, found: Found, known: KnownDocument | None) -> bool:
        """Whether it is a document that is to be read; what is not is counted."""
        fed, told = self._fed, self._told
        self._mended(found.label, found.mends)
        if found.problem and found.content is None:
            self._breaks(found.problem)
        elif found.skipped:
            if found.skipped != FOLDER:
                told.skip(found.label, found.skipped)
        elif known is not None and known.complete:
            ours = known.source == fed.info.number
            if ours and known.number >= told.first:
                told.twins += 1
                return False
            told.known += 1
            if not known.records:
                told.miss(found.label)
            if ours and self._names_before.get(found.label, 0) > known.number:
                told.revert(found.label)
            if known.number and not ours:
                told.elsewhere.append((known.source, known.number))
            if ours:
                self._places.pass_by(known.number)
                fed.records += known.records
                fed.skipped += known.records
        elif self._recent.add_new([found.fingerprint]):
            return True
        else:
            told.twins += 1
        return False

    def _document(self, found: Found, known: KnownDocument | None) -> Document:
        # It goes into rows, too.
        label = found.label if found.label.isascii() else storable(found.label, "utf-8")
        if known is not None:
            self._places.pass_by(known.number)
            self._told.resumed.append(known.number)
            return Document(known.number, label, found.fingerprint, known.records_before, found.records_most)
        place = self._places.take(found.records_most)
        if place is None:
            raise self._full(found.label)
        number, before = place
        self._told.change(self._names_before.keys() & {label})
        if number < self._told.first:
            self._told.resumed.append(number)
        else:
            self._told.begun += 1
        return Document(number, label, found.fingerprint, before, found.records_most)

    def _full(self, label: str) -> SourceError:
        return SourceError(
            f"{self._fed.info.label} holds more than one source can: for {label} no record numbers are left."
            " Load its documents in several archives."
        )

    def _whole(self, content: bytes, document: Document) -> list[Part]:
        fed = self._fed
        parts = self._splitter.split_whole(content, fed.info.number, document, self._position)
        if len(parts) == 1 and not parts[0].passed:
            # The usual case, in which there is nothing else to see.
            records = parts[0].records
            fed.records += records
            fed.document_bytes += len(content)
        else:
            records = 0
            for part in parts:
                fed.saw(part, skipped=False)
                records += part.records
        self._told.finish(document, records)
        return parts

    def _unreadable(self, content: bytes, document: Document, problem: str) -> Part:
        """A small document that is a reject as a whole."""
        part = broken_rest(content, 0, 0, self._fed.info.number, document, problem)._replace(position=self._position)
        self._fed.saw(part, skipped=False)
        if self.remaining is not None:
            self.remaining -= part.records
        self._told.finish(document, part.records)
        return part

    def _in_pieces(self, found: Found, document: Document, done: Sequence[Range]) -> Iterator[Part]:
        """The parts of a document that is read in chunks, or goes on where an earlier run ended."""
        fed, tiles = self._fed, Tiles(done)
        records, last = 0, False
        try:
            with self._opened(found) as chunks:
                for part in self._pieces(chunks, found.content, document, tiles):
                    records, last = records + part.records, part.last
                    if records > document.records_most:
                        raise SourceError(f"{document.label} holds more records than its size lets expect.")
                    skip = tiles.have(part)
                    fed.saw(part, skipped=skip)
                    if self.remaining is not None:
                        self.remaining -= part.records
                    if not skip:
                        yield in_document(part, document, found.position)
                    if self._stopped:
                        return
        except (SourceError, MappingError) as error:
            if not self._stopped:
                self._breaks(str(error))
            return
        if last:
            self._told.finish(document, records)

    def _pieces(
        self, chunks: Iterable[bytes], content: bytes | None, document: Document, tiles: Tiles
    ) -> Iterator[Part]:
        """What the splitter makes of a document; from where one whose `content` is known is broken, a reject."""
        source, end, records = self._fed.info.number, 0, 0
        try:
            for part in self._splitter.split(chunks, source, document.label, tiles.edges(), self.remaining):
                end, records = part.end, records + part.records
                yield part
        except SourceError as error:
            if content is None:
                raise
            yield broken_rest(content, end, records, source, document, str(error))

    @contextmanager
    def _opened(self, found: Found) -> Iterator[Iterable[bytes]]:
        if found.open is None:
            yield [found.content or b""]
            return
        with found.open() as reader:
            with self._lock:
                self._reader = reader
                if self._stopped:
                    reader.stop()
            try:
                yield reader
            finally:
                self._mended(found.label, reader.mends)
                with self._lock:
                    self._reader = None

    def _mended(self, label: str, mends: Sequence[Mend]) -> None:
        if mends:
            self._fed.mends = sum_up([*self._fed.mends, *(replace(mend, document=label) for mend in mends)])

    def _breaks(self, problem: str) -> None:
        self._told.broken += 1
        self._fed.problem = self._fed.problem or problem
