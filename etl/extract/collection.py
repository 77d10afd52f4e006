"""Many documents in one source: the members of an archive, or the small files of a folder, one after the other.

In: a source that is a collection. Out: each document, small ones whole, of larger ones a way to read them; and what is
none, with the reason. Nothing is unpacked to disk. Runs on the thread that iterates; a larger document is read by a
thread of its own, while nothing else here goes on.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import TracebackType
from typing import NamedTuple

from etl.errors import SourceError
from etl.extract.archive_kinds import archive_kind
from etl.extract.decompress import begun, compression
from etl.extract.encoding import detect
from etl.extract.member import FOLDER, ArchiveLimits, Member, described_skips
from etl.extract.members import open_members
from etl.extract.mends import Mend
from etl.extract.reader import Readable, SourceReader
from etl.extract.repair import Repair, mended_beginning, new_mender
from etl.extract.source import SMALL_BYTES, Source, content_fingerprint, is_changed, open_archive, unreadable
from etl.fingerprints import repaired

SHORTEST_RECORD = 4
"""Bytes of ``<r/>``."""

RECORDS_PER_PACKED_BYTE = 8
"""Records that a byte of a compressed document makes, at most: even the shortest take more than a bit each."""

_UTF8 = re.compile(
    rb"<(?!\?xml\s)[^\0]"
    rb"""|<\?xml\s+version\s*=\s*["'][0-9.]+["'](?:\s+encoding\s*=\s*["'](?i:utf-8)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'][a-z]+["'])?\s*\?>"""
)
"""How documents begin that can only be UTF-8: most of them."""

NOT_XML = "not XML"
"""Why most of what is no document is skipped."""

_ASKED_EVERY = 64
"""Small members: where the file stands is asked once for so many, since other threads may go on meanwhile."""

_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 10

_LOOKED_AT_BYTES = 1 << 16
"""Of a larger member: a part of its identity. Of one that is cut off before, nothing is loaded."""


class Found(NamedTuple):
    """Something in a collection."""

    label: str
    """Of the collection and of what is in it."""
    position: int
    """Bytes of the collection, as it is stored, up to its end; for showing progress."""
    fingerprint: str = ""
    """Of a file its content's, as of a source of its own; of a member its name is a part."""
    content: bytes | None = None
    """The whole of a small document: UTF-8, without byte order mark."""
    open: Callable[[], SourceReader] | None = None
    """Of a larger one a reader, once, before the next document is asked for."""
    records_most: int = 0
    """Records that can be in it."""
    skipped: str = ""
    """Why it is no document, in a word or two: "not XML", "encrypted", "a link" ..."""
    mends: tuple[Mend, ...] = ()
    """What was mended in `content`."""
    problem: str = ""
    """Why it cannot be read, in a sentence; the `content` of a small one is as it is stored then."""


def documents(source: Source, limits: ArchiveLimits) -> Generator[Found]:
    """What is in a collection, in order; who does not read it to its end closes it.

    Raises SourceError where an archive breaks, after what came before it, and where there is no document at all.
    """
    skipped: Counter[str] = Counter()
    any_document = False
    for found in _files(source) if source.kind == "folder" else _members(source, limits):
        if found.skipped:
            skipped[found.skipped] += found.skipped != FOLDER
        any_document |= not found.skipped
        yield found
    if not any_document:
        raise SourceError(f"{source.label} holds no XML document: {described_skips(skipped) or 'it is empty'}.")


def _files(source: Source) -> Iterator[Found]:
    position = 0
    for file in source.files:
        try:
            content = _content(file)
        except OSError as error:
            yield Found(file, position, problem=str(unreadable(file, error)))
            continue
        position += len(content)
        yield _small(file, position, content_fingerprint(content), content, source.repair)


def _content(file: str) -> bytes:
    """All of a small file, with as few calls as it takes. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, SMALL_BYTES + 1)
        while block := os.read(descriptor, SMALL_BYTES):
            content += block
        return content
    finally:
        os.close(descriptor)


def _members(source: Source, limits: ArchiveLimits) -> Iterator[Found]:
    with open_archive(source) as file:
        members = open_members(file, source.label, limits)
        held = _Held(source.label, limits, file.tell)
        position = 0
        for number, member in enumerate(members or ()):
            # Before the first member a zip has been read at its end, where its directory is.
            if number and (number % _ASKED_EVERY == 1 or member.size > SMALL_BYTES):
                position = file.tell()
            label = f"{source.label}/{member.name}"
            if member.skipped:
                yield Found(label, position, skipped=member.skipped)
                continue
            try:
                held.bytes += member.size
                if member.size > SMALL_BYTES:
                    found = _large(label, member, position, source.repair, held)
                else:
                    content = member.read()
                    found = _small(label, position, _member_fingerprint(member, content), content, source.repair, held)
            except SourceError as error:  # another member may be good
                found = Found(label, position, problem=str(error))
            yield found
        if is_changed(source, file):
            raise SourceError(
                f"{source.label} was changed while it was read: what was loaded of it may be a mixture. Run the same"
                " command again: documents that are as they were are not loaded twice."
            )


class _Held:
    """What an archive holds so far: its members, and what those make that are compressed in it once more."""

    def __init__(self, label: str, limits: ArchiveLimits, position: Callable[[], int]) -> None:
        """`position`: bytes of the archive that were read."""
        self.bytes = 0
        self._label = label
        self._limits = limits
        self._position = position

    def check_of(self, document: str) -> Callable[[int, int], None]:
        """What checks how much that compressed document makes, the last so far; see `SourceReader`."""
        before = self.bytes

        def check(made: int, taken: int) -> None:
            self.bytes = before + made
            self._limits.check_total(self._label, self.bytes)
            # Of a bomb in a bomb the compressed bytes are made of few themselves.
            self._limits.check_ratio(document, made, min(taken, self._position()))

        return check


def _small(
    label: str, position: int, fingerprint: str, content: bytes, repair: Repair | None, held: _Held | None = None
) -> Found:
    """A document that is in memory as it is stored."""
    if repair is not None:
        fingerprint = repaired(fingerprint, repair.declared)
    mends: tuple[Mend, ...] = ()
    marked = len(_MARK) if content.startswith(_MARK) else 0
    if _UTF8.match(content, marked):
        content = content[marked:]
        if repair is not None:
            mender = new_mender(repair)
            content = mender.mend(content, final=True)
            mends = mender.mends
    else:
        skipped = _not_xml(content, repair)
        # What is named as XML and is none must not be passed over in silence.
        if skipped and not (skipped == NOT_XML and label.lower().endswith(".xml")):
            return Found(label, position, fingerprint, skipped=skipped)
        if compression(content):
            most = len(content) * RECORDS_PER_PACKED_BYTE
            opened = partial(_reader, io.BytesIO(content), label, repair, held.check_of(label) if held else None)
            return Found(label, position, fingerprint, open=opened, records_most=most)
        try:
            with _reader(io.BytesIO(content), label, repair) as reader:
                content = b"".join(reader)
                mends = reader.mends
        except SourceError as error:
            return Found(label, position, fingerprint, content, records_most=1, problem=str(error))
    most = len(content) // SHORTEST_RECORD + 1
    return Found(label, position, fingerprint, content, records_most=most, mends=mends)


def _large(label: str, member: Member, position: int, repair: Repair | None, held: _Held) -> Found:
    """A member that is read in pieces, of which the first are looked at. Raises SourceError where it has only those."""
    head, blocks = begun(member.blocks(), _LOOKED_AT_BYTES)
    skipped = _not_xml(head, repair) if head else ""
    if skipped:
        return Found(label, position, skipped=skipped)
    if len(head) < _LOOKED_AT_BYTES:  # it is damaged or cut off, which comes next, and has no identity
        head += next(blocks, b"")
    packed = bool(compression(head))
    # The rest is not seen before it is loaded: what the archive says of it has to do, which in a tar can be always the
    # same. Blocks are cut anywhere, so that of the beginning as much is taken as any reading has.
    begins = hashlib.blake2b(head[:_LOOKED_AT_BYTES], digest_size=16).digest()
    fingerprint = _member_fingerprint(member, b"%d %s %s" % (member.size, member.stamp, begins))
    return Found(
        label,
        position,
        fingerprint if repair is None else repaired(fingerprint, repair.declared),
        open=lambda: _reader(_Blocks(head, blocks), label, repair, held.check_of(label) if packed else None),
        records_most=member.size * RECORDS_PER_PACKED_BYTE if packed else member.size // SHORTEST_RECORD + 1,
    )


def _reader(
    file: Readable, label: str, repair: Repair | None, check_made: Callable[[int, int], None] | None = None
) -> SourceReader:
    return SourceReader(file, label, interruptible=True, repair=repair, check_made=check_made)


def _member_fingerprint(member: Member, content: bytes) -> str:
    name = member.name.encode("utf-8", "surrogatepass")
    return "member:" + hashlib.blake2b(name + b"\0" + content, digest_size=16).hexdigest()


def _not_xml(head: bytes, repair: Repair | None) -> str:
    """Why what begins so is no document; "" where it may be one."""
    if not head:
        return "empty"
    kind = archive_kind(head)
    if kind:
        return f"a {kind} archive in it"
    if compression(head):
        return ""
    try:
        encoding = detect(head, "")
        text = head[encoding.mark : _HEAD_BYTES].decode(encoding.codec, "replace")
        text = (text if repair is None else mended_beginning(text.encode()).decode()).lstrip(" \t\r\n")
    except SourceError:  # reading it tells why
        return ""
    return "" if text.startswith("<") else NOT_XML


class _Blocks:
    """The blocks of a member as a file."""

    def __init__(self, head: bytes, blocks: Iterator[bytes]) -> None:
        self._head = head
        self._blocks = blocks

    def read(self, size: int, /) -> bytes:
        """The next block, whatever its size is; empty at the end."""
        head, self._head = self._head, b""
        return head or next(self._blocks, b"")

    def __enter__(self) -> _Blocks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing: the archive closes its file."""
