"""Pieces of a document by their place in it: offsets count bytes of the decompressed document as UTF-8.

In: the document's chunks, and places in ascending order. Out: their bytes. The document is read once, from its
beginning on, no further than wanted; runs on the thread that asks.
"""

from __future__ import annotations

from collections.abc import Iterator


class DocumentPieces:
    """A document that pieces are wanted of."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._start = 0
        """Offset of the chunk's first byte."""

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes from `offset` on, which must not lie before those read last; fewer where the document ends."""
        end = offset + length
        at = offset
        while at < end:
            while at >= self._start + len(self._chunk):
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._start += len(self._chunk)
                self._chunk = chunk
            piece = self._chunk[at - self._start : end - self._start]
            at += len(piece)
            yield piece
