"""What stands before a document's root element, and what of it a parser needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from etl.errors import SourceError
from etl.extract.doctype import MAX_DOCTYPE_BYTES, parse_doctype
from etl.extract.markup import NAME

MAX_PROLOG_BYTES = 1 << 24
"""Comments before the root element have their limits."""

_PROLOG = re.compile(rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_ROOT = re.compile(rb"<(" + NAME + rb")[\s/>]")


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


def read_prolog(chunks: Iterator[bytes], label: str) -> Prolog:
    """Read up to the root element; raises SourceError where there is none."""
    head = b""
    for chunk in chunks:
        head += chunk
        prolog = _parse(head)
        if prolog is not None:
            return prolog
        if len(head) > MAX_PROLOG_BYTES:
            break
    raise SourceError(f"{label} holds no XML element.")


def _parse(head: bytes) -> Prolog | None:
    at = _end_of_misc(head, 0)
    subset = b""
    if head.startswith(b"<!DOCTYPE", at):
        doctype = parse_doctype(head[at : at + MAX_DOCTYPE_BYTES])
        if doctype is None:
            return None
        subset = doctype.subset
        at = _end_of_misc(head, at + doctype.size)
    root = _ROOT.match(head, at)
    if root is None:
        return None
    return Prolog(subset, root[1], head.count(b"\n", 0, at), head[at:])


def _end_of_misc(head: bytes, at: int) -> int:
    found = _PROLOG.match(head, at)
    return found.end() if found is not None else at
