"""Whole elements into their tallies, level by level: all elements of one depth at once, whatever their paths are.

What is done for each element is one step of C code in a `map`, not a line of Python, wherever that is possible; this is
what makes a survey as fast as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, islice, repeat
from operator import attrgetter, getitem
from typing import Any

from lxml import etree

from etl.inference.tally import Shapes, Tally
from etl.mapping.paths import XML_WHITE_SPACE

_tag, _text, _tail = attrgetter("tag"), attrgetter("text"), attrgetter("tail")
_items: Any = etree._Element.items
"""Called by itself, it takes a third of the time that `methodcaller` does."""


@dataclass(slots=True)
class Level:
    """Elements of one depth, in the order of the document."""

    elements: list[Any] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)

    def extend(self, other: Level) -> None:
        """Put those of `other` behind."""
        self.elements += other.elements
        self.tallies += other.tallies

    def remove_first(self) -> None:
        """Take out the first one."""
        del self.elements[0], self.tallies[0]

    def remove(self, tally: Tally) -> None:
        """Take out those with that tally."""
        keep = [other is not tally for other in self.tallies]
        self.elements = list(compress(self.elements, keep))
        self.tallies = list(compress(self.tallies, keep))


def is_blank(text: str | None) -> bool:
    """Whether there is nothing but white space."""
    return not text or not text.strip(XML_WHITE_SPACE)


def children_of(element: Any, tally: Tally, end: int | None = None) -> Level:
    """The children that an element has, up to one."""
    elements = element[:end]
    return Level(elements, [tally.children[child.tag] for child in elements])


def count_attributes(tallies: Iterable[Tally], attributes: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Take in the attributes of elements."""
    for tally, pairs in zip(tallies, attributes, strict=True):
        if pairs:
            known = tally.attributes
            for name, value in pairs:
                known[name].append(value)


def take_level(level: Level, shapes: Shapes) -> Level:
    """Count whole elements, and return their children."""
    elements, tallies = level.elements, level.tallies
    lengths = list(map(len, elements))
    texts = list(map(_text, elements))
    count_attributes(tallies, map(_items, elements))
    for tally, text, length in zip(tallies, texts, lengths, strict=True):
        if length:
            tally.inner += 1
        else:
            tally.texts.append(text)
    parents = list(compress(tallies, lengths))
    if not parents:
        return Level()
    children = list(chain.from_iterable(compress(elements, lengths)))
    lengths_of_parents = list(filter(None, lengths))
    owners = chain.from_iterable(map(repeat, [parent.children for parent in parents], lengths_of_parents))
    below = Level(children, list(map(getitem, owners, map(_tag, children))))
    position = iter(below.tallies)
    shapes.update(tuple(islice(position, length)) for length in lengths_of_parents)
    _count_mixed(parents, list(compress(texts, lengths)), list(map(_tail, children)), lengths_of_parents)
    return below


def _count_mixed(
    parents: Sequence[Tally], texts: Sequence[str | None], tails: Sequence[str | None], lengths: Sequence[int]
) -> None:
    if not (any(texts) or any(tails)):
        return
    position = iter(tails)
    for parent, text, length in zip(parents, texts, lengths, strict=True):
        own = [text, *islice(position, length)]
        if not all(map(is_blank, own)):
            parent.profile.mixed += 1
