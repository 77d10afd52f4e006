"""The real command, in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ETL = Path(sys.executable).with_name("etl")
"""The installed console script."""

# A process's peak memory includes what it was forked from, so the fork must not happen here but in something small.
_MEASURE = """
import os, sys
child = os.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss * 1024))
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


@dataclass(frozen=True)
class Result:
    """What became of a run."""

    code: int
    out: str
    err: str
    peak_memory: int
    """Bytes: the largest resident size of the process, or of a worker process of its own if that is larger."""

    @property
    def report(self) -> dict[str, Any]:
        """The report that `--json` prints."""
        report = json.loads(self.out)
        assert isinstance(report, dict)
        return report


def etl(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    **options: Any,
) -> Result:
    """Run ``etl ARGUMENTS`` in `cwd`, with `env` added to the environment; `options` go to `subprocess.Popen`."""
    with tempfile.NamedTemporaryFile("r") as memory:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", _MEASURE, memory.name, str(ETL), *map(str, arguments)],
            cwd=cwd,
            env=environment(env),
            stdin=None if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        try:
            out, err = process.communicate(stdin, timeout=100)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return Result(process.returncode, out.decode(), err.decode(), int(memory.read()))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would name a target or colour the output, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ETL_"))}
    return {**kept, "NO_COLOR": "1", "TERM": "dumb", **(extra or {})}


def without_override() -> None:
    """In the child, as `preexec_fn`: permission bits apply to root as to anybody."""
    libc = ctypes.CDLL(None, use_errno=True)
    drop_from_bounding_set, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        if os.geteuid() == 0 and libc.prctl(drop_from_bounding_set, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
