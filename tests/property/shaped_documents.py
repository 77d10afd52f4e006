"""Documents of many shapes, in which every text and every attribute value occurs once, so that each can be looked for.

`shaped_documents()` is the Hypothesis strategy. Texts are t1, t2, ..., attribute values a1, a2, ..., in document order;
names are few, so that they repeat beside, around and inside each other, and some are plurals of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st

NAMES = (
    "items",
    "item",
    "person",
    "people",
    "tag",
    "tags",
    "name",
    "id",
    "b",
    "Title",
    "MeshHeadingList",
    "row",
    "n:x",
)
ATTRIBUTES = ("id", "name", "type", "n:ref", "xml:lang", "Key", "seq", "record_id")
MARKS = re.compile(r"\b[ta][0-9]+\b")
"""Texts and attribute values."""


@dataclass
class Node:
    """An element before it is written."""

    name: str
    attributes: list[str] = field(default_factory=list)
    texts: list[bool] = field(default_factory=list)
    """Whether there is text before the first child, behind it, ..."""
    children: list[Node] = field(default_factory=list)

    def copies(self, number: int) -> list[Node]:
        return [self] * number


def written(root: Node, namespace: str = "") -> str:
    """The document."""
    declared = ' xmlns:n="urn:n"' + (f' xmlns="{namespace}"' if namespace else "")
    return "".join(_write(root, declared, count(1), count(1)))


def _write(node: Node, declared: str, texts: Iterator[int], values: Iterator[int]) -> Iterator[str]:
    yield f"<{node.name}{declared}"
    for name in node.attributes:
        yield f' {name}="a{next(values)}"'
    yield ">"
    for place in range(len(node.children) + 1):
        if place and place <= len(node.children):
            yield from _write(node.children[place - 1], "", texts, values)
        if place < len(node.texts) and node.texts[place]:
            yield f" t{next(texts)} "
    yield f"</{node.name}>\n"


@st.composite
def nodes(draw: st.DrawFn, depth: int = 4) -> Node:
    """An element; likely with children, which are likely of few kinds and repeated."""
    name = draw(st.sampled_from(NAMES))
    attributes = draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=2, unique=True))
    children: list[Node] = []
    if depth:
        for child in draw(st.lists(nodes(depth - 1), max_size=3)):
            children += child.copies(draw(st.sampled_from([1, 1, 1, 2, 3])))
        if draw(st.booleans()):
            children = draw(st.permutations(children))
    return Node(name, attributes, draw(_texts(len(children))), children)


def _texts(children: int) -> st.SearchStrategy[list[bool]]:
    """Of an element without children often, between children seldom."""
    if not children:
        return st.lists(st.booleans(), min_size=1, max_size=1)
    mixed = st.lists(st.booleans(), min_size=children + 1, max_size=children + 1)
    return st.one_of(st.just([]), st.just([]), st.just([]), mixed)


def shaped_documents() -> st.SearchStrategy[str]:
    """A document."""
    return st.builds(written, nodes(), st.sampled_from(["", "", "urn:other", "http://example.org/things/1.0"]))
