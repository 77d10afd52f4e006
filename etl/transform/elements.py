"""What is read from an element: its string value, its own text, its markup, and what a path leads to from it.

Elements of lxml trees go in, texts come out. The paths here are followed one element at a time; what a table wants of
all its elements is read in one pass (`compile`, `data_mapper`). Runs in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import islice
from typing import Any

from lxml import etree

from etl.mapping.paths import XML_WHITE_SPACE, XSI_NAMESPACE, XSI_NIL, Step, ValuePath
from etl.transform.name_tests import attribute_tests, qualified, tag_pattern

NULL = "\x03"
"""NULL among texts: a character that no XML document can contain."""

NIL = "\x03nil"
"""An element with ``xsi:nil``: found, and NULL."""

Element = Any
"""An lxml element: typed so because the stubs make `tag` and `text` unions that cannot occur in our trees."""

Reader = Callable[[Element], Any]
"""Takes from an element what a column wants of it."""

_NIL_ELEMENTS = etree.XPath("descendant-or-self::*[@xsi:nil]", namespaces={"xsi": XSI_NAMESPACE})
_TAG_NAME = re.compile(r"<[^\s/>]+")


def is_nil(element: Element) -> bool:
    """Whether the element says ``xsi:nil="true"``."""
    return (element.get(XSI_NIL) or "").strip(XML_WHITE_SPACE) in ("true", "1")


def empty_nil_elements(record: Element) -> bool:
    """Take out what stands in elements with ``xsi:nil``; whether there are any."""
    found = False
    elements: Any = _NIL_ELEMENTS(record)
    for element in elements:
        if is_nil(element):
            found = True
            for child in list(element):
                element.remove(child)
            element.text = None
    return found


def string_value(element: Element) -> str:
    """All text below the element."""
    return "".join(element.itertext()) if len(element) else element.text or ""


def own_text(element: Element) -> str:
    """The element's own text nodes."""
    return (element.text or "") + "".join(child.tail or "" for child in element) if len(element) else element.text or ""


def read_string(element: Element) -> str:
    """The string value, or NIL."""
    return string_value(element) or _nil_or_empty(element)


def read_text(element: Element) -> str:
    """The own text, or NIL."""
    return own_text(element) or _nil_or_empty(element)


def read_markup(element: Element) -> str:
    """The element as XML that stands alone: with the namespaces it uses, without what follows it. Or NIL."""
    if is_nil(element):
        return NIL
    from xml.sax.saxutils import quoteattr  # comes with half of the standard library's web client

    # A copy carries along what the names in it need; whatever else its ancestors declare would be on every value.
    text = etree.tostring(deepcopy(element), encoding="unicode", with_tail=False)
    for prefix, namespace in element.nsmap.items():
        # Prefixes are also used where XML itself does not know of it: xsi:type="xs:date".
        if prefix and f"{prefix}:" in text and f" xmlns:{prefix}=" not in text:
            declaration = f" xmlns:{prefix}={quoteattr(namespace)}"
            end = _TAG_NAME.match(text).end()  # type: ignore[union-attr]  # it begins with a start tag
            text = text[:end] + declaration + text[end:]
    return text


def pair_reader(key: ValuePath, value: ValuePath) -> Reader:
    """Reads a key and the values that belong to it: ``(key, [values])``, from an element that stands for one entry."""

    def read(element: Element) -> tuple[str, list[str]]:
        keys = values(element, key)
        return keys[0] if keys and keys[0] != NIL else "", values(element, value)

    return read


def _nil_or_empty(element: Element) -> str:
    # An element with xsi:nil was emptied before anything looked at it.
    return NIL if is_nil(element) else ""


def ancestor(element: Element, up: int) -> Element | None:
    """The element `up` steps above, None where there is none."""
    for _ in range(up):
        if element is None:
            return None
        element = element.getparent()
    return element


def select(start: Element, path: ValuePath) -> list[Element]:
    """The elements that a path's steps down lead to from `start`, in document order; its leaf does not matter here."""
    found = [start]
    for step in path.steps:
        found = [child for parent in found for child in _children(parent, step)]
    return found


def values(element: Element, path: ValuePath) -> list[str]:
    """The values that a path without `..` finds from an element, as columns take them; NIL where one has none."""
    found = select(element, path)
    if path.attribute is not None:
        name = qualified(path.attribute)
        return [text for one in found if (text := one.get(name)) is not None]
    read = read_text if path.leaf == "text" else read_string
    return [read(one) for one in found]


def _children(element: Element, step: Step) -> Iterable[Element]:
    children: Iterable[Element] = element.iterchildren(tag_pattern(step.element))
    tests = attribute_tests(step)
    if tests:
        children = (child for child in children if all(child.get(name) == value for name, value in tests))
    if step.position is None:
        return children
    return islice(children, step.position - 1, step.position)
