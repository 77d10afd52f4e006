"""Blocks of usual size stay in the process for the next ones."""

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
