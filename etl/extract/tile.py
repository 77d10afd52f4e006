"""A part in the making: gathers neighbouring records into runs, and knows when the part is to be cut.

Used by the splitter alone, on its thread. All positions are offsets in the document.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence

from etl.errors import SourceError
from etl.extract.window import Window
from etl.messages import RAW_LIMIT, Part, RejectedRecord, Run, Skeleton

MAX_GAP_BYTES = 1 << 16
"""What stands between two records of a run at most, so that a run is never held open by megabytes of white space."""

MAX_PASSED = 64
"""Paths of elements streamed past that a part names: enough to see what is there, few where names are made up."""

_NEVER = 1 << 62


class Tile:
    """What belongs to the part that begins where the one before it was cut."""

    def __init__(
        self,
        source: int,
        label: str,
        split_bytes: int,
        split_records: int | None,
        cut_at: Sequence[int],
        limit: int | None,
    ) -> None:
        self._source = source
        self._label = label
        self._split_bytes = split_bytes
        self._split_records = _NEVER if split_records is None else split_records
        self._edges = deque(edge for edge in cut_at if edge > 0)
        self._limit = _NEVER if limit is None else limit
        self.number = 1
        """Number of the next record."""
        self.start = 0
        self.end = 0
        """Behind the last record or reject."""
        self.spans = array("I")
        """Of the run that is open, `Run.spans`."""
        self.run_start = 0
        self.run_open = False
        self._run_line = 0
        self._run_first = 0
        self._skeleton: Skeleton | None = None
        self._runs: list[Run] = []
        self._rejects: list[RejectedRecord] = []
        self._size = 0
        self._first = 1
        self._passed: set[str] = set()

    @property
    def records(self) -> int:
        """Records that ended in the tile, rejects included."""
        return self.number - self._first

    @property
    def room(self) -> int:
        """Records that may still come before the limit."""
        return self._limit - self.number + 1

    @property
    def space(self) -> int:
        """Records that still fit into the tile."""
        return max(0, min(self.room, self._split_records - self.records))

    @property
    def finished(self) -> bool:
        """Whether the limit is reached and the last part is cut."""
        return self.room <= 0 and self.records == 0

    def stop(self, run_start: int) -> int:
        """The tile is full as soon as a record of the run that begins there ends here or later."""
        return min(run_start + self._split_bytes - self._size, self._edge)

    @property
    def _edge(self) -> int:
        return self._edges[0] if self._edges else _NEVER

    @property
    def full(self) -> bool:
        if self.records == 0:
            return False
        run = self.end - self.run_start if self.run_open else 0
        return self._size + run >= self._split_bytes or self.end == self._edge or self.space == 0

    def keep(self, window: Window, at: int) -> int:
        """From where on the window must hold what it has, if all before `at` is dealt with."""
        if self.run_open and at - self.end > MAX_GAP_BYTES:
            self.close_run(window)
        return self.run_start if self.run_open else at

    def open_run(self, window: Window, start: int, skeleton: Skeleton, spans: array[int] | None = None) -> None:
        """Begin a run at `start`, with the records in `spans`, unless one is open."""
        if not self.run_open:
            self.run_open = True
            self.run_start = start
            self.spans = array("I") if spans is None else spans
            self._run_line = window.line(start)
            self._run_first = self.number
            self._skeleton = skeleton

    def passed(self, path: str) -> None:
        """An element there was streamed past."""
        if len(self._passed) < MAX_PASSED:
            self._passed.add(path)

    def took(self, count: int, end: int) -> None:
        """`count` records more, the last of which ends at `end`, are in `spans` or among the rejects.

        Raises SourceError where they reach over an edge of an earlier run.
        """
        if end > self._edge:
            raise self._misfit()
        self.number += count
        self.end = end

    def reject(
        self, window: Window, start: int, end: int, skeleton: Skeleton, *, line: int, reason: str, message: str
    ) -> None:
        """The record from `start` to `end` is a reject; its bytes are kept where the window still has them all."""
        self.close_run(window)
        keep = start >= window.base and end - start <= RAW_LIMIT
        raw = window.bytes_between(start, end) if keep else None
        self._rejects.append(
            RejectedRecord(
                source=self._source,
                offset=start,
                line=line,
                record=self.number,
                reason=reason,
                message=message,
                raw=raw,
                length=end - start,
                skeleton=skeleton,
            )
        )
        self._size += len(raw or b"")
        self.took(1, end)

    def _misfit(self) -> SourceError:
        """No record ends at the next edge. What the tile holds is given up: some of it is committed already."""
        self._first, self.run_open, self._runs, self._rejects = self.number, False, [], []
        return SourceError(
            f"{self._label}: an earlier run loaded it up to byte {self._edge}, but no record ends there now. "
            "The source, the mapping or split.max_record_bytes is not what it was; load it as a new source."
        )

    def close_run(self, window: Window) -> None:
        """End the run that is open, if there is one; its bytes are taken out of the window."""
        if self.run_open and self._skeleton is not None:
            self.run_open = False
            payload = window.bytes_between(self.run_start, self.end)
            self._size += len(payload)
            self._runs.append(Run(self._skeleton, payload, self.run_start, self._run_line, self._run_first, self.spans))

    def cut(self, window: Window) -> Part:
        """The part that ends behind the last record."""
        return self._part(window, self.end, last=False)

    def cut_last(self, window: Window) -> Part:
        """The part that ends with the document; raises SourceError where an earlier run saw another end."""
        if self._edge not in (window.end, _NEVER):
            raise self._misfit()
        return self._part(window, window.end, last=True)

    def _part(self, window: Window, end: int, *, last: bool) -> Part:
        self.close_run(window)
        part = Part(
            source=self._source,
            start=self.start,
            end=end,
            records=self.records,
            runs=tuple(self._runs),
            rejects=tuple(self._rejects),
            last=last,
            passed=frozenset(self._passed),
        )
        self._passed.clear()
        self.start = end
        self._first = self.number
        self._runs, self._rejects, self._size = [], [], 0
        while self._edge <= end:
            self._edges.popleft()
        return part
