"""The records of rejects: from the database, and where it does not keep them, from the files they came from.

In: rejects, by source and place. Out: their bytes, or None where the file is gone or is not what it was. Used by one
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from etl.errors import SourceError
from etl.extract.pieces import DocumentPieces
from etl.extract.repair import Repair, identity, is_repaired
from etl.extract.source import Source
from etl.loading.ledger_reading import StoredSource
from etl.messages import RejectedRecord


class Originals:
    """The documents of some sources, opened when needed, one at a time."""

    def __init__(self, sources: Sequence[StoredSource]) -> None:
        self._sources = {source.number: source for source in sources}
        self._source: int | None = None
        self._pieces: DocumentPieces | None = None

    def record(self, reject: RejectedRecord) -> Iterator[bytes] | None:
        """The record's bytes in pieces, valid until the next is asked for. Raises SourceError."""
        if reject.raw is not None:
            return iter([reject.raw])
        if reject.source != self._source:
            self.close()
            self._source = reject.source
            self._pieces = _open(self._sources[reject.source])
        return self._pieces.read(reject.offset, reject.length) if self._pieces is not None else None

    def close(self) -> None:
        if self._pieces is not None:
            self._pieces.close()
        self._pieces, self._source = None, None


def has_changed(stored: StoredSource) -> bool | None:
    """Whether the file it came from has another content now; None where there is no such file to read.

    One that has only grown has what it had.
    """
    try:
        source = _source(stored)
        if source is None or stored.fingerprint is None:
            return None
        found = source.fingerprint() or ""
        return (found if source.repair is None else identity(found)) != stored.fingerprint
    except (OSError, ValueError, SourceError):
        return None


def _open(stored: StoredSource) -> DocumentPieces | None:
    if has_changed(stored) is not False:
        return None
    try:
        source = _source(stored)
        return None if source is None else DocumentPieces(source)
    except (OSError, ValueError, SourceError):
        return None


def _source(stored: StoredSource) -> Source | None:
    if stored.path is None or stored.fingerprint is None:
        return None
    path = Path(stored.path)
    repair = Repair() if is_repaired(stored.fingerprint) else None
    size = path.stat().st_size
    return Source(stored.label, path, size if stored.size is None else min(size, stored.size), repair=repair)
