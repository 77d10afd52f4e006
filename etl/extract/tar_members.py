"""The members of a tar, one after the other, as they come; nothing is unpacked to disk.

In: the bytes of a tar. Out: its members. Reads the formats of old Unix, ustar, GNU and pax; several tars one behind the
other are one. Headers are read by hand: `tarfile` takes ten times as long for a small member. Runs on the reading
thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.errors import InternalError, SourceError
from etl.extract.archive_kinds import BLOCK_BYTES, is_tar_header
from etl.extract.bunch import MOST
from etl.extract.member import SMALL_BYTES, Member, SmallMembers, shown, shown_name, shown_names
from etl.extract.tar_feed import TarFeed

_DESCRIPTION_BYTES = 1 << 20
"""What describes a member (a long name, pax records) is not longer, or damaged."""

_VALUE_BYTES = 1 << 16
"""Nor is one thing that it says; longer paths no system has. Names wait in memory, many at once."""

_PATH, _TIME, _SIZE = b"path", b"mtime", b"size"
_OF_SPARSE, _SPARSE_PATH = b"GNU.sparse.", b"GNU.sparse.name"
_READ = (_PATH, _TIME, _SIZE, _SPARSE_PATH)
"""Properties that say something here; others are not kept, however many there are."""

_ZEROS = bytes(BLOCK_BYTES)
_FILES = (b"0", b"\0", b"7")
_SKIPPED = {
    b"1": "link",
    b"2": "link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "named pipe",
    b"D": "folder",
    b"M": "part of a file of another volume",
    b"S": "sparse file",
}
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")
"""Whatever size these state, nothing of them follows."""
_VOLUME, _LONG_NAME, _LONG_LINK, _SPARSE, _FOR_ALL = b"V", b"L", b"K", b"S", b"g"
_DESCRIBING = (b"x", b"X", _FOR_ALL, _LONG_NAME, _LONG_LINK, _VOLUME)
_MAGIC, _POSIX = slice(257, 263), b"ustar\0"
_NO_END = (
    "and nothing says that this is the end (a tar ends with two blocks of zeros). "
    "If it is whole all the same, add them: head -c 1024 /dev/zero >> FILE"
)


class TarMember(Member):
    """A member whose content comes next."""

    __slots__ = ("_feed", "begin")

    def __init__(self, name: str, size: int, stamp: bytes, skipped: str, feed: TarFeed) -> None:
        super().__init__(name, size, stamp, skipped)
        self._feed = feed
        self.begin = feed.position

    def read(self) -> bytes:
        return b"".join(self.blocks())

    def blocks(self) -> Iterator[bytes]:
        if self.skipped:
            raise SourceError(f"{self.name} in {self._feed.label} cannot be read: {self.skipped}.")
        if self._feed.position != self.begin:
            raise InternalError(f"{self.name} in {self._feed.label} is read a second time, or too late.")
        yield from self._feed.pieces(self.size)
        if self._feed.position != self.begin + self.size:
            raise self._feed.cut_off(f"within {self.name}")


class _Description:
    """What stands before a member's header and says more of it: a long name, pax records."""

    __slots__ = ("long_name", "of_all", "records")

    def __init__(self) -> None:
        self.long_name = b""
        self.records: dict[bytes, bytes] = {}
        self.of_all: dict[bytes, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self.of_one or self.of_all)

    @property
    def of_one(self) -> bool:
        """Whether a member's header has to follow."""
        return bool(self.long_name or self.records)

    def add(self, kind: bytes, content: bytes) -> None:
        """Raises ValueError where the content is not what it should be."""
        if kind == _LONG_NAME:
            self.long_name = _value(b"name", content.partition(b"\0")[0])
        elif kind == _FOR_ALL:
            self.of_all.update(_pax_records(content))
        elif kind not in (_LONG_LINK, _VOLUME):
            self.records.update(_pax_records(content))

    def get(self, key: bytes) -> bytes | None:
        return self.records.get(key, self.of_all.get(key))

    def is_sparse(self) -> bool:
        return _OF_SPARSE in self.records

    def forget(self) -> None:
        """All that was said of one member."""
        self.long_name = b""
        self.records = {}


def tar_members(feed: TarFeed, together: int | None = None) -> Iterator[Member | SmallMembers]:
    """The members, whatever they are; raises SourceError where the tar is damaged, or cut off, behind all good ones.

    With `together` those of which a header says nothing unusual come together, about so many bytes at once.
    """
    described = _Description()
    ended = False
    while True:
        if together is not None and not described and (small := _small_members(feed, together)) is not None:
            ended = False
            yield small
            continue
        begin = feed.position
        header = feed.take(BLOCK_BYTES)
        if not is_tar_header(header):
            if len(header) < BLOCK_BYTES:
                break
            if header != _ZEROS:
                raise feed.damaged(begin, "something else stands where a member's header should")
            ended = True
            continue
        ended = False
        kind = header[156:157]
        try:
            size = _number(header[124:136])
            if kind in _DESCRIBING:
                described.add(kind, _description(size, feed))
                continue
            member = _member(header, kind, size, described, feed)
        except ValueError as error:
            raise feed.damaged(begin, f"a member's header makes no sense ({error})") from error
        yield member
        content = 0 if kind in _WITHOUT_CONTENT else member.size
        if not feed.go_to(member.begin + content):
            raise feed.cut_off(f"within {member.name}")
        feed.go_to(member.begin + content + -content % BLOCK_BYTES)
    if feed.failed or not ended or header.strip(b"\0") or described.of_one:
        raise feed.cut_off(_NO_END if not header else "within a member's header")


def _small_members(feed: TarFeed, most_bytes: int) -> SmallMembers | None:
    """Those that come next and are whole in what was read; None where there is none."""
    from etl.native import _documents

    names, text, sizes, at = _documents.walk_tar(feed.data, feed.at, MOST, most_bytes, SMALL_BYTES)
    if not names:
        return None
    feed.at = at
    return SmallMembers(shown_names(names), text, sizes, feed.stored_position)


def _description(size: int, feed: TarFeed) -> bytes:
    if size > _DESCRIPTION_BYTES:
        raise ValueError(f"its name and properties take {size} bytes")
    content = feed.take(size)
    if len(content) < size:
        raise feed.cut_off("within a member's header")
    feed.go_to(feed.position + -size % BLOCK_BYTES)
    return content


def _member(header: bytes, kind: bytes, size: int, described: _Description, feed: TarFeed) -> TarMember:
    name = header[:100].partition(b"\0")[0]
    stamp = header[136:148]
    if header[345] and header[_MAGIC] == _POSIX:
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    skipped = ""
    if kind not in _FILES:
        skipped = _SKIPPED.get(kind) or f"of an unknown kind ({shown(kind.decode('latin-1'))})"
    elif name.endswith(b"/"):
        skipped = "folder"
    if described:
        name = described.get(_SPARSE_PATH) or described.get(_PATH) or described.long_name or name
        stamp = described.get(_TIME) or stamp
        size = _decimal(described.get(_SIZE), size)
        skipped = "sparse file" if described.is_sparse() else skipped
        described.forget()
    if kind == _SPARSE:
        _skip_sparse_map(header, feed)
    return TarMember(shown_name(name), size, stamp, skipped, feed)


def _skip_sparse_map(header: bytes, feed: TarFeed) -> None:
    goes_on = header[482]
    while goes_on:
        block = feed.take(BLOCK_BYTES)
        goes_on = len(block) == BLOCK_BYTES and block[504]


def _number(field: bytes) -> int:
    """An octal number, or a binary one, which begins with 0x80; raises ValueError for any other."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    number = int(field.partition(b"\0")[0].strip() or b"0", 8)
    if number < 0:
        raise ValueError(f"a size of {number}")
    return number


def _decimal(field: bytes | None, default: int) -> int:
    if field is None:
        return default
    if not field.isdigit():
        raise ValueError(f"a size of {field[:20]!r}")
    return int(field)


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    """Those that are read of ``length key=value`` and a line feed, over and over; ValueError where it is not so.

    `_OF_SPARSE` is among them, without a value, where any says how a sparse file is stored.
    """
    records = {}
    at = 0
    while at < len(content) and content[at]:
        digits = content[at : at + 20].partition(b" ")[0]
        end = at + _decimal(digits, 0)
        record = content[at + len(digits) + 1 : end]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or end > len(content):
            raise ValueError(f"no property of it is {record[:20]!r}")
        if key in _READ:
            records[key] = _value(key, value)
        if key.startswith(_OF_SPARSE):
            records[_OF_SPARSE] = b""
        at = end
    return records


def _value(key: bytes, value: bytes) -> bytes:
    if len(value) > _VALUE_BYTES:
        raise ValueError(f"its {key.decode()} takes {len(value)} bytes, more than the {_VALUE_BYTES} that are read")
    return value
