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
from etl.extract.archive_kinds import BLOCK_BYTES, archive_kind, refusal

CHUNK_BYTES = 1 << 20
"""Handed on at once: large enough that what is done for each chunk does not count, small enough for the cache."""

_INPUT_BYTES, _CAREFUL_BYTES = 1 << 13, 1 << 10
"""Given to a decompressor at once. What it makes of a damaged piece is lost whole, and a piece may grow: a
thousandfold in gzip, 30,000-fold in zstd. Both ask for a small one, and time for a larger, which is taken as long as
pieces grow little."""

_MAGIC_BYTES = 6
"""The longest of the signatures below."""

_PADDING = re.compile(rb"\0*+")


class Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    begins: bytes
    """Of `magic`, what a stream has that was cut off within it."""
    magic: re.Pattern[bytes]
    new: Callable[[], Decompressor]


def new_zstd() -> Decompressor:
    # Dumps are made with --long=31: the window is as large as the format allows.
    return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


_FORMATS = (
    _Format("gzip", b"\x1f\x8b", re.compile(rb"\x1f\x8b"), lambda: isal_zlib.decompressobj(wbits=31)),
    _Format("bzip2", b"BZh", re.compile(rb"BZh[1-9]"), bz2.BZ2Decompressor),
    _Format("xz", b"\xfd7zXZ\0", re.compile(rb"\xfd7zXZ\0|\x5d\0\0"), lzma.LZMADecompressor),
    _Format("zstd", b"\x28\xb5\x2f\xfd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), new_zstd),
)
_BOUNDED = (bz2.BZ2Decompressor, lzma.LZMADecompressor)
"""These can stop at a number of bytes."""

DECOMPRESSION_ERRORS: tuple[type[Exception], ...] = (
    cast(type[Exception], isal_zlib.IsalError),  # its stubs call it an instance
    lzma.LZMAError,
    zstandard.ZstdError,
    OSError,
    EOFError,
    MemoryError,
    ValueError,
)


def compression(head: bytes) -> str:
    """``gzip``, ``bzip2``, ``xz`` or ``zstd``, if that is what begins so; else ""."""
    return next((kind.name for kind in _FORMATS if kind.magic.match(head)), "")


def decompress(read: Callable[[], bytes], label: str) -> Iterator[bytes]:
    """The decompressed content of the file whose blocks `read` returns (an empty one at its end).

    Raises SourceError where the file is an archive, cut off or damaged.
    """
    head, chunks = begun(decompressed(b"", read, label), BLOCK_BYTES)
    if kind := archive_kind(head):
        raise SourceError(refusal(kind, label))
    yield head
    yield from chunks


def decompressed(head: bytes, read: Callable[[], bytes], label: str) -> Iterator[bytes]:
    """As `decompress`, archives too; `head` is what was read already."""
    while len(head) < _MAGIC_BYTES and (block := read()):
        head += block
    found = next((kind for kind in _FORMATS if kind.magic.match(head)), None)
    return _plain(head, read) if found is None else in_chunks(_Stream(found, label, head, read).pieces())


def begun(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of what the chunks hold, `size` bytes or more where there are so many, and the chunks behind it.

    Where an error comes first, the chunks behind raise it.
    """
    head = b""
    try:
        while len(head) < size and (chunk := next(chunks, None)) is not None:
            head += chunk
    except SourceError as error:
        return head, _failing(error)
    return head, chunks


def _failing(error: SourceError) -> Iterator[bytes]:
    raise error
    yield


def in_chunks(pieces: Iterator[bytes | None]) -> Iterator[bytes]:
    """The pieces, near `CHUNK_BYTES` at once; None ends a chunk. What comes before an error comes out before it."""
    gathered: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            gathered.append(piece or b"")
            size += len(gathered[-1])
            if size >= CHUNK_BYTES or piece is None:
                yield b"".join(gathered)
                gathered, size = [], 0
    except SourceError:
        yield b"".join(gathered)
        raise
    yield b"".join(gathered)


def grown(decompressor: Decompressor, piece: bytes) -> Iterator[bytes]:
    """What a piece makes, in pieces near `CHUNK_BYTES` where the format can; raises one of `DECOMPRESSION_ERRORS`."""
    if not isinstance(decompressor, _BOUNDED):
        yield decompressor.decompress(piece)
        return
    yield decompressor.decompress(piece, CHUNK_BYTES)
    while not (decompressor.eof or decompressor.needs_input):
        yield decompressor.decompress(b"", CHUNK_BYTES)


def _plain(head: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    block = head
    while block:
        yield block
        block = read()


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

    def pieces(self) -> Iterator[bytes | None]:
        """Decompressed pieces; None where input has to be waited for."""
        another = True
        step = _CAREFUL_BYTES
        while another:
            decompressor = self._kind.new()
            while not decompressor.eof:
                piece = self._block[self._at : self._at + step]
                if piece:
                    made = 0
                    try:
                        for grown_piece in grown(decompressor, piece):
                            made += len(grown_piece)
                            yield grown_piece
                    except DECOMPRESSION_ERRORS as error:
                        raise self._damaged(error) from error
                    step = min(2 * step, _INPUT_BYTES) if made < CHUNK_BYTES else _CAREFUL_BYTES
                    self._at += len(piece) - len(decompressor.unused_data)
                else:
                    yield None
                    if not self._more():
                        raise self._cut_off()
            another = self._next_stream()

    def _damaged(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self._label} is damaged: its {self._kind.name} data cannot be decompressed "
            f"near byte {self._position} ({error})."
        )

    def _cut_off(self) -> SourceError:
        return SourceError(
            f"{self._label} is cut off: its {self._kind.name} data ends too early, at byte {self._position}."
        )

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
            rest = self._block[self._at :]
            if self._kind.begins.startswith(rest):
                self._at += len(rest)
                raise self._cut_off()
            raise SourceError(
                f"{self._label} is damaged: behind its {self._kind.name} data, at byte {self._position}, "
                "something else follows."
            )
        return True
