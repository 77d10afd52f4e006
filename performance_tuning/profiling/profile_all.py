"""Runs every profile and writes its section, and its raw values into `performance_tuning/results`.

    python3 env_prep/bootstrap.py python performance_tuning/profiling/profile_all.py

Takes about eight minutes on a quiet machine. The exit code is that of the first profile that failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path("performance_tuning") / "results"
PROFILES = ("handoff", "insert", "idle", "cpu", "memory", "queue_memory")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run every profile and write its section and its raw values.")
    parser.parse_args(arguments)
    (_ROOT / _RESULTS).mkdir(exist_ok=True)
    for name in PROFILES:
        script = f"performance_tuning/profiling/profile_{name}.py"
        raw = str(_RESULTS / f"profile_{name}.json")
        try:
            done = subprocess.run([sys.executable, script, "--write", "--json", raw], cwd=_ROOT, check=False)
        except KeyboardInterrupt:  # which the profile has heard as well, and told
            return 130
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
