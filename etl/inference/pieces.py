"""The bytes of a document, before any parser sees them: pieces to parse, and references that are none.

In: chunks of a document. Out: pieces that end before a tag, so that a parser could begin where each of them does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

PIECE_BYTES = 1 << 18
"""Parsed at once: enough for many elements to be looked at together, few enough for the cache."""

SPECIAL = re.compile(rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
"""A comment, a CDATA section or a processing instruction, as far as it goes."""

_CLOSINGS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_OPENING = re.compile(b"|".join(map(re.escape, _CLOSINGS)))
_MARK_BYTES = 8
"""Such a mark may be cut: the longest one has a byte more."""

_BARE = rb"(&)(?![^<>&\s;]*+(?:;|\Z))"
_BARE_ANYWHERE = re.compile(_BARE)
_BARE_IN_TEXT = re.compile(SPECIAL.pattern + rb"|" + _BARE, re.DOTALL)
_BEGUN_REFERENCE = re.compile(rb"&[^<>&\s;]{0,99}\Z")


def pieces(chunks: Iterable[bytes], size: int = PIECE_BYTES) -> Iterator[bytes]:
    """The document in pieces of at most `size` bytes that end before a tag, as far as that can be seen."""
    held = b""
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at > size:
            cut = _cut(held, at, at + size)
            yield held[at:cut]
            at = cut
        held = held[at:]
    yield held


def _cut(data: bytes, start: int, end: int) -> int:
    cut = end
    for opening, closing in _CLOSINGS.items() if _may_have_specials(data, start, end) else ():
        at = data.rfind(opening, start + 1, cut)
        if at >= 0 and data.find(closing, at, cut) < 0:
            cut = at
    cut = cut if cut < end else data.rfind(b"<", start + 1, end)
    return cut if cut > 0 else end


def _may_have_specials(data: bytes, start: int, end: int) -> bool:
    """Whether there is a ``<!`` or ``<?``: looked for by the byte that is rare."""
    for sign in (b"!", b"?"):
        at = data.find(sign, start, end)
        while at >= 0:
            if data.startswith(b"<", max(at - 1, 0)):
                return True
            at = data.find(sign, at + 1, end)
    return False


class References:
    """Watches for an ``&`` that begins no reference.

    libxml2 waits for a semicolon behind it, however far that is, and keeps all the document until there.
    """

    def __init__(self) -> None:
        self._terminator = self._begun = self._mark = b""
        """Of what the end of all that was read is in: a comment or the like, a reference, a mark of either."""

    def find_bare(self, piece: bytes) -> int | None:
        """Where in the next piece there is one; negative if it was the end of what was read before."""
        begun, self._begun = self._begun, b""
        terminator = self._terminator
        border = self._mark + piece[:_MARK_BYTES]
        if terminator or any(_may_have_specials(part, 0, len(part)) for part in (border, piece)):
            self._terminator = _terminator(self._mark + piece, terminator)
        self._mark = (border if len(piece) < _MARK_BYTES else piece)[-_MARK_BYTES:]
        if terminator or (b"&" not in piece and not begun):
            return None
        data = begun + piece
        # The search that knows what is text takes many times as long.
        if _BARE_ANYWHERE.search(data) is not None:
            for found in _BARE_IN_TEXT.finditer(data):
                if found[1]:
                    return found.start(1) - len(begun)
        last = _BEGUN_REFERENCE.search(data)
        self._begun = last[0] if last is not None else b""
        return None


def _terminator(data: bytes, terminator: bytes) -> bytes:
    """What ends the comment, CDATA section or processing instruction that the end of `data` is in, if it is in one.

    `terminator` is the same for its beginning.
    """
    at = 0
    while True:
        if terminator:
            end = data.find(terminator, at)
            if end < 0:
                return terminator
            at = end + len(terminator)
        begun = _OPENING.search(data, at)
        if begun is None:
            return b""
        at, terminator = begun.end(), _CLOSINGS[begun[0]]
