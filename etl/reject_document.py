"""Rejects as a document of the original's shape: each record inside the elements that stood open around it.

In: rejects in the order of their documents, with the bytes of their records. Out: the bytes of one well-formed XML
document (UTF-8), as they come. A record that is not well-formed stands in a comment, in its place. Nothing but one
record is in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from lxml import etree

from etl.errors import SettingsError
from etl.extract.skeletons import element_name, start_tags
from etl.messages import NOTHING_OPEN, RAW_LIMIT, RejectedRecord, Skeleton

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

_CHUNK_BYTES = 1 << 20
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class RejectDocument:
    """Writes one document: `add` each reject, then `finish`."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._open: list[bytes] = []
        self._root: tuple[bytes, bytes] | None = None
        """DOCTYPE and start tag of the root, once they are written."""
        self._whole = False
        """A record is the root: nothing else can stand in the document."""
        self._checked: dict[Skeleton, list[bytes]] = {}
        self._begun = False
        self.records = 0
        """Records written as they are."""
        self.ill_formed = 0
        """Those that stand in a comment."""

    def add(self, reject: RejectedRecord, what: str, record: Iterable[bytes]) -> None:
        """Write a record (its bytes in chunks) behind a comment that says `what`.

        Raises SettingsError where it cannot be in one document with those before.
        """
        skeleton = reject.skeleton or NOTHING_OPEN
        with SpooledTemporaryFile(max_size=RAW_LIMIT) as kept:
            for chunk in record:
                kept.write(chunk)
            well_formed = is_well_formed(skeleton, _chunks(kept))
            self._begin()
            self._stand_in(skeleton, holds_record=well_formed)
            self._write(comment(what) + b"\n")
            if well_formed:
                for chunk in _chunks(kept):
                    self._write(chunk)
                self.records += 1
            else:
                self._write(_commented(kept, reject.length))
                self.ill_formed += 1
            self._write(b"\n")

    def finish(self) -> None:
        """Close what is open. Raises SettingsError where no element was there to write."""
        if not self._root:
            raise SettingsError(
                "There is no document to write: none of these rejects is well-formed, nor is what stands around them,"
                " or they are too large to be kept, and their source is gone, has changed, or was mended by a DTD that"
                " is not the one given (--set input.dtd=FILE). `etl rejects` shows them."
            )
        self._close_down_to(0)

    def _begin(self) -> None:
        if not self._begun:
            self._write(DECLARATION)
            self._begun = True

    def _stand_in(self, skeleton: Skeleton, *, holds_record: bool) -> None:
        """Close and open elements until those of the skeleton stand open; one that is ill-formed is left out."""
        if not skeleton.depth:
            if holds_record:
                self._claim_root(skeleton.subset, b"")
                self._whole = True
            return
        tags = self._tags(skeleton)
        if not tags:
            return
        self._claim_root(skeleton.subset, tags[0])
        common = 0
        while common < min(len(tags), len(self._open)) and tags[common] == self._open[common]:
            common += 1
        self._close_down_to(common)
        for tag in tags[common:]:
            self._write(tag + b"\n")
            self._open.append(tag)

    def _claim_root(self, subset: bytes, tag: bytes) -> None:
        if self._root is None:
            self._root = (subset, tag)
            if subset:
                self._write(subset + b"\n")
        elif self._whole or self._root != (subset, tag):
            raise several_documents()

    def _tags(self, skeleton: Skeleton) -> list[bytes]:
        """The skeleton's start tags, one by one; none where they are not well-formed."""
        if skeleton not in self._checked:
            tags = start_tags(skeleton)
            usable = len(tags) == skeleton.depth and is_well_formed(skeleton, [], records=0)
            self._checked = {skeleton: tags if usable else []}
        return self._checked[skeleton]

    def _close_down_to(self, depth: int) -> None:
        while len(self._open) > depth:
            self._write(b"</" + element_name(self._open.pop()) + b">\n")


def root_of(skeleton: Skeleton | None) -> tuple[bytes, bytes] | None:
    """DOCTYPE and start tag of the root that a record stands in; None where it is the root itself."""
    if skeleton is None or not skeleton.depth:
        return None
    return skeleton.subset, (start_tags(skeleton) or [b""])[0]


def several_documents() -> SettingsError:
    """The error where rejects do not fit into one document."""
    return SettingsError(
        "These rejects do not fit into one document, since those they are of do not begin alike, or each record is a"
        " document of its own: --source chooses one of them (`etl rejects` names them)."
    )


def is_well_formed(skeleton: Skeleton, record: Iterable[bytes], *, records: int = 1) -> bool:
    """Whether the bytes are, inside of the skeleton, as many whole elements. No tree is built."""
    seen = _Elements(skeleton.depth)
    parser = etree.XMLParser(
        target=seen,  # type: ignore[arg-type]  # the stubs expect that names may be bytes
        huge_tree=True,
        no_network=True,
        load_dtd=False,
    )
    try:
        for piece in (skeleton.subset + skeleton.open_tags, *record, skeleton.close_tags):
            if piece:
                parser.feed(piece)
        parser.close()
    except etree.XMLSyntaxError:
        return False
    # What is wrong with namespaces is noted only.
    noted = any(entry.level >= etree.ErrorLevels.ERROR for entry in parser.feed_error_log)
    return not noted and seen.around == skeleton.depth and seen.records == records


class _Elements:
    """Counts elements while a parser goes past them."""

    def __init__(self, depth: int) -> None:
        self._wanted = depth
        self._depth = 0
        self.around = 0
        self.records = 0

    def start(self, _tag: str, _attributes: dict[str, str]) -> None:
        if self._depth < self._wanted:
            self.around += 1
        elif self._depth == self._wanted:
            self.records += 1
        self._depth += 1

    def end(self, _tag: str) -> None:
        self._depth -= 1

    def close(self) -> None:
        """The parser asks for it."""


def comment(text: str) -> bytes:
    """A comment that says this, as nearly as a comment can."""
    text = _NOT_IN_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    while "--" in text:
        text = text.replace("--", "- -")
    return f"<!-- {text} -->".encode()


def _commented(kept: IO[bytes], length: int) -> bytes:
    kept.seek(0)
    text = kept.read(RAW_LIMIT).decode("utf-8", "backslashreplace")
    rest = length - RAW_LIMIT
    return comment(f"{text}{f' ... and {rest:,} bytes more' if rest > 0 else ''}")


def _chunks(kept: IO[bytes]) -> Iterator[bytes]:
    kept.seek(0)
    while chunk := kept.read(_CHUNK_BYTES):
        yield chunk
