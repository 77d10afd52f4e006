"""Which bytes of a document a sample takes: from its beginning, and, where the file can be sought, from further in.

In: a file of plain UTF-8. Out: passages of it for its `Document`. Dumps are sorted, by kind of record as often as by
date; what is at their end may not occur in their first gigabyte. A passage is of use from the first start tag on that
is surely a child of the element that was open before. Where a passage has none, the place where they cease is searched
for by halving, and read from there: so the kind that follows is seen, in its place, and known in the passages to come.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import BinaryIO

from etl.errors import SourceError
from etl.extract.encoding import HEAD_BYTES, detect
from etl.inference.document import Document
from etl.inference.openable import Openable

PASSAGES = 8

_BEGIN = re.compile(rb"(?:" + codecs.BOM_UTF8 + rb")?[ \t\r\n]*<")

Feed = Callable[[bytes], object]


def can_be_sought(document: Openable) -> bool:
    """Whether it stands in a file, and its offsets in there are those in itself."""
    if document.path is None or document.size is None:
        return False
    try:
        with document.path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        return _BEGIN.match(head) is not None and detect(head, document.label).codec == "utf-8"
    except (OSError, SourceError):
        return False  # whoever reads it says so


def look_further_in(file: BinaryIO, begin: int, budget: int, document: Document, feed: Feed) -> None:
    """Feed the document passages of about `budget` bytes in all, spread from `begin` to the file's end.

    `begin` is where the document was left. No byte is fed twice: records would look as if their keys were not unique.
    """
    size = file.seek(0, 2)
    length = budget // (2 * PASSAGES)
    end = begin
    for number in range(1, PASSAGES + 1):
        offset = begin + (size - begin - length) * number // PASSAGES
        passage = _read(file, offset, length)
        if document.known_children().search(passage) is None:
            edge = _edge(file, document.known_children(), end, offset, length // 2)
            if edge > end:
                document.jump(edge)
            end = min(edge + length, offset)
            feed(_read(file, edge, end - edge))
        if document.known_children().search(passage) is not None:
            document.jump(offset)
            feed(passage)
            end = offset + len(passage)
    # The last passage ends with the file.
    if end == size:
        document.finish()
    else:
        document.cut_off()


def _edge(file: BinaryIO, place: re.Pattern[bytes], known: int, unknown: int, block: int) -> int:
    """About the last offset between these two with such a place in the block behind; `known` where there is none."""
    while unknown - known > max(1, block):
        middle = (known + unknown) // 2
        if place.search(_read(file, middle, block)) is not None:
            known = middle
        else:
            unknown = middle
    return known


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
