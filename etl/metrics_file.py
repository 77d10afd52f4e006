"""The numbers of a running load as JSON lines: one object a second, and in the end the report.

Comes in: snapshots, as for any progress, and how the load ended. Goes out: lines appended to a file, each written at
once, so that `tail -f` follows them. What goes wrong with the file ends the lines, never the load.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from etl.errors import EtlError, SettingsError, mask_password
from etl.metrics import Snapshot
from etl.progress import SilentProgress, ThreadedProgress
from etl.report import LoadReport


class NoMetrics(SilentProgress, AbstractContextManager["NoMetrics"]):
    """In the place of a file that nobody asked for."""

    def finished(self, report: LoadReport) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class MetricsFile(ThreadedProgress, AbstractContextManager["MetricsFile"]):
    """A progress whose last line is written when its context ends; `finished` gets the report before."""

    _INTERVAL = 1.0

    def __init__(self, file: Path, tell: Callable[[str], object]) -> None:
        """Raises SettingsError where the file cannot be written; `tell` is called when it cannot be any more."""
        super().__init__()
        self._tell = tell
        self._label = file
        self._report: LoadReport | None = None
        try:
            self._file = _appending(file)
        except OSError as error:
            why = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
            raise SettingsError(f"Cannot write the metrics {file}: {why}.") from error

    def note(self, sentence: str) -> None:
        """Sentences are for people."""

    def finished(self, report: LoadReport) -> None:
        """Take the report of a load that ended without an error."""
        self._report = report

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread is not None:  # it waits for a reader that takes nothing
            return
        report = error.report if isinstance(error, EtlError) else self._report
        ending = threading.Thread(target=self._end, args=(report, error), name="etl-metrics-end", daemon=True)
        ending.start()
        ending.join(self._STOP_WAIT)

    def _end(self, report: LoadReport | None, error: BaseException | None) -> None:
        activity = "failed" if isinstance(error, Exception) else "aborted"
        self._put(
            activity=report.state if report else activity,
            error=mask_password(str(error)) if isinstance(error, EtlError) else None,
            report=json.loads(report.to_json()) if report else None,
        )
        self._file.close()

    def _show(self, now: Snapshot) -> None:
        self._put(**asdict(now), records_per_minute=round(self._rates.records_per_minute))

    def _put(self, **values: Any) -> None:
        if self._file.closed:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "pid": os.getpid(), **values}).encode() + b"\n"
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            self._file.close()
            self._tell(f"The metrics {self._label} end here: {error.strerror}. The load goes on.")

    def _write(self, sentence: str) -> None:
        """See `note`."""

    def _close(self) -> None:
        """More may come: the report."""


def _appending(file: Path) -> FileIO:
    """Open for lines of our own at its end; without a buffer: what could not be written once is not tried again."""
    # Without waiting for the reader of a pipe that has none.
    opened = FileIO(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666), "a")
    os.set_blocking(opened.fileno(), True)
    if stat.S_ISREG(os.fstat(opened.fileno()).st_mode) and _ends_within_a_line(file):
        opened.write(b"\n")
    return opened


def _ends_within_a_line(file: Path) -> bool:
    """Whether whoever wrote to it before was cut short, by a full disk say."""
    with suppress(OSError), file.open("rb") as before:
        if before.seek(0, os.SEEK_END):
            before.seek(-1, os.SEEK_END)
            return before.read() != b"\n"
    return False


def metrics_to(file: Path | None, tell: Callable[[str], object]) -> MetricsFile | NoMetrics:
    """As `MetricsFile`, where there is a file."""
    return NoMetrics() if file is None else MetricsFile(file, tell)
