"""A load whose worker processes are watched from outside: in the same way, whichever architecture they belong to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import RunFailed
from performance_tuning.benchmarks.common.loads import LoadRun, measured_load
from performance_tuning.benchmarks.without_queue.baseline import WORKERS, measured_baseline
from performance_tuning.profiling.run_delay import run_delay

BEFORE, NOW = "workers insert (before)", "workers push (now)"
_MODULES = {BEFORE: "performance_tuning.benchmarks.without_queue.waiting_worker", NOW: "etl.worker"}
"""What their worker processes run."""
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class WorkerTime:
    """Of one worker process, from its start to its end; seconds."""

    alive: float
    running: float
    """On a processor, or in line for one (Linux; elsewhere the first alone)."""

    @property
    def idle(self) -> float:
        """The share in which it slept, 0 to 1."""
        return max(0.0, 1 - self.running / self.alive)


@dataclass(frozen=True)
class WatchedLoad:
    """A load, and its workers in the order of their start."""

    load: LoadRun
    workers: list[WorkerTime]


def watched_load(
    architecture: str, dump: Dump, database: Database, scratch: Path, way: Callable[[str], str] = lambda url: url
) -> WatchedLoad:
    """Load into a fresh database with `WORKERS` workers. Raises RunFailed, WrongRows."""
    watch = _Watch(_MODULES[architecture])
    watch.start()
    try:
        if architecture == BEFORE:
            load = measured_baseline(dump, database, WORKERS, scratch, way)
        else:
            settings = [f"workers.count={WORKERS}", "workers.kind=process"]
            load = measured_load(dump, database, settings, scratch, way)
    finally:
        watch.stop()
    if len(watch.workers) != WORKERS:
        raise RunFailed(f"{architecture}: expected {WORKERS} worker processes, saw {len(watch.workers)}.")
    return WatchedLoad(load, list(watch.workers.values()))


class _Watch(threading.Thread):
    """Looks at the descendants of this process that run a module, until stopped."""

    def __init__(self, module: str) -> None:
        super().__init__(name="worker watch", daemon=True)
        self.workers: dict[int, WorkerTime] = {}
        """By process id, as last seen."""
        self._module = module
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error, ProcessLookupError):
                    if self._module in process.cmdline():
                        self.workers[process.pid] = _time_of(process)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _time_of(process: psutil.Process) -> WorkerTime:
    times = process.cpu_times()
    running = times.user + times.system + run_delay(process.pid)
    return WorkerTime(alive=time.time() - process.create_time(), running=running)
