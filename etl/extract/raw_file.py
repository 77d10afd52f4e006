"""A file as it stands on disk or comes through a pipe: blocks of it, its errors as sentences.

Belongs to the thread that reads.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from etl.errors import SourceError
from etl.extract.decompress import CHUNK_BYTES
from etl.extract.kept_stream import Reading


class RawFile:
    """An open file; `seekable` where its bytes can be had in any order."""

    def __init__(self, file: BinaryIO | Reading, label: str) -> None:
        self._file = file
        self.label = label
        self.taken = 0
        """Bytes read so far."""
        self._seeking = None if isinstance(file, Reading) or not file.seekable() else file

    @property
    def seekable(self) -> bool:
        return self._seeking is not None

    def block(self) -> bytes:
        """The next block, empty at the end."""
        return self.read(CHUNK_BYTES)

    def read(self, size: int) -> bytes:
        """Some bytes, at most `size`; none only at the end."""
        try:
            block = self._file.read(size)
        except OSError as error:
            raise self._unreadable(error) from error
        self.taken += len(block)
        return block

    def read_at(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer where the file ends before. Only where it can seek."""
        assert self._seeking is not None
        data = b""
        try:
            self._seeking.seek(offset)
        except OSError as error:
            raise self._unreadable(error) from error
        while len(data) < size and (block := self.read(size - len(data))):
            data += block
        return data

    def end(self) -> int:
        """The file's size; it then stands at its end. Only where it can seek."""
        return self._moved(0, os.SEEK_END)

    def skip(self, size: int) -> int:
        """Leave out `size` bytes, or what there is up to the end; how many. None where the file cannot seek."""
        if self._seeking is None:
            return 0
        here = self.tell()
        there = min(here + size, self.end())
        self.go_to(there)
        return there - here

    def tell(self) -> int:
        """The place that is read next. Only where it can seek."""
        return self._moved(0, os.SEEK_CUR)

    def go_to(self, offset: int) -> None:
        """Read on from there. Only where it can seek."""
        self._moved(offset, os.SEEK_SET)

    def rewind(self) -> None:
        """Go back to the beginning, where that is possible."""
        if self._seeking is not None:
            self._moved(0, os.SEEK_SET)
        self.taken = 0

    def _moved(self, by: int, origin: int) -> int:
        assert self._seeking is not None
        try:
            return self._seeking.seek(by, origin)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(f"{self.label} cannot be read beyond byte {self.taken}: {error.strerror or error}.")
