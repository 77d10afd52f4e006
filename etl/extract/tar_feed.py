"""The bytes of a tar as its members are read: what comes next, up to where, and why nothing more comes.

In: chunks of the decompressed tar. Out: pieces of them, without going back. Runs on the reading thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.errors import SourceError
from etl.extract.raw_file import RawFile


class TarFeed:
    """The bytes of a tar; `data` from `at` on comes next."""

    __slots__ = ("_before", "_chunks", "_failure", "_raw", "at", "data", "label")

    def __init__(self, chunks: Iterator[bytes], label: str, raw: RawFile | None) -> None:
        """`raw` is the file that the chunks are blocks of; None where they are decompressed, so it cannot skip."""
        self.data = b""
        self.at = 0
        self.label = label
        self._before = 0
        """Bytes of the tar before `data`."""
        self._chunks = chunks
        self._raw = raw
        self._failure: SourceError | None = None

    @property
    def position(self) -> int:
        return self._before + self.at

    @property
    def stored_position(self) -> int | None:
        """The same where the tar is not compressed."""
        return None if self._raw is None else self.position

    @property
    def failed(self) -> bool:
        """Whether the end is not the tar's, but that of what could be decompressed of it."""
        return self._failure is not None

    def more(self) -> bool:
        """Forget what was taken, and add a chunk; False at the end."""
        try:
            chunk = next(self._chunks, None) if self._failure is None else None
        except SourceError as error:
            self._failure, chunk = error, None
        if chunk is None:
            return False
        self._before += self.at
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end; for few, since they are gathered."""
        while len(self.data) - self.at < size and self.more():
            pass
        piece = self.data[self.at : self.at + size]
        self.at += len(piece)
        return piece

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next bytes as they come, fewer at the end."""
        while size and (self.at < len(self.data) or self.more()):
            piece = self.data[self.at : self.at + size]
            self.at += len(piece)
            size -= len(piece)
            yield piece

    def go_to(self, position: int) -> bool:
        """Skip up to there, or to the end: then False."""
        while position - self._before > len(self.data):
            self.at = len(self.data)
            if self._raw is not None:
                self._before += self._raw.skip(position - self.position)
            if not self.more():
                return self.position == position
        self.at = position - self._before
        return True

    def cut_off(self, where: str) -> SourceError:
        """Why nothing more comes; the feed stands at its end."""
        self.at = len(self.data)
        if self._failure is not None:
            return self._failure
        return SourceError(f"{self.label} is cut off: it ends at byte {self.position}{self._of_what()}, {where}.")

    def damaged(self, position: int, why: str) -> SourceError:
        return SourceError(f"{self.label} is damaged: at byte {position}{self._of_what()} {why}.")

    def _of_what(self) -> str:
        return " of the decompressed tar" if self._raw is None else ""
