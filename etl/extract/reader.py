"""Reads a document ahead: file, decompression, encoding.

In: an open file. Out: chunks of the document as UTF-8, for one consumer. Reading, decompressing and transcoding run
on a daemon thread of their own, named ``etl-read-...``, which ends with the file, or when the reader is closed.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from etl.errors import SourceError
from etl.extract.decompress import CHUNK_BYTES, decompress
from etl.extract.encoding import to_utf8
from etl.extract.mends import Mend
from etl.extract.repair import Repair, mended_beginning, new_mender

_READ_AHEAD = 4
"""Chunks waiting at most: enough to bridge a pause of either side."""

_SNIPPET_BYTES = 32
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")


class Readable(Protocol):
    """What of a file a reader needs."""

    def read(self, size: int, /) -> bytes:
        """The next block, about as large; empty at the end."""

    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> object: ...


def read_whole(content: bytes, label: str, repair: Repair | None) -> tuple[bytes, tuple[Mend, ...]]:
    """A document that is in memory, and not compressed, as a reader gives it, and what was mended in it.

    Raises SourceError where it is empty, not XML, or in an encoding that is not known.
    """
    chunks = to_utf8([content], label)
    if repair is None:
        return b"".join(_check_is_xml(chunks, label)), ()
    mender = new_mender(repair)
    mended = b"".join(_check_is_xml(mender.mended(chunks), label))
    return mended, mender.mends


class SourceReader:
    """Iterator of a document's chunks (about 1 MiB of UTF-8 each), read ahead by a thread.

    Raises SourceError, after all that could be read, where the source is empty, not XML, an archive, cut off, damaged
    or changed meanwhile; and when it is stopped from another thread while someone waits for a chunk.
    """

    def __init__(
        self,
        file: Readable,
        label: str,
        *,
        interruptible: bool,
        is_changed: Callable[[], bool] = lambda: False,
        repair: Repair | None = None,
        check_made: Callable[[int, int], None] | None = None,
    ) -> None:
        """`file` is read without buffer and closed in the end; `interruptible` where reading it never waits long.

        `is_changed` is asked at the file's end, whether what was read may be a mixture. With `repair` the document is
        mended. `check_made` is told, by the thread that reads, of how many bytes decompressed, and how many read for
        them, before they go on, and raises SourceError where they are too many.
        """
        self._file = file
        self._label = label
        self._interruptible = interruptible
        self._is_changed = is_changed
        self._mender = new_mender(repair) if repair is not None else None
        self._check_made = check_made
        self._consumed = 0
        self._position = 0
        self._ready: deque[tuple[bytes, int]] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._stopped = False
        self._changed = threading.Condition()
        name = f"etl-read-{Path(label).name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def position(self) -> int:
        """Bytes of the (compressed) source that the chunks handed out so far come from; any thread may ask."""
        return self._position

    @property
    def mends(self) -> tuple[Mend, ...]:
        """What was mended as far as it was read, which may be ahead of the chunks handed out; any thread may ask."""
        return self._mender.mends if self._mender is not None else ()

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended or self._stopped)
            if self._stopped:
                raise SourceError(f"Reading {self._label} was stopped.")
            if self._ready:
                chunk, self._position = self._ready.popleft()
                self._changed.notify_all()
                return chunk
            if self._error is not None:
                raise self._error
            raise StopIteration

    def stop(self) -> None:
        """Wake whoever waits, on either side, and end; may be called from any thread, and twice."""
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Stop, and wait until the file is closed, unless it is one whose reading cannot be interrupted."""
        self.stop()
        if self._interruptible:
            self._thread.join()

    def _run(self) -> None:
        try:
            with self._file:
                decompressed = decompress(self._read, self._label)
                if self._check_made is not None:
                    decompressed = self._checked(decompressed, self._check_made)
                content = to_utf8(decompressed, self._label)
                if self._mender is not None:
                    content = self._mender.mended(content)
                for chunk in _check_is_xml(content, self._label):
                    if chunk and not self._hand_over(chunk):
                        return
        except BaseException as error:  # noqa: BLE001  # it is the consumer's to deal with
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _checked(self, chunks: Iterator[bytes], check_made: Callable[[int, int], None]) -> Iterator[bytes]:
        made = 0
        for chunk in chunks:
            made += len(chunk)
            check_made(made, self._consumed)
            yield chunk

    def _read(self) -> bytes:
        try:
            block = self._file.read(CHUNK_BYTES)
        except OSError as error:
            raise SourceError(
                f"{self._label} cannot be read beyond byte {self._consumed}: {error.strerror or error}."
            ) from error
        if not block and self._is_changed():
            raise SourceError(
                f"{self._label} was changed while it was read: what was loaded of it may be a mixture. The same command"
                " goes on if its content is what it was; otherwise it is a new source, and those rows stay."
            )
        self._consumed += len(block)
        return block

    def _hand_over(self, chunk: bytes) -> bool:
        """Queue a chunk, as soon as there is room; False where nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < _READ_AHEAD or self._stopped)
            if not self._stopped:
                self._ready.append((chunk, self._consumed))
                self._changed.notify_all()
            return not self._stopped


def _check_is_xml(chunks: Iterator[bytes], label: str) -> Iterator[bytes]:
    """The chunks, if their first character that is not white space is ``<``."""
    size = 0
    for chunk in chunks:
        found = _NOT_SPACE.search(chunk)
        if found is not None and chunk[found.start()] != ord("<"):
            begin = chunk[found.start() :][:_SNIPPET_BYTES].decode("utf-8", "backslashreplace")
            hint = " --repair would mend that." if _would_be_xml(chunk) else ""
            raise SourceError(f"{label} is not XML: it begins with {begin!r}.{hint}")
        yield chunk
        size += len(chunk)
        if found is not None:
            yield from chunks
            return
    raise SourceError(f"{label} is empty." if not size else f"{label} holds nothing but white space.")


def _would_be_xml(chunk: bytes) -> bool:
    """Whether the document would begin as it should if it were mended."""
    return mended_beginning(chunk).lstrip(b" \t\r\n").startswith(b"<")
