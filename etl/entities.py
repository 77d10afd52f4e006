"""What the general entities of a document type stand for.

In: an internal subset without parameter entities (`Skeleton.subset`). Out: how many bytes their references make, which
of them are text alone, and which hold elements. Nothing is parsed, and nothing is opened. Any thread; an instance
belongs to one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DECLARATION = re.compile(rb"<!ENTITY\s++([^\s%\"']++)\s++(?:\"([^\"]*+)\"|'([^']*+)')")
"""Of an entity with its text: the name, and the literal in either kind of quotes."""

_NAMED = rb"&([^;&<>\s#\"']++);"
_REFERENCE = re.compile(_NAMED)
_CHARACTER = re.compile(rb"&#(?:([0-9]{1,7})|x([0-9a-fA-F]{1,6}));")
_ANY_REFERENCE = re.compile(_CHARACTER.pattern + rb"|" + _NAMED + rb"|&")
_PREDEFINED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}

_PLAIN = re.compile("[ -%'-;=-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
"""No markup, and no white space that attributes turn into blanks in some cases (XML 1.0, 3.3.3)."""

_SHORTEST = 3
"""Bytes of a reference at least."""

ENDLESS = 10**12
"""More bytes than this nobody counts."""

_NESTED = 100
"""Entities inside each other that are followed; libxml2 takes fewer."""

_NESTED_PLAIN = 20
"""And in text that need not be told here: libxml2 takes 40."""

_MOST_PLAIN = 1 << 16
"""Bytes of an entity that need not be told here."""

_REFERENCE_COST = 64
"""libxml2 counts 20 bytes for each reference, besides what it makes."""


@dataclass(frozen=True, slots=True)
class PlainEntity:
    """An entity that is text and nothing else."""

    text: bytes
    cost: int
    """At least what libxml2 counts for one reference to it, against its bound on what entities make."""


def references(data: bytes) -> list[bytes]:
    """The names of entities that are referred to, XML's own five aside, in their order."""
    return [found[1] for found in _REFERENCE.finditer(data) if found[1] not in _PREDEFINED]


class Entities:
    """The entities that one subset declares. Where a name is declared twice, the first declaration counts."""

    def __init__(self, subset: bytes) -> None:
        self.subset = subset
        self._values: dict[bytes, bytes] = {}
        for declared in DECLARATION.finditer(subset):
            value = declared[2] if declared[2] is not None else declared[3]
            # Replacement texts: references to characters are followed at once, others where the entity is used.
            self._values.setdefault(declared[1], _CHARACTER.sub(_character, value))
        self._sizes: dict[bytes, int] = {}
        self._plain: dict[bytes, PlainEntity | None] = {}
        self._largest: int | None = None

    @property
    def names(self) -> tuple[bytes, ...]:
        return tuple(self._values)

    def make_more(self, data: bytes, limit: int) -> bool:
        """Whether the references in `data` make more bytes than `limit`. Mostly told without looking at them."""
        if self._largest is None:
            self._largest = max(map(self.size, self._values), default=0)
        return (
            len(data) // _SHORTEST * self._largest > limit
            and data.count(b"&") * self._largest > limit
            and self.expanded(data) > limit
        )

    def expanded(self, data: bytes, nested: int = 0) -> int:
        """Bytes that the references in `data` make."""
        return min(ENDLESS, sum(self.size(reference[1], nested) for reference in _REFERENCE.finditer(data)))

    def size(self, name: bytes, nested: int = 0) -> int:
        """What one reference makes. Entities in a circle, and unknown ones, are for the parser to refuse."""
        known = self._sizes.get(name)
        if known is not None or name in _PREDEFINED or name not in self._values or nested > _NESTED:
            return known or 0
        self._sizes[name] = 0  # as long as it is being worked out, it can only be met in a circle
        value = self._values[name]
        size = len(_REFERENCE.sub(b"", value)) + self.expanded(value, nested + 1)
        self._sizes[name] = size
        return size

    def plain(self) -> dict[bytes, PlainEntity]:
        """Those that are text and nothing else, as far as that is certain."""
        found = {name: self._followed(name, 0) for name in self._values}
        return {name: entity for name, entity in found.items() if entity is not None and _is_plain(entity.text)}

    def holding_elements(self) -> set[bytes]:
        """Those with markup in them, or in an entity that they refer to."""
        holding = {name for name, value in self._values.items() if b"<" in value}
        users: dict[bytes, list[bytes]] = {}
        for name, value in self._values.items():
            for reference in _REFERENCE.finditer(value):
                users.setdefault(reference[1], []).append(name)
        new = list(holding)
        while new:
            more = set(users.get(new.pop(), ())) - holding
            holding |= more
            new += more
        return holding

    def _followed(self, name: bytes, nested: int) -> PlainEntity | None:
        """Text and cost of an entity, white space and signs of markup among them; None where it is not text alone."""
        if name in self._plain:
            return self._plain[name]
        self._plain[name] = None  # what is met in a circle
        value = self._values.get(name)
        entity = None if value is None or b"<" in value or nested > _NESTED_PLAIN else self._read(value, nested)
        self._plain[name] = entity
        return entity

    def _read(self, value: bytes, nested: int) -> PlainEntity | None:
        pieces: list[bytes] = []
        at, size, cost = 0, 0, len(value) + _REFERENCE_COST
        for reference in _ANY_REFERENCE.finditer(value):
            if reference[3] is None:
                text = _character(reference) if reference[1] or reference[2] else b""
            elif reference[3] in _PREDEFINED:
                text = _PREDEFINED[reference[3]]
            else:
                inner = self._followed(reference[3], nested + 1)
                if inner is None:
                    return None
                text = inner.text
                cost += inner.cost
            pieces += (value[at : reference.start()], text)
            at = reference.end()
            size += len(text)
            if (not text and reference[3] is None) or max(size, cost) > _MOST_PLAIN:
                return None
        pieces.append(value[at:])
        return PlainEntity(b"".join(pieces), cost)


def _character(reference: re.Match[bytes]) -> bytes:
    number = int(reference[1]) if reference[1] else int(reference[2], 16)
    return b"" if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF else chr(number).encode()


def _is_plain(text: bytes) -> bool:
    try:
        return b"]]>" not in text and _PLAIN.fullmatch(text.decode()) is not None
    except UnicodeDecodeError:
        return False
