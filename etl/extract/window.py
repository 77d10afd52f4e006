"""A sliding window over the chunks of a document: what the splitter looks at, however the chunks are cut.

In: chunks of bytes of any size. Out: `buf`, which holds the document from offset `base` on, and line numbers. Runs on
the thread of whoever iterates the splitter. All offsets are the document's, except where a name says `buf`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from etl import native
from etl.errors import SourceError

MIN_READ = 1 << 16
"""Bytes asked for at once at least, so that a source of tiny chunks does not cost a search for each of them."""


def line_counter() -> Callable[[bytes | bytearray, int, int], int]:
    """What counts the line feeds in a buffer from one place to another; the compiled one 10 times as fast."""
    if native.unavailable():
        return lambda buf, start, end: buf.count(b"\n", start, end)
    from etl.native import _cutter

    return _cutter.count_lines


class Window:
    """Bytes of the document from `base` up to what was read so far."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.buf = bytearray()
        self.base = 0
        self.error: SourceError | None = None
        """Why the source ended before its document did; what was readable before is in the window all the same."""
        self._count = line_counter()
        self._counted = 0
        self._line = 1

    @property
    def end(self) -> int:
        """Offset behind the last byte read."""
        return self.base + len(self.buf)

    def more(self, keep: int, pending: int) -> bool:
        """Read on; False at the end of the document. Bytes before `keep` are given up.

        `pending` is the offset from which the caller will search again: at least as much is read as lies behind it,
        so that searching again and again costs no more than twice the document's length.
        """
        if keep > self.base:
            self._count_lines(keep)
            del self.buf[: keep - self.base]
            self.base = keep
        wanted = len(self.buf) + max(MIN_READ, self.end - pending)
        before = len(self.buf)
        try:
            while len(self.buf) < wanted:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self.buf += chunk
        except SourceError as error:
            self.error = error
            self._chunks = iter(())
        return len(self.buf) > before

    def bytes_between(self, start: int, end: int) -> bytes:
        """A copy of the document's bytes from `start` to `end`."""
        with memoryview(self.buf) as view:
            return bytes(view[start - self.base : end - self.base])

    def line(self, offset: int) -> int:
        """Line of the byte at `offset`, which must be in the window (or be its end)."""
        if offset >= self._counted:
            self._count_lines(offset)
            return self._line
        return self._line - self._count(self.buf, offset - self.base, self._counted - self.base)

    def _count_lines(self, offset: int) -> None:
        if offset > self._counted:
            self._line += self._count(self.buf, max(self._counted - self.base, 0), offset - self.base)
            self._counted = offset
