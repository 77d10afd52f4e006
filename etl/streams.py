"""The standard streams of a command: one that is closed, full or no longer read must not decide how a command ends.

In: what the process was started with. Out: streams to write to. Main thread.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

STANDARD_OUTPUT = "standard output"
"""The name of the file in errors of writing there."""


def prepare_streams() -> None:
    """Let standard error take whatever is said, both streams any text, and an error of standard output have a name."""
    # A closed stream (`>&-`) is None, which nothing that writes expects.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(output := sys.__stdout__, io.TextIOWrapper) and sys.stdout is output:
        buffer = io.BufferedWriter(_Named(output.fileno(), "wb", closefd=False))
        # File names need not be text.
        sys.stdout = io.TextIOWrapper(
            buffer, encoding=output.encoding, errors="backslashreplace", line_buffering=output.line_buffering
        )
    if isinstance(error := sys.__stderr__, io.TextIOWrapper) and sys.stderr is error:
        raw = open(error.fileno(), "wb", closefd=False)  # noqa: SIM115 - it stays open
        sys.stderr = _Unfailing(raw, encoding=error.encoding, errors="backslashreplace", line_buffering=True)


def write_no_more(stream: TextIO) -> None:
    """Let what waits to be written to the stream, and all that follows, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Named(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise


class _Unfailing(io.TextIOWrapper):
    """Goes on into nothing where it cannot be written to: a full disk, a reader who has left."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            write_no_more(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            write_no_more(self)
