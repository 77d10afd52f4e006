"""Measuring one run, whole: a command in a process of its own, with every process it starts.

Wall time runs from start to exit as the shell would see it; CPU time is what the kernel charged the process and its
descendants; memory is sampled ten times a second as the sum over the process tree. Where the kernel tells the
proportional share of pages (Linux: PSS), that is what is summed, so that pages which processes share count once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

_SAMPLE_SECONDS = 0.1
FOREIGN_LIMIT = 0.1
"""Of `Run.foreign`: above it, something else was measured too."""
_SPREAD_LIMIT = 0.15
_ROLLUP = Path("/proc/self/smaps_rollup")
MEMORY_MEASURE = "PSS" if _ROLLUP.exists() else "RSS"


@dataclass(frozen=True)
class Run:
    """One run of one command. Times in seconds, memory in bytes."""

    wall: float
    """Of the whole process; for ready rows, what it timed itself (`ready_rows`)."""
    cpu: float
    """User and system time of the process and its descendants, without a database server."""
    server_cpu: float
    """Of the database server meanwhile."""
    peak_memory: int
    """Of all processes of the run together, without a database server."""
    processes: int
    """Processes of the run at once, at most."""
    foreign: float
    """Share of all the machine's cores, not only of those that the run may use, that went to anything else meanwhile, 0
    to 1: noise."""


class RunFailed(Exception):
    """A command ended with another exit code than 0; the text is the end of what it printed."""


def measure(command: Sequence[str], *, cwd: Path, scratch: Path, server_cpu: Callable[[], float]) -> Run:
    """Run `command` to its end and say what it took. Raises RunFailed; an interrupt kills all it started.

    `scratch` is a folder for what it prints and for compiled modules (`environment_of_runs`).
    """
    machine, server, benchmark, begin = _machine_busy(), server_cpu(), _benchmark_cpu(), perf_counter()
    with (scratch / "output.txt").open("w+b") as output:
        with ExitStack() as ended:
            with _interrupts_later():
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=environment_of_runs(scratch),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches this process alone, which then kills the group as a whole.
                    start_new_session=True,
                )
                ended.callback(_kill_all, process)
            sampler = _MemorySampler(process.pid)
            sampler.start()
            ended.callback(sampler.stop)
            _pid, status, usage = os.wait4(process.pid, 0)
            wall = perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise RunFailed(f"{' '.join(command)} ended with exit code {process.returncode}:\n{text[-2000:]}")
    cpu, used = usage.ru_utime + usage.ru_stime, server_cpu() - server
    known = cpu + used + _benchmark_cpu() - benchmark
    foreign = (_machine_busy() - machine - known) / (wall * (psutil.cpu_count() or 1))
    return Run(_own_seconds(text) or wall, cpu, used, sampler.peak, sampler.processes, max(0.0, foreign))


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Signals that end a benchmark are answered at the end: in the middle of its start, nobody knows a process yet."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda received, _frame: came.append(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for received in came:
        signal.raise_signal(received)


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Also what it has started and left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment_of_runs(scratch: Path) -> dict[str, str]:
    """Variables with which a second run with this folder finds all modules compiled, as users do.

    Whatever the rights on the source tree: where Python may not write what it compiles (PYTHONDONTWRITEBYTECODE, as in
    many containers), every run would compile all modules anew, and be measured with that.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(scratch / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@dataclass(frozen=True)
class Spread:
    """What several runs of the same command come to."""

    median: float
    least: float
    most: float

    @property
    def share(self) -> float:
        """From least to most, as a share of the median."""
        return (self.most - self.least) / self.median if self.median else 0.0


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes of at least one value."""
    return Spread(median(values), min(values), max(values))


def noise(runs: Sequence[Run]) -> str:
    """A sentence where the machine did something else meanwhile or the runs differ much, else empty."""
    warnings = []
    if (foreign := max(run.foreign for run in runs)) > FOREIGN_LIMIT:
        warnings.append(f"other processes used {foreign:.0%} of the machine")
    if differ := differences([run.wall for run in runs]):
        warnings.append(differ)
    return " and ".join(warnings)


def differences(walls: Sequence[float]) -> str:
    """A sentence where the times of runs differ much, else empty."""
    share = spread(walls).share
    return f"the runs differ by {share:.0%}" if share > _SPREAD_LIMIT else ""


class _MemorySampler(threading.Thread):
    """Watches a process and its descendants until stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="memory sampler", daemon=True)
        self.peak = 0
        self.processes = 0
        self._root = psutil.Process(pid)
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            with suppress(psutil.NoSuchProcess):
                tree = [self._root, *self._root.children(recursive=True)]
                self.peak = max(self.peak, sum(memory_of(process) for process in tree))
                self.processes = max(self.processes, len(tree))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def memory_of(process: psutil.Process) -> int:
    """Bytes, by MEMORY_MEASURE; 0 where it is gone."""
    try:
        if MEMORY_MEASURE == "RSS":
            return int(process.memory_info().rss)
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text("ascii").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    except (psutil.Error, OSError):
        return 0


def _machine_busy() -> float:
    """Seconds of CPU of the whole machine so far that were not idle; time stolen by other guests included."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _benchmark_cpu() -> float:
    """Seconds of CPU so far of this process and of those it started that run now."""
    own = psutil.Process()
    seconds = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _own_seconds(output: str) -> float | None:
    """What a command timed itself: a last line ``{"seconds": ...}``."""
    lines = output.strip().splitlines()
    if not lines or not lines[-1].startswith('{"seconds"'):
        return None
    return float(json.loads(lines[-1])["seconds"])
