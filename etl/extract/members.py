"""Archives: the files in a zip or a tar, one after the other, without unpacking any of them to disk.

In: an open file. Out: its members, in the archive's order, as they are asked for. What reads them is imported once an
archive is there: most files are none. Runs on the reading thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, overload

from etl.errors import SourceError
from etl.extract.archive_kinds import BLOCK_BYTES, EMPTY_TAR_BYTES, archive_kind, is_empty_tar, is_zip, refusal
from etl.extract.decompress import begun, compression, decompressed
from etl.extract.kept_stream import Reading
from etl.extract.member import ArchiveLimits, Member, SmallMembers
from etl.extract.raw_file import RawFile

__all__ = ["ArchiveLimits", "Member", "SmallMembers", "archive_kind", "is_zip", "open_members"]

_HEAD_BYTES = 1 << 14
"""Read to see what a file is: little, since much of it may be decompressed for that, and then once more."""

_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
"""Byte order marks, white space, and what letters have around them in UTF-16 and UTF-32."""


@overload
def open_members(file: BinaryIO | Reading, label: str, limits: ArchiveLimits) -> Iterator[Member] | None: ...
@overload
def open_members(
    file: BinaryIO | Reading, label: str, limits: ArchiveLimits, together: int | None
) -> Iterator[Member | SmallMembers] | None: ...
def open_members(
    file: BinaryIO | Reading, label: str, limits: ArchiveLimits, together: int | None = None
) -> Iterator[Member | SmallMembers] | None:
    """The members of an archive, None where the file is none.

    `file` stands at its beginning, and at None is there again, if it can seek. A tar, compressed or not, may come
    through a pipe. Each member is valid until the next is asked for; what of it was not read is skipped. With
    `together` small files may come as `SmallMembers` of about so many bytes, where the compiled code is there. Raises
    SourceError, at once or where it comes to it, for archives that are not read here (7z, rar, a zip through a pipe)
    and for those that are damaged, cut off, or beyond `limits`.
    """
    raw = RawFile(file, label)
    head = b""
    while len(head) < BLOCK_BYTES and (block := raw.read(_HEAD_BYTES)):
        head += block
    kind = archive_kind(head)
    packed = compression(head)
    if kind == "zip" or (not kind and not packed and _has_zip_behind(head, raw)):
        if not raw.seekable:
            raise SourceError(
                f"{label} is a zip archive that comes through a pipe, but its directory stands at its end: "
                "save it to a file first, or pipe one document out of it (unzip -p FILE MEMBER | etl load -)."
            )
        from etl.extract.zip_members import zip_members

        return zip_members(raw, limits, together)
    if kind in ("7z", "rar"):
        raise SourceError(refusal(kind, label))
    start, chunks = begun(decompressed(head, raw.block, label), BLOCK_BYTES)
    if not start.strip(b"\0"):
        start, chunks = begun(_joined(start, chunks), EMPTY_TAR_BYTES + 1)
    inside = archive_kind(start)
    if inside == "tar" or is_empty_tar(start):
        from etl.extract.tar_feed import TarFeed
        from etl.extract.tar_members import tar_members

        content = _bounded(_joined(start, chunks), raw, limits, packed)
        return tar_members(TarFeed(content, label, None if packed else raw), together)
    if packed and inside:
        raise SourceError(f"{label} is a {inside} archive, compressed once more by {packed}: decompress it first.")
    raw.rewind()
    return None


def _has_zip_behind(head: bytes, raw: RawFile) -> bool:
    """Whether a file that begins otherwise, as a program that unpacks itself does, ends as a zip."""
    if not raw.seekable or head.lstrip(_BEFORE_XML)[:1] in (b"<", b""):
        return False
    from etl.extract.zip_directory import has_directory

    here = raw.tell()
    found = has_directory(raw)
    raw.go_to(here)
    return found


def _joined(start: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from chunks


def _bounded(chunks: Iterator[bytes], raw: RawFile, limits: ArchiveLimits, packed: str) -> Iterator[bytes]:
    """The chunks, as long as they are within the limits; the ratio is that of the whole stream."""
    made = 0
    for chunk in chunks:
        made += len(chunk)
        limits.check_total(raw.label, made)
        if packed:
            limits.check_ratio(raw.label, made, raw.taken)
        yield chunk
