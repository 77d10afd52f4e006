"""One document into the tallies, with what cannot be parsed passed over.

In: the pieces of a document. Out: tallies, and how many passages did not parse. What is open where the parser gives up
is known only roughly, and the parser cannot be asked where it is; so the piece is parsed once more, in steps, to find
the byte. What is whole before it counts. The outermost open element that is one of many (a record, in most
documents) is left out, and the survey goes on at the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

from lxml import etree

from etl.extract.markup import INSIDE_TAG, NAME
from etl.inference.growing_tree import Frame, GrowingTree
from etl.inference.pieces import SPECIAL, References
from etl.inference.prolog import Prolog
from etl.inference.tally import MAX_DEPTH, MAX_NAME_LENGTH, Tallies, Tally
from etl.mapping.paths import local_name
from etl.transform.parser import MESSAGE_LENGTH

MAX_HELD_BYTES = 1 << 20
"""A first element inside one of its own name is believed if the outer one ends within so many bytes; else it is taken
for the next one, behind one whose end tag is missing."""

MAX_TAG_BYTES = 1 << 26
"""Of a tag or a comment, which the parser takes only whole: no record that loads has longer ones."""

MAX_PROBLEMS = 1000
"""In one document; each costs two more looks at what is before it in its piece."""

MAX_DEEP_PROBLEMS = 10
"""Passages deeper than any parser goes: looking at one costs as much as a hundred others, and nothing there loads."""

MAX_ATTRIBUTES = 10_000
"""Of one element, about: no record that loads has more, and asking the parser for them takes their number squared."""

MAX_KNOWN_CHILDREN = 1000
"""Names of elements that are searched for at once."""

_MANY = 10
"""An element that was seen so often without another of its name in it is not likely to hold one."""

_STEP_BYTES = 1 << 12
_START_TAG = re.compile(rb"<" + NAME + INSIDE_TAG + rb">")
_ANY_TAG = re.compile(rb"<(?:/(" + NAME + rb")|[A-Za-z_:\x80-\xff])")
_WIDE = re.compile(rb"(?:\A|<)[^<]{%d,}+" % (4 * MAX_ATTRIBUTES))
_ATTRIBUTE = re.compile(rb"=\s*+(?:\"[^\"]*+\"|'[^']*+')")
_START = re.compile(rb"<[A-Za-z_:\x80-\xff]")
_OPEN_START = re.compile(rb"<(" + NAME + rb")(?=[\s/])" + INSIDE_TAG + rb"\Z")


class Document:
    """The survey of one document."""

    def __init__(self, tallies: Tallies, prolog: Prolog) -> None:
        self.problems = 0
        """Passages that did not parse."""
        self._deep = 0
        """Of those, the ones that were nested too deep."""
        self.first_problem = ""
        """Why the first of them did not, and where."""
        self.exhausted = False
        """There is no point in going on: all is broken, or the document was at its end."""
        self.ended = False
        """The root element has ended, and what is behind it is no part of a document."""
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
        self._extent: tuple[int, ...] = ()
        self._waiting = 0
        """Bytes in which the parser has found nothing new: it keeps them all."""
        self._references = References()
        self._seeking: re.Pattern[bytes] | None = None
        """Where the survey goes on behind what did not parse."""

    @property
    def root(self) -> str:
        """The tag of its root element; empty while none was seen."""
        return self._tree.root

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
            self._consume(self._tree.last_children())
            self._tree.finish_from(self._open_depth())
        self._tree.cut_from(self._outermost_of_many(self._tree.frames))
        self._tree.finish_from(0)

    def jump(self, offset: int) -> None:
        """What comes next begins at that byte of the document; what is between is not looked at.

        The document goes on with the first of the `known_children` there.
        """
        if self._seeking is None and not self.exhausted:
            self._consume(self._tree.last_children())
            self._tree.finish_from(self._open_depth())
        known = self.known_children()
        self._tree.cut_from(self._outermost_of_many(self._tree.frames))
        self._held = b""
        self._read = max(self._read, offset)
        self._gap = f"somewhere behind byte {offset}"
        self._seeking = known

    def known_children(self) -> re.Pattern[bytes]:
        """The start tags of children of what will stay open, as far as their names occur nowhere further below."""
        frames = self._tree.frames
        tally = frames[self._outermost_of_many(frames) - 1].tally if frames else self._tallies.dropped
        children = {local_name(child) for child in tally.children}
        names = children - {name for child in tally.children.values() for name in _names_below(child)}
        some = b"|".join(re.escape(name.encode()) for name in sorted(names)[:MAX_KNOWN_CHILDREN])
        return re.compile(rb"<(?:[^\s<>/=\"':]+:)?(?:" + (some or b"(?!)") + rb")(?=[\s/>])")

    def _parse(self, piece: bytes) -> bytes:
        """Parse a piece; if that fails, return what is behind the place where it does."""
        held = self._held = self._held + piece
        if any(len(_ATTRIBUTE.findall(tag[0])) > MAX_ATTRIBUTES for tag in _WIDE.finditer(held)):
            self._note_problem(f"an element with more than {MAX_ATTRIBUTES:,} attributes", 0)
            self.exhausted = True
            return b""
        bare = self._bare_ampersand(held, piece)
        if bare is not None:
            return self._recover(held, "an & that begins no reference", bare)
        try:
            self._tree.feed(piece)
        except etree.XMLSyntaxError as error:
            return self._recover(held, _message(error))
        chain = self._tree.last_children()
        self._waiting = self._waiting + len(piece) if _extent(chain) == self._extent else 0
        if self._waiting > MAX_TAG_BYTES:
            self._note_problem("a comment, a tag or the like that has no end", 0)
            self._consume(chain)
            self._tree.finish_from(self._open_depth())
            self.exhausted = True
            return b""
        if self._is_doubtful(chain):
            return b"" if len(held) < MAX_HELD_BYTES else self._recover(held, "an end tag is missing")
        self._consume(chain)
        return b""

    def _consume(self, chain: Sequence[Any]) -> None:
        """Count what is whole in what the tree has got."""
        self._tree.consume(chain)
        self._pass(self._held)
        self._extent = _extent(chain)
        self._tail = self._held if _START.search(self._held) else (self._tail + self._held)[-MAX_HELD_BYTES:]
        self._held = b""

    def _pass(self, data: bytes) -> None:
        self._read += len(data)
        self._line += data.count(b"\n")

    def _bare_ampersand(self, held: bytes, piece: bytes) -> int | None:
        """Where in `held`, which ends with `piece`, an ``&`` begins no reference."""
        found = self._references.find_bare(piece)
        if found is None:
            return None
        place = max(0, len(held) - len(piece) + found)
        frames = [replace(frame) for frame in self._tree.frames[: self._open_depth()]]
        try:
            self._new_tree(frames).feed(held[:place] + b"&;")
        except etree.XMLSyntaxError:
            return place
        # In an attribute, where it is no matter: the parser does not wait in it.
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
        self._held = b""
        self._references = References()
        begun = bool(self._tree.frames)
        self._tree.finish_from(self._open_depth())
        frames = self._tree.detach()
        if begun and not frames:
            self._note_problem(why, 0)
            self.exhausted = self.ended = True
            return b""
        end = self._find_break(frames, data[:end])
        self._note_problem(why, data.count(b"\n", 0, end))
        self._tail = b"".join(frame.tag for frame in frames) + data[:end]
        self._tree = self._new_tree(frames)
        self._tree.feed(data[:end])
        self._tree.consume(self._tree.last_children())
        begun = bool(self._tree.frames)
        self._tree.finish_from(self._open_depth())
        self.ended = begun and not self._tree.frames
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
        self._seeking = _behind(broken, [frame.name for frame in frames], data) if broken else _ANY_TAG

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
        seen = any(local_name(child) == local for child in parent.tally.children)
        return tag[1] if seen else b""

    def _seek(self, place: re.Pattern[bytes], piece: bytes) -> bytes:
        """Look for the place to go on; return what begins there."""
        data = self._held + piece
        at = 0
        while (found := place.search(data, at)) is not None:
            depth = 0 if SPECIAL.match(found[0]) else self._depth_of(found[1] if place.groups else None)
            if depth:
                start = found.end() if found[0].endswith(b">") else found.start()
                self._pass(data[:start])
                self._tree.finish_from(depth)
                frames = self._tree.detach()
                self._tree = self._new_tree(frames)
                self._tail = b"".join(frame.tag for frame in frames)
                self._held = b""
                self._seeking = None
                return data[start:]
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
        tail = SPECIAL.sub(b"", self._tail)
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
        self._deep += "depth" in why
        self.exhausted = self.problems >= MAX_PROBLEMS or self._deep >= MAX_DEEP_PROBLEMS
        if not self.first_problem:
            self.first_problem = f"{self._gap or f'line {self._line + lines}'}: {why}"

    def _new_tree(self, frames: Sequence[Frame]) -> GrowingTree:
        return GrowingTree(self._tallies, _parser(self._prolog), self._prolog.subset, frames, self._read)


def _behind(broken: bytes, open_names: Sequence[bytes], data: bytes) -> re.Pattern[bytes]:
    """What ends an element that did not parse: its end tag, the next one of its name, or the end of an outer one."""
    name = re.escape(broken)
    if re.search(rb"</" + name + rb"\s*\Z", data):
        return re.compile(rb">")
    ends = b"|".join(map(re.escape, open_names))
    places = rb"|</" + name + rb"\s*>|<" + name + rb"(?=[\s/>])|</(" + ends + rb")(?=[\s/>])"
    return re.compile(SPECIAL.pattern + places, re.DOTALL)


def _extent(chain: Sequence[Any]) -> tuple[int, ...]:
    """What changes as soon as the parser finds anything new."""
    if not chain:
        return ()
    return len(chain), id(chain[-1]), len(chain[-1].text or ""), sum(len(element.tail or "") for element in chain)


def _names_below(tally: Tally) -> Iterator[str]:
    """The local names of all elements inside of those of a tally."""
    for tag, child in tally.children.items():
        yield local_name(tag)
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
