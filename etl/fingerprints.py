"""Identities of sources as the ledger keeps them: of their content as it is, or as it reads when it is mended.

Records of a mended document stand elsewhere than those of the same file as it is, so the two must never be one source.
Any thread.
"""

from __future__ import annotations

FOLDER = "folder:"
"""What the identity of a folder begins with: of its path, not its content."""

_REPAIRED = "+repair"


def repaired(fingerprint: str) -> str:
    """The identity of what is read mended (`--repair`)."""
    return fingerprint if is_repaired(fingerprint) else fingerprint + _REPAIRED


def is_repaired(fingerprint: str) -> bool:
    """Whether it is such an identity."""
    return fingerprint.endswith(_REPAIRED)


def other_reading(fingerprint: str) -> str:
    """The identity of the same content read the other way."""
    return fingerprint.removesuffix(_REPAIRED) if is_repaired(fingerprint) else repaired(fingerprint)
