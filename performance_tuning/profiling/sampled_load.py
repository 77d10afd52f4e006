"""A load that is looked at from within, twenty times a second.

    python -m performance_tuning.profiling.sampled_load DUMP MAPPING URL KIND

loads with 2 workers of KIND (process, thread) and prints JSON: `samples` over time (seconds since the load began, bytes
in the memory window, bytes of each process) and `cpu`, the seconds of processor time of each thread of this process and
of each worker process, as last seen (what a thread does in its last moments is lost). `parent_before`: bytes of this
process when the first split is to be read.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import psutil

import etl
from etl.options import build_settings
from etl.progress import SilentProgress, SnapshotSource
from performance_tuning.benchmarks.common.harness import memory_of

_SAMPLE_SECONDS = 0.05
SAMPLER = "sampler"
UNNAMED = "unnamed"
"""Threads that are not Python's."""


class Sampler(SilentProgress):
    """A load's progress that notes what the load takes, while it runs."""

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []
        self.cpu: dict[str, float] = {}
        """Seconds, by thread of this process, and by worker process: `worker 1` ..."""
        self.parent_before = 0
        self._own = psutil.Process()
        self._workers: dict[int, str] = {}
        self._snapshot: SnapshotSource | None = None
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=SAMPLER, daemon=True)
        self._sample()
        self._thread.start()

    def start(self, snapshot: SnapshotSource) -> None:
        self.parent_before = memory_of(self._own)
        self._snapshot = snapshot

    def end(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        unnamed = 0.0
        for thread in self._own.threads():
            seconds = thread.user_time + thread.system_time
            if thread.id in names:
                self.cpu[names[thread.id]] = seconds
            else:
                unnamed += seconds
        self.cpu[UNNAMED] = unnamed
        memory = {"parent": memory_of(self._own)}
        for process in self._own.children():
            name = self._workers.setdefault(process.pid, f"worker {len(self._workers) + 1}")
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self.cpu[name] = times.user + times.system
                memory[name] = memory_of(process)
        pool = self._snapshot().pool if self._snapshot else None
        window = pool.queued_bytes if pool else 0
        self.samples.append({"seconds": time.monotonic() - self._began, "window": window, "memory": memory})


def main(arguments: Sequence[str]) -> None:
    dump, mapping, url, kind = arguments
    settings = build_settings({"workers": {"count": 2, "kind": kind}})
    sampler = Sampler()
    try:
        report = etl.load(dump, mapping=mapping, target=url, settings=settings, progress=sampler)
    finally:
        sampler.end()
    assert report.metrics is not None
    told = {
        "samples": sampler.samples,
        "cpu": sampler.cpu,
        "parent_before": sampler.parent_before,
        "metrics": asdict(report.metrics),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
