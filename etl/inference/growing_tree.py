"""A document's tree, looked at while a parser makes it, and thrown away behind that look.

In: the document in pieces. Out: tallies. After each piece, the elements that may still be open are the root, its last
child, that one's last child, and so on. Every other element is whole: it is counted and deleted, so that memory holds
a piece of the document, however long the root, one of the records, or a text is. What was counted of an element that
goes on is kept in its `Frame`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from etl.inference.levels import Level, children_of, count_attributes, is_blank, take_level
from etl.inference.tally import Tallies, Tally, count_children
from etl.mapping.paths import XML_WHITE_SPACE, local_name

LONG_TEXT = 1 << 16
"""Characters; what an element's text has more than this is counted, but not kept."""


@dataclass(slots=True)
class Frame:
    """An element that may go on, and what was counted of it."""

    element: Any
    tally: Tally
    name: bytes
    """As the document writes it."""
    tag: bytes
    """A start tag that opens it again: name and namespaces."""
    start: int
    """Bytes that had been read when it was first seen."""
    attributes: list[tuple[str, str]]
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
        self.text += text[: LONG_TEXT - len(self.text)]
        if stripped:
            self.length += self.spaces + len(stripped)
            self.spaces = 0
        if self.length:
            self.spaces += len(text) - len(stripped)


class GrowingTree:
    """The tree of one document, or of what follows in it behind something that cannot be parsed."""

    def __init__(
        self, tallies: Tallies, parser: etree.XMLPullParser, subset: bytes, frames: Sequence[Frame] = (), read: int = 0
    ) -> None:
        """Of an element in `frames`, what is counted already stays, and what follows is added.

        `parser` has events for the start of elements named like the root, and for namespaces. `subset` are the
        declarations it needs; `read` is how many bytes of the document were read before.
        """
        self.frames = list(frames)
        """Of the elements that may be open, the root first."""
        self._tallies = tallies
        self._parser = parser
        self._root: Any = None
        self._read = self._read_before = read
        self._bottom: Frame | None = None
        """The innermost frame when the tree was last consumed, and what its text was then."""
        self._bottom_text: str | None = None
        parser.feed(subset + b"".join(frame.tag for frame in frames))
        self._look_at_events()
        for frame, element in zip(frames, self.last_children(), strict=True):
            frame.element = element

    @property
    def root(self) -> str:
        """The tag of its root element; empty while none was seen."""
        return "" if self._root is None else str(self._root.tag)

    def feed(self, piece: bytes) -> None:
        """Parse a piece; raises XMLSyntaxError."""
        self._parser.feed(piece)
        self._read += len(piece)
        self._look_at_events()

    def close(self) -> None:
        """The document is at its end; raises XMLSyntaxError."""
        self._parser.close()

    def last_children(self) -> list[Any]:
        """The elements that may be open, the root first."""
        if self._root is None:
            return []
        chain = [self._root]
        try:
            while True:
                chain.append(chain[-1][-1])
        except IndexError:
            return chain

    def consume(self, chain: Sequence[Any]) -> None:
        """Count and delete all but the elements that may be open."""
        if self._root is None:
            return
        stay = _common(self.frames, chain)
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
            below.extend(take_level(level, self._tallies.shapes))
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
        self._read_before = self._read

    def finish_from(self, depth: int) -> None:
        """The elements from that depth on are over: count them as they are."""
        over = self.frames[depth:]
        del self.frames[depth:]
        for frame in reversed(over):
            self._finish(frame)
        if over and self.frames:
            parent, child = self.frames[-1], over[0]
            parent.add(Level([child.element], [child.tally]))
            parent.element.remove(child.element)

    def cut_from(self, depth: int) -> None:
        """Drop the elements from that depth on, where no more is seen of them; what is in them is known to be many."""
        for frame in self.frames[depth:]:
            count_children(frame.children.items(), 0)
        self.drop_from(depth)

    def drop_from(self, depth: int) -> None:
        """The elements from that depth on (not the root) are not to be counted; their size is at least what it is."""
        for frame in self.frames[depth:]:
            frame.tally.profile.largest = max(frame.tally.profile.largest, self._read - frame.start)
        if depth < len(self.frames):
            self.frames[depth - 1].element.remove(self.frames[depth].element)
            del self.frames[depth:]

    def detach(self) -> list[Frame]:
        """The frames, with all that is known of their elements in them; the tree is of no more use."""
        for frame in self.frames:
            frame.add_text(self._bottom_text if frame is self._bottom else frame.element.text)
        return self.frames

    def _look_at_events(self) -> None:
        events: Any = self._parser.read_events()
        for event, value in events:
            if event == "start-ns":
                self._tallies.prefix(*value)
            elif self._root is None:
                self._root = value

    def _open(self, element: Any) -> Frame:
        if self.frames:
            parent = self.frames[-1].tally
            tally = parent.children[element.tag]
            # It is counted as one of the others when it is whole.
            parent.profile.others -= tally is self._tallies.dropped
        else:
            tally = self._tallies.root(element.tag)
        name, start_tag = _names(element)
        return Frame(element, tally, name, start_tag, self._read, element.items())

    def _whole_children(self, frame: Frame) -> Level:
        """The children of an open element without the last one, which may be open."""
        whole = children_of(frame.element, frame.tally, -1)
        frame.add(whole)
        return whole

    def _finish(self, frame: Frame) -> Level:
        """Count an element whose beginning was looked at before, and return its other children."""
        tally = frame.tally
        count_attributes([tally], [frame.attributes])
        size = max(0, self._read_before - frame.start)
        tally.profile.bytes += size
        tally.profile.largest = max(tally.profile.largest, size)
        below = children_of(frame.element, tally)
        frame.add(below)
        frame.add_text(frame.element.text)
        if frame.children:
            tally.inner += 1
            tally.profile.mixed += frame.has_text or bool(frame.length)
            count_children(frame.children.items(), 1)
        else:
            tally.texts.append(frame.text)
            tally.profile.text.longest = max(tally.profile.text.longest, frame.length)
        return below

    def _shorten(self, chain: Sequence[Any]) -> None:
        """Keep no long text of an element that may be open: the parser begins another one without noticing."""
        for element, frame in zip(chain[1:], self.frames, strict=False):
            tail = element.tail
            if tail is not None and len(tail) > LONG_TEXT:
                frame.has_text = frame.has_text or not is_blank(tail)
                element.tail = None
        if not chain:
            return
        self._bottom, text = self.frames[-1], chain[-1].text
        if text is not None and len(text) > LONG_TEXT:
            self._bottom.add_text(text)
            chain[-1].text = text = None
        self._bottom_text = text


def _common(frames: Sequence[Frame], chain: Sequence[Any]) -> int:
    """How many of the open elements were open before."""
    for number, (frame, element) in enumerate(zip(frames, chain, strict=False)):
        if frame.element is not element:
            return number
    return min(len(frames), len(chain))


def _names(element: Any) -> tuple[bytes, bytes]:
    """The name of an element as its document writes it, and a start tag."""
    local = local_name(element.tag)
    name = f"{element.prefix}:{local}" if element.prefix else local
    namespaces = {"xmlns": "", **{f"xmlns:{key}" if key else "xmlns": uri for key, uri in element.nsmap.items()}}
    declared = "".join(f" {key}={quoteattr(uri)}" for key, uri in namespaces.items())
    return name.encode(), f"<{name}{declared}>".encode()
