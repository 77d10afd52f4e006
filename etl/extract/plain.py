"""Goes on through elements that follow each other, as long as the window has them whole and nothing is special.

In: the place behind an element that was dealt with one by one. Out: the place behind the last of those like it, the
spans of records in the tile. Two makers of the same results: `InPython`, with the patterns of `etl.extract.markup`,
which is the reference; `Compiled`, which looks at bytes without the GIL. What they leave is taken one by one; so the
compiled one may take more (records of several names, comments in and between them, elements of the same name inside),
and the results are still the same. Runs on the splitter's thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

from etl import native
from etl.extract.markup import ElementRule, plain_end
from etl.extract.outline import Outline
from etl.extract.tile import MAX_GAP_BYTES, Tile
from etl.extract.window import Window

if TYPE_CHECKING:
    from etl.native._cutter import Cutter

_NO_RECORD = b"!?/"
"""What follows the `<` of a comment, a CDATA section, a processing instruction and an end tag."""

_MAX_CUTTERS = 1024
"""Kept ready, one for each set of names met; names may be made up."""


class PlainElements(Protocol):
    """All offsets are the document's."""

    def begin(self, at: int) -> int:
        """Add the records from the ``<`` at `at` on to the tile, if such are known here; the offset behind the last."""

    def take(self, rule: ElementRule, at: int) -> int:
        """Add the records from `at` on to the tile's open run; the offset behind the last of them."""

    def skip(self, rule: ElementRule, at: int) -> int:
        """The offset behind elements like the last one, which begin at `at`."""


def plain_elements(window: Window, tile: Tile, outline: Outline, max_record_bytes: int) -> PlainElements:
    """The fast one where it is there."""
    if native.unavailable():
        return InPython(window, tile, max_record_bytes)
    return Compiled(window, tile, outline, max_record_bytes)


class InPython:
    """With patterns, one match after the other."""

    def __init__(self, window: Window, tile: Tile, max_record_bytes: int) -> None:
        self._window = window
        self._tile = tile
        self._max_record_bytes = max_record_bytes

    def begin(self, at: int) -> int:
        return at

    def take(self, rule: ElementRule, at: int) -> int:
        tile, window = self._tile, self._window
        buf, head, spans = window.buf, rule.head.match, tile.spans
        longest = self._max_record_bytes
        origin = tile.run_start - window.base
        stop = tile.stop(tile.run_start) - window.base
        before = len(spans)
        at -= window.base
        for _ in repeat(None, tile.space):
            found = head(buf, at)
            if found is None:
                break
            start, tag_end = found.start(1), found.end()
            end = plain_end(rule, buf, tag_end)
            if end < 0 or end - start > longest or start - at > MAX_GAP_BYTES:
                break
            if buf.find(b"xmlns", start, tag_end) >= 0:
                break
            spans.append(start - origin)
            spans.append(end - origin)
            at = end
            if end >= stop:
                break
        end = window.base + at
        tile.took((len(spans) - before) // 2, end)
        return end

    def skip(self, rule: ElementRule, at: int) -> int:
        buf, head = self._window.buf, rule.head.match
        at -= self._window.base
        while (found := head(buf, at)) is not None:
            end = plain_end(rule, buf, found.end())
            if end < 0 or buf.find(b"xmlns", found.start(1), found.end()) >= 0:
                break
            at = end
        return self._window.base + at


class Compiled:
    """With `etl.native._cutter`."""

    def __init__(self, window: Window, tile: Tile, outline: Outline, max_record_bytes: int) -> None:
        from etl.native import _cutter

        self._new_cutter = _cutter.Cutter
        self._window = window
        self._tile = tile
        self._outline = outline
        self._max_record_bytes = max_record_bytes
        self._cutters: dict[tuple[bytes, ...], Cutter] = {}
        self._reached = 0
        """Up to here was looked in vain: looking there again for each element would take the square of their number."""

    def begin(self, at: int) -> int:
        names, head = self._outline.plain_names, at - self._window.base
        # The root itself may be a record, which has no open elements. A run begins with a record, not with a comment.
        if at < self._reached or not names or not self._outline.open or self._window.buf[head + 1 : head + 2] in b"!?":
            return at
        return self._take(names, at)

    def take(self, rule: ElementRule, at: int) -> int:
        if at < self._reached:
            return at
        return self._take(self._outline.plain_names or (rule.name,), at)

    def _take(self, names: Sequence[bytes], at: int) -> int:
        tile, window = self._tile, self._window
        keep = tile.keep(window, at)
        base = window.base
        spans = tile.spans if tile.run_open else array("I")
        before = len(spans)
        behind, reached = self._cutter(tuple(names)).take(
            window.buf,
            at - base,
            spans,
            keep - base,
            min(max(0, tile.stop(keep) - base), len(window.buf)),
            self._max_record_bytes,
            MAX_GAP_BYTES,
            min(tile.space, len(window.buf)),
        )
        self._reached = base + reached
        count = (len(spans) - before) // 2
        if count:
            tile.open_run(window, at, self._outline.skeleton, spans)
            tile.took(count, base + behind)
        return base + behind

    def skip(self, rule: ElementRule, at: int) -> int:
        if at < self._reached:
            return at
        base = self._window.base
        behind, reached = self._cutter((rule.name,)).skip(self._window.buf, at - base)
        self._reached = base + reached
        return base + behind

    def _cutter(self, names: tuple[bytes, ...]) -> Cutter:
        cutter = self._cutters.get(names)
        if cutter is None:
            if len(self._cutters) >= _MAX_CUTTERS:
                self._cutters.clear()
            cutter = self._cutters[names] = self._new_cutter(names)
        return cutter


class PlainRecords:
    """The records of a whole document that is in memory, cut by `etl.native._cutter`; none of any other document."""

    def __init__(self, new_cutter: type[Cutter], max_record_bytes: int) -> None:
        self._new_cutter = new_cutter
        self._max_record_bytes = max_record_bytes
        self._names: tuple[bytes, ...] = ()
        self._cutter: Cutter | None = None

    @classmethod
    def if_compiled(cls, max_record_bytes: int) -> PlainRecords | None:
        """None where nothing is compiled."""
        if native.unavailable():
            return None
        from etl.native import _cutter

        return cls(_cutter.Cutter, max_record_bytes)

    def take(self, content: bytes, start: int, end: int, names: Sequence[bytes]) -> tuple[int, array[int]] | None:
        """Where the first record begins, and `Run.spans` of all; None where elements other than records of these names,
        or something else than text without references, stand between `start` and `end`, or there is none.
        """
        first = content.find(b"<", start, end)
        if first < 0 or not names or content[first + 1 : first + 2] in _NO_RECORD:
            return None
        if self._cutter is None or self._names != tuple(names):
            self._names = tuple(names)
            self._cutter = self._new_cutter(self._names)
        spans, size = array("I"), len(content)
        behind, _ = self._cutter.take(content, first, spans, first, size, self._max_record_bytes, MAX_GAP_BYTES, size)
        plain = content.find(b"<", behind, end) < 0 and b"&" not in content[behind:end] + content[start:first]
        return (first, spans) if spans and behind <= end and plain else None
