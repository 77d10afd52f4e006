"""Sizes as a settings file has them. Pure."""

from __future__ import annotations

KIB, MIB = 2**10, 2**20


def written_size(size: int) -> str:
    """``8MiB``, ``256KiB``, ``1500``: always the same number of bytes."""
    if size % MIB == 0:
        return f"{size // MIB}MiB"
    return f"{size // KIB}KiB" if size % KIB == 0 else str(size)
