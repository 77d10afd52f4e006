"""The console script `etl`: hears Ctrl-C and SIGTERM before the commands are imported, which takes a while.

In: a command line. Out: an exit code. Main thread.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from etl.errors import EXIT_STOPPED


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`, or a job in a script's background
            signal.signal(number, _end)
    from etl import commands

    commands.main()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Nothing has been begun, so nothing needs to be ended; an exception could get lost in an import."""
    with suppress(OSError):
        os.write(2, b"Stopped before anything was begun.\n")
    os._exit(EXIT_STOPPED)
