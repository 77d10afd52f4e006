"""Whether sources make much when they are unpacked, found out by unpacking no more of them than tells it.

In: sources. Out: bytes. Runs on the thread that calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from etl.errors import SourceError
from etl.extract.decompress import decompressed
from etl.extract.member import ArchiveLimits
from etl.extract.members import open_members
from etl.extract.raw_file import RawFile
from etl.extract.source import Source, open_archive

_NO_LIMITS = ArchiveLimits(ratio=1 << 62, total_bytes=1 << 62)


def unpacked_size(sources: Sequence[Source], enough: int) -> int | None:
    """Bytes of the documents in all of them, as far as they are looked at: until it is `enough`, at least.

    None where one cannot tell, because a source can be read only once. What cannot be read counts as far as it can.
    """
    if not all(source.rereadable for source in sources):
        return None
    # What they have on disk is known, and hardly more than what it makes.
    made = sum(source.size or 0 for source in sources)
    if made < enough:
        made = 0
        for size in chain.from_iterable(map(_pieces, sources)):
            made += size
            if made >= enough:
                break
    return made


def _pieces(source: Source) -> Iterator[int]:
    """Sizes of what comes out of it, one after the other."""
    if source.kind == "folder":
        yield source.size or 0
        return
    with suppress(SourceError), open_archive(source) as file:  # errors are told when its turn has come
        if source.kind == "archive":
            yield from (member.size for member in open_members(file, source.label, _NO_LIMITS) or ())
        else:
            yield from map(len, decompressed(b"", RawFile(file, source.label).block, source.label))
