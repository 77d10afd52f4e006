"""What a record may ask of the machine: depth, attributes, text, and what entities make.

In: the bytes of records, or their parsed elements, and the limits of the settings. Out: nothing, or ParseFailure with
the reason code of the reject. Ordinary records cost nothing here: what their bytes cannot hold is not looked for, and
libxml2 tells what is deeper than 256 elements. A checker belongs to one thread.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from etl.entities import ENDLESS, Entities
from etl.messages import Bounds, Run, Skeleton
from etl.transform.parser import (
    ENTITY_LIMIT,
    PLAIN_DEPTH,
    TEXT_TOO_LONG,
    TOO_DEEP,
    TOO_MANY_ATTRIBUTES,
    Parsed,
    ParseFailure,
)

_ATTRIBUTE_BYTES = 4
"""The shortest attribute has more: a space, a name, an equals sign and two quotes."""

_MAX_UTF8 = 4
"""Bytes of one character at most."""

_NO_TAGS = re.compile(rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_TAG = re.compile(rb"<(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+")
_ATTRIBUTE = re.compile(rb"=\s*+(?:\"[^\"]*+\"|'[^']*+')")
_ATTLIST = re.compile(rb"<!ATTLIST\s++([^\s>]++)((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>")
_DEFAULT = re.compile(rb"\"[^\"]*+\"|'[^']*+'")

_SMALL = 64
"""Bytes; to tell which records are longer is not worth while."""


def has_longer(runs: Iterable[Run], size: int) -> bool:
    """Whether a record in these runs is longer than `size` bytes (a small one: maybe)."""
    return size < _SMALL or any(
        # A record that is longer holds one of these places.
        (found := bisect_right(run.spans, place)) % 2 and run.spans[found] - run.spans[found - 1] > size
        for run in runs
        for place in range(0, len(run.payload), size)
    )


class RecordLimits:
    """Checks records against the limits."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._wide_bytes = _ATTRIBUTE_BYTES * bounds.attributes
        """What has too many attributes is longer."""
        self._wide = re.compile(rb"<[^<]{%d,}+" % self._wide_bytes)
        self._entities: Entities | None = None
        self._defaults: tuple[bytes, dict[bytes, int]] = b"", {}
        """A document type, and how many attributes it gives to elements of which name."""

    def suspects(self, skeleton: Skeleton, payload: bytes, has_longer: Callable[[int], bool]) -> bool:
        """Whether one of the records in `payload` may be beyond a limit; `has_longer` tells of their length in bytes.

        Such records are to be checked one by one. What only their trees show (`suspects_tree`) does not count here.
        """
        bounds = self._bounds
        entities = b"<!ENTITY" in skeleton.subset and b"&" in payload
        return (
            (has_longer(self._wide_bytes) and payload.count(b"=") > bounds.attributes)
            or has_longer(self._short_record(skeleton))
            or self._adds_attributes(skeleton)
            or (entities and self._entities_of(skeleton).make_more(payload, bounds.entity_bytes))
        )

    def suspects_tree(self, skeleton: Skeleton, parsed: Parsed) -> bool:
        """Whether one of these records, parsed within libxml2's bounds, is beyond the limit on depth."""
        allowed = self._bounds.depth - skeleton.depth
        return self._bounds.depth < PLAIN_DEPTH and any(_depth(record) > allowed for record in parsed.records)

    def check_bytes(self, skeleton: Skeleton, record: bytes) -> None:
        """What can be told before a tree is made, which may be large. Raises ParseFailure."""
        bounds = self._bounds
        if self._wide.search(record) is not None:
            tags = (tag[0] for tag in _TAG.finditer(_NO_TAGS.sub(b"", record)))
            wide = (len(_ATTRIBUTE.findall(tag)) for tag in tags if len(tag) > self._wide_bytes)
            self._check_attributes(max(wide, default=0))
        if self._adds_attributes(skeleton):
            # To make them takes the square of their number, in each element.
            for name, number in self._defaults_of(skeleton).items():
                if number > bounds.attributes and re.search(rb"<" + re.escape(name) + rb"[\s/>]", record):
                    self._check_attributes(number)
        if b"<!ENTITY" in skeleton.subset and b"&" in record:
            made = self._entities_of(skeleton).expanded(_NO_TAGS.sub(b"", record))
            if made > bounds.entity_bytes:
                found = f"{made:,}" if made < ENDLESS else f"more than {ENDLESS:,}"
                raise ParseFailure(
                    ENTITY_LIMIT,
                    f"Its entities make {found} bytes; limits.entity_bytes allows {bounds.entity_bytes:,}.",
                    0,
                )

    def check_tree(self, skeleton: Skeleton, parsed: Parsed, size: int) -> None:
        """What only the tree shows of one record of `size` bytes. Raises ParseFailure."""
        bounds = self._bounds
        (record,) = parsed.records
        if parsed.huge or bounds.depth < PLAIN_DEPTH:
            depth = skeleton.depth + _depth(record)
            if depth > bounds.depth:
                raise ParseFailure(
                    TOO_DEEP,
                    f"{depth:,} elements are nested in each other; limits.depth allows {bounds.depth:,}.",
                    0,
                )
        if size > self._short_record(skeleton):
            longest = max(_utf8_length(text, bounds.text_bytes) for text in _texts(record))
            if longest > bounds.text_bytes:
                raise ParseFailure(
                    TEXT_TOO_LONG,
                    f"A text or attribute has {longest:,} bytes; limits.text_bytes allows {bounds.text_bytes:,}.",
                    0,
                )
        if self._adds_attributes(skeleton):
            self._check_attributes(max(len(element.attrib) for element in record.iter()))

    def _check_attributes(self, found: int) -> None:
        allowed = self._bounds.attributes
        if found > allowed:
            raise ParseFailure(
                TOO_MANY_ATTRIBUTES, f"An element has {found:,} attributes; limits.attributes allows {allowed:,}.", 0
            )

    def _short_record(self, skeleton: Skeleton) -> int:
        """Bytes of a record in which no text can be too long, since none is longer than what it is made of."""
        # Entities and declared attributes make so many bytes at most, or 5 times the input.
        allowed = self._bounds.text_bytes
        return max(0, (allowed - Bounds.entity_bytes) // 6) if skeleton.subset else allowed

    def _adds_attributes(self, skeleton: Skeleton) -> bool:
        """Whether the document type may add too many attributes to an element."""
        return len(skeleton.subset) > self._wide_bytes and b"<!ATTLIST" in skeleton.subset

    def _defaults_of(self, skeleton: Skeleton) -> dict[bytes, int]:
        if self._defaults[0] != skeleton.subset:
            found: dict[bytes, int] = {}
            for declared in _ATTLIST.finditer(skeleton.subset):
                found[declared[1]] = found.get(declared[1], 0) + len(_DEFAULT.findall(declared[2]))
            self._defaults = skeleton.subset, found
        return self._defaults[1]

    def _entities_of(self, skeleton: Skeleton) -> Entities:
        if self._entities is None or self._entities.subset != skeleton.subset:
            self._entities = Entities(skeleton.subset)
        return self._entities


def _depth(element: Any) -> int:
    """Levels of elements, its own included."""
    depth, level = 0, [element]
    while level:
        depth += 1
        level = [child for parent in level for child in parent]
    return depth


def _texts(record: Any) -> Any:
    for element in record.iter():
        yield element.text or ""
        yield element.tail or ""
        yield from element.attrib.values()


def _utf8_length(text: str, limit: int) -> int:
    """Bytes of a text that may be longer than the limit, 0 of one that cannot."""
    return len(text.encode("utf-8", "surrogatepass")) if _MAX_UTF8 * len(text) > limit else 0
