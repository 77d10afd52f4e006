"""Cuts records out of the window: whole ones into the tile's run, unusable ones as rejects.

In: the place where a record begins. Out: the place behind it, and the record in the tile. Runs on the splitter's
thread.
"""

from __future__ import annotations

from etl.extract.breakage import Breakage, shown
from etl.extract.markup import TAIL_BYTES, ElementScan
from etl.extract.outline import Child, Outline
from etl.extract.plain import PlainElements
from etl.extract.tile import Tile
from etl.extract.unclosed import NextRecords, Surroundings, intact_tail
from etl.extract.window import Window
from etl.messages import RAW_LIMIT, Skeleton


class RecordCutter:
    """Takes the records of one document."""

    def __init__(
        self,
        window: Window,
        tile: Tile,
        outline: Outline,
        breakage: Breakage,
        plain: PlainElements,
        max_record_bytes: int,
    ) -> None:
        self._window = window
        self._tile = tile
        self._outline = outline
        self._breakage = breakage
        self._plain = plain
        self._max_record_bytes = max_record_bytes
        self._next_records = NextRecords()
        self._unclosed_scan: ElementScan | None = None
        """The search for the end of the last unclosed record; it has come past the records that follow already."""
        self._tail_found: int | None = None
        self._tail_of: Skeleton | None = None

    def is_record(self, name: bytes) -> bool:
        """Whether elements of that literal name can be records at this point."""
        return name.rpartition(b":")[2] in self._outline.record_names

    def take(self, child: Child, scan: ElementScan, start: int) -> int:
        """Deal with the record at `start`, and with those like it that follow; the offset behind them.

        `scan` is the search for its end. Raises SourceError where the document ends inside of it.
        """
        window, tile = self._window, self._tile
        if self._unclosed_scan is not None and self._unclosed_scan.go_on_with(child.rule, start):
            scan = self._unclosed_scan
        end = scan.find_end(window, start + self._max_record_bytes + 1, tile.keep(window, start))
        if end is None and window.end - start <= self._max_record_bytes:
            return self._ended_inside(child, scan, start)
        if end is None or end - start > self._max_record_bytes:
            return self._oversized(child, scan, start)
        tile.open_run(window, start, self._outline.skeleton)
        tile.spans.extend((start - tile.run_start, end - tile.run_start))
        tile.took(1, end)
        if child.by_name and self._outline.open and not tile.full:
            return self._plain.take(child.rule, end)
        return end

    def _oversized(self, child: Child, scan: ElementScan, start: int) -> int:
        """The record at `start` is longer than a record may be."""
        window, tile, longest = self._window, self._tile, self._max_record_bytes
        resumed = self._unclosed(scan, start, start + longest, Surroundings(child.rule.name, self._outline.parent))
        if resumed is not None:
            return resumed
        line = window.line(start)
        tile.close_run(window)
        end = scan.find_end(window, start + max(longest, RAW_LIMIT), start)
        if end is None:
            end = scan.find_end(window, None, None)
        if end is None:
            # Whatever was streamed past inside of it is gone: that must not look like one bad record.
            raise self._breakage.end(f"{self._inside(start, line)} and is not closed within split.max_record_bytes")
        message = too_large(end - start, longest)
        tile.reject(window, start, end, self._outline.skeleton, line=line, reason="too_large", message=message)
        return end

    def _ended_inside(self, child: Child, scan: ElementScan, start: int) -> int:
        """The document ends inside the record at `start`."""
        outline = self._outline
        tail = self._tail(start)
        if tail is None:
            raise self._breakage.end(self._inside(start, self._window.line(start)))
        surroundings = Surroundings(child.rule.name, outline.parent, outline.record_names, certain=True)
        resumed = self._unclosed(scan, start, tail, surroundings)
        return self._reject_unclosed(scan, start, tail) if resumed is None else resumed

    def _unclosed(self, scan: ElementScan, start: int, end: int, surroundings: Surroundings) -> int | None:
        """Reject the record at `start` if it is seen not to be closed before `end`: where reading goes on."""
        resumed = self._next_records.find(self._window, start, end, surroundings)
        return None if resumed is None else self._reject_unclosed(scan, start, resumed)

    def _reject_unclosed(self, scan: ElementScan, start: int, end: int) -> int:
        self._unclosed_scan = scan
        message = f"The record <{shown(scan.rule.name)}> is not closed."
        window, skeleton = self._window, self._outline.skeleton
        self._tile.reject(window, start, end, skeleton, line=window.line(start), reason="malformed", message=message)
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


def too_large(size: int, allowed: int) -> str:
    """Message of a reject of that reason."""
    return f"The record has {size} bytes; split.max_record_bytes allows {allowed}."
