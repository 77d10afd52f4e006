"""Identities of sources as the ledger keeps them: of their content as it is, or as it reads when it is mended.

Records of a mended document stand elsewhere than those of the same file as it is, and what is mended depends on the
entities that a DTD declares. So readings that differ must never be one source. Any thread.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable

FOLDER = "folder:"
"""What the identity of a folder begins with: of its path, not its content."""

AS_IT_IS = ""
"""The reading of what is not mended."""

REPAIRED = "+repair"
"""What the readings of all that is mended begin with."""


@functools.cache  # asked for every document, and always of the same names
def mended_reading(declared: frozenset[bytes]) -> str:
    """The reading of what is mended (`--repair`); `declared`: names of entities that a DTD beside it declares."""
    if not declared:
        return REPAIRED
    return f"{REPAIRED}:{hashlib.blake2b(b' '.join(sorted(declared)), digest_size=4).hexdigest()}"


def repaired(content: str, declared: frozenset[bytes]) -> str:
    """The identity of content that is read mended; see `mended_reading`."""
    return content + mended_reading(declared)


def content_of(fingerprint: str) -> str:
    """The identity of the same content as it is."""
    return fingerprint.partition(REPAIRED)[0]


def reading_of(fingerprint: str) -> str:
    """How it is read: `AS_IT_IS`, or a `mended_reading`."""
    return fingerprint.removeprefix(content_of(fingerprint))


def other_readings(fingerprint: str, readings: Iterable[str]) -> list[str]:
    """The identities that the same content has in the other of these readings."""
    content = content_of(fingerprint)
    return [other for reading in readings if (other := content + reading) != fingerprint]


def digest_of(parts: Iterable[bytes]) -> str:
    """A short digest of what documents are read with, whose parts hold no NUL."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=8).hexdigest()
