"""The document type declaration: what of it a record needs, and nothing that could ever be fetched.

In: the bytes from ``<!DOCTYPE`` on, and the DTD that the user names, if any. Out: a declaration of the same name with
entities and attribute lists alone. Where there are parameter entities, or a DTD, they are flat (`etl.extract.dtd`);
else they are the internal subset's own, as they are written. External identifiers and external entities are left out:
a reference to one of them makes the record that holds it a reject, and no parser further on can be talked into opening
a file or an URL. What reads a DTD is imported where there is one, or a parameter entity: few loads need it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl.entities import Entities

if TYPE_CHECKING:
    from etl.extract.dtd import Dtd

MAX_DOCTYPE_BYTES = 1 << 20
"""More than any known DTD has; it goes with every split, and bounds what entities can be made of."""

_LITERAL = rb"""(?:"[^"]*+"|'[^']*+')"""
_HEAD = re.compile(
    rb"<!DOCTYPE\s++([^\s<>\[\"']++)\s*+"
    rb"(?:SYSTEM\s++(" + _LITERAL + rb")\s*+|PUBLIC\s++" + _LITERAL + rb"\s*+(" + _LITERAL + rb")?+\s*+)?+([\[>])"
)
_ITEM = re.compile(
    rb"\s*+(?:<!--.*?-->|<\?.*?\?>|%[^;\s]*+;|(<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)\s(?:[^<>\"']|"
    + _LITERAL
    + rb")*+>))",
    re.DOTALL,
)
_CLOSE = re.compile(rb"\s*+\]\s*+>")
_ENTITY = re.compile(rb"<!ENTITY\s++([^\s%\"']++)\s++(" + _LITERAL + rb")?+")


@dataclass(frozen=True, slots=True)
class Doctype:
    """What a document type declaration says."""

    size: int
    """Bytes of the declaration."""
    name: bytes
    """The root element's, as declared."""
    system: bytes
    """Where it says that its DTD is, b"" where it does not."""
    subset: bytes
    """`Skeleton.subset`."""
    elements: frozenset[bytes]
    """Entities that stand for elements or for another file: where records are, they cannot be followed."""


def given_dtd(file: Path | None, note: Callable[[str], object] | None = None) -> Dtd | None:
    """The DTD in the file that a user names, if any; `note` hears of what is missing in it. Raises SettingsError."""
    if file is None:
        return None
    from etl.extract.dtd import read_dtd

    dtd = read_dtd(file)
    if note is not None:
        for name in dict.fromkeys(dtd.alone.unread):
            note(
                f"{file} takes in {name}, which is not read: to have what that declares, put it in its place in {file}."
            )
    return dtd


def parse_doctype(data: bytes, dtd: Dtd | None = None) -> Doctype | None:
    """The declaration at the beginning of `data`; None where it does not end in it (or is ill-formed).

    What `dtd` declares holds below what the declaration has itself.
    """
    head = _HEAD.match(data)
    if head is None:
        return None
    name, system = head[1], (head[2] or head[3] or b"")[1:-1]
    if head[4] == b">":
        return Doctype(head.end(), name, system, *subset_of(name, dtd))
    at = head.end()
    items = []
    while (item := _ITEM.match(data, at)) is not None:
        at = item.end()
        items.append(item[1] or item[0].lstrip()[:1])
    close = _CLOSE.match(data, at)
    if close is None:
        return None
    return Doctype(close.end(), name, system, *subset_of(name, dtd, data[head.end() : at], items))


def subset_of(
    name: bytes, dtd: Dtd | None, internal: bytes = b"", items: Sequence[bytes] = ()
) -> tuple[bytes, frozenset[bytes]]:
    """`Doctype.subset` and `elements` of a document whose internal subset has these declarations."""
    flat = None
    if dtd is not None:
        flat = dtd.below(internal)
    elif b"%" in items:
        from etl.extract.dtd import IllFormed, flatten

        with suppress(IllFormed):
            flat = flatten(internal)
    declarations, elsewhere = (flat.declarations, flat.elsewhere) if flat is not None else _kept(items, dtd)
    subset = b"<!DOCTYPE " + name + b" [" + declarations + b"]>" if declarations else b""
    return subset, elsewhere | Entities(subset).holding_elements()


def _kept(items: Sequence[bytes], dtd: Dtd | None) -> tuple[bytes, frozenset[bytes]]:
    """The declarations as they are written, parameter entities aside, and the entities that stand for files."""
    kept = []
    elsewhere = set()
    for item in items:
        entity = _ENTITY.match(item)
        if entity is not None and entity[2] is None:
            elsewhere.add(entity[1])
        elif item.startswith(b"<!ATTLIST") or (entity is not None and entity[1] not in elsewhere):
            kept.append(item)
    if dtd is not None:
        kept.append(dtd.alone.declarations)
        elsewhere |= dtd.alone.elsewhere
    return b"".join(kept), frozenset(elsewhere)
