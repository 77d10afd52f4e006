"""Where a load's processor time goes: by thread and process, and within a worker by what it does.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_cpu.py

Loads a generated dump while a thread of the load's own process looks at the clocks of all threads and workers; then
runs a worker by itself under a profiler (`worker_files`). Workers are threads, as in a load that the compiled scanner
reads; ETL_NATIVE=0 and `--kind process` show the other way. It measures and does not judge.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from env_prep.generate_dump import parse_size  # noqa: E402
from performance_tuning.benchmarks.common.command import note  # noqa: E402
from performance_tuning.benchmarks.common.databases import open_databases  # noqa: E402
from performance_tuning.benchmarks.common.dumps import make_dump  # noqa: E402
from performance_tuning.benchmarks.common.loads import LoadRun  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.profiling.observed_load import observed_load  # noqa: E402
from performance_tuning.profiling.sampled_load import SAMPLER, UNNAMED  # noqa: E402
from performance_tuning.profiling.sections import Measured, profile_options, run_profile  # noqa: E402
from performance_tuning.profiling.worker_files import OTHER, worker_files  # noqa: E402

_WORKERS = "workers (parse, map, encode)"
_THREADS = {
    "worker": _WORKERS,
    "etl-read": "read-ahead (reading, decompressing)",
    "etl-load": "feeder (cutting, handing out; then the keys)",
    "etl-keys": "more threads for the keys",
    "etl-worker": "receivers (unpickling, pushing)",
    "etl-insert": "insert threads (claiming, sending)",
    "etl-results": "result thread (counting)",
    "MainThread": "main thread (start of Python, imports, tables, report)",
    SAMPLER: "this measurement",
    UNNAMED: "threads of libraries",
}
"""By how names begin, with worker processes: worker threads have the names of those that speak to them."""
_SERVER, _REST = "database server", "not seen (the last moments of each)"

_WORK = {
    "scan (compiled: parse, map, convert, encode)": ("etl/native/",),
    "parse": ("etl/transform/parser.py",),
    "convert": ("etl/transform/columns.py", "etl/transform/lists.py", "etl/mapping/"),
    "encode": ("etl/transform/encoder.py", "etl/transform/assemble.py", "etl/batches.py"),
    "take splits, answer (pickle)": ("etl/engines/", "etl/metrics.py"),
    "map": ("etl/transform/", "etl/worker.py"),
}
"""What a worker does, by file: the first that fits."""


def measure(options: argparse.Namespace, folder: Path) -> Measured:
    with open_databases(["postgres"], folder) as (database,):
        dump = make_dump("nested", options.size, folder)
        loads: list[LoadRun] = []
        for number in range(options.repeat + 1):  # the first one warms up
            loads.append(observed_load("sampled_load", dump, database, [options.kind], folder))
            note(f"load {number} of {options.repeat}")
    stages = [_by_stage(load, options.kind) for load in loads[1:]]
    profiler, files = worker_files(dump, folder)
    megabytes, rows = dump.size / 1e6, sum(dump.rows.values())
    described = f"A nested dump of {megabytes:.0f} MB ({rows:,} rows in {len(dump.rows)} tables) into postgres"
    lines = [
        f"{described}, 2 {options.kind} workers; the median of {options.repeat} loads.",
        "",
        *table(
            [("", "CPU s", "share"), *_seconds({name: median(each[name] for each in stages) for name in stages[0]})]
        ),
        "",
        f"Within a worker, by {profiler}; what a file of `etl` calls in libraries (libxml2) is its own:",
        "",
        *table([("", "share"), *([work, f"{share:.1%}"] for work, share in _shares(_by_work(files)))]),
        "",
        "The files with most of it:",
        "",
        *table([("", "share"), *([f"`{file}`", f"{share:.1%}"] for file, share in _shares(files)[:8])]),
    ]
    return lines, [{"loads": [load.report["cpu"] for load in loads[1:]], "profiler": profiler, "files": files}]


def _by_stage(load: LoadRun, kind: str) -> dict[str, float]:
    """Seconds; all stages are there, in order."""
    threads = _THREADS if kind == "process" else {**_THREADS, "etl-worker": _WORKERS}
    stages = dict.fromkeys(threads.values(), 0.0)
    for name, seconds in load.report["cpu"].items():
        known = next((stage for begin, stage in threads.items() if name.startswith(begin)), threads[UNNAMED])
        stages[known] += seconds
    stages[_REST] = max(0.0, load.run.cpu - sum(stages.values()))
    stages[_SERVER] = load.run.server_cpu
    return stages


def _by_work(files: Mapping[str, float]) -> dict[str, float]:
    works = dict.fromkeys([*_WORK, OTHER], 0.0)
    for file, amount in files.items():
        works[next((work for work, begins in _WORK.items() if file.startswith(begins)), OTHER)] += amount
    return works


def _shares(amounts: Mapping[str, float]) -> list[tuple[str, float]]:
    total = sum(amounts.values()) or 1
    return sorted(((name, amount / total) for name, amount in amounts.items()), key=lambda each: -each[1])


def _seconds(stages: Mapping[str, float]) -> list[list[str]]:
    rows = [[stage, f"{stages[stage]:.2f}", f"{share:.0%}"] for stage, share in _shares(stages)]
    return [*rows, ["all", f"{sum(stages.values()):.2f}", ""]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure the processor time of a load's threads and processes, and of what a worker does.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=parse_size, default="200MB", help="of the dump")
    parser.add_argument("--kind", choices=("thread", "process"), default="thread", help="of workers")
    options = profile_options(parser, arguments, repeat=3)
    return run_profile("cpu", options, lambda folder: measure(options, folder))


if __name__ == "__main__":
    sys.exit(main())
