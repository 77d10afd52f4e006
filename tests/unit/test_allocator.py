"""Blocks of usual size stay in the process for the next ones, until they are given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from etl.allocator import keep_usual_blocks

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

assert keep_usual_blocks()
before = faults()
for _ in range(100):
    block = b"x" * 1_000_000
    del block
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_blocks_are_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
    # One block has 244 pages of 4 KiB.
    assert int(done.stdout) < 1000


TRIMMED = """
from pathlib import Path
import resource
from etl.allocator import give_back_free_memory, keep_usual_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

keep_usual_blocks()
before = resident()
blocks = [b"x" * 1_000_000 for _ in range(100)]
behind = [b"y" * 1000 + bytes([number]) for number in range(200)]  # keeps the blocks in the heap
del blocks
assert resident() - before > 90_000_000
assert give_back_free_memory()
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_free_memory_is_given_back_when_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", TRIMMED], stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) < 10_000_000
