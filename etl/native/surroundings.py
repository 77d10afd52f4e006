"""What stands open around records, as the scanner wants it: a skeleton goes in, namespaces and texts come out.

Parsed once for each skeleton, by lxml, without any record. Raises `Declined` where the document type may mean
something for the records that the scanner does not know of. Runs in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from etl.entities import Entities, PlainEntity, references
from etl.messages import Skeleton
from etl.native._scanner import EntityTable
from etl.native.declined import Declined
from etl.native.program import Program
from etl.native.program_codes import (
    ETL_VALUE_ENTRY,
    ETL_VALUE_KEY,
    ETL_VALUE_LIST,
    ETL_VALUE_MIXED,
    ETL_VALUE_NIL,
    ETL_VALUE_SEVERAL,
)
from etl.native.program_rows import AroundBit, AroundColumn, AroundText
from etl.transform.elements import NIL, NULL
from etl.transform.header import DocumentValue, Header
from etl.transform.parser import DocumentParser, ParseFailure

_PREDEFINED = re.compile(rb"<!ENTITY\s+(?:amp|lt|gt|quot|apos)\s")

_SUBSETS = 20
"""Whose entities are remembered: documents of one kind have the same, as a rule."""

_MOST_COST = 400_000
"""Of references around records: beside the scanner's own bound (core/entities.h) it is within libxml2's, of 1 MB."""

_NAME = rb"[^\s<>()\"'#&;]+"
_PLAIN_ATTLIST = re.compile(rb"<!ATTLIST\s+%b(?:\s+%b\s+CDATA\s+#(?:IMPLIED|REQUIRED))*\s*>" % (_NAME, _NAME))
"""Declares attributes, but no values of theirs, nor types by which values are normalised (XML 1.0, 3.3.2, 3.3.3)."""


Flagged = tuple[int, bytes]
"""A text with its flags (`core/value.h`); its bytes do not count where they say that it is NULL, or no text."""

AroundValue = bytes | Flagged | tuple[int, tuple[Flagged, ...]] | None
"""A text; or flags with a text, or with those of a list."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What stands around the records of one skeleton; texts are UTF-8."""

    prefixes: tuple[bytes, ...]
    """b"" is the default namespace's."""
    uris: tuple[bytes, ...]
    """Of these prefixes, b"" where one stands for none."""
    depth: int
    entities: EntityTable | None
    """Those of the document type that are text alone."""
    around: tuple[AroundValue, ...]
    """Values of `Program.around`."""
    around_bits: int
    """Bit n: whether condition n of `Program.around_bits` holds."""


def open_elements(parser: DocumentParser, skeleton: Skeleton) -> tuple[Any, ...]:
    """The skeleton's elements, outermost first, with nothing in them. Raises Declined."""
    _check_subset(skeleton.subset)
    if skeleton.subset and b"&" in skeleton.open_tags:
        _check_references(skeleton)
    if not skeleton.depth and not skeleton.subset:
        return ()
    try:
        return parser.parse(skeleton, b"" if skeleton.depth else b"<record/>").ancestors
    except ParseFailure as failure:
        raise Declined(f"start tags around records that do not parse by themselves ({failure.reason})") from None


def _check_subset(subset: bytes) -> None:
    if subset.count(b"<!ATTLIST") != len(_PLAIN_ATTLIST.findall(subset)):
        raise Declined("attributes whose values or types the document type declares (ATTLIST)")
    if b"%" in subset:
        raise Declined("parameter entities in the document type")
    if _PREDEFINED.search(subset):
        raise Declined("one of XML's own five entities in the document type")


@lru_cache(_SUBSETS)
def _entities(subset: bytes) -> tuple[dict[bytes, PlainEntity], EntityTable]:
    plain = Entities(subset).plain()
    return plain, EntityTable([(name, entity.text, entity.cost) for name, entity in plain.items()])


def _check_references(skeleton: Skeleton) -> None:
    """libxml2 counts what entities make in these start tags together with what they make in a record."""
    plain, _ = _entities(skeleton.subset)
    known = [plain.get(name) for name in references(skeleton.open_tags)]
    if None in known or sum(entity.cost for entity in known if entity is not None) > _MOST_COST:
        raise Declined("references to entities in start tags around records")


def surroundings(program: Program, skeleton: Skeleton, ancestors: Sequence[Any], header: Header) -> Surroundings:
    """What `program` wants to know of these open elements, and of what stood before the first record."""
    namespaces: dict[str | None, str] = ancestors[-1].nsmap if ancestors else {}
    bits = sum(_holds(ancestors, condition) << place for place, condition in enumerate(program.around_bits))
    return Surroundings(
        prefixes=tuple((prefix or "").encode() for prefix in namespaces),
        uris=tuple((uri or "").encode() for uri in namespaces.values()),
        depth=len(ancestors),
        entities=_entities(skeleton.subset)[1] if skeleton.subset else None,
        around=tuple(_around(ancestors, header, wanted) for wanted in program.around),
        around_bits=bits,
    )


def _around(ancestors: Sequence[Any], header: Header, wanted: AroundText | AroundColumn) -> AroundValue:
    if isinstance(wanted, AroundColumn):
        return _of_document(header.value(wanted.column))
    text = _text(ancestors, wanted)
    return None if text is None else text.encode()


def _of_document(value: DocumentValue) -> AroundValue:
    noticed = ETL_VALUE_SEVERAL * value.several | ETL_VALUE_MIXED * value.mixed
    if value.raw == NULL:
        return None
    if isinstance(value.raw, str):
        flags, text = _flagged(value.raw)
        return noticed | flags, text
    items: list[Flagged] = []
    for one in value.raw:
        if isinstance(one, str):
            items.append(_flagged(one))
        else:
            key, values = one
            items += [(ETL_VALUE_ENTRY, b""), (ETL_VALUE_KEY, key.encode()), *map(_flagged, values)]
    return noticed | ETL_VALUE_LIST, tuple(items)


def _flagged(text: str) -> Flagged:
    return (ETL_VALUE_NIL, b"") if text == NIL else (0, text.encode())


def _text(ancestors: Sequence[Any], wanted: AroundText | AroundBit) -> str | None:
    if wanted.up > len(ancestors):
        return None
    text: str | None = ancestors[-wanted.up].get(wanted.name)
    return text


def _holds(ancestors: Sequence[Any], condition: AroundBit) -> bool:
    text = _text(ancestors, condition)
    if condition.literal is None or text is None:
        return text is not None and condition.literal is None
    return (text == condition.literal) is condition.equal
