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

from etl.errors import SourceError

_BLOCK_BYTES = 1 << 20
_READ_AHEAD = 4
"""Blocks waiting at most."""


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
        self._ahead: ReadingAhead | None = None
        self._stopped = False
        self._position = 0

    @property
    def position(self) -> int:
        """Bytes that were taken from the stream."""
        return self._position

    def keep_no_more(self) -> None:
        """The next reading is the last."""
        self._keeping = False

    def open(self) -> Reading:
        """A reading from the beginning; raises OSError where the stream cannot be opened."""
        self._open()
        return Reading(self, last=not self._keeping)

    def open_ahead(self) -> ReadingAhead:
        """As `open`; who waits for its blocks is woken by `stop`."""
        self._open()
        self._ahead = ahead = ReadingAhead(self, last=not self._keeping)
        if self._stopped:
            ahead.stop()
        return ahead

    def _open(self) -> None:
        if self._file is None:
            self._file = self._open_stream()

    def stop(self) -> None:
        """Wake who waits in a `ReadingAhead`, and let none of them go on; from any thread."""
        self._stopped = True
        if self._ahead is not None:
            self._ahead.stop()

    def block(self, number: int, size: int, *, last: bool) -> bytes:
        """A block of the stream, as it came from there; empty at the end, and where it was given away already."""
        assert self._file is not None
        with self._lock:
            if number < self._first:
                return b""
            if number == self._first + len(self._blocks):
                block = self._file.read(size)
                self._position += len(block)
                self._blocks.append(block)
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
        self._given = 0

    def tell(self) -> int:
        """Bytes that it has given."""
        return self._given

    def read(self, size: int, /) -> bytes:
        """The next block, of about `size` bytes, or fewer where the stream has no more at hand; empty at the end."""
        block = self._stream.block(self._next, size, last=self._last)
        self._next += 1
        self._given += len(block)
        return block

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last:
            self._stream.close()


class ReadingAhead(Reading):
    """One that a thread of its own does, so that who waits for a block can be woken, however silent the stream is."""

    def __init__(self, stream: KeptStream, *, last: bool) -> None:
        super().__init__(stream, last=last)
        self._ready: deque[bytes] = deque()
        self._taken = 0
        self._error: OSError | None = None
        self._ended = False
        self._stopped = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="etl-read-pipe", daemon=True).start()

    def tell(self) -> int:
        return self._taken

    def read(self, size: int, /) -> bytes:
        """As of any reading, but for the size. Raises SourceError once it is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended or self._stopped)
            if self._stopped:
                raise SourceError("Reading was stopped.")
            if not self._ready and self._error is not None:
                raise self._error
            block = self._ready.popleft() if self._ready else b""
            self._taken += len(block)
            self._changed.notify_all()
            return block

    def stop(self) -> None:
        """Wake whoever waits, on either side, and end; from any thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __enter__(self) -> ReadingAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The thread closes the stream, which it may be waiting for.
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stopped and (block := super().read(_BLOCK_BYTES)):
                self._hand_over(block)
        except OSError as error:
            self._error = error
        finally:
            super().__exit__(None, None, None)
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hand_over(self, block: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < _READ_AHEAD or self._stopped)
            self._ready.append(block)
            self._changed.notify_all()
