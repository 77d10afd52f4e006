"""Runs every profile and writes its section, and its raw values into `performance_tuning/results`.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_all.py

Says in both documents what machine that was. Takes about ten minutes on a quiet one. Ends with the first profile that
fails, and its exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from performance_tuning.benchmarks.common.command import note  # noqa: E402
from performance_tuning.profiling.sections import PROFILING_RESULTS, QUEUE_ARCHITECTURE, write_machine  # noqa: E402

PROFILES = ("handoff", "insert", "idle", "cpu", "memory", "queue_memory")
_RESULTS = Path("performance_tuning") / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run every profile and write its section and its raw values.")
    parser.parse_args(arguments)
    os.chdir(_ROOT)  # so that the commands in the sections name no folder of this machine
    _RESULTS.mkdir(exist_ok=True)
    for file in (PROFILING_RESULTS, QUEUE_ARCHITECTURE):
        write_machine(file)
    for name in PROFILES:
        note(f"profile_{name}.py:")
        profile = import_module(f"performance_tuning.profiling.profile_{name}")
        code: int = profile.main(["--write", "--json", str(_RESULTS / f"profile_{name}.json")])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
