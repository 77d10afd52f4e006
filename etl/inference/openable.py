"""A document that can be looked at, wherever it stands: a file, standard input, a member of an archive.

In: sources. Out: what a survey needs of each. Nothing is opened before its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

from etl.extract.source import Source, open_source

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
    """Bytes as they are stored, None where that cannot be told before reading."""
    open: Callable[[], AbstractContextManager[Iterator[bytes]]]
    """Gives its chunks as UTF-8; it and they raise SourceError. Called once, in the order of the documents."""
    path: Path | None = None
    """The file that holds this document alone, if one does."""

    @property
    def document_bytes(self) -> int | None:
        """Bytes of the document, roughly; of a packed one the most that can be expected."""
        if self.size is None:
            return None
        return self.size * EXPANSION if PurePath(self.label).suffix.lower() in PACKED else self.size


def openables(sources: Iterable[Source]) -> list[Openable]:
    """The documents of sources that hold one each."""
    return [Openable(source.label, source.size, partial(open_source, source), source.path) for source in sources]
