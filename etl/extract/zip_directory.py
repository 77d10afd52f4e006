"""A zip's directory: what it says of every member, and whether the whole is one that can be read.

In: a file that can seek. Out: an `Entry` for each member, in the directory's order, read as they are asked for. Read by
hand: `zipfile` keeps an object for each member in memory, and takes several times as long. Runs on the reading thread.
"""

from __future__ import annotations

import itertools
import math
import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from etl.errors import SourceError
from etl.extract.member import ArchiveLimits
from etl.extract.raw_file import RawFile
from etl.extract.zip_window import Window
from etl.native import problem, unavailable

_END = struct.Struct("<4s4HLLH")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_BIG_END = struct.Struct("<4sQ2H2L4Q")
_BIG_END_SIGNATURE = b"PK\x06\x06"
_LONGEST_COMMENT = (1 << 16) - 1
_ENTRY = struct.Struct("<4sxB2xHH4xLLLHHHH2xLL")
_ENTRY_SIGNATURE = b"PK\x01\x02"
_WIDE, _FIELD = struct.Struct("<Q"), struct.Struct("<HH")
_BIG, _LONG = 0xFFFFFFFF, 0xFFFF
_BIG_SIZES = 1
"""Number of the extra field with what does not fit into 32 bits."""

_MOST = 1000
"""Entries that the compiled code goes over at once."""

_ONE_BY_ONE = 16
"""Entries that are read in Python where the compiled code left two in a row: more of their kind may follow."""

LOCAL_BYTES = 30
"""A member's own header, which stands before its content, without name and extra fields."""


class Entry(NamedTuple):
    """What the directory says of a member."""

    system: int
    """Where it was made: 3 for Unix."""
    flags: int
    method: int
    checksum: int
    compressed: int
    size: int
    attributes: int
    offset: int
    """Of its own header, from the beginning of the file."""
    name: bytes
    extra: bytes


class Places(NamedTuple):
    """Where neighbouring members stand in the file, as the directory says. Arrays have type code "Q"."""

    begins: array[int]
    ends: array[int]
    """At the least: a member's own header may have extra fields."""
    in_order: bool
    """Whether each begins behind the one before."""
    total: int
    """Bytes that all make."""
    behind: int
    """Bytes of the directory's window up to behind their entries."""


class Directory(NamedTuple):
    """Where it stands in the file."""

    begin: int
    end: int
    shift: int
    """Bytes before the zip, which its own offsets do not count (of a program that unpacks it)."""
    members: int
    """How many there are, as the end of the directory says."""


def has_directory(raw: RawFile) -> bool:
    """Whether a zip's directory stands at the file's end, whatever it begins with."""
    size = raw.end()
    tail = raw.read_at(max(0, size - _END.size - _LONGEST_COMMENT), _END.size + _LONGEST_COMMENT)
    return _end_of_directory(tail) is not None


def _end_of_directory(tail: bytes) -> int | None:
    """Where in a file's tail the last record of its directory begins: the one that ends with the file, if there is one,
    since a comment may hold anything.
    """
    best = None
    at = tail.rfind(_END_SIGNATURE)
    while at >= 0:
        if at + _END.size <= len(tail):
            rest = len(tail) - at - _END.size - _END.unpack_from(tail, at)[7]
            if rest == 0:
                return at
            best = at if best is None and rest > 0 else best
        at = tail.rfind(_END_SIGNATURE, 0, at)
    return best


def find_directory(raw: RawFile) -> Directory:
    """Raises SourceError where there is none, or only a part of an archive."""
    size = raw.end()
    begin = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = raw.read_at(begin, size - begin)
    at = _end_of_directory(tail)
    if at is None:
        raise SourceError(
            f"{raw.label} is cut off or damaged: the directory that stands at the end of a zip is not there. "
            "Fetch it again, or have what is left of it mended (zip -FF FILE --out MENDED)."
        )
    _, disk, first_disk, here, count, length, offset, _ = _END.unpack_from(tail, at)
    end = begin + at
    big = _big_end(raw, end)
    if big is not None:
        end, (_, _, _, _, disk, first_disk, here, count, length, offset) = big
    if disk not in (0, _LONG) or first_disk not in (0, _LONG) or here != count:
        raise SourceError(
            f"{raw.label} is one part of a zip archive in several: join them first (zip -s 0 FILE --out WHOLE)."
        )
    shift = end - length - offset
    if shift < 0:
        raise damaged(raw.label, "its directory does not stand where its end says")
    return Directory(end - length, end, shift, count)


def _big_end(raw: RawFile, end: int) -> tuple[int, tuple[int, ...]] | None:
    """The record with what does not fit into the smaller one, and where it begins; None for a small archive."""
    locator = raw.read_at(end - _LOCATOR.size, _LOCATOR.size) if end >= _LOCATOR.size else b""
    if not locator.startswith(_LOCATOR_SIGNATURE):
        return None
    stated = _LOCATOR.unpack(locator)[2]
    # Where something stands before the zip, it is not where the locator says, but right before the locator.
    for begin in (stated, end - _LOCATOR.size - _BIG_END.size):
        record = raw.read_at(begin, _BIG_END.size) if 0 <= begin <= end - _LOCATOR.size - _BIG_END.size else b""
        if record.startswith(_BIG_END_SIGNATURE):
            return begin, _BIG_END.unpack(record)
    raise damaged(raw.label, "the end of its directory is not where it should be")


class Entries:
    """The entries of a directory, one after the other."""

    def __init__(self, raw: RawFile, directory: Directory) -> None:
        self.at = directory.begin
        """Where in the file the next one stands."""
        self.number = 0
        """How many are before it."""
        self.window = Window(raw, directory.end)
        self._label = raw.label
        self._directory = directory

    def __iter__(self) -> Iterator[Entry]:
        """All that are left. Raises SourceError where the directory is damaged."""
        while (entry := self.next()) is not None:
            yield entry

    def next(self) -> Entry | None:
        """Go to behind the next one; None at the end. Raises SourceError where the directory is damaged."""
        read = self.read() if self.at < self._directory.end else None
        if read is None:
            if self.at != self._directory.end or (self.number - self._directory.members) & _LONG:
                raise damaged(self._label, f"what its directory says of member {self.number + 1} makes no sense")
            return None
        self.number += 1
        entry, size = read
        self.at += size
        return entry

    def usual_places(self, last: int) -> Places:
        """Go over usual ones that come next and are in memory; needs the compiled code. `last`: where the member before
        them ends.
        """
        from etl.native import _zip

        window, directory = self.window, self._directory
        # A comment, which is not read, may reach beyond what is in memory.
        at = min(self.at - window.begin, len(window.data))
        found = Places(*_zip.places(window.data, at, directory.shift, directory.begin, last, _MOST))
        if found.begins:
            self.number += len(found.begins)
            self.at = window.begin + found.behind
        return found

    def read(self) -> tuple[Entry, int] | None:
        """The next one and its bytes; None where none stands there."""
        window, at = self.window, self.at
        try:
            start = window.at(at, _ENTRY.size)
            (
                signature,
                system,
                flags,
                method,
                checksum,
                compressed,
                size,
                name_bytes,
                extra_bytes,
                comment_bytes,
                disk,
                attributes,
                offset,
            ) = _ENTRY.unpack_from(window.data, start)
            name_at = start + _ENTRY.size
            if name_at + name_bytes + extra_bytes > len(window.data):
                name_at = window.at(at + _ENTRY.size, name_bytes + extra_bytes)
            extra_at = name_at + name_bytes
            name = window.data[name_at:extra_at]
            extra = window.data[extra_at : extra_at + extra_bytes]
            if compressed == _BIG or size == _BIG or offset == _BIG:
                size, compressed, offset = _big_sizes(extra, size, compressed, offset)
        except (EOFError, struct.error):
            return None
        if signature != _ENTRY_SIGNATURE or disk not in (0, _LONG):
            return None
        offset += self._directory.shift
        entry = Entry(system, flags, method, checksum, compressed, size, attributes, offset, name, extra)
        return entry, _ENTRY.size + name_bytes + extra_bytes + comment_bytes


def _big_sizes(extra: bytes, *small: int) -> list[int]:
    """The numbers, those beyond 32 bits from their extra field; raises struct.error where that is too short."""
    field = extra_field(extra, _BIG_SIZES)
    numbers = []
    at = 0
    for number in small:
        if number == _BIG and field:
            numbers.append(_WIDE.unpack_from(field, at)[0])
            at += _WIDE.size
        else:
            numbers.append(number)
    return numbers


def extra_field(extra: bytes, wanted: int) -> bytes:
    """One of a member's extra fields, by its number; empty where there is none."""
    at = 0
    while at + _FIELD.size <= len(extra):
        number, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if number == wanted:
            return extra[at : at + size]
        at += size
    return b""


def check_directory(raw: RawFile, directory: Directory, limits: ArchiveLimits) -> None:
    """Raise SourceError where members overlap, as in a bomb, or hold more than `limits` allows all of them."""
    begins, ends = array("Q"), array("Q")
    total = last = 0
    in_order = True
    asked_from: float = math.inf if unavailable() or problem("_zip") else 0
    entries = Entries(raw, directory)
    for entry in entries:
        begin = entry.offset
        end = begin + LOCAL_BYTES + len(entry.name) + entry.compressed
        if end > directory.begin:
            raise damaged(raw.label, f"member {entries.number} lies beyond what there is")
        in_order = in_order and begin >= last
        last = end
        begins.append(begin)
        ends.append(end)
        total += entry.size
        if entries.number >= asked_from:
            usual = entries.usual_places(last)
            in_order = in_order and usual.in_order
            begins.extend(usual.begins)
            ends.extend(usual.ends)
            last = ends[-1]
            total += usual.total
            asked_from = entries.number + (0 if usual.begins else _ONE_BY_ONE)
    limits.check_total(raw.label, total)
    if in_order:
        return
    order = sorted(range(len(begins)), key=begins.__getitem__)
    if any(ends[one] > begins[next_one] for one, next_one in itertools.pairwise(order)):
        raise SourceError(
            f"{raw.label} is not read: members of it overlap, so that little makes much, as if to fill memory or disk. "
            "If you trust it, unpack it first."
        )


def damaged(label: str, why: str) -> SourceError:
    return SourceError(f"{label} is damaged: {why}.")
