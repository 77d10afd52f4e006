"""Reads pieces of a document again, by their place in it: offsets count bytes of the decompressed document as UTF-8.

In: places in ascending order. Out: their bytes. The document is read once, from its beginning on, no further than
wanted; runs on the thread that asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.extract.source import Source, open_source


class DocumentPieces:
    """A document that pieces are wanted of. Raises SourceError where it cannot be read."""

    def __init__(self, source: Source) -> None:
        self._reader = open_source(source)
        self._chunk = b""
        self._start = 0
        """Offset of the chunk's first byte."""

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes from `offset` on, which must not lie before those read last; fewer where the document ends."""
        end = offset + length
        at = offset
        while at < end:
            while at >= self._start + len(self._chunk):
                chunk = next(self._reader, None)
                if chunk is None:
                    return
                self._start += len(self._chunk)
                self._chunk = chunk
            piece = self._chunk[at - self._start : end - self._start]
            at += len(piece)
            yield piece

    def close(self) -> None:
        self._reader.close()
