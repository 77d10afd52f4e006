"""That documents are mended (`--repair`): what is asked for, and which entities are left alone.

What mends them is `etl.extract.mender`, which is imported only where it is needed. Any thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.extract.mender import Mender

_DECLARED = re.compile(rb"<!ENTITY\s+([^\s%\"'>]+)\s")


@dataclass(frozen=True, slots=True)
class Repair:
    """That a document is to be mended, and which entities have a meaning of their own there."""

    declared: frozenset[bytes] = frozenset()
    """Names of entities, of a DTD beside the document: those that would be mended if nobody declared them."""


def wanted_repair(repair: bool, dtd: Path | None) -> Repair | None:
    """What the settings `input.repair` and `input.dtd` ask for; raises SettingsError where the DTD cannot be used."""
    if not repair:
        return None
    if dtd is None:
        return Repair()
    from html.entities import html5  # what it takes to read a DTD is imported by whoever has one

    from etl.extract.dtd import read_dtd

    known = read_dtd(dtd).alone
    names = declared_entities(known.declarations) | known.elsewhere
    # With others the same is mended: a DTD that grows by them reads a document as before.
    return Repair(frozenset(name for name in names if not name.isascii() or f"{name.decode()};" in html5))


def declared_entities(declarations: bytes) -> frozenset[bytes]:
    """Names of the general entities that a DTD declares, or a document's internal subset."""
    return frozenset(_DECLARED.findall(declarations))


def new_mender(repair: Repair, *, in_content: bool = False) -> Mender:
    """What mends one document; `in_content`: what comes begins behind the start tag of the root element."""
    from etl.extract.mender import Mender

    return Mender(repair, in_content=in_content)


def mended_beginning(beginning: bytes) -> bytes:
    """What a document begins with, mended; its last bytes may be only a part of what they are."""
    return new_mender(Repair()).mend(beginning, final=True)


def mended_record(record: bytes, subset: bytes) -> bytes:
    """The bytes of one record, mended; `subset` is the document type that goes with it (`Skeleton.subset`)."""
    return new_mender(Repair(declared_entities(subset)), in_content=True).mend(record, final=True)
