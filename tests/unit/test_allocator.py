"""Blocks of usual size stay in the process for the next ones; more than that goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from pathlib import Path
from etl.allocator import keep_usual_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

assert keep_usual_blocks()
before = faults()
for _ in range(100):
    block = b"x" * 1_000_000
    del block
freshened = faults() - before
before = resident()
blocks = [b"x" * 1_000_000 for _ in range(200)]
grown = resident() - before
del blocks
print(freshened, grown, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_blocks_are_used_again_and_many_freed_ones_leave_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
    freshened, grown, left = map(int, done.stdout.split())
    # One block has 244 pages of 4 KiB.
    assert freshened < 1000
    assert grown > 190_000_000
    assert left < 70_000_000
