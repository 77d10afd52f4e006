"""A worker for the engine contract: answers every split at once, and obeys what a payload says."""

from __future__ import annotations

import os
import signal
import sys
import time
from array import array
from pathlib import Path

from etl.engines.base import RunSplit, WorkerSetup
from etl.engines.pipe import serve
from etl.errors import MappingError, SourceError
from etl.messages import MappedBatch, Notices, PartCounts, Split, TupleRows


def make_worker(setup: WorkerSetup) -> RunSplit:
    label = setup.sources[0].label
    if label == "unusable":
        raise MappingError("the mapping cannot be used here")
    if label == "unmakeable":
        os._exit(9)

    def run_split(split: Split) -> MappedBatch:
        order = split.parts[0].runs[0].payload if split.parts else b""
        if order == b"refuse":
            raise SourceError("refused")
        if order == b"defect":
            raise ZeroDivisionError("a defect")
        if b"die" in order:
            os._exit(7)
        if b"exhaust" in order:
            raise MemoryError
        if order.startswith(b"once "):
            _die_unless_there(Path(order[5:].decode()))
        if order == b"read":
            raise SourceError(f"standard input holds {sys.stdin.read()!r}")
        if order.startswith(b"wait "):
            _wait_until_there(Path(order[5:].decode()))
        if order.startswith(b"sleep"):
            time.sleep(float(order.split()[1]))
        print("standard output is not the channel of answers")  # noqa: T201
        return MappedBatch(
            split=split.number,
            tables=(TupleRows.of_columns([[label], [os.getpid()]], array("I", [0])),),
            counts=tuple(PartCounts(part.records, part.records, 0, 0) for part in split.parts),
            rejects=(),
            size=1,
            busy=0.001,
            notices=Notices(),
        )

    return run_split


def _die_unless_there(file: Path) -> None:
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _wait_until_there(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.001)


if __name__ == "__main__":
    serve(make_worker)
