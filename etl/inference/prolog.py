"""What stands before a document's root element, and what of it a parser needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from etl.errors import SourceError
from etl.extract.doctype import MAX_DOCTYPE_BYTES, parse_doctype, subset_of
from etl.extract.dtd import Dtd
from etl.extract.markup import NAME

MAX_PROLOG_BYTES = 1 << 24
"""Comments before the root element have their limits."""

_PROLOG = re.compile(rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_ROOT = re.compile(rb"<(" + NAME + rb")[\s/>]")
_START = (
    "A-Za-z_\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff"
)
_START += "\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
_PART = f"[{_START}][{_START}.0-9\xb7\u0300-\u036f\u203f\u2040-]*"
_QUALIFIED_NAME = re.compile(f"(?:{_PART}:)?{_PART}")
"""Names in XML, with or without a prefix."""
_SHOWN = 60
"""Characters of a name in a message."""


@dataclass(frozen=True, slots=True)
class Prolog:
    """The beginning of a document."""

    subset: bytes
    """`Skeleton.subset`: the declarations that a parser needs."""
    name: bytes
    """Literal name of the root element."""
    lines: int
    """Line breaks before it."""
    rest: bytes
    """What was read of the document from the root element on."""


def read_prolog(chunks: Iterator[bytes], label: str, dtd: Dtd | None = None) -> Prolog:
    """Read up to the root element; raises SourceError where there is none, or it has no name that XML allows.

    What `dtd` declares holds in the document.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        prolog = _parse(head, dtd)
        if prolog is not None:
            _check_name(prolog, label)
            return prolog
        if len(head) > MAX_PROLOG_BYTES:
            break
    raise SourceError(f"{label} holds no XML element.")


def _parse(head: bytes, dtd: Dtd | None) -> Prolog | None:
    at = _end_of_misc(head, 0)
    doctype = None
    if head.startswith(b"<!DOCTYPE", at):
        doctype = parse_doctype(head[at : at + MAX_DOCTYPE_BYTES], dtd)
        if doctype is None:
            return None
        at = _end_of_misc(head, at + doctype.size)
    root = _ROOT.match(head, at)
    if root is None:
        return None
    subset = subset_of(root[1], dtd)[0] if doctype is None else doctype.subset
    return Prolog(subset, root[1], head.count(b"\n", 0, at), head[at:])


def _check_name(prolog: Prolog, label: str) -> None:
    name = prolog.name.decode("utf-8", "replace")
    if _QUALIFIED_NAME.fullmatch(name) is None:
        shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
        place = f"{label}, line {prolog.lines + 1}"
        raise SourceError(f"{place}: the root element is named {shown}, which is no name in XML: is the file damaged?")


def _end_of_misc(head: bytes, at: int) -> int:
    found = _PROLOG.match(head, at)
    return found.end() if found is not None else at
