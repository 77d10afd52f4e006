"""What to do with a record that does not end: where reading can go on.

A record that is longer than it may be, or that the document ends in, may lack its end tag. Then what follows it was
taken for its content: other records, elements of its own name. They are looked for here, by counting the depth of
all tags, which the search for a record's end never does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from etl.extract.markup import GREATER, INSIDE_TAG, NAME, SLASH
from etl.extract.window import Window

_TAG = re.compile(rb"<(?:(/)|!(--)|!(\[CDATA\[)|(\?)|(" + NAME + rb")(?:" + INSIDE_TAG + rb">)?)")
_END, _COMMENT, _CDATA, _INSTRUCTION, _START = range(1, 6)
_TERMINATORS = {_COMMENT: b"-->", _CDATA: b"]]>", _INSTRUCTION: b"?>"}


class NextRecords:
    """Finds where the record behind an unclosed one begins."""

    def __init__(self) -> None:
        self._known: list[int] = []
        """Offsets found by the last search, so that a document of unclosed records is not searched for each of them."""

    def find(self, window: Window, start: int, end: int, name: bytes, *, certain: bool) -> int | None:
        """Where behind a record `name`, which begins at `start` and has not ended at `end`, the next record begins.

        That is the first start tag of the same name whose parent element does not end either: what an unclosed
        record looks like. Where it is not `certain` that the record lacks its end (it may just be long), such a tag
        must be a child of the record itself, or have a sibling of that name: a large record may well hold another of
        its kind.
        """
        place = bisect_right(self._known, start)
        if place == len(self._known):
            base = window.base
            found = _start_tags(window.buf, start - base, end - base, name, 1 if certain else 2)
            self._known = [base + offset for offset in found]
            place = 0
        return self._known[place] if place < len(self._known) else None


def _start_tags(buf: bytearray, start: int, end: int, name: bytes, siblings: int) -> list[int]:
    """Places in `buf` of the start tags that `NextRecords.find` looks for, with at least so many `siblings`."""
    if re.compile(rb"<" + re.escape(name) + rb"[\s/>]").search(buf, start + 1, end) is None:
        return []
    # For each element open, the record first, where its children of that name begin.
    children: list[list[int]] = [[]]
    missing: set[bytes] = set()
    at = start + 1
    while (tag := _TAG.search(buf, at, end)) is not None:
        at = tag.end()
        kind = tag.lastindex or 0
        if kind == _START:
            if tag[_START] == name:
                if len(children) == 1:
                    return [tag.start()]
                children[-1].append(tag.start())
            if buf[at - 2] != SLASH or buf[at - 1] != GREATER:
                children.append([])
        elif kind == _END:
            # An end tag too many: the record's own end, which the count of its name had passed over.
            if len(children) > 1:
                children.pop()
        elif _TERMINATORS[kind] not in missing:
            found = buf.find(_TERMINATORS[kind], at, end)
            if found < 0:
                # It never ends, so it may be what is wrong here; what follows it is to be seen.
                missing.add(_TERMINATORS[kind])
            else:
                at = found + len(_TERMINATORS[kind])
    return sorted(place for places in children if len(places) >= siblings for place in places)


def intact_tail(data: bytes, names: Sequence[bytes]) -> int | None:
    """Where in `data`, the end of a document, the end tags of the open elements `names` begin (outermost first).

    None where the document does not end with them: it is cut off.
    """
    if not names:
        return None
    tags = rb"\s*".join(rb"</" + re.escape(name) + rb"\s*>" for name in reversed(names))
    found = re.search(tags + rb"\s*\Z", data)
    return found.start() if found is not None else None
