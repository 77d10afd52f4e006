"""Large blocks go back to the system when they are freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
from pathlib import Path
from etl.allocator import give_back_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

assert give_back_large_blocks()
bytearray(30_000_000)  # freed at once: from here on glibc would take blocks of this size from its heap
before = resident()
blocks = [b"x" * 1_000_000 for _ in range(50)]
small = [b"y" * 1000 + bytes([number]) for number in range(200)]  # behind the blocks, would keep them in the heap
grown = resident()
del blocks
print(grown - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_blocks_leave_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
    grown, left = map(int, done.stdout.split())
    assert grown > 45_000_000
    assert left < 5_000_000
