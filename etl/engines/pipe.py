"""What parent and worker process say to each other over a pair of pipes, and the worker's side of it.

A frame is an unsigned 64-bit length and that many bytes of pickle. The parent sends the WorkerSetup, then splits; the
worker says `Ready` once, answers each split with an `Answer`, in order, and leaves with a `Farewell` when the parent
closes its end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import Any, BinaryIO

from etl.engines.base import MakeWorker, RunSplit, WorkerSetup
from etl.errors import EtlError, InternalError
from etl.messages import MappedBatch, Split
from etl.metrics import peak_memory

_LENGTH = struct.Struct("<Q")

GARBAGE_THRESHOLD = 200_000
"""New containers before the collector looks at them; by default it is 700."""

PIPE_BYTES = 1 << 20
"""Wished size of a pipe: a split of the default size fits, so that handing it over does not wait for the worker."""

_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of Linux, which the fcntl module names only there."""


OUT_OF_MEMORY = 112
"""Exit code of a worker that got no more memory: what it had in hand is then treated as if the system had killed it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker is made: what it dies of from now on may be what it was given."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one split: a batch, or the error that took its place."""

    batch: MappedBatch | None
    error: Exception | None
    peak_memory: int
    """Bytes, of the worker up to now."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """The worker's last word."""

    peak_memory: int
    """Bytes."""


def send(stream: BinaryIO, message: object) -> None:
    """Write one frame. Raises OSError when the other side is gone."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one frame. Raises EOFError when the other side is gone."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(header)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


def widen(stream: BinaryIO) -> None:
    """Ask for a larger pipe; where that is refused it stays as it is, and hand-overs wait a little more."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(stream.fileno(), _SET_PIPE_SIZE, PIPE_BYTES)


def serve(make_worker: MakeWorker) -> None:
    """The worker process: answer until the parent closes its end.

    Standard output carries the answers, so whatever else prints there (a user's function) goes to standard error; and
    standard input the splits, so whatever else reads it finds nothing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent drains on Ctrl-C and tells us when to end
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    splits = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    with contextlib.suppress(EOFError, BrokenPipeError):
        setup = receive(splits)
        run_split = _made(make_worker, setup)
        _collect_garbage_rarely()
        send(answers, Ready())
        while True:
            try:
                split = receive(splits)
            except EOFError:
                send(answers, Farewell(peak_memory()))
                return
            send(answers, _answer(run_split, split))


def _made(make_worker: MakeWorker, setup: WorkerSetup) -> RunSplit:
    """The worker, or where it cannot be made one that says why to every split."""
    try:
        return make_worker(setup)
    except Exception as error:  # noqa: BLE001 - as in `_answer`
        reason = error

    def refuse(split: Split) -> MappedBatch:
        raise reason

    return refuse


def _collect_garbage_rarely() -> None:
    """Mapping makes lists of texts by the hundred thousand and no cycles: looking for cycles costs a tenth of it."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def _answer(run_split: RunSplit, split: Any) -> Answer:
    batch: MappedBatch | None = None
    failure: Exception | None = None
    try:
        batch = run_split(split)
    except MemoryError:
        # What is left of this process is not to be trusted, and the split may do without its neighbours.
        os._exit(OUT_OF_MEMORY)
    except EtlError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the parent raises it where the load can be ended in order
        failure = InternalError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    return Answer(batch, failure, peak_memory())
