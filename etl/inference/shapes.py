"""What kind of thing an element is, judging by all that were seen with its path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.inference.profile import ElementProfile
from etl.inference.values import ValueProfile
from etl.inference.words import is_plural_of, name_of
from etl.mapping.paths import XSI_NIL

SMALL = 2**20
"""Bytes below which an element is taken in as one record; a worker holds a whole record, and gets one at a time."""


def attributes_of(element: ElementProfile) -> dict[str, ValueProfile]:
    """Its attributes that hold data: all but what says that an element is NULL."""
    return {name: values for name, values in element.attributes.items() if name != XSI_NIL}


def is_leaf(element: ElementProfile) -> bool:
    """None of them has child elements."""
    return not element.children and not element.others


def is_bare(element: ElementProfile) -> bool:
    """They hold text or nothing, and no attributes."""
    return is_leaf(element) and not attributes_of(element)


def has_text(element: ElementProfile) -> bool:
    """Some of them have text of their own."""
    return bool(element.mixed or element.text.count > element.text.empty)


def holds_data(element: ElementProfile) -> bool:
    """There is text or an attribute in some of them, at any depth."""
    return any(has_text(inner) or attributes_of(inner) for inner in (element, *descendants(element)))


def says_something(element: ElementProfile) -> bool:
    """They have values of their own, beside what repeats in them."""
    singles = (child for child in element.children.values() if child.most <= 1 and not repeats_below(child))
    return bool(has_text(element) or attributes_of(element)) or any(map(holds_data, singles))


def single_values(elements: Iterable[ElementProfile]) -> Iterator[ValueProfile]:
    """Texts and attributes of elements and of what occurs once in each of them, at any depth."""
    for element in elements:
        yield element.text
        yield from attributes_of(element).values()
        yield from single_values(child for child in element.children.values() if child.most <= 1)


def is_prose(element: ElementProfile) -> bool:
    """Text with markup in it: most of those with child elements have text around them."""
    return element.mixed * 2 > element.count - element.leaves


def is_inline(element: ElementProfile) -> bool:
    """Markup as it stands in prose: no element in it has a structure of its own."""
    return is_leaf(element) or (is_prose(element) and all(map(is_inline, element.children.values())))


def carries_attributes_below(element: ElementProfile) -> bool:
    """Some element in it has attributes (or may have: not all were remembered)."""
    return bool(element.others) or any(
        attributes_of(child) or carries_attributes_below(child) for child in element.children.values()
    )


def is_wrapper_of(element: ElementProfile, child: ElementProfile) -> bool:
    """The element is there to hold elements of the child's kind, though only one may have been seen in it."""
    return len(element.children) == 1 and not element.mixed and is_plural_of(name_of(element.tag), name_of(child.tag))


def is_choice(element: ElementProfile) -> bool:
    """They say nothing, and each holds one thing, of different kinds: these are what there are many of."""
    children = element.children.values()
    if element.leaves or element.others or element.mixed or attributes_of(element) or is_recursive(element):
        return False
    if any(child.most > 1 for child in children) or sum(child.parents for child in children) != element.count:
        return False
    if len(children) == 1:
        return any(map(is_choice, children))
    return sum(not is_bare(child) for child in children) > 1


def repeats(child: ElementProfile, parent: ElementProfile) -> bool:
    """Its elements occur, or by their names may occur, several times in one parent."""
    return child.most > 1 or is_wrapper_of(parent, child)


def repeats_below(element: ElementProfile) -> bool:
    """Some element in it occurs several times in one parent."""
    return any(repeats(child, element) or repeats_below(child) for child in element.children.values())


def is_recursive(element: ElementProfile) -> bool:
    """Elements of its own name stand in it."""
    return any(inner.tag == element.tag and not is_bare(inner) for inner in descendants(element))


def descendants(element: ElementProfile) -> Iterator[ElementProfile]:
    waiting = list(element.children.values())
    while waiting:
        inner = waiting.pop()
        yield inner
        waiting += inner.children.values()


def mean_bytes(element: ElementProfile) -> float:
    """Bytes of one of them; 0 where they are too small to have been measured."""
    return element.bytes / max(element.count, 1)
