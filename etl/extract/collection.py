"""Many documents in one source: the members of an archive, or the small files of a folder, one after the other.

In: a source that is a collection. Out: each document, small ones whole, of larger ones a way to read them; and what is
none, with the reason. Nothing is unpacked to disk. Runs on the thread that iterates; a larger document is read by a
thread of its own, while nothing else here goes on.
"""

from __future__ import annotations

import hashlib
import io
import re
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple

from etl.errors import SourceError
from etl.extract.bunch import Bunch, bunched, can_bunch
from etl.extract.decompress import begun, compression
from etl.extract.member import FOLDER, NO_FILE, SMALL_BYTES, ArchiveLimits, Member, SmallMembers, described_skips
from etl.extract.members import open_members
from etl.extract.mends import Mend
from etl.extract.no_document import LOOKED_AT_BYTES, NAMED_XML, inside, not_xml, skipped_as, skipped_plain
from etl.extract.reader import Readable, SourceReader, read_whole
from etl.extract.repair import Repair, new_mender
from etl.extract.source import Source, content_fingerprint, is_changed, open_archive, unreadable
from etl.fingerprints import repaired
from etl.packs import records_most

RECORDS_PER_PACKED_BYTE = 8
"""Records that a byte of a compressed document makes, at most: even the shortest take more than a bit each."""

_UTF8 = re.compile(
    rb"[ \t\r\n]*+<(?!\?xml\s)[^\0]"
    rb"""|<\?xml\s+version\s*=\s*["'][0-9.]+["'](?:\s+encoding\s*=\s*["'](?i:utf-8)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'][a-z]+["'])?\s*\?>"""
)
"""How documents begin that can only be UTF-8: most of them."""

_ASKED_EVERY = 64
"""Small members: where the file stands is asked once for so many, since other threads may go on meanwhile."""

FEW_BYTES = 1 << 16
MOST_BYTES = 1 << 22
"""What is read ahead of documents that are asked for one by one, and at most: all of it is in memory."""

_MEMBER = "member:"
"""What the identity of a member begins with, of which its name is a part."""

_MARK = b"\xef\xbb\xbf"


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
    for found in bunched_documents(source, limits, FEW_BYTES):
        if isinstance(found, Bunch):
            yield from alone(found)
        else:
            yield found


def bunched_documents(source: Source, limits: ArchiveLimits, most_bytes: int) -> Generator[Found | Bunch]:
    """The same, small plain ones in bunches of about so many bytes: where they are mended, there are no bunches."""
    skipped: Counter[str] = Counter()
    examples: dict[str, str] = {}
    any_document = False
    reading = _Reading(source, limits, min(most_bytes, MOST_BYTES))
    for found in reading.files() if source.kind == "folder" else reading.members():
        if isinstance(found, Found) and found.skipped:
            if found.skipped != FOLDER:
                skipped[found.skipped] += 1
                examples.setdefault(found.skipped, found.label)
        else:
            any_document = True
        yield found
    if not any_document:
        raise SourceError(
            f"{source.label} holds no XML document: {described_skips(skipped, examples) or 'it is empty'}."
        )


def alone(bunch: Bunch) -> Iterator[Found]:
    """Each document of a bunch."""
    for label, fingerprint, content in zip(bunch.labels, bunch.fingerprints, bunch.contents, strict=True):
        yield Found(label, bunch.position, fingerprint, content, records_most=records_most(len(content)))


class _Reading:
    """One reading of a collection."""

    def __init__(self, source: Source, limits: ArchiveLimits, most_bytes: int) -> None:
        self._source = source
        self._limits = limits
        self._most_bytes = most_bytes
        self._bunches = can_bunch() and source.repair is None

    def files(self) -> Iterator[Found | Bunch]:
        from etl.extract.small_files import content_of, one_by_one, read_together  # an archive has no use for it

        source, position = self._source, 0
        groups = read_together(source.files, self._most_bytes) if self._bunches else one_by_one(source.files)
        for files, text, sizes in groups:
            if sizes:
                position += len(text)
                yield from self._looked_at(files, text, sizes, position)
                continue
            try:
                content = content_of(files[0])
            except OSError as error:
                yield Found(files[0], position, problem=str(unreadable(files[0], error)))
                continue
            position += len(content)
            yield _small(files[0], position, content_fingerprint(content), content, source.repair)

    def members(self) -> Iterator[Found | Bunch]:
        source = self._source
        with open_archive(source) as file:
            members = open_members(file, source.label, self._limits, self._most_bytes if self._bunches else None)
            held = _Held(source.label, self._limits, file.tell)
            position = 0
            for number, member in enumerate(members or ()):
                held.bytes += member.size
                self._limits.check_total(source.label, held.bytes)
                if isinstance(member, SmallMembers):
                    position = file.tell() if member.end is None else member.end
                    yield from self._bunch_of(member, position, held)
                    continue
                # Before the first member a zip has been read at its end, where its directory is.
                if number and (number % _ASKED_EVERY == 1 or member.size > SMALL_BYTES):
                    position = file.tell()
                yield self._member(member, position, held)
            if is_changed(source, file):
                raise SourceError(
                    f"{source.label} was changed while it was read: what was loaded of it may be a mixture. Run the"
                    " same command again: documents that are as they were are not loaded twice."
                )

    def _member(self, member: Member, position: int, held: _Held) -> Found:
        label, repair = f"{self._source.label}/{member.name}", self._source.repair
        if member.skipped:
            return _closed(label, member, position)
        try:
            if member.size > SMALL_BYTES:
                return _large(label, member, position, repair, held)
            content = member.read()
            return _small(label, position, _member_fingerprint(member, content), content, repair, held)
        except SourceError as error:  # another member may be good
            return Found(label, position, problem=str(error))

    def _bunch_of(self, members: SmallMembers, position: int, held: _Held) -> Iterator[Found | Bunch]:
        before = f"{self._source.label}/"
        salts = _salts(members.names)
        labels = [before + name for name in members.names]
        yield from self._looked_at(labels, members.text, members.sizes, position, _MEMBER, salts, held)

    def _looked_at(
        self,
        labels: Sequence[str],
        text: bytes,
        sizes: array[int],
        position: int,
        prefix: str = "",
        salts: list[bytes] | None = None,
        held: _Held | None = None,
    ) -> Iterator[Found | Bunch]:
        for one in bunched(labels, text, sizes, position, prefix, salts):
            if isinstance(one, Bunch):
                yield one
            else:
                yield _small(one.label, one.position, one.fingerprint, one.stored, None, held)


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
    if not compression(content):
        return _plain(label, position, fingerprint, content, repair)
    shown, whole = inside(content, label)
    if whole:
        try:
            if held is not None:
                held.check_of(label)(len(shown), len(content))
        except SourceError as error:
            return Found(label, position, problem=str(error))
        return _plain(label, position, fingerprint, shown, repair)
    skipped = not_xml(shown, repair) if shown and not NAMED_XML.search(label) else ""
    if skipped:
        return Found(label, position, fingerprint, skipped=skipped)
    most = len(content) * RECORDS_PER_PACKED_BYTE
    opened = partial(_reader, io.BytesIO(content), label, repair, held.check_of(label) if held else None)
    return Found(label, position, fingerprint, open=opened, records_most=most)


def _plain(label: str, position: int, fingerprint: str, content: bytes, repair: Repair | None) -> Found:
    """A small document that is not compressed."""
    mends: tuple[Mend, ...] = ()
    marked = len(_MARK) if content.startswith(_MARK) else 0
    if _UTF8.match(content, marked):
        content = content[marked:]
        if repair is not None:
            mender = new_mender(repair)
            content = mender.mend(content, final=True)
            mends = mender.mends
    else:
        skipped = skipped_plain(content, label, repair)
        if skipped:
            return Found(label, position, fingerprint, skipped=skipped)
        try:
            content, mends = read_whole(content, label, repair)
        except SourceError as error:
            return Found(label, position, fingerprint, content, records_most=1, problem=str(error))
    return Found(label, position, fingerprint, content, records_most=records_most(len(content)), mends=mends)


def _closed(label: str, member: Member, position: int) -> Found:
    """A member that is no file, or cannot be read: one that is named as XML must not be passed over in silence."""
    if member.skipped not in NO_FILE and NAMED_XML.search(label):
        problem = f"{label} cannot be read ({member.skipped}): unpack it by other means, and load it as a file."
        fingerprint = _member_fingerprint(member, b"%d %s" % (member.size, member.stamp))
        return Found(label, position, fingerprint, b"", records_most=1, problem=problem)
    return Found(label, position, skipped=member.skipped)


def _large(label: str, member: Member, position: int, repair: Repair | None, held: _Held) -> Found:
    """A member that is read in pieces, of which the first are looked at. Raises SourceError where it has only those."""
    head, blocks = begun(member.blocks(), LOOKED_AT_BYTES)
    skipped = skipped_as(head, label, repair) if head else ""
    if skipped:
        return Found(label, position, skipped=skipped)
    if len(head) < LOOKED_AT_BYTES:  # it is damaged or cut off, which comes next, and has no identity
        head += next(blocks, b"")
    packed = bool(compression(head))
    # The rest is not seen before it is loaded: what the archive says of it has to do, which in a tar can be always the
    # same. Blocks are cut anywhere, so that of the beginning as much is taken as any reading has.
    # Of one that is cut off before, nothing is loaded.
    begins = hashlib.blake2b(head[:LOOKED_AT_BYTES], digest_size=16).digest()
    fingerprint = _member_fingerprint(member, b"%d %s %s" % (member.size, member.stamp, begins))
    return Found(
        label,
        position,
        fingerprint if repair is None else repaired(fingerprint, repair.declared),
        open=lambda: _reader(_Blocks(head, blocks), label, repair, held.check_of(label) if packed else None),
        records_most=member.size * RECORDS_PER_PACKED_BYTE if packed else records_most(member.size),
    )


def _reader(
    file: Readable, label: str, repair: Repair | None, check_made: Callable[[int, int], None] | None = None
) -> SourceReader:
    return SourceReader(file, label, interruptible=True, repair=repair, check_made=check_made)


def _member_fingerprint(member: Member, content: bytes) -> str:
    return _MEMBER + hashlib.blake2b(_salt(member.name) + content, digest_size=16).hexdigest()


def _salt(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass") + b"\0"


def _salts(names: Sequence[str]) -> list[bytes]:
    """Of each name, which has no line feed: `Member.name` is escaped."""
    return _salt("\0\n".join(names)).split(b"\n")


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
