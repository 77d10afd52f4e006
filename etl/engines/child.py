"""One worker process with its pipes, as its parent sees it.

In: a module that serves splits, and what the worker is told at its start. Out: its messages, or `ChildGone`. Sending
and receiving may be on two threads; each of them by one at a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import BinaryIO, cast

from etl.engines import pipe
from etl.engines.base import WorkerSetup
from etl.messages import Split

FAREWELL_SECONDS = 5.0
"""How long a worker that was told to end may take before it is killed."""

_SPOKEN = {pipe.OUT_OF_MEMORY: "ran out of memory"}


class ChildGone(Exception):
    """The worker will send nothing more."""


class Child:
    """Started as ``python -m MODULE``, so that the user's ``__main__`` is not imported again. Raises OSError."""

    def __init__(self, module: str, setup: WorkerSetup) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            # A Ctrl-C at the terminal goes to the whole foreground group; only the parent may act on it.
            start_new_session=True,
        )
        self._splits = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        try:
            pipe.widen(self._splits)
            pipe.widen(self._answers)
            self._send(setup)
        except BaseException:
            self.kill()
            self.bury()
            raise

    def send(self, split: Split) -> None:
        """Hand a split over; where the worker is gone already, `receive` finds out."""
        self._send(split)

    def receive(self) -> pipe.Ready | pipe.Answer | pipe.Farewell:
        """The next message. Raises ChildGone."""
        try:
            message: pipe.Ready | pipe.Answer | pipe.Farewell = pipe.receive(self._answers)
        except Exception as error:  # half a message can be anything to pickle
            raise ChildGone from error
        return message

    def hang_up(self) -> None:
        """Tell the worker to end when it has answered what it has."""
        with contextlib.suppress(OSError):
            self._splits.close()

    def kill(self) -> None:
        """End the worker at once."""
        self._process.kill()

    def bury(self) -> str:
        """Wait for a worker that is gone, or is to be; how it ended, in words that go on from "a worker process"."""
        try:
            self._process.wait(FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.hang_up()
        self._answers.close()
        return _how_it_ended(self._process.returncode)

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: buried in the meantime
            pipe.send(self._splits, message)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return _SPOKEN.get(code, f"ended with exit code {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
