"""One document into the tallies, with what cannot be parsed passed over.

In: the pieces of a document. Out: tallies, and how many passages did not parse. What is open where the parser gives up
is known only roughly, and the parser cannot be asked where it is; so the piece is parsed once more, in steps, to find
the byte. What is whole before it counts. The outermost open element that is one of many (a record, in most
documents) is left out, and the survey goes on at the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

from lxml import etree

from etl.extract.markup import INSIDE_TAG, NAME
from etl.inference.growing_tree import Frame, GrowingTree
from etl.inference.prolog import Prolog
from etl.inference.tally import MAX_DEPTH, MAX_NAME_LENGTH, Tallies, Tally
from etl.transform.parser import MESSAGE_LENGTH

PIECE_BYTES = 1 << 18
"""Parsed at once: enough for many elements to be looked at together, few enough for the cache."""

MAX_HELD_BYTES = 1 << 20
"""A first element inside one of its own name is believed if the outer one ends within so many bytes; else it is taken
for the next one, behind one whose end tag is missing."""

MAX_PROBLEMS = 1000
"""In one document; each costs two more looks at what is before it in its piece."""

MAX_KNOWN_CHILDREN = 1000
"""Names of elements that are searched for at once."""

_MANY = 10
"""An element that was seen so often without another of its name in it is not likely to hold one."""

_STEP_BYTES = 1 << 12
_SPECIALS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
_MARK_BYTES = 8
_SPECIAL = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_START_TAG = re.compile(rb"<" + NAME + INSIDE_TAG + rb">")
_ANY_TAG = re.compile(rb"<(?:/(" + NAME + rb")|[A-Za-z_:\x80-\xff])")
_BARE_AMPERSAND = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|(&)(?![^<>&\s;]*+(?:;|\Z))", re.DOTALL
)
_BEGUN_REFERENCE = re.compile(rb"&[^<>&\s;]{0,99}\Z")
_START = re.compile(rb"<[A-Za-z_:\x80-\xff]")
_OPEN_START = re.compile(rb"<(" + NAME + rb")(?=[\s/])" + INSIDE_TAG + rb"\Z")


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
    for opening, closing in _SPECIALS:
        at = data.rfind(opening, start + 1, cut)
        if at >= 0 and data.find(closing, at, cut) < 0:
            cut = at
    cut = cut if cut < end else data.rfind(b"<", start + 1, end)
    return cut if cut > 0 else end


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
        begun = [(found, mark, end) for mark, end in _SPECIALS if (found := data.find(mark, at)) >= 0]
        if not begun:
            return b""
        at, mark, terminator = min(begun)
        at += len(mark)


class Document:
    """The survey of one document."""

    def __init__(self, tallies: Tallies, prolog: Prolog) -> None:
        self.problems = 0
        """Passages that did not parse."""
        self.first_problem = ""
        """Why the first of them did not, and where."""
        self.exhausted = False
        """There is no point in going on: all is broken, or the document was at its end."""
        self._tallies = tallies
        self._prolog = prolog
        self._line = prolog.lines + 1
        self._gap = ""
        """Where it is, roughly, once bytes were left out."""
        self._read = 0
        try:
            self._tree = self._new_tree([])
        except etree.XMLSyntaxError as error:
            self._note_problem(_message(error), 0)
            self._prolog = replace(prolog, subset=b"")
            self._tree = self._new_tree([])
        self._held = b""
        """What was read last: what the tree has got since it was consumed, or where the next place may begin."""
        self._tail = b""
        """What was read before that: the last start tag, and all behind it."""
        self._terminator = self._begun_reference = self._mark = b""
        """Of what the end of all that was read is in: a comment or the like, a reference, a mark of either."""
        self._seeking: re.Pattern[bytes] | None = None
        """Where the survey goes on behind what did not parse."""

    def feed(self, piece: bytes) -> None:
        """Look at the next piece."""
        while piece and not self.exhausted:
            piece = self._parse(piece) if self._seeking is None else self._seek(self._seeking, piece)

    def finish(self) -> None:
        """The document is at its end."""
        while self._seeking is None and not self.exhausted:
            try:
                self._tree.close()
            except etree.XMLSyntaxError as error:
                if self._is_doubtful(self._tree.last_children()):
                    self.feed(self._recover(self._held, _message(error)))
                    continue
                self._note_problem(_message(error), 0)
                if self._open_depth():
                    break
            self._tree.consume([])
            return
        self.cut_off()

    def cut_off(self) -> None:
        """There is no more of the document: what is open, and not the first of its kind, does not count."""
        if self._seeking is None and not self.exhausted:
            self._tree.consume(self._tree.last_children())
        self._tree.drop_from(self._outermost_of_many(self._tree.frames))
        self._tree.finish_from(0)

    def jump(self, offset: int) -> None:
        """What comes next begins at that byte of the document; what is between is not looked at.

        The document goes on with the first of the `known_children` there.
        """
        self._seeking, known = None, self.known_children()
        self._tree.consume(self._tree.last_children())
        self._tree.drop_from(self._outermost_of_many(self._tree.frames))
        self._held = b""
        self._read = max(self._read, offset)
        self._gap = f"somewhere behind byte {offset}"
        self._seeking = known

    def known_children(self) -> re.Pattern[bytes]:
        """The start tags of children of what will stay open, as far as their names occur nowhere further below."""
        frames = self._tree.frames
        tally = frames[self._outermost_of_many(frames) - 1].tally if frames else self._tallies.dropped
        children = {child.rpartition("}")[2] for child in tally.children}
        names = children - {name for child in tally.children.values() for name in _names_below(child)}
        some = b"|".join(re.escape(name.encode()) for name in sorted(names)[:MAX_KNOWN_CHILDREN])
        return re.compile(rb"<(?:[^\s<>/=\"':]+:)?(?:" + (some or b"(?!)") + rb")(?=[\s/>])")

    def _parse(self, piece: bytes) -> bytes:
        """Parse a piece; if that fails, return what is behind the place where it does."""
        start = len(self._held)
        held = self._held = self._held + piece
        bare = self._bare_ampersand(held, start)
        if bare is not None:
            return self._recover(held, "an & that begins no reference", bare)
        try:
            self._tree.feed(piece)
        except etree.XMLSyntaxError as error:
            return self._recover(held, _message(error))
        chain = self._tree.last_children()
        if self._is_doubtful(chain):
            return b"" if len(held) < MAX_HELD_BYTES else self._recover(held, "an end tag is missing")
        self._tree.consume(chain)
        self._pass(held)
        self._tail = held if _START.search(held) else (self._tail + held)[-MAX_HELD_BYTES:]
        self._held = b""
        return b""

    def _pass(self, data: bytes) -> None:
        self._read += len(data)
        self._line += data.count(b"\n")

    def _bare_ampersand(self, held: bytes, start: int) -> int | None:
        """Where an ``&`` begins no reference: the parser would wait for the next semicolon, however far that is."""
        begun, self._begun_reference = self._begun_reference, b""
        terminator, piece = self._terminator, held[start:]
        self._terminator = _terminator(self._mark + piece, terminator)
        self._mark = (self._mark + piece)[-_MARK_BYTES:]
        if terminator or (b"&" not in piece and not begun):
            return None
        piece = begun + piece
        place = next((match.start(1) for match in _BARE_AMPERSAND.finditer(piece) if match[1]), None)
        if place is None:
            last = _BEGUN_REFERENCE.search(piece)
            self._begun_reference = last[0] if last is not None else b""
            return None
        place = max(0, start + place - len(begun))
        # An attribute's value is no matter: the parser does not wait in it.
        frames = [replace(frame) for frame in self._tree.frames[: self._open_depth()]]
        try:
            self._new_tree(frames).feed(held[:place] + b"&;")
        except etree.XMLSyntaxError:
            return place
        return None

    def _is_doubtful(self, chain: Sequence[Any]) -> bool:
        """Whether an open element has, as the first of many, a child of its own name: its end tag may be missing."""
        tally = self._tallies.roots.get(chain[0].tag) if chain else None
        for element, child in pairwise(chain):
            tag = element.tag
            if child.tag == tag and (tally is None or tag not in tally.children):
                before = list(islice(element.itersiblings(tag, preceding=True), _MANY))
                seen = len(before) + (tally.count if tally is not None else 0)
                if seen >= _MANY and all(sibling.find(tag) is None for sibling in before):
                    return True
            tally = tally.children.get(child.tag) if tally is not None else None
        return False

    def _recover(self, data: bytes, why: str, end: int | None = None) -> bytes:
        """Count what is whole in `data` (up to `end`) with a new tree, and return what is to be looked at next."""
        self._held = self._begun_reference = b""
        begun = bool(self._tree.frames)
        self._tree.finish_from(self._open_depth())
        frames = self._tree.detach()
        if begun and not frames:
            self._note_problem(why, 0)
            self.exhausted = True
            return b""
        end = self._find_break(frames, data[:end])
        self._note_problem(why, data.count(b"\n", 0, end))
        self._tail = b"".join(frame.tag for frame in frames) + data[:end]
        self._tree = self._new_tree(frames)
        self._tree.feed(data[:end])
        self._tree.consume(self._tree.last_children())
        self._tree.finish_from(self._open_depth())
        self._pass(data[:end])
        self._leave_out(data[:end])
        return data[end:]

    def _find_break(self, frames: Sequence[Frame], data: bytes) -> int:
        """How much of `data` can be parsed, up to the start tag of what leaves doubts, if there is one."""
        end, doubtful = self._advance(frames, data, 0, _STEP_BYTES, True)
        end, doubtful = self._advance(frames, data, end, 1, doubtful)
        return data.rfind(b"<", 0, end) if doubtful else end

    def _advance(self, frames: Sequence[Frame], data: bytes, end: int, step: int, doubt: bool) -> tuple[int, bool]:
        """From `end` on, in steps, as far as all is well; and whether the next step leaves a doubt, if there may be."""
        tree = self._new_tree(frames)
        tree.feed(data[:end])
        while end < len(data):
            try:
                tree.feed(data[end : end + step])
            except etree.XMLSyntaxError:
                return end, False
            if doubt and self._is_doubtful(tree.last_children()):
                return end, True
            end += step
        return len(data), False

    def _leave_out(self, data: bytes) -> None:
        """Decide what of the open elements is not to be counted, and where to go on."""
        frames = self._tree.frames
        if not frames:
            self.exhausted = True
            return
        depth = self._outermost_of_many(frames)
        broken = frames[depth].name if depth < len(frames) else self._broken_tag(frames[-1], data)
        self._tree.drop_from(depth)
        if broken:
            ends = b"|".join(re.escape(frame.name) for frame in frames)
            self._seeking = re.compile(rb"<(?:/(" + ends + rb")|" + re.escape(broken) + rb")(?=[\s/>])")
        else:
            self._seeking = _ANY_TAG

    @staticmethod
    def _outermost_of_many(frames: Sequence[Frame]) -> int:
        if len(frames) > MAX_DEPTH:
            return 1
        depths = (depth for depth, frame in enumerate(frames) if depth and frame.tally.count)
        return next(depths, len(frames))

    @staticmethod
    def _broken_tag(parent: Frame, data: bytes) -> bytes:
        """The name in a start tag that did not parse, if elements of that name were seen in its parent."""
        tag = _OPEN_START.match(data, max(0, data.rfind(b"<")))
        if tag is None:
            return b""
        local = tag[1].rpartition(b":")[2].decode("utf-8", "replace")
        seen = any(child.rpartition("}")[2] == local for child in parent.tally.children)
        return tag[1] if seen else b""

    def _seek(self, place: re.Pattern[bytes], piece: bytes) -> bytes:
        """Look for the place to go on; return what begins there."""
        data = self._held + piece
        at = 0
        while (found := place.search(data, at)) is not None:
            depth = self._depth_of(found[1] if place.groups else None)
            if depth:
                self._pass(data[: found.start()])
                self._tree.finish_from(depth)
                frames = self._tree.detach()
                self._tree = self._new_tree(frames)
                self._tail = b"".join(frame.tag for frame in frames)
                self._held = self._terminator = self._mark = b""
                self._seeking = None
                return data[found.start() :]
            at = found.end()
        keep = max(at, len(data) - MAX_NAME_LENGTH, data.rfind(b"<"))
        self._pass(data[:keep])
        self._held = data[keep:]
        return b""

    def _depth_of(self, closed: bytes | None) -> int:
        """How many elements stay open where an end tag has that name (None: where there is a start tag)."""
        frames = self._tree.frames
        if closed is None:
            return len(frames)
        return next((depth for depth in range(len(frames), 0, -1) if frames[depth - 1].name == closed), 0)

    def _open_depth(self) -> int:
        """How many of the tree's frames are of elements that are really open, behind `_tail`."""
        tail = _SPECIAL.sub(b"", self._tail)
        closed, at = 0, len(tail)
        while (at := tail.rfind(b"<", 0, at)) >= 0:
            if tail.startswith(b"</", at):
                closed += 1
            elif (tag := _START_TAG.match(tail, at)) is not None:
                closed += tag[0].endswith(b"/>")
                break
        return max(0, len(self._tree.frames) - closed)

    def _note_problem(self, why: str, lines: int) -> None:
        self.problems += 1
        self.exhausted = self.problems >= MAX_PROBLEMS
        if not self.first_problem:
            self.first_problem = f"{self._gap or f'line {self._line + lines}'}: {why}"

    def _new_tree(self, frames: Sequence[Frame]) -> GrowingTree:
        return GrowingTree(self._tallies, _parser(self._prolog), self._prolog.subset, frames, self._read)


def _names_below(tally: Tally) -> Iterator[str]:
    """The local names of all elements inside of those of a tally."""
    for tag, child in tally.children.items():
        yield tag.rpartition("}")[2]
        yield from _names_below(child)


def _message(error: etree.XMLSyntaxError) -> str:
    return str(error.msg).rsplit(", line ", 1)[0][:MESSAGE_LENGTH]


def _parser(prolog: Prolog) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("start", "start-ns"),
        tag="{*}" + prolog.name.rpartition(b":")[2].decode("utf-8", "replace"),
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know bool only
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        attribute_defaults=bool(prolog.subset),
        collect_ids=bool(prolog.subset),
        huge_tree=True,
        remove_blank_text=True,
    )
