"""How far a document is as every parser accepts it. Two makers of the same result: patterns, which are the reference,
and compiled code (`etl/native/core/clean.c`), which looks at bytes without the GIL.

In: bytes of UTF-8, and what they begin within. Out: the place of the first byte that has to be looked at closely: what
XML 1.0 allows nowhere, what is no UTF-8, in text an ampersand that begins neither one of the five entities of XML nor a
reference to a character, and whatever begins so near the end that it cannot be told. Runs on the reading thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from etl import native


class Within(IntEnum):
    """What a place is within. Markup is text as well: an attribute's value has references like any other text."""

    TEXT = 0
    COMMENT = 1
    CDATA = 2
    INSTRUCTION = 3
    CHARACTERS = 4
    """To the end of the bytes, whatever stands there."""


PassClean = Callable[[bytes, int, int], tuple[int, int]]
"""Bytes, a place in them and what it is within -> the place of the first byte to look at (the end where there is none),
and what that is within."""

OPENINGS = {b"<!--": Within.COMMENT, b"<![CDATA[": Within.CDATA, b"<?": Within.INSTRUCTION}
CLOSINGS = {Within.COMMENT: b"-->", Within.CDATA: b"]]>", Within.INSTRUCTION: b"?>"}

_FOREIGN = rb"\0-\x08\x0b\x0c\x0e-\x1f\x80-\xff"
"""Bytes to look at anywhere, as a part of a character class."""
_CHARACTERS = re.compile(
    rb"(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xef(?:[\x80-\xbe][\x80-\xbf]|\xbf[\x80-\xbd])"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})++"
)
"""Characters beyond ASCII (RFC 3629) that XML allows: not U+FFFE and U+FFFF."""
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos|#(?:([0-9]{1,8})|x([0-9a-fA-F]{1,8})));")
_STOPS = {
    Within.TEXT: re.compile(rb"[&" + _FOREIGN + rb"]|<(?:[!?]|\Z)"),
    Within.COMMENT: re.compile(rb"[" + _FOREIGN + rb"]|-(?:->|-?\Z)"),
    Within.CDATA: re.compile(rb"[" + _FOREIGN + rb"]|\](?:\]>|\]?\Z)"),
    Within.INSTRUCTION: re.compile(rb"[" + _FOREIGN + rb"]|\?(?:>|\Z)"),
    Within.CHARACTERS: re.compile(rb"[" + _FOREIGN + rb"]"),
}


def pass_clean() -> PassClean:
    """The fast one where it is there."""
    if native.unavailable():
        return pass_clean_in_python
    from etl.native import _clean

    return _clean.pass_clean


def is_char(code: int) -> bool:
    """Whether XML 1.0 allows the character (production 2)."""
    return 0x20 <= code <= 0xD7FF or code in (0x9, 0xA, 0xD) or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def pass_clean_in_python(text: bytes, at: int, within: int) -> tuple[int, int]:
    """With patterns, one match after the other."""
    while at < len(text):
        at = pass_one(text, at, within)
        if at == len(text):
            break
        if within == Within.TEXT:
            opened = next((opening for opening in OPENINGS if text.startswith(opening, at)), None)
            if opened is None:
                break
            at, within = at + len(opened), OPENINGS[opened]
        else:
            closing = CLOSINGS.get(Within(within))
            if closing is None or not text.startswith(closing, at):
                break
            at, within = at + len(closing), Within.TEXT
    return at, int(within)


def pass_one(text: bytes, at: int, within: int) -> int:
    """The place of the first byte to look at, or where something else opens, or the end of what it is within."""
    stops = _STOPS[Within(within)]
    while (stop := stops.search(text, at)) is not None:
        at = stop.start()
        if text[at] >= 0x80:
            found = _CHARACTERS.match(text, at)
        elif within == Within.TEXT and text[at] == ord("&"):
            found = _REFERENCE.match(text, at)
            if found is not None and found.lastindex is not None and not is_char(code_of(found)):
                return at
        else:
            return at
        if found is None:
            return at
        at = found.end()
    return len(text)


def code_of(reference: re.Match[bytes]) -> int:
    """The number in a reference to a character; groups 1 and 2 have it in decimal or hexadecimal digits."""
    return int(reference[1]) if reference[1] is not None else int(reference[2], 16)
