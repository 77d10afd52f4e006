"""The members of a zip, one after the other; nothing is unpacked to disk.

In: a file that can seek. Out: its members, in the order of its directory. Stored, deflate, bzip2, lzma, xz and zstd are
read; a member's length and checksum are compared with what the directory says. Runs on the reading thread.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import zlib
from collections.abc import Callable, Iterator
from struct import Struct

from isal import isal_zlib

from etl.errors import SourceError
from etl.extract.bunch import MOST
from etl.extract.decompress import DECOMPRESSION_ERRORS, Decompressor, grown, in_chunks, new_zstd
from etl.extract.member import (
    FREE_BYTES,
    SMALL_BYTES,
    ArchiveLimits,
    Member,
    SmallMembers,
    shown,
    shown_name,
    shown_names,
)
from etl.extract.raw_file import RawFile
from etl.extract.zip_directory import (
    LOCAL_BYTES,
    Directory,
    Entries,
    Entry,
    check_directory,
    extra_field,
    find_directory,
)
from etl.extract.zip_window import Window
from etl.native import problem

_STORED, _DEFLATE, _BZIP2, _LZMA, _ZSTD, _XZ = 0, 8, 12, 14, 93, 95
_ENCRYPTED, _UTF8, _HIDDEN_DIRECTORY = 1 << 0, 1 << 11, 1 << 13
_PATCH = 1 << 5
_UNIX = 3
_UTF8_NAME = 0x7075
"""Number of the extra field with a name in UTF-8, a version, and the checksum of the name it stands for."""

_LOCAL = Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_STAMP = Struct("<LQ")
_IN_ONE_GO = 1 << 16
"""Compressed, a member up to here is read in one go."""

_MORE_BYTES = 64
"""A member's own header may have more extra fields than the directory."""

_KINDS = {stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "named pipe"}


class _RawLzma:
    """LZMA as a zip has it: a header of its own, and then no container."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._head = b""
        self._inner: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return b"" if self._inner is None else self._inner.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        if self._inner is not None:
            return self._inner.decompress(data)
        self._head += data
        if len(self._head) < 9:
            return b""
        properties, dictionary = self._head[4], int.from_bytes(self._head[5:9], "little")
        if self._head[2:4] != b"\5\0" or properties >= 9 * 5 * 5:
            raise ValueError("its properties make no sense")
        settings = {
            "id": lzma.FILTER_LZMA1,
            # What is longer than the content is never used, but would be set up all the same.
            "dict_size": max(1 << 12, min(dictionary, self._size)),
            "lc": properties % 9,
            "lp": properties // 9 % 5,
            "pb": properties // 45,
        }
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])
        return self._inner.decompress(self._head[9:])


class _Stored:
    eof = False
    unused_data = b""

    def decompress(self, data: bytes, /) -> bytes:
        return data


_DECOMPRESSORS: dict[int, tuple[Callable[[int], Decompressor], int]] = {
    _STORED: (lambda size: _Stored(), 1 << 18),
    _DEFLATE: (lambda size: isal_zlib.decompressobj(-15), 1 << 13),
    _BZIP2: (lambda size: bz2.BZ2Decompressor(), 1 << 10),
    _LZMA: (_RawLzma, 1 << 10),
    _ZSTD: (lambda size: new_zstd(), 1 << 10),
    _XZ: (lambda size: lzma.LZMADecompressor(lzma.FORMAT_XZ), 1 << 10),
}
"""What makes one for a content of that size, and the bytes to give it at once: little, since a piece may grow."""


def zip_members(raw: RawFile, limits: ArchiveLimits, together: int | None = None) -> Iterator[Member | SmallMembers]:
    """All members; with `together` those of which nothing is unusual come together, about so many bytes at once.

    Raises SourceError at once where there is no directory, before the first where that is damaged or of a bomb.
    """
    return _members(raw, find_directory(raw), limits, None if together is None or problem("_zip") else together)


def _members(
    raw: RawFile, directory: Directory, limits: ArchiveLimits, together: int | None
) -> Iterator[Member | SmallMembers]:
    check_directory(raw, directory, limits)
    window = Window(raw, directory.begin)
    entries = Entries(raw, directory)
    while True:
        if together is not None and (small := _small_members(entries, window, directory.shift, together)) is not None:
            yield small
        elif (entry := entries.next()) is not None:
            yield ZipMember(entry, window, raw.label, limits)
        else:
            return


def _small_members(entries: Entries, window: Window, shift: int, most_bytes: int) -> SmallMembers | None:
    """Usual ones that come next, as far as what is read reaches; None where the next one is not so."""
    from etl.native import _zip

    read = entries.read()
    if read is None:
        return None
    entry = read[0]
    # Compressed it can be of any size, whatever it says that it makes.
    if entry.method not in (_STORED, _DEFLATE) or max(entry.size, entry.compressed) > SMALL_BYTES:
        return None
    try:
        window.at(entry.offset, LOCAL_BYTES + len(entry.name) + entry.compressed)
    except (EOFError, SourceError):  # that is told of the one member
        return None
    at = entries.window.at(entries.at, LOCAL_BYTES)
    names, text, sizes, behind = _zip.unpack(
        entries.window.data, at, window.data, window.begin, shift, MOST, most_bytes, SMALL_BYTES
    )
    entries.at += behind - at
    entries.number += len(names)
    following = entries.read()
    end = None if following is None else following[0].offset
    return SmallMembers(shown_names(names), text, sizes, end) if names else None


class ZipMember(Member):
    """A member, by its place in the file."""

    __slots__ = ("_entry", "_label", "_limits", "_window")

    def __init__(self, entry: Entry, window: Window, label: str, limits: ArchiveLimits) -> None:
        super().__init__(_name(entry), entry.size, _STAMP.pack(entry.checksum, entry.size), _skipped(entry))
        self._entry = entry
        self._window = window
        self._label = label
        self._limits = limits

    def read(self) -> bytes:
        entry = self._entry
        small = entry.compressed <= _IN_ONE_GO and entry.size <= FREE_BYTES
        if not small or entry.method != _DEFLATE or self.skipped:
            return b"".join(self.blocks())
        at = self._begin()
        try:
            start = self._window.at(at, entry.compressed)
            packed = self._window.data[start : start + entry.compressed]
            content: bytes = isal_zlib.decompressobj(-15).decompress(packed, entry.size + 1)
        except DECOMPRESSION_ERRORS as error:
            raise self._broken(at, error) from error
        self._check_content(len(content), isal_zlib.crc32(content))
        return content

    def blocks(self) -> Iterator[bytes]:
        self._check()
        yield from in_chunks(self._pieces())

    def _check(self) -> None:
        if self.skipped:
            raise SourceError(f"{self.name} in {self._label} cannot be read: {self.skipped}.")
        if self.size > FREE_BYTES:
            self._limits.check_ratio(f"{self.name} in {self._label}", self.size, self._entry.compressed)

    def _begin(self) -> int:
        """Where the content stands, behind a header of its own with a name and extra fields of any length."""
        entry = self._entry
        likely = LOCAL_BYTES + len(entry.name) + len(entry.extra) + _MORE_BYTES + entry.compressed
        try:
            start = self._window.at(entry.offset, LOCAL_BYTES, min(likely, _IN_ONE_GO))
        except EOFError as error:
            raise self._broken(entry.offset, error) from error
        signature, name_bytes, extra_bytes = _LOCAL.unpack_from(self._window.data, start)
        if signature != _LOCAL_SIGNATURE:
            raise self._broken(entry.offset, "its header does not stand where the directory says")
        begin: int = entry.offset + LOCAL_BYTES + name_bytes + extra_bytes
        return begin

    def _pieces(self) -> Iterator[bytes]:
        """The content as it comes, no more than the directory promises; then, whether it is that."""
        made = checksum = 0
        for piece in self._unpacked():
            good = piece[: self.size - made]
            yield good
            made += len(piece)
            checksum = isal_zlib.crc32(good, checksum)
            if made > self.size:
                break
        self._check_content(made, checksum)

    def _unpacked(self) -> Iterator[bytes]:
        entry, window = self._entry, self._window
        at = self._begin()
        end = at + entry.compressed
        new, step = _DECOMPRESSORS[entry.method]
        decompressor = new(self.size)
        while at < end:
            size = min(step, end - at)
            try:
                start = window.at(at, size)
                packed = window.data[start : start + size]
                while packed:
                    if decompressor.eof:  # of several frames
                        decompressor = new(self.size)
                    yield from grown(decompressor, packed)
                    packed = decompressor.unused_data if decompressor.eof else b""
            except DECOMPRESSION_ERRORS as error:
                raise self._broken(at, error) from error
            at += size

    def _check_content(self, size: int, checksum: int) -> None:
        if size > self.size:
            raise self._broken(self._entry.offset, f"it holds more than the {self.size} bytes that the directory says")
        if size < self.size:
            raise self._broken(self._entry.offset, f"it holds {size} of the {self.size} bytes that the directory says")
        if checksum != self._entry.checksum:
            raise self._broken(self._entry.offset, "its checksum (CRC-32) is not the one that the directory says")

    def _broken(self, at: int, why: object) -> SourceError:
        return SourceError(f"{self.name} in {self._label} is damaged, near byte {at} of the archive: {why}.")


def _name(entry: Entry) -> str:
    raw = entry.name
    if not raw.isascii():
        better = extra_field(entry.extra, _UTF8_NAME)
        if better[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            raw = better[5:]
        elif not entry.flags & _UTF8:
            return shown(_as_it_is_meant(raw))
    return shown_name(raw)


def _as_it_is_meant(raw: bytes) -> str:
    """A name that does not say how it is encoded: many programs write UTF-8 all the same."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _skipped(entry: Entry) -> str:
    if entry.name.endswith(b"/"):
        return "folder"
    if entry.system == _UNIX and (kind := stat.S_IFMT(entry.attributes >> 16)) and kind != stat.S_IFREG:
        return _KINDS.get(kind, "device")
    if entry.flags & (_ENCRYPTED | _HIDDEN_DIRECTORY):
        return "encrypted"
    if entry.method not in _DECOMPRESSORS or entry.flags & _PATCH:
        return f"compressed in a way that is not read here (method {entry.method})"
    return ""
