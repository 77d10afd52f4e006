"""Where an element ends: the one rule by which records are cut out of a document and other elements are skipped.

An element ends at the end tag of its own literal name when the count of open elements of that name is zero. Comments,
CDATA sections and processing instructions are passed over; nothing else inside is looked at, so an element that is
ill-formed inside still ends where it ends.

A start tag ends at the first ``>`` outside of quotes. Ill-formed tags, since people do write them: a ``<`` outside of
quotes ends the tag there. A ``<`` inside a quoted value is taken as part of the value, unless a tag of the element's
own name begins there: then the closing quote is missing. Before a start tag the tag ends at the first ``>`` behind the
opening quote, which may be a ``/>``; before an end tag it is the one that this end tag closes.

All functions work on a buffer that need not hold the whole element, and go on where they stopped: memory stays
flat, and no byte is searched again for each chunk that arrives.
"""

from __future__ import annotations

import re
from array import array
from functools import cached_property, lru_cache

from etl.extract.window import Window

SLASH, LESS, GREATER = b"/<>"

TAIL_BYTES = 1 << 16
"""Kept of an element that is streamed past: at the end of the document its last end tags are looked for here."""

MAX_TAG_BYTES = 1 << 20
"""A start tag is looked at up to here; a longer one may only belong to a record or to what is skipped."""

NAME = rb"[A-Za-z_:\x80-\xff][^\s<>/=\"']*+"
"""An element's name, leniently: what cannot be a name is found out by the parser later."""

INSIDE_TAG = rb"""[^<>"']*+(?:"[^<"]*+"[^<>"']*+|'[^<']*+'[^<>"']*+)*+"""
_TAG_LEXERS = {
    b"": re.compile(INSIDE_TAG),
    b'"': re.compile(rb'[^<"]*+'),
    b"'": re.compile(rb"[^<']*+"),
}
"""By the quote one is in: what may be passed over at once."""

_COMMENT_END, _CDATA_END, _INSTRUCTION_END = b"-->", b"]]>", b"?>"


class ElementRule:
    """The patterns that find the end of elements of one literal name; compiled when needed, since names may be many."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.lookahead = len(name) + 9
        """So many bytes at the end of a buffer may be the beginning of something not yet recognisable."""
        self._own = re.escape(name)

    @cached_property
    def head(self) -> re.Pattern[bytes]:
        """Text without references, and a whole start tag (group 1) behind it."""
        return re.compile(rb"[^<&]*+(<" + self._own + rb"(?=[\s/>])" + INSIDE_TAG + rb">)")

    @cached_property
    def events(self) -> re.Pattern[bytes]:
        """Own tags up to the byte behind the name, and what to pass over. Groups would cost 3 times as much time."""
        return re.compile(rb"<(?:/" + self._own + rb"[\s>]|" + self._own + rb"[\s/>]|!--|!\[CDATA\[|\?)")

    @cached_property
    def own_tag(self) -> re.Pattern[bytes]:
        """A start tag or (with group 1) an end tag, up to the byte behind the name."""
        return re.compile(rb"<(/?)" + self._own + rb"[\s/>]")


element_rule = lru_cache(maxsize=1024)(ElementRule)
"""The rule for a name; compiling one takes longer than finding many records with it."""


def plain_end(rule: ElementRule, buf: bytearray, tag_end: int) -> int:
    """End of an element whose start tag ends at `tag_end`, where what comes next is its end; -1 otherwise.

    Only saves the bookkeeping of an `ElementScan`, with the same patterns.
    """
    if buf[tag_end - 2] == SLASH:
        return tag_end
    event = rule.events.search(buf, tag_end)
    if event is None or buf[event.start() + 1] != SLASH or buf[event.end() - 1] != GREATER:
        return -1
    return event.end()


class ElementScan:
    """The search for the end of one element, as far as it got."""

    def __init__(self, rule: ElementRule, start: int) -> None:
        """`start` is the offset of the element's ``<``."""
        self.rule = rule
        self.at = start + 1 + len(rule.name)
        """Offset up to which the search has come."""
        self._depth = 0
        """How many elements of that name are open."""
        self._inner = array("Q")
        """Offsets of those inside the element, from `_inner_from` on."""
        self._inner_from = 0
        self._streaming = False
        self._terminator = b""
        self._in_tag = True
        self._tag_opens = True
        self._tag_start = start
        self._quote = b""
        self._quote_start = 0

    def find_end(self, window: Window, until: int | None, keep: int | None) -> int | None:
        """Offset behind the element, or None where the document ends before, or `until` was passed.

        Bytes from `keep` on stay in the window; without `keep` the element is streamed past. May be called again.
        """
        if keep is None:
            self._inner = array("Q")
            self._streaming = True
        while True:
            if self._advance(window):
                return self.at
            if until is not None and self.at >= until:
                return None
            # Enough is kept to see that a tag ends in "/>", and how the document ends.
            flat = min(self.at - 1, window.end - TAIL_BYTES)
            if not window.more(flat if keep is None else keep, self.at):
                return None

    def find_tag_end(self, window: Window, until: int, keep: int) -> int | None:
        """Offset behind the start tag of the element, or None where the document ends before, or `until` was passed.

        To be called first of all, if at all.
        """
        while self._in_tag:
            self._pass_tag(window)
            if self._in_tag and (self.at >= until or not window.more(keep, self.at)):
                return None
        return self.at

    def go_on_with(self, rule: ElementRule, start: int) -> bool:
        """Become the search for the end of the element at `start`, if that is the outermost open inside this one.

        So a run of unclosed elements is searched once, not once for each of them.
        """
        if rule is not self.rule or self._inner_from == len(self._inner) or self._inner[self._inner_from] != start:
            return False
        self._inner_from += 1
        self._depth -= 1
        return True

    def _advance(self, window: Window) -> bool:
        """Go on as far as the window reaches; True where the element has ended."""
        buf, base = window.buf, window.base
        while self._in_tag or self._depth:
            if self._in_tag:
                self._pass_tag(window)
                if self._in_tag:
                    return False
            elif self._terminator:
                found = buf.find(self._terminator, self.at - base)
                if found < 0:
                    self.at = max(self.at, window.end - len(self._terminator) + 1)
                    return False
                self.at = base + found + len(self._terminator)
                self._terminator = b""
            else:
                event = self.rule.events.search(buf, self.at - base)
                if event is None:
                    self.at = max(self.at, window.end - self.rule.lookahead)
                    return False
                self._enter(event[0], base + event.end())
        return True

    def _enter(self, event: bytes, end: int) -> None:
        """Deal with what `ElementRule.events` found before `end`."""
        self.at = end
        if event == b"<!--":
            self._terminator = _COMMENT_END
        elif event == b"<![CDATA[":
            self._terminator = _CDATA_END
        elif event == b"<?":
            self._terminator = _INSTRUCTION_END
        else:
            self.at = end - 1
            self._in_tag = True
            self._tag_opens = event[1] != SLASH
            self._tag_start = end - len(event)

    def _pass_tag(self, window: Window) -> None:
        """Go on inside a tag, as far as the window reaches."""
        buf, base = window.buf, window.base
        at = self.at - base
        while True:
            lexed = _TAG_LEXERS[self._quote].match(buf, at)
            at = lexed.end() if lexed is not None else at
            if at == len(buf):
                break
            byte = buf[at]
            if byte == GREATER:
                return self._leave_tag(window, at)
            if byte != LESS:
                if self._quote:
                    self._quote = b""
                else:
                    self._quote = bytes(buf[at : at + 1])
                    self._quote_start = base + at
                at += 1
            elif not self._quote:
                return self._leave_tag(window, -1, at)
            elif (own := self.rule.own_tag.match(buf, at)) is not None:
                opened = max(self._quote_start - base, 0)
                return self._leave_tag(window, -1 if own[1] else buf.find(b">", opened, at), at)
            elif len(buf) - at < self.rule.lookahead:
                break
            else:
                at += 1
        self.at = base + at
        return None

    def _leave_tag(self, window: Window, closed: int, otherwise: int = 0) -> None:
        """The tag ends with the ``>`` at `closed` of the buffer, or (closed < 0) before `otherwise`."""
        self._in_tag = False
        self._quote = b""
        self.at = window.base + (closed + 1 if closed >= 0 else otherwise)
        if not self._tag_opens:
            self._count(-1)
        elif closed < 0 or window.buf[closed - 1] != SLASH:
            self._count(1)

    def _count(self, change: int) -> None:
        self._depth += change
        if change < 0 and len(self._inner) > self._inner_from:
            self._inner.pop()
        elif change > 0 and self._depth > 1 and not self._streaming:
            self._inner.append(self._tag_start)
