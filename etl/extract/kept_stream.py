"""Standard input or a pipe that is read twice: for a sample first, then from its beginning on as if nobody had.

In: an open stream. Out: readings of it. What any reading takes from the stream is kept, as it came (compressed, say),
until the last reading has had it, which gives it away as it goes: so the whole is never in memory, only what the
readings before it have taken. Readings run on threads of their own and may overlap: one that was given up may still
wait for its next block, which the last one then finds here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO


class KeptStream:
    """A stream, opened at its first reading, that can be read from the beginning until `keep_no_more`."""

    def __init__(self, open_stream: Callable[[], BinaryIO]) -> None:
        self._open_stream = open_stream
        self._file: BinaryIO | None = None
        self._blocks: deque[bytes] = deque()
        self._first = 0
        """Number of the first block that is still here."""
        self._keeping = True
        self._lock = threading.Lock()

    def keep_no_more(self) -> None:
        """The next reading is the last."""
        self._keeping = False

    def open(self) -> Reading:
        """A reading from the beginning; raises OSError where the stream cannot be opened."""
        if self._file is None:
            self._file = self._open_stream()
        return Reading(self, last=not self._keeping)

    def block(self, number: int, size: int, *, last: bool) -> bytes:
        """A block of the stream, as it came from there; empty at the end, and where it was given away already."""
        assert self._file is not None
        with self._lock:
            if number < self._first:
                return b""
            if number == self._first + len(self._blocks):
                self._blocks.append(self._file.read(size))
            if not last:
                return self._blocks[number - self._first]
            self._first += 1
            return self._blocks.popleft()

    def close(self) -> None:
        """Close the stream itself."""
        if self._file is not None:
            self._file.close()


class Reading:
    """One reading of a kept stream: the part of a file that a `SourceReader` needs."""

    def __init__(self, stream: KeptStream, *, last: bool) -> None:
        self._stream = stream
        self._last = last
        self._next = 0

    def read(self, size: int, /) -> bytes:
        """The next block, of about `size` bytes, or fewer where the stream has no more at hand; empty at the end."""
        block = self._stream.block(self._next, size, last=self._last)
        self._next += 1
        return block

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last:
            self._stream.close()
