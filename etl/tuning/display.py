"""The progress of a tune: one display for all its loads."""

from __future__ import annotations

import time
from dataclasses import replace

from etl.metrics import Snapshot
from etl.progress import Progress, SnapshotSource, format_duration


class TuneProgress:
    """The `Progress` of each load of a tune, in turn; shown is what they do all together."""

    def __init__(self, shown: Progress, ends: float) -> None:
        """`ends`: when the tune ends at the latest, by the clock of `time.monotonic`."""
        self._shown = shown
        self._began = time.monotonic()
        self._ends = ends
        self._loads: tuple[int, SnapshotSource] | None = None
        """Records of the loads before, and the load that runs or ran last."""
        self.activity = ""
        """What is being tried."""

    def start(self, snapshot: SnapshotSource) -> None:
        """A load begins."""
        if self._loads is None:
            self._loads = (0, snapshot)
            self._shown.start(self._snapshot)
        else:
            before, last = self._loads
            self._loads = (before + last().records, snapshot)

    def note(self, sentence: str) -> None:
        self._shown.note(sentence)

    def stop(self) -> None:
        """A load has ended, the tune has not."""

    def close(self) -> None:
        """The tune has ended."""
        self._shown.stop()

    def _snapshot(self) -> Snapshot:
        assert self._loads is not None
        before, last = self._loads
        now, moment = last(), time.monotonic()
        left = format_duration(max(0.0, self._ends - moment))
        return replace(
            now,
            total=None,
            records=before + now.records,
            seconds=moment - self._began,
            activity=f"trying {self.activity}, {left} left at most",
        )
