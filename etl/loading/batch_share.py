"""How much of the queue's window one transaction may hold. Pure."""

from __future__ import annotations


def batch_share(max_bytes: int, threads: int) -> int:
    """Bytes of rows together with the splits they come from, where so many insert threads share a window of this size.

    One part for each of them to write, and one for what is being mapped meanwhile.
    """
    return max(1, max_bytes // (threads + 1))
