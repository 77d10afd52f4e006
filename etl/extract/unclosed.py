"""What to do with a record that does not end: where reading can go on.

A record that is longer than it may be, or that the document ends in, may lack its end tag. Then what follows it was
taken for its content. That is looked for here, by pairing all tags, which the search for a record's end never does:

- the end tag of the element around the record proves that the record is not closed;
- so does the end of the document, and then every start tag of a record type is a record, unless it lies in an element
  that ends;
- otherwise the record may just be long. It counts as not closed if an element of its own name lies in it whose parent
  has not ended either, and that parent is the record itself, or has several such children: a large record may well
  hold another of its kind.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from etl.extract.markup import GREATER, INSIDE_TAG, NAME, SLASH
from etl.extract.window import Window

_TAG = re.compile(rb"<(?:/(" + NAME + rb")|!(--)|!(\[CDATA\[)|(\?)|(" + NAME + rb")(?:" + INSIDE_TAG + rb">)?)")
_END, _COMMENT, _CDATA, _INSTRUCTION, _START = range(1, 6)
_TERMINATORS = {_COMMENT: b"-->", _CDATA: b"]]>", _INSTRUCTION: b"?>"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What can tell that a record is not closed."""

    record: bytes
    """The record's literal name."""
    parent: bytes | None
    """Literal name of the element around it."""
    others: Collection[bytes] = ()
    """Local names of other record types under the same parent, where the record is known not to be closed."""
    certain: bool = False
    """Whether it is."""


class NextRecords:
    """Finds where reading goes on behind an unclosed record."""

    def __init__(self) -> None:
        self._known: list[int] = []
        self._known_for: Surroundings | None = None
        """What the last search found, so that a document of unclosed records is not searched for each of them."""

    def find(self, window: Window, start: int, end: int, surroundings: Surroundings) -> int | None:
        """Where behind the record at `start`, which has not ended at `end`, reading goes on; None if it may be closed.

        That is the start tag of a record, or the end tag of the element around.
        """
        place = bisect_right(self._known, start) if surroundings == self._known_for else len(self._known)
        if place == len(self._known):
            found = _Search(window.buf, start - window.base, end - window.base, surroundings).places()
            self._known = [window.base + offset for offset in found]
            self._known_for = surroundings
            place = 0
        return self._known[place] if place < len(self._known) else None


@dataclass(slots=True)
class _Open:
    """An element that stands open in the search."""

    name: bytes
    records: list[int] = field(default_factory=list)
    """Places of its children that look like records."""


class _Search:
    """Pairs the tags of one stretch of a buffer."""

    def __init__(self, buf: bytearray, start: int, end: int, surroundings: Surroundings) -> None:
        self._buf = buf
        self._at = start + 1
        self._end = end
        self._surroundings = surroundings
        self._open = [_Open(surroundings.record)]
        self._names = Counter([surroundings.record])
        self._missing: set[bytes] = set()

    def places(self) -> list[int]:
        """Where reading may go on; only the first is sure to be right."""
        if not self._may_find():
            return []
        while (tag := _TAG.search(self._buf, self._at, self._end)) is not None:
            self._at = tag.end()
            if tag[_START] is not None:
                if self._starts_record(tag[_START]):
                    if len(self._open) == 1:
                        return [tag.start()]
                    self._open[-1].records.append(tag.start())
                if self._buf[self._at - 2] != SLASH or self._buf[self._at - 1] != GREATER:
                    self._open.append(_Open(tag[_START]))
                    self._names[tag[_START]] += 1
            elif tag[_END] is None:
                self._pass_special(_TERMINATORS[tag.lastindex or 0])
            elif self._names[tag[_END]]:
                self._close(tag[_END])
            elif tag[_END] == self._surroundings.parent:
                return self._found(1) or [tag.start()]
        return self._found(1 if self._surroundings.certain else 2)

    def _may_find(self) -> bool:
        """Whether anything that is looked for is there at all, which takes a fraction of the time to find out."""
        if self._surroundings.others:
            return True
        record, parent = self._surroundings.record, self._surroundings.parent
        wanted = rb"<" + re.escape(record) + (rb"" if parent is None else rb"|</" + re.escape(parent))
        return re.compile(rb"(?:" + wanted + rb")[\s/>]").search(self._buf, self._at, self._end) is not None

    def _starts_record(self, name: bytes) -> bool:
        return name == self._surroundings.record or name.rpartition(b":")[2] in self._surroundings.others

    def _close(self, name: bytes) -> None:
        """An end tag closes the innermost element of its name, and what is open in that. The record stays open."""
        while len(self._open) > 1:
            closed = self._open.pop().name
            self._names[closed] -= 1
            if closed == name:
                break

    def _pass_special(self, terminator: bytes) -> None:
        if terminator in self._missing:
            return
        found = self._buf.find(terminator, self._at, self._end)
        if found < 0 and self._surroundings.certain:
            # It never ends, so it may be what is wrong here; what follows it is to be seen.
            self._missing.add(terminator)
        elif found < 0:
            # It may well end further on; until then nothing in it is a tag.
            self._at = self._end
        else:
            self._at = found + len(terminator)

    def _found(self, siblings: int) -> list[int]:
        """The places of record starts in elements that are open, where those have at least so many."""
        return sorted(place for element in self._open if len(element.records) >= siblings for place in element.records)


def intact_tail(data: bytes, names: Sequence[bytes]) -> int | None:
    """Where in `data`, the end of a document, the end tags of the open elements `names` begin (outermost first).

    Those of inner ones may be missing; None where even the outermost is: the document is cut off.
    """
    found = None
    end = len(data)
    for name in names:
        at = data.rfind(b"</", 0, end)
        if at < 0 or re.fullmatch(rb"</" + re.escape(name) + rb"\s*>\s*", data[at:end]) is None:
            break
        found = end = at
    return found
