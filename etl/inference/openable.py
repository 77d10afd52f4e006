"""A document that can be looked at, wherever it stands: a file, standard input, a member of an archive.

In: sources. Out: what a survey needs of each of their documents. Nothing is opened before its turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from etl.errors import SourceError
from etl.extract.collection import Found, documents
from etl.extract.members import ArchiveLimits
from etl.extract.source import Source, open_source
from etl.options import Limits

PACKED = {".gz", ".bz2", ".xz", ".zst"}
"""Suffixes of files whose documents are larger than they are, and cannot be sought."""

EXPANSION = 20
"""How many times as large their documents are, at most as a rule."""


@dataclass(frozen=True, slots=True)
class Openable:
    """One document."""

    label: str
    """Path or name, as messages show it."""
    size: int | None
    """Bytes as they are stored, None where that is not known."""
    open: Callable[[], AbstractContextManager[Iterator[bytes]]]
    """Gives its chunks as UTF-8; it and they raise SourceError."""
    path: Path | None = None
    """The file that holds this document alone, where it may be sought."""
    is_file: bool = False
    """The label is that of a file, whose size is asked for when it is wanted: there are many."""

    @property
    def document_bytes(self) -> int | None:
        """Bytes of the document, roughly; of a packed one the most that can be expected."""
        size = self.size
        if size is None and self.is_file:
            try:
                size = os.stat(self.label).st_size
            except OSError:
                return 0  # whoever opens it says so
        if size is None:
            return None
        return size * EXPANSION if PurePath(self.label).suffix.lower() in PACKED else size


def openables(sources: Iterable[Source]) -> list[Openable]:
    """The documents of sources that are files, folders of files or streams, archives left out."""
    found: list[Openable] = []
    for source in sources:
        if source.kind == "document":
            # Places in a document that is mended are not those in its file.
            path = source.path if source.repair is None else None
            found.append(Openable(source.label, source.size, partial(open_source, source), path))
        elif source.kind == "folder":
            found += [Openable(file, None, partial(_open_file, source, file), is_file=True) for file in source.files]
    return found


def archived(sources: Iterable[Source], limits: Limits) -> list[Iterator[Openable]]:
    """The documents of each archive; one is open until the next is asked for. They raise SourceError."""
    return [_members(source, limits) for source in sources if source.kind == "archive"]


def _members(source: Source, limits: Limits) -> Iterator[Openable]:
    for found in documents(source, ArchiveLimits.of(limits)):
        if not found.skipped:
            yield Openable(found.label, None if found.content is None else len(found.content), partial(_open, found))


def _open_file(folder: Source, file: str) -> AbstractContextManager[Iterator[bytes]]:
    # A folder has no archives in it, so that no limits apply.
    return _open(next(documents(replace(folder, files=(file,)), ArchiveLimits(0, 0))))


def _open(found: Found) -> AbstractContextManager[Iterator[bytes]]:
    if found.problem:
        raise SourceError(found.problem)
    if found.skipped:
        raise SourceError(f"{found.label} is no document: {found.skipped}.")
    return nullcontext(iter([found.content or b""])) if found.open is None else found.open()
