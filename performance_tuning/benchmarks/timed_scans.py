"""Splits through workers in threads of this process, by the compiled scanner or by lxml: for `benchmark_scanner`.

The splits are there before the clock runs, and nobody takes the rows: what is measured is parsing, mapping and
encoding, and whether threads hold each other up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal
from unittest.mock import patch

from etl.engines.base import WorkerSetup
from etl.messages import CopyRows, MappedBatch, Split, TupleRows
from etl.native import SWITCH
from etl.worker import Worker

Reader = Literal["scanner", "lxml"]
_SWITCHED: dict[Reader, str] = {"scanner": "1", "lxml": "0"}
READERS: tuple[Reader, ...] = ("scanner", "lxml")


class ReadersDiffer(Exception):
    """The scanner and lxml have not made the same of a split."""


@dataclass(frozen=True)
class Scan:
    """All splits, once. Seconds."""

    wall: float
    cpu: float
    """Of the threads that map, together."""


def scan(reader: Reader, setup: WorkerSetup, splits: Sequence[Split], threads: int) -> Scan:
    """Map all splits, each in the thread that is free for it; every thread has a worker of its own."""
    workers = [_worker(reader, setup) for _ in range(threads)]
    for worker in workers:
        worker.run_split(splits[0])  # what a worker compiles of a mapping, it compiles once
    waiting = iter(splits)  # of a list: its `next` is a single step of Python's, so threads may share it
    with ThreadPoolExecutor(threads, thread_name_prefix="scan") as pool:
        began = time.perf_counter()
        cpu = sum(pool.map(lambda worker: _map_all(worker, waiting), workers))
        return Scan(time.perf_counter() - began, cpu)


def _map_all(worker: Worker, waiting: Iterator[Split]) -> float:
    """Seconds of CPU of this thread."""
    began = time.thread_time()
    for split in waiting:
        worker.run_split(split)
    return time.thread_time() - began


def declined(setup: WorkerSetup, splits: Sequence[Split]) -> list[str]:
    """Why the scanner leaves splits to lxml, for each that it does. Raises ReadersDiffer.

    Every split is mapped by both, and what they make of it compared.
    """
    scanner, lxml = (_worker(reader, setup) for reader in READERS)
    reasons = []
    for split in splits:
        mapped = scanner.run_split(split)
        if mapped.notices.declined:
            reasons.append(mapped.notices.declined)
        elif _content(mapped) != _content(lxml.run_split(split)):
            part = split.parts[0]
            raise ReadersDiffer(f"The scanner and lxml differ between the bytes {part.start:,} and {part.end:,}.")
    return reasons


def _worker(reader: Reader, setup: WorkerSetup) -> Worker:
    with patch.dict(os.environ, {SWITCH: _SWITCHED[reader]}):
        return Worker(setup)


def _content(mapped: MappedBatch) -> object:
    def rows(table: CopyRows | TupleRows) -> object:
        return table.data if isinstance(table, CopyRows) else table.values

    return [(rows(table), table.records) for table in mapped.tables], mapped.counts, mapped.rejects
