"""The console script `etl`: hears Ctrl-C and SIGTERM before the commands are imported, which takes a while.

In: a command line. Out: an exit code. Main thread. What is imported stays until the process ends, so Python's collector
of cycles is kept from going through it again and again: that would be a third of the start and the end.
"""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress
from importlib import import_module
from types import FrameType, ModuleType
from typing import NoReturn

from etl.errors import EXIT_STOPPED

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
"""For plugins pydantic reads the metadata of every package that is installed, however many they are."""


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`, or a job in a script's background
            signal.signal(number, _end)
    commands = _imported()
    try:
        commands.main()
    finally:
        # Whatever has to be closed is; memory goes back to the system as it is.
        gc.freeze()


def _imported() -> ModuleType:
    """The commands, with what they need."""
    gc.disable()
    ours = _NO_PLUGINS not in os.environ
    os.environ.setdefault(_NO_PLUGINS, "__all__")
    try:
        return import_module("etl.commands")
    finally:
        if ours:
            del os.environ[_NO_PLUGINS]  # functions that a mapping names may use pydantic too
        gc.freeze()
        gc.enable()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Nothing has been begun, so nothing needs to be ended; an exception could get lost in an import."""
    with suppress(OSError):
        os.write(2, b"Stopped before anything was begun.\n")
    os._exit(EXIT_STOPPED)
