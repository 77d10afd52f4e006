"""XPath 1.0 beyond the mapping's own paths: compiled once in each worker, evaluated by lxml on one element.

What an XPath may see is not settled here: the mapper puts each record alone among its ancestors (`isolation`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lxml import etree

from etl.mapping.paths import XPath
from etl.mapping.xpath import compiled
from etl.transform.elements import Element, Reader

XPATH_FAILED = "xpath_failed"

_LITERALS = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAMES = re.compile(r"(?<![\w.\-])[^\W\d][\w.\-]*+(?!\s*(?:\(|::))")
"""Names, but those of functions and axes."""
_PREDICATE = re.compile(r"\[[^\[\]]*\]")
_ANY_NAME = re.compile(r"(?:^|[/|(:,])\s*(?:\*|node\s*\()")


class XPathFailure(Exception):
    """An XPath gave no result for an element, or not one that can be used; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def values_of(xpath: XPath, read: Reader, *, elements_only: bool = False) -> Callable[[Element], list[Any]]:
    """A function from an element to the values the XPath finds there; it raises XPathFailure.

    `read` takes the value of an element found. `elements_only`: other nodes and values are a failure.
    """
    evaluate = _evaluation(xpath)

    def values(element: Element) -> list[Any]:
        result = evaluate(element)
        if isinstance(result, list):
            return [_node_value(xpath, node, read, elements_only) for node in result]
        if elements_only:
            raise XPathFailure(f"{xpath.text!r} gives {_kind(result)} where elements are wanted")
        return [_text(result)]

    return values


def elements_of(xpath: XPath) -> Callable[[Element], list[Element]]:
    """A function from an element to the elements the XPath finds below it; it raises XPathFailure."""
    found = values_of(xpath, lambda element: element, elements_only=True)

    def elements(element: Element) -> list[Element]:
        below = found(element)
        for one in below:
            if element not in one.iterancestors():
                raise XPathFailure(f"{xpath.text!r} leads to <{one.tag}>, which is not below <{element.tag}>")
        return below

    return elements


def truth_of(xpath: XPath) -> Callable[[Element], bool]:
    """A function that gives the XPath's boolean value for an element; it raises XPathFailure."""
    evaluate = _evaluation(xpath)

    def truth(element: Element) -> bool:
        result = evaluate(element)
        return not math.isnan(result) and result != 0 if isinstance(result, float) else bool(result)

    return truth


def names_in(xpath: XPath) -> set[str]:
    """Names that the XPath may look at, without their namespaces."""
    return set(_NAMES.findall(_LITERALS.sub("", xpath.text)))


def looks_at_all(xpath: XPath) -> bool:
    """Whether it has a step for elements of any name, outside of predicates."""
    text, found = _LITERALS.sub("", xpath.text), 1
    while found:
        text, found = _PREDICATE.subn("", text)
    return _ANY_NAME.search(text) is not None


def _evaluation(xpath: XPath) -> Callable[[Element], Any]:
    evaluate = compiled(xpath)

    def evaluation(element: Element) -> Any:
        try:
            return evaluate(element)
        except etree.XPathError as error:
            raise XPathFailure(f"{xpath.text!r} cannot be worked out here: {error}") from None

    return evaluation


def _node_value(xpath: XPath, node: Element | str, read: Reader, elements_only: bool) -> Any:
    if not isinstance(node, str):
        return read(node)
    if elements_only:
        raise XPathFailure(f"{xpath.text!r} gives {_kind(node)} where elements are wanted")
    return node


def _kind(result: bool | float | str) -> str:
    match result:
        case bool():
            return "a boolean"
        case float():
            return "a number"
        case str():
            return "text"


def _text(result: bool | float | str) -> str:
    if isinstance(result, bool):
        return "true" if result else "false"
    return number_text(result) if isinstance(result, float) else result


def number_text(number: float) -> str:
    """A number as XPath's `string()` writes it: no exponent, and no fraction where it has none.

    Fractions have 15 significant digits, which every double holds: more of them would show how 1.1 * 3 was computed.
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    # Negative zero is written 0.
    return str(int(number)) if number.is_integer() else format(Decimal(f"{number:.15g}"), "f")
