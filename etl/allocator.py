"""The C library's allocator: told to give large blocks back to the system as soon as they are freed.

glibc (mallopt(3), M_MMAP_THRESHOLD) maps blocks above 128 KiB on their own and unmaps them when freed, but raises that
limit each time it sees one freed. Splits and batches then come from the heap, which many threads fragment: a process
that should stay flat creeps up for as long as it runs.
"""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK_BYTES = 128 * 1024
"""glibc's own initial limit; setting it, even to the same value, keeps it there."""


def give_back_large_blocks() -> bool:
    """Fix the limit for this process; False where the C library is none that knows it."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES) == 1
