"""The C library's allocator: told to keep what splits and batches are made of for the next ones.

glibc (mallopt(3)) maps each block above 128 KiB on its own and unmaps it when freed. Every split and every batch is
then fresh memory, which the kernel clears page by page: that took a sixth of a load's processor time. So blocks up to
what is usual come from the heap, and stay there when freed; how many there are at a time is bounded by what is not
committed. The limits are fixed, because glibc would move them with what it sees, and a process that should stay flat
creeps up.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGEST_KEPT_BYTES = 32 * 2**20
"""glibc's own upper limit for blocks from the heap (DEFAULT_MMAP_THRESHOLD_MAX)."""
_KEPT_BYTES = 64 * 2**20
"""Free memory at a heap's end beyond this goes back to the system: less than a full window of what is not committed."""

_HEAPS = 4
"""Each thread would have one of its own, with its own free memory; more threads than these hardly ever ask at once."""


def keep_usual_blocks() -> bool:
    """Fix the limits for this process; False where the C library is none that knows them."""
    mallopt = _function("mallopt")
    return (
        mallopt is not None
        and mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) == 1
        and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES) == 1
        and mallopt(_M_ARENA_MAX, _HEAPS) == 1
    )


def give_back_free_memory() -> bool:
    """After a phase that needed much of what later ones do not (malloc_trim(3)); False where the library cannot."""
    malloc_trim = _function("malloc_trim")
    return malloc_trim is not None and malloc_trim(0) == 1


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
