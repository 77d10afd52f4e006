"""How much of the queue's window one transaction may hold. Pure."""

from __future__ import annotations


def batch_share(max_bytes: int, threads: int) -> int:
    """Bytes of rows together with the splits they come from, where so many insert threads share a window of this size.

    Half of the window is in their hands at most, so that the other half keeps the workers busy.
    """
    return max(1, max_bytes // (2 * threads))
