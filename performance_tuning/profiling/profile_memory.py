"""What a load's memory consists of, and how it goes over time.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_memory.py

Loads a generated dump while a thread of the load's own process looks at the size of every process and of the memory
window, and says what the sizes at their largest are made of. Workers are threads of the parent, as a load that the
compiled scanner reads has them; `--kind process` shows them as processes. It measures and does not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from etl.options import Settings  # noqa: E402
from performance_tuning.benchmarks.common.databases import open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import make_dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import MEMORY_MEASURE  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.profiling.observed_load import observed_load  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile  # noqa: E402

_MOMENTS = 10
"""Parts into which the load's time is cut."""


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    with open_databases(["postgres"], folder) as (database,):
        dump = make_dump("nested", options.size, folder)
        # The first one compiles modules, which takes memory, too.
        loads = [
            observed_load("sampled_load", dump, database, [options.kind], folder) for _ in range(options.repeat + 1)
        ][1:]
    load = sorted(loads, key=lambda each: each.run.peak_memory)[len(loads) // 2]
    lines = [
        f"A nested dump of {dump.size / 1e6:.0f} MB into postgres, 2 {options.kind} workers; the load with the median"
        f" peak of {options.repeat}. Memory is {MEMORY_MEASURE}.",
        "",
        *table([("", "MB", "known from"), *_parts(load)], texts=(0, 2)),
        "",
        "Over time, the largest of each tenth of the load:",
        "",
        *table([("seconds", "memory window MB", "parent MB", "worker processes MB", "all MB"), *_over_time(load)]),
    ]
    return lines, [{"run_peak": each.run.peak_memory, "samples": each.report["samples"]} for each in loads]


def _parts(load: LoadRun) -> list[list[str]]:
    samples, before = load.report["samples"], load.report["parent_before"]
    window = load.report["metrics"]["queue_most_bytes"]
    parent = [sample["memory"]["parent"] for sample in samples]
    names = sorted({name for sample in samples for name in sample["memory"]} - {"parent"})
    in_hands = min(Settings().queue.max_bytes * 2 // 3, window)
    rows = [
        ("parent before the first split (Python, modules, mapping)", before, "its size"),
        ("memory window at its fullest (splits, rows)", window, "the queue's own count"),
        ("of it in insert threads' hands, at most", in_hands, "two thirds of `queue.max_bytes`"),
        (
            "the rest of the parent (what workers have in hand, COPY, read-ahead, heap)",
            max(parent) - before - window,
            "the difference",
        ),
        ("parent at its largest", max(parent), "its size"),
        *((f"{name} at its largest", _most(samples, name), "its size") for name in names),
        ("all at their largest, at one time", load.run.peak_memory, "their sizes"),
    ]
    return [[what, _megabytes(size), known] for what, size, known in rows]


def _over_time(load: LoadRun) -> list[list[str]]:
    samples = load.report["samples"]
    last = samples[-1]["seconds"]
    rows = []
    for part in range(_MOMENTS):
        begin, end = part * last / _MOMENTS, (part + 1) * last / _MOMENTS
        within = [sample for sample in samples if begin <= sample["seconds"] <= end]
        if within:
            sums = (
                max(sample["window"] for sample in within),
                max(sample["memory"]["parent"] for sample in within),
                max(sum(sample["memory"].values()) - sample["memory"]["parent"] for sample in within),
                max(sum(sample["memory"].values()) for sample in within),
            )
            rows.append([f"{begin:.1f} to {end:.1f}", *map(_megabytes, sums)])
    return rows


def _most(samples: Sequence[dict[str, Any]], name: str) -> int:
    return max(int(sample["memory"].get(name, 0)) for sample in samples)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure what a load's memory consists of, and how it goes over time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="200MB", help="of the dump")
    parser.add_argument("--kind", choices=("thread", "process"), default="thread", help="of workers")
    options = profile_options(parser, arguments, repeat=3)
    return run_profile("memory", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
