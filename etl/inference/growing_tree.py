"""A document's tree, looked at while a parser makes it, and thrown away behind that look.

In: the document in pieces. Out: tallies. After each piece, the elements that may still be open are the root, its last
child, that one's last child, and so on. Every other element is whole: it is counted and deleted, so that memory holds
a piece of the document, however long the root, one of the records, or a text is. What was counted of an element that
goes on is kept in its `Frame`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from etl.inference.levels import Level, children_of, count_attributes, count_children, is_blank, take_level
from etl.inference.tally import Tallies, Tally
from etl.inference.values import XML_WHITE_SPACE

LONG_TEXT = 1 << 16
"""Characters; what an element's text has more than this is counted, but not kept."""


@dataclass(slots=True)
class Frame:
    """An element that may go on, and what was counted of it."""

    element: Any
    tally: Tally
    start: int
    """Bytes that had been read when it was first seen."""
    children: Counter[Tally] = field(default_factory=Counter)
    has_text: bool = False
    """Text of its own stands behind one of its children."""
    text: str = ""
    """The beginning of its text, as far as it was looked at."""
    length: int = 0
    """Characters of that text, without white space around it."""
    spaces: int = 0
    """Characters of white space behind it."""

    def add(self, children: Level) -> None:
        """Take in some of its children, before they are deleted."""
        self.children.update(children.tallies)
        self.has_text = self.has_text or not all(is_blank(child.tail) for child in children.elements)

    def add_text(self, text: str | None) -> None:
        """Take in some of the text before its first child."""
        text = text or ""
        if not self.length:
            text = text.lstrip(XML_WHITE_SPACE)
        stripped = text.rstrip(XML_WHITE_SPACE)
        if stripped:
            self.text += text[: LONG_TEXT - len(self.text)]
            self.length += self.spaces + len(stripped)
            self.spaces = 0
        self.spaces += len(text) - len(stripped) if self.length else 0


class GrowingTree:
    """The tree of one document."""

    def __init__(self, tallies: Tallies, parser: etree.XMLPullParser) -> None:
        """`parser` has events for the start of elements named like the root, and for namespaces."""
        self.frames: list[Frame] = []
        """Of the elements that may be open, the root first."""
        self._tallies = tallies
        self._parser = parser
        self._root: Any = None
        self._read = 0
        self._read_before = 0

    def feed(self, piece: bytes) -> None:
        """Parse a piece, and count what is whole; raises XMLSyntaxError."""
        self._parser.feed(piece)
        self._read_before = self._read
        self._read += len(piece)
        self._look_at_events()
        if self._root is not None:
            self._consume(self._last_children())

    def finish(self) -> None:
        """The document is at its end; raises XMLSyntaxError."""
        self._parser.close()
        self._consume([])

    def cut_off(self) -> None:
        """There is no more of the document: what is open and was not seen whole before counts as it is."""
        for frame, below in zip(self.frames, self.frames[1:], strict=False):
            if below.tally.count:
                frame.element.remove(below.element)
                del self.frames[below.tally.profile.depth :]
                break
        if self._root is not None:
            self._consume([])

    def _look_at_events(self) -> None:
        events: Any = self._parser.read_events()
        for event, value in events:
            if event == "start-ns":
                self._tallies.prefix(*value)
            elif self._root is None:
                self._root = value

    def _last_children(self) -> list[Any]:
        """The elements that may be open, the root first."""
        chain = [self._root]
        try:
            while True:
                chain.append(chain[-1][-1])
        except IndexError:
            return chain

    def _consume(self, chain: list[Any]) -> None:
        """Count what is whole, which is all but `chain`, and delete it."""
        stay = 0
        for frame, element in zip(self.frames, chain, strict=False):
            if frame.element is not element:
                break
            stay += 1
        finished = self.frames[stay:]
        del self.frames[stay:]
        level = Level() if chain else Level([self._root], [self._tallies.root(self._root.tag)])
        depth = 0
        while level.elements or depth < len(chain):
            below = Level()
            if stay <= depth < stay + len(finished):
                level.remove_first()
                below = self._finish(finished[depth - stay])
            if self._tallies.any_dropped:
                level.remove(self._tallies.dropped)
            below.extend(take_level(level))
            if depth < len(chain):
                if depth >= stay:
                    self.frames.append(self._open(chain[depth]))
                below.extend(self._whole_children(self.frames[depth]))
            level = below
            depth += 1
        self._tallies.any_dropped = False
        for element in chain:
            del element[:-1]
        self._shorten(chain)

    def _open(self, element: Any) -> Frame:
        tag = element.tag
        tally = self.frames[-1].tally.children[tag] if self.frames else self._tallies.root(tag)
        count_attributes([element], [tally])
        return Frame(element, tally, self._read)

    def _whole_children(self, frame: Frame) -> Level:
        """The children of an open element without the last one, which may be open."""
        whole = children_of(frame.element, frame.tally, -1)
        frame.add(whole)
        return whole

    def _finish(self, frame: Frame) -> Level:
        """Count an element whose beginning was looked at before, and return its other children."""
        frame.tally.profile.bytes += max(0, self._read_before - frame.start)
        below = children_of(frame.element, frame.tally)
        frame.add(below)
        text = frame.element.text
        frame.add_text(text)
        tally = frame.tally
        if frame.children:
            tally.inner += 1
            tally.profile.mixed += frame.has_text or bool(frame.length)
            count_children(frame.children.items(), 1)
        else:
            tally.texts.append(frame.text)
            tally.profile.text.longest = max(tally.profile.text.longest, frame.length)
        return below

    def _shorten(self, chain: list[Any]) -> None:
        """Keep no long text of an element that may be open: the parser begins another one without noticing."""
        for element, frame in zip(chain[1:], self.frames, strict=False):
            tail = element.tail
            if tail is not None and len(tail) > LONG_TEXT:
                frame.has_text = frame.has_text or not is_blank(tail)
                element.tail = None
        bottom = chain[-1:] and chain[-1].text
        if bottom and len(bottom) > LONG_TEXT:
            self.frames[-1].add_text(bottom)
            chain[-1].text = None
