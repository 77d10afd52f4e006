"""The document type declaration: what of it a record needs, and nothing that could ever be fetched.

In: the bytes from ``<!DOCTYPE`` on. Out: a declaration of the same name with the internal subset's own entities and
attribute lists. External identifiers, external entities and parameter entities are left out: a reference to one of
them makes the record that holds it a reject, and no parser further on can be talked into opening a file or an URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DOCTYPE_BYTES = 1 << 20
"""More than any known DTD has; it goes with every split, and bounds what entities can be made of."""

_LITERAL = rb"""(?:"[^"]*+"|'[^']*+')"""
_HEAD = re.compile(
    rb"<!DOCTYPE\s++([^\s<>\[\"']++)\s*+"
    rb"(?:SYSTEM\s++" + _LITERAL + rb"\s*+|PUBLIC\s++" + _LITERAL + rb"\s*+" + _LITERAL + rb"?+\s*+)?+([\[>])"
)
_ITEM = re.compile(
    rb"\s*+(?:<!--.*?-->|<\?.*?\?>|%[^;\s]*+;|(<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)\s(?:[^<>\"']|"
    + _LITERAL
    + rb")*+>))",
    re.DOTALL,
)
_CLOSE = re.compile(rb"\s*+\]\s*+>")
_ENTITY = re.compile(rb"<!ENTITY\s++([^\s%\"']++)\s++(" + _LITERAL + rb")?+")
_LESS = re.compile(rb"<|&#(?:0*60|x0*3[cC]);")


@dataclass(frozen=True, slots=True)
class Doctype:
    """What a document type declaration says."""

    size: int
    """Bytes of the declaration."""
    subset: bytes
    """`Skeleton.subset`."""
    elements: frozenset[bytes]
    """Entities that stand for elements or for another file: where records are, they cannot be followed."""


def parse_doctype(data: bytes) -> Doctype | None:
    """The declaration at the beginning of `data`; None where it does not end in it (or is ill-formed)."""
    head = _HEAD.match(data)
    if head is None:
        return None
    if head[2] == b">":
        return Doctype(head.end(), b"", frozenset())
    kept = []
    elements = set()
    at = head.end()
    while (item := _ITEM.match(data, at)) is not None:
        at = item.end()
        declaration = item[1] or b""
        entity = _ENTITY.match(declaration)
        if entity is not None and (entity[2] is None or _LESS.search(entity[2])):
            elements.add(entity[1])
        if declaration.startswith(b"<!ATTLIST") or (entity is not None and entity[2] is not None):
            kept.append(declaration)
    close = _CLOSE.match(data, at)
    if close is None:
        return None
    subset = b"<!DOCTYPE " + head[1] + b" [" + b"".join(kept) + b"]>" if kept else b""
    return Doctype(close.end(), subset, frozenset(elements))
