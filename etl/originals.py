"""The records of rejects: from the database, and where it does not keep them, from the files they came from.

In: rejects, by source and place. Out: their bytes, or None where the file is gone or is not what it was. Used by one
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path, PurePath

from etl.errors import SourceError
from etl.extract.collection import Found, documents
from etl.extract.member import ArchiveLimits
from etl.extract.pieces import DocumentPieces
from etl.extract.repair import Repair, wanted_repair
from etl.extract.source import Source, open_source
from etl.fingerprints import AS_IT_IS, FOLDER, REPAIRED, content_of, mended_reading, reading_of
from etl.loading.documents import identity as document_identity
from etl.loading.ledger_reading import StoredDocument, StoredReject, StoredSource
from etl.messages import RejectedRecord


class Originals:
    """The documents of some sources, opened when needed, one at a time."""

    def __init__(self, sources: Sequence[StoredSource], limits: ArchiveLimits, dtd: Path | None = None) -> None:
        """`limits`: of what an archive may make; `dtd`: what documents may have been mended by.

        Raises SettingsError where a source may need the DTD, and it cannot be used.
        """
        self._sources = {source.number: source for source in sources}
        self._mended: dict[str, Repair | None] = {AS_IT_IS: None, REPAIRED: Repair()}
        """How documents can be read."""
        readings = {reading_of(source.fingerprint) for source in sources if source.fingerprint is not None}
        given = wanted_repair(bool(readings - self._mended.keys()), dtd)
        if given is not None:
            self._mended[mended_reading(given.declared)] = given
        self._limits = limits
        self._source: int | None = None
        self._archive: _Archive | None = None
        """The source, where it is an archive that is as it was."""
        self._document: int | None = None
        self._pieces: DocumentPieces | None = None
        self._open = ExitStack()
        """What `_pieces` are read from."""

    def record(self, stored: StoredReject) -> Iterator[bytes] | None:
        """The record's bytes in pieces, valid until the next is asked for. Raises SourceError."""
        reject = stored.record
        if reject.raw is not None:
            return iter([reject.raw])
        if reject.source != self._source:
            self.close()
            self._source = reject.source
        if reject.document != self._document:
            self._open.close()
            self._document = reject.document
            chunks = self._chunks(self._sources[reject.source], reject, stored.document)
            self._pieces = DocumentPieces(chunks) if chunks is not None else None
        return self._pieces.read(reject.offset, reject.length) if self._pieces is not None else None

    def close(self) -> None:
        """Close what is open; it may be opened again."""
        self._open.close()
        if self._archive is not None:
            self._archive.close()
        self._source, self._archive, self._document, self._pieces = None, None, None, None

    def _chunks(
        self, stored: StoredSource, reject: RejectedRecord, document: StoredDocument | None
    ) -> Iterator[bytes] | None:
        """The document that the reject is in; None where it is gone or another."""
        if not reject.document:
            source = self._unchanged(stored)
            return None if source is None else self._open.enter_context(closing(open_source(source)))
        if document is None:
            return None
        if _is_folder(stored):
            folder = self._unchanged(stored)
            found = None if folder is None else _file(folder, document, stored.mapping_digest)
        else:
            if self._archive is None:
                source = self._unchanged(stored)
                if source is None:
                    return None
                self._archive = _Archive(replace(source, kind="archive"), stored.mapping_digest, self._limits)
            found = self._archive.find(document)
        if found is None:
            return None
        return iter([found.content or b""]) if found.open is None else self._open.enter_context(found.open())

    def _unchanged(self, stored: StoredSource) -> Source | None:
        """The source, to be read as it was, where it is what it was and it is known how it was mended."""
        reading = reading_of(stored.fingerprint or "")
        if reading not in self._mended or has_changed(stored) is not False:
            return None
        try:
            source = _source(stored)
        except (OSError, ValueError):
            return None
        return None if source is None else replace(source, repair=self._mended[reading])


class _Archive:
    """An archive in which documents are looked for, mostly in its order."""

    def __init__(self, source: Source, structure: str, limits: ArchiveLimits) -> None:
        self._source = source
        self._structure = structure
        self._limits = limits
        self._rest = documents(source, limits)

    def find(self, document: StoredDocument) -> Found | None:
        """The document, to be read before the next one is asked for. Raises SourceError."""
        found = None
        with suppress(SourceError):  # an archive that is cut off, which says so where it ends
            found = self._next(document)
        if found is None:
            # One run gives its documents numbers in the archive's order, and a later one higher ones.
            self.close()
            self._rest = documents(self._source, self._limits)
            found = self._next(document)
        return found

    def _next(self, document: StoredDocument) -> Found | None:
        return next((found for found in self._rest if _is(found, document, self._structure)), None)

    def close(self) -> None:
        """Close the file."""
        self._rest.close()


def has_changed(stored: StoredSource) -> bool | None:
    """Whether the file it came from has another content now; None where there is no such file to read.

    One that has only grown has what it had. A folder is what it was as long as it is there: each of its files has an
    identity of its own.
    """
    try:
        source = _source(stored)
        if source is None or stored.fingerprint is None:
            return None
        return source.fingerprint() != content_of(stored.fingerprint)
    except (OSError, ValueError, SourceError):
        return None


def _source(stored: StoredSource) -> Source | None:
    """The file or folder, as it is."""
    if stored.path is None or stored.fingerprint is None:
        return None
    path = Path(stored.path)
    if _is_folder(stored):
        return Source(stored.label, path, 0, kind="folder") if path.is_dir() else None
    size = path.stat().st_size
    return Source(stored.label, path, size if stored.size is None else min(size, stored.size))


def _is_folder(stored: StoredSource) -> bool:
    return stored.fingerprint is not None and stored.fingerprint.startswith(FOLDER)


def _file(folder: Source, document: StoredDocument, structure: str) -> Found | None:
    """The file of a folder that the document was, where it is what it was."""
    if folder.path is None:
        return None
    for path in _paths(folder.path, document.label):
        if path.is_file():
            found = next(documents(replace(folder, files=(str(path),)), ArchiveLimits(0, 0)), None)
            if found is not None and _is(found, document, structure):
                return found
    return None


def _paths(folder: Path, label: str) -> Iterator[Path]:
    """Where a file of the folder can be: its label may begin at a working directory that nobody knows any more."""
    parts = PurePath(label).parts
    for first in range(len(parts)):
        yield folder.joinpath(*parts[first:])


def _is(found: Found, document: StoredDocument, structure: str) -> bool:
    return bool(found.fingerprint) and document_identity(found.fingerprint, structure) == document.identity
