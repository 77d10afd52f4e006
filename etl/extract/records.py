"""Cuts records out of the window: whole ones into the tile's run, unusable ones as rejects.

In: the place where a record begins. Out: the place behind it, and the record in the tile. Runs on the splitter's
thread.
"""

from __future__ import annotations

from itertools import repeat

from etl.extract.breakage import Breakage, shown
from etl.extract.markup import TAIL_BYTES, ElementScan, plain_end
from etl.extract.outline import Child, Outline
from etl.extract.tile import MAX_GAP_BYTES, Tile
from etl.extract.unclosed import NextRecords, intact_tail
from etl.extract.window import Window
from etl.messages import RAW_LIMIT, Skeleton


class RecordCutter:
    """Takes the records of one document."""

    def __init__(self, window: Window, tile: Tile, outline: Outline, breakage: Breakage, max_record_bytes: int) -> None:
        self._window = window
        self._tile = tile
        self._outline = outline
        self._breakage = breakage
        self._max_record_bytes = max_record_bytes
        self._next_records = NextRecords()
        self._resumed: tuple[int, ElementScan] | None = None
        """Where the record behind an unclosed one begins, and the search that has come past it already."""
        self._tail_found: int | None = None
        self._tail_of: Skeleton | None = None

    def take(self, child: Child, scan: ElementScan, start: int) -> int:
        """Deal with the record at `start`, and with those like it that follow; the offset behind them.

        `scan` is the search for its end. Raises SourceError where the document ends inside of it.
        """
        window, tile = self._window, self._tile
        if self._resumed is not None and self._resumed[0] == start:
            scan = self._resumed[1]
        self._resumed = None
        end = scan.find_end(window, start + self._max_record_bytes + 1, tile.keep(window, start))
        if end is None and window.end - start <= self._max_record_bytes:
            return self._ended_inside(child, scan, start)
        if end is None or end - start > self._max_record_bytes:
            return self._oversized(child, scan, start)
        tile.open_run(window, start, self._outline.skeleton)
        tile.spans.extend((start - tile.run_start, end - tile.run_start))
        tile.took(1, end)
        if child.by_name and self._outline.open and not tile.full:
            return self._take_plain(child, end)
        return end

    def _take_plain(self, child: Child, offset: int) -> int:
        """Go on through records like the last one, as long as the window has them and nothing is special about them."""
        tile, window, rule = self._tile, self._window, child.rule
        buf, head, spans = window.buf, rule.head.match, tile.spans
        longest = self._max_record_bytes
        origin = tile.run_start - window.base
        stop = tile.stop - window.base
        before = len(spans)
        at = offset - window.base
        for _ in repeat(None, tile.room):
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

    def _oversized(self, child: Child, scan: ElementScan, start: int) -> int:
        """The record at `start` is longer than a record may be."""
        window, tile, longest = self._window, self._tile, self._max_record_bytes
        resumed = self._unclosed(child, scan, start, start + longest, certain=False)
        if resumed is not None:
            return resumed
        line = window.line(start)
        tile.close_run(window)
        end = scan.find_end(window, start + max(longest, RAW_LIMIT), start)
        if end is None:
            end = scan.find_end(window, None, None)
        if end is not None:
            message = f"The record has {end - start} bytes; split.max_record_bytes allows {longest}."
            tile.reject(window, start, end, line, "too_large", message)
            return end
        # Records may have been streamed past inside of it: that would be a loss without a trace.
        tail = None if scan.nested else self._tail(start)
        if tail is None:
            raise self._breakage.end(self._inside(start, line))
        return self._reject_unclosed(child, start, tail, line)

    def _ended_inside(self, child: Child, scan: ElementScan, start: int) -> int:
        """The document ends inside the record at `start`."""
        line = self._window.line(start)
        tail = self._tail(start)
        if tail is None:
            raise self._breakage.end(self._inside(start, line))
        resumed = self._unclosed(child, scan, start, tail, certain=True)
        return self._reject_unclosed(child, start, tail, line) if resumed is None else resumed

    def _unclosed(self, child: Child, scan: ElementScan, start: int, end: int, *, certain: bool) -> int | None:
        """Reject the record at `start` as not closed, if another one is found before `end`: where that begins."""
        window = self._window
        resumed = self._next_records.find(window, start, end, child.rule.name, certain=certain)
        if resumed is None:
            return None
        if scan.go_on_with(resumed):
            self._resumed = (resumed, scan)
        return self._reject_unclosed(child, start, resumed, window.line(start))

    def _reject_unclosed(self, child: Child, start: int, end: int, line: int) -> int:
        message = f"The record <{shown(child.rule.name)}> is not closed."
        self._tile.reject(self._window, start, end, line, "malformed", message)
        return end

    def _tail(self, start: int) -> int | None:
        """Offset of the end tags of the open elements at the document's end; None where it does not end with them."""
        window, skeleton = self._window, self._outline.skeleton
        if self._tail_of is not skeleton:
            begin = max(start, window.base, window.end - TAIL_BYTES)
            found = intact_tail(window.bytes_between(begin, window.end), self._outline.names)
            self._tail_found = None if found is None or window.error is not None else begin + found
            self._tail_of = skeleton
        return self._tail_found

    def _inside(self, start: int, line: int) -> str:
        return f"inside record {self._tile.number}, which begins at byte {start} (line {line})"
