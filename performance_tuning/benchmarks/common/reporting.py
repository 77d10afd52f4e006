"""What all reports of benchmarks have: the machine the figures are of, and files of one name."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from etl.native import unavailable
from etl.options import default_worker_count
from performance_tuning.benchmarks.common.harness import MEMORY_MEASURE

_PACKAGES = ("etl", "lxml", "psycopg", "SQLAlchemy")


def machine_lines() -> list[str]:
    """What the figures were measured on."""
    cores, ours = psutil.cpu_count() or 1, default_worker_count()
    usable = str(cores) if ours == cores else f"{ours} of {cores}"
    load = psutil.getloadavg()[0] / cores
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        f"{_processor()}, {usable} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}",
        f"CPU and memory are those of all of a loader's processes without the server; memory is {MEMORY_MEASURE}.",
        f"Records are read by {'lxml' if unavailable() else 'the compiled scanner'}.",
    ]
    if load > 0.5:
        lines.append(f"WARNING: the machine is busy: its load is {load:.1f} a core before anything was started.")
    return lines


def write_results(
    options: argparse.Namespace, name: str, title: str, lines: Sequence[str], values: dict[str, Any]
) -> None:
    """Write NAME.md, with the command that gave it, and NAME.json into the folder `options.output`.

    `options`: of `options_of`. `values`: raw ones, and under ``environment`` what they were measured on.
    """
    script = f"performance_tuning/benchmarks/benchmark_{name}.py"
    command = shlex.join(["python3", "env_prep/bootstrap.py", "python", script, *options.given])
    environment = [f"- {line}" for line in values["environment"]]
    text = [f"# {title}", "", f"    {command}", "", *environment, "", *lines]
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text("\n".join(text) + "\n", "utf-8")
    (folder / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
