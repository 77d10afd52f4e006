"""What a file's first bytes say of the archive it is.

In: the beginning of a file, decompressed if need be. Out: which archive, as a word, and why it is refused where it is.
Nothing is read here; any thread may ask.
"""

from __future__ import annotations

import re
import zlib

BLOCK_BYTES = 512
"""A tar is made of such blocks; one is enough to tell every archive."""

EMPTY_TAR_BYTES = 20 * BLOCK_BYTES
"""An archive of nothing is zeros alone. Longer ones are no tar but what was never written, of a download, say."""

_SIGNATURES = {
    "zip": re.compile(rb"(?:PK\x07\x08|PK00)?PK\x03\x04|PK\x05\x06"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "rar": re.compile(rb"Rar!\x1a\x07"),
}
_WAYS_OUT = {
    "7z": "unpack it first, or pipe one file (7z x -so FILE | etl load -)",
    "rar": "unpack it first, or pipe one file (unrar p -inul FILE | etl load -)",
}
_CHECKSUM = slice(148, 156)


def archive_kind(head: bytes) -> str:
    """``zip``, ``tar``, ``7z`` or ``rar``; "" for anything else, compressed files among it.

    `head` is a file's beginning, `BLOCK_BYTES` of it or more where it has them.
    """
    for kind, signature in _SIGNATURES.items():
        if signature.match(head):
            return kind
    return "tar" if is_tar_header(head[:BLOCK_BYTES]) else ""


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip: one that comes through a pipe cannot be read."""
    return archive_kind(head) == "zip"


def is_tar_header(block: bytes) -> bool:
    """Whether the checksum in a block is that of a tar's header, with ``ustar`` in it or without."""
    if len(block) != BLOCK_BYTES:
        return False
    field = block[_CHECKSUM]
    try:
        stated = int(field.partition(b"\0")[0], 8)
    except ValueError:
        return False
    # A half sums up to less than 65521, so Adler-32's low half is the sum and 1, an order faster than `sum`.
    found = (zlib.adler32(block[:256]) & 0xFFFF) + (zlib.adler32(block[256:]) & 0xFFFF) - 2 - sum(field) + 8 * 32
    return stated == found or stated == _signed_checksum(block, found)


def is_empty_tar(content: bytes) -> bool:
    """Whether this, a whole file or more than `EMPTY_TAR_BYTES` of one, is a tar without members."""
    size = len(content)
    fits = 2 * BLOCK_BYTES <= size <= EMPTY_TAR_BYTES and size % BLOCK_BYTES == 0
    return fits and not content.strip(b"\0")


def _signed_checksum(block: bytes, checksum: int) -> int:
    """As some old systems compute it, with bytes above 127 taken for negative numbers."""
    if block.isascii():
        return checksum
    high = sum(byte > 127 for byte in block[: _CHECKSUM.start]) + sum(byte > 127 for byte in block[_CHECKSUM.stop :])
    return checksum - 256 * high


def refusal(kind: str, label: str) -> str:
    """Why an archive is not read, as a sentence: of a kind that never is, or where one document is expected."""
    if kind in _WAYS_OUT:
        return f"{label} is a {kind} archive, which is not read here: {_WAYS_OUT[kind]}."
    return f"{label} is a {kind} archive where one document is expected: load it from a file of its own, or unpack it."
