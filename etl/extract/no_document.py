"""Whether what a file or a member begins with can be a document, and why not where it cannot.

In: its first bytes, or the name of a file, of which only these are read. Out: a reason in a word or two, "" where it
may be one. Any thread.
"""

from __future__ import annotations

import re
from pathlib import Path

from etl.errors import SourceError
from etl.extract.archive_kinds import archive_kind
from etl.extract.decompress import begun, compression, decompressed
from etl.extract.encoding import Encoding, detect
from etl.extract.member import SMALL_BYTES
from etl.extract.repair import Repair, mended_beginning

NOT_XML, EMPTY = "not XML", "empty"
"""Why most of what is no document is skipped."""

NAMED_XML = re.compile(r"\.xml(?:\.(?:gz|bz2|xz|lzma|zst))?\Z", re.IGNORECASE)

LOOKED_AT_BYTES = 1 << 16
"""Of what is larger, so much is looked at."""

_HEAD_BYTES = 1 << 10


def skipped_file(path: str | Path, repair: Repair | None) -> str:
    """Why a file is no document; one that cannot be read may be one, which its reader tells."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(LOOKED_AT_BYTES)
    except OSError:
        return ""
    return skipped_as(head, str(path), repair)


def skipped_as(head: bytes, name: str, repair: Repair | None) -> str:
    """Why something of this name that begins so is no document, compressed or not."""
    if not compression(head):
        return skipped_plain(head, name, repair)
    shown, whole = inside(head, name)
    if not whole and (not shown or NAMED_XML.search(name)):
        return ""
    return skipped_plain(shown, name, repair)


def skipped_plain(head: bytes, name: str, repair: Repair | None) -> str:
    """The same where it is not compressed, or is not any more."""
    skipped = not_xml(head, repair)
    # What is named as XML and is none must not be passed over in silence.
    return "" if skipped == NOT_XML and NAMED_XML.search(name) else skipped


def not_xml(head: bytes, repair: Repair | None) -> str:
    """Why what begins so is no document, whatever its name is."""
    if not head:
        return EMPTY
    kind = archive_kind(head)
    if kind:
        return f"a {kind} archive in it"
    if compression(head):
        return ""
    try:
        encoding = detect(head, "")
        text = _text(head[:_HEAD_BYTES], encoding, repair) or _text(head, encoding, repair)
    except SourceError:  # reading it tells why
        return ""
    return "" if text.startswith("<") else NOT_XML


def _text(head: bytes, encoding: Encoding, repair: Repair | None) -> str:
    """What stands behind white space."""
    text = head[encoding.mark :].decode(encoding.codec, "replace")
    return (text if repair is None else mended_beginning(text.encode()).decode()).lstrip(" \t\r\n")


def inside(content: bytes, label: str) -> tuple[bytes, bool]:
    """What compressed bytes hold, up to a little more than small documents have; and whether that is all of it, and no
    damage comes behind.
    """
    shown, rest = begun(decompressed(content, bytes, label), SMALL_BYTES + 1)
    try:
        return shown, len(shown) <= SMALL_BYTES and next(rest, None) is None
    except SourceError:  # reading it tells why, behind what is good of it
        return shown, False
