"""Decompression by content: gzip, bzip2, xz (and lzma), zstd; whatever else passes through.

In: blocks of a file. Out: chunks of what it holds, near 1 MiB. Several compressed streams one behind the other are one
file. Everything that could be decompressed comes out before SourceError tells where the file is cut off or damaged.
Runs on the reading thread.
"""

from __future__ import annotations

import bz2
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import zstandard
from isal import isal_zlib

from etl.errors import SourceError

CHUNK_BYTES = 1 << 20
"""Handed on at once: large enough that what is done for each chunk does not count, small enough for the cache."""

_INPUT_BYTES = 1 << 13
"""Given to a decompressor at once. What it makes of a damaged piece is lost whole, and a piece may grow a
thousandfold: both ask for a small one."""

_MAGIC_BYTES = 6
"""The longest of the signatures below."""

_ARCHIVES = re.compile(rb"PK(?:\x03\x04|\x05\x06)|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07")
_PADDING = re.compile(rb"\0*+")
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    magic: re.Pattern[bytes]
    new: Callable[[], _Decompressor]


def _zstd() -> _Decompressor:
    # Dumps are made with --long=31: the window is as large as the format allows.
    return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


_FORMATS = (
    _Format("gzip", re.compile(rb"\x1f\x8b"), lambda: isal_zlib.decompressobj(wbits=31)),
    _Format("bzip2", re.compile(rb"BZh[1-9]"), bz2.BZ2Decompressor),
    _Format("xz", re.compile(rb"\xfd7zXZ\0|\x5d\0\0"), lzma.LZMADecompressor),
    _Format("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstd),
)
_ERRORS: tuple[type[Exception], ...] = (
    cast(type[Exception], isal_zlib.IsalError),  # its stubs call it an instance
    lzma.LZMAError,
    zstandard.ZstdError,
    OSError,
    EOFError,
    ValueError,
)


def decompress(read: Callable[[], bytes], label: str) -> Iterator[bytes]:
    """The decompressed content of the file whose blocks `read` returns (an empty one at its end).

    Raises SourceError where the file is an archive, cut off or damaged.
    """
    head = read()
    while len(head) < _TAR_MARK_AT + len(_TAR_MARK) and (block := read()):
        head += block
    if _ARCHIVES.match(head):
        raise SourceError(f"{label} is an archive (zip, 7z, rar); archives are not supported yet, unpack it first.")
    found = next((kind for kind in _FORMATS if kind.magic.match(head)), None)
    if found is None:
        yield from _refuse_tar(_plain(head, read), label)
    else:
        yield from _refuse_tar(_Stream(found, label, head, read).chunks(), label)


def _plain(head: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    block = head
    while block:
        yield block
        block = read()


def _refuse_tar(chunks: Iterator[bytes], label: str) -> Iterator[bytes]:
    first = next(chunks, b"")
    if first[_TAR_MARK_AT:].startswith(_TAR_MARK):
        raise SourceError(f"{label} is a tar archive; archives are not supported yet, unpack it first.")
    yield first
    yield from chunks


class _Stream:
    """The compressed streams of one file."""

    def __init__(self, kind: _Format, label: str, head: bytes, read: Callable[[], bytes]) -> None:
        self._kind = kind
        self._label = label
        self._read = read
        self._block = head
        self._at = 0
        """Place in `_block` up to which it is decompressed."""
        self._before = 0
        """Bytes of the file before `_block`."""

    @property
    def _position(self) -> int:
        return self._before + self._at

    def chunks(self) -> Iterator[bytes]:
        """What the streams hold, near `CHUNK_BYTES` at once, but never held back while more input is waited for."""
        gathered: list[bytes] = []
        size = 0
        try:
            for piece in self._pieces():
                gathered.append(piece or b"")
                size += len(gathered[-1])
                if size >= CHUNK_BYTES or piece is None:
                    yield b"".join(gathered)
                    gathered, size = [], 0
        except SourceError:
            yield b"".join(gathered)
            raise
        yield b"".join(gathered)

    def _pieces(self) -> Iterator[bytes | None]:
        """Decompressed pieces; None where input has to be waited for."""
        another = True
        while another:
            decompressor = self._kind.new()
            while not decompressor.eof:
                piece = self._block[self._at : self._at + _INPUT_BYTES]
                if piece:
                    yield self._decompress(decompressor, piece)
                    self._at += len(piece) - len(decompressor.unused_data)
                else:
                    yield None
                    if not self._more():
                        raise SourceError(
                            f"{self._label} is cut off: its {self._kind.name} data ends too early, "
                            f"at byte {self._position}."
                        )
            another = self._next_stream()

    def _decompress(self, decompressor: _Decompressor, piece: bytes) -> bytes:
        try:
            return decompressor.decompress(piece)
        except _ERRORS as error:
            raise SourceError(
                f"{self._label} is damaged: its {self._kind.name} data cannot be decompressed "
                f"near byte {self._position} ({error})."
            ) from error

    def _more(self) -> bool:
        block = self._read()
        self._before += self._at
        self._block = self._block[self._at :] + block
        self._at = 0
        return bool(block)

    def _next_stream(self) -> bool:
        """Whether another compressed stream follows; zeros between and behind them are padding."""
        while True:
            padded = _PADDING.match(self._block, self._at)
            self._at = padded.end() if padded is not None else self._at
            if len(self._block) - self._at >= _MAGIC_BYTES or not self._more():
                break
        if self._at == len(self._block):
            return False
        if self._kind.magic.match(self._block, self._at) is None:
            raise SourceError(
                f"{self._label} is damaged: behind its {self._kind.name} data, at byte {self._position}, "
                "something else follows."
            )
        return True
