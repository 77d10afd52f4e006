"""Where a worker's time goes, by file of `etl`: a real worker process that gets its splits from a file, profiled.

py-spy looks at it from outside some hundred times a second. Where the system does not allow that (it reads another
process's memory), cProfile counts every call from within, and files of many small calls look larger than they are.
"""

from __future__ import annotations

import pstats
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from etl.engines import pipe
from etl.engines.base import WorkerSetup
from etl.mapping.reader import read_mapping
from performance_tuning.benchmarks.common.command import note
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import RunFailed, environment_of_runs
from performance_tuning.benchmarks.common.loads import MAPPINGS, ROOT
from performance_tuning.benchmarks.common.splits import SOURCE, splits_of

OTHER = "(start, libraries)"
"""In place of a file: Python's start, imports, and what no file of `etl` has called."""

_RATE = 500
"""Looks a second."""
_PY_SPY = Path(sys.executable).with_name("py-spy")
_OURS = re.compile(r"\b(etl/[\w/]+\.py)\b")


def worker_files(dump: Dump, folder: Path) -> tuple[str, Mapping[str, float]]:
    """The profiler's name, and by file its looks or seconds; what a file calls in libraries (lxml) is its own.

    Raises RunFailed.
    """
    frames, profile = folder / "frames", folder / "profile"
    _write_frames(dump, frames)
    py_spy = [str(_PY_SPY), "record", "--rate", str(_RATE), "--format", "raw", "--output", str(profile), "--"]
    if _PY_SPY.exists() and not _serve(py_spy, [], frames):
        return "py-spy", by_file_of_stacks(profile.read_text("utf-8"))
    note("py-spy may not look at other processes here: cProfile takes its place.")
    if error := _serve([], ["-m", "cProfile", "-o", str(profile)], frames):
        raise RunFailed(f"The worker did not run under cProfile: {error}")
    return "cProfile", _by_file_of_calls(pstats.Stats(str(profile)))


def by_file_of_stacks(stacks: str) -> Mapping[str, float]:
    """Of lines ``function (file:line);function (file:line) LOOKS``, the outermost function first."""
    found: defaultdict[str, float] = defaultdict(float)
    for line in stacks.splitlines():
        stack, _, looks = line.rpartition(" ")
        ours = _OURS.findall(stack)
        importing = "<frozen importlib" in stack
        found[ours[-1] if ours and not importing else OTHER] += int(looks)
    return found


def _by_file_of_calls(stats: pstats.Stats) -> Mapping[str, float]:
    """By file; what is built in, or of a library, belongs to its callers."""
    found: defaultdict[str, float] = defaultdict(float)
    calls: dict[tuple[str, int, str], tuple[int, int, float, float, dict[tuple[str, int, str], tuple[float, ...]]]]
    calls = stats.stats  # type: ignore[attr-defined]
    for function, (_calls, _primitive, own_time, _all_time, callers) in calls.items():
        name = _our_file(function)
        if name is not None:
            found[name] += own_time
            continue
        for caller, (_, _, time_for_caller, _) in callers.items():
            found[_our_file(caller) or OTHER] += time_for_caller
    return found


def _our_file(function: tuple[str, int, str]) -> str | None:
    ours = _OURS.search(function[0])
    return ours.group() if ours else None


def _serve(profiler: Sequence[str], options: Sequence[str], frames: Path) -> str:
    """Run the worker under a profiler; what it said where that failed, else empty."""
    command = [*profiler, sys.executable, *options, "-m", "etl.worker"]
    with frames.open("rb") as splits:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment_of_runs(frames.parent),
            stdin=splits,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def _write_frames(dump: Dump, file: Path) -> None:
    """All that a parent would write into the pipe of its only worker."""
    mapping = read_mapping(MAPPINGS / f"{dump.kind}.mapping.yaml")
    with file.open("wb") as stream:
        pipe.send(stream, WorkerSetup(mapping, "copy", (SOURCE,)))
        for split in splits_of(dump.path, mapping):
            pipe.send(stream, split)
