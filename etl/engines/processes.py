"""Maps in worker processes, so that Python's global lock does not bound the speed.

`submit` writes a split into the pipe of the child with the fewest in hand; a receiver thread for each child reads
the answers. Since answers are always being read, a child can always finish, and a full pipe delays only the feeder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import BinaryIO, cast

from etl.engines import pipe
from etl.engines.base import Engine, WorkerSetup
from etl.errors import WorkerDied
from etl.messages import MappedBatch, Split

_FAREWELL_SECONDS = 5.0
"""How long a worker that was told to end may take before it is killed."""


class ProcessEngine(Engine):
    """Children started as ``python -m MODULE``, so that the user's ``__main__`` is not imported again."""

    def __init__(self, module: str, setup: WorkerSetup, workers: int, prefetch: int) -> None:
        self.workers = workers
        self.slots = workers * prefetch
        self._children: list[_Child] = []
        try:
            for number in range(1, workers + 1):
                self._children.append(_Child(number, module, setup))
        except BaseException:
            self.close(cancel=True)
            raise

    def submit(self, split: Split) -> Future[MappedBatch]:
        return min(self._children, key=_Child.in_hand).submit(split)

    def busy(self) -> int:
        return sum(1 for child in self._children if child.in_hand())

    def close(self, *, cancel: bool = False) -> None:
        for child in self._children:
            child.say_goodbye(cancel)
        for child in self._children:
            child.wait()

    def peak_memory(self) -> int:
        return sum(child.peak_memory for child in self._children)


class _Child:
    """One worker process with its pipes and its receiver thread."""

    def __init__(self, number: int, module: str, setup: WorkerSetup) -> None:
        self.peak_memory = 0
        self._number = number
        self._cancelled = False
        self._gone = False
        self._lock = threading.Lock()
        self._in_hand: deque[tuple[Split, Future[MappedBatch]]] = deque()
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
        pipe.widen(self._splits)
        pipe.widen(self._answers)
        with contextlib.suppress(OSError):  # a child that is gone already is noticed by its receiver
            pipe.send(self._splits, setup)
        self._receiver = threading.Thread(target=self._receive, name=f"etl-worker-{number}", daemon=True)
        self._receiver.start()

    def in_hand(self) -> int:
        return len(self._in_hand)

    def submit(self, split: Split) -> Future[MappedBatch]:
        future: Future[MappedBatch] = Future()
        with self._lock:
            gone = self._gone
            if not gone:
                self._in_hand.append((split, future))
        if gone:
            future.set_exception(self._death(split))
            return future
        with contextlib.suppress(OSError):  # the receiver sees the end of the child and settles the future
            pipe.send(self._splits, split)
        return future

    def say_goodbye(self, cancel: bool) -> None:
        self._cancelled = self._cancelled or cancel
        if cancel:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._splits.close()

    def wait(self) -> None:
        self._receiver.join(None if not self._cancelled else _FAREWELL_SECONDS)
        try:
            self._process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def _receive(self) -> None:
        try:
            while not isinstance(answer := pipe.receive(self._answers), pipe.Farewell):
                self._settle(answer)
            self.peak_memory = answer.peak_memory
        except BaseException:  # noqa: BLE001 - whatever ends this thread, nobody may wait for its futures
            self._process.kill()
            self._fail_all()

    def _settle(self, answer: pipe.Answer) -> None:
        with self._lock:
            _, future = self._in_hand.popleft()
        if answer.batch is not None:
            future.set_result(answer.batch)
        else:
            future.set_exception(answer.error or EOFError())

    def _fail_all(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL_SECONDS)
        while True:
            with self._lock:
                if not self._in_hand:
                    self._gone = True
                    return
                split, future = self._in_hand.popleft()
            if self._cancelled:
                future.cancel()
            else:
                future.set_exception(self._death(split))

    def _death(self, split: Split) -> WorkerDied:
        part = split.parts[0]
        return WorkerDied(
            f"Worker process {self._number} {_how_it_ended(self._process.returncode)} while it had bytes "
            f"{part.start} to {part.end} of source {part.source} in hand (records from {_first_record(split)} on)."
        )


def _first_record(split: Split) -> str:
    runs = split.parts[0].runs
    return str(runs[0].first_record) if runs else "none"


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "stopped answering"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
