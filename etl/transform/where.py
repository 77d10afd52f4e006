"""A table's `where`: compiled to a function that says of an element whether it holds.

What the quick form can say is worked out by walking to the nodes it names, with XPath 1.0's meaning; the rest is asked
of lxml. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from etl.mapping.model import AllOf, AnyOf, Compare, Condition, Exists, Not
from etl.mapping.paths import ValuePath, XPath
from etl.transform.elements import Element, select, string_value
from etl.transform.name_tests import qualified
from etl.transform.xpaths import truth_of

Test = Callable[[Element], bool]


def compile_condition(condition: Condition) -> Test:
    """The condition as a function of an element; it raises XPathFailure where an XPath in it fails."""
    match condition:
        case Exists(path):
            return _exists(path)
        case Compare(path, literal, equal):
            return _compare(path, literal, equal)
        case Not(inner):
            test = compile_condition(inner)
            return lambda element: not test(element)
        case AllOf(conditions):
            tests = [compile_condition(one) for one in conditions]
            return lambda element: all(test(element) for test in tests)
        case AnyOf(conditions):
            tests = [compile_condition(one) for one in conditions]
            return lambda element: any(test(element) for test in tests)
        case XPath():
            return truth_of(condition)


def _exists(path: ValuePath) -> Test:
    if path.attribute is not None:
        name = qualified(path.attribute)
        if not path.up and not path.steps:
            return lambda element: element.get(name) is not None
        return lambda element: any(one.get(name) is not None for one in select(element, path))
    if path.leaf == "text":
        return lambda element: any(_text_nodes(one) for one in select(element, path))
    return lambda element: bool(select(element, path))


def _compare(path: ValuePath, literal: str, equal: bool) -> Test:
    if path.attribute is not None:
        name = qualified(path.attribute)
        if equal:
            return lambda element: any(one.get(name) == literal for one in select(element, path))
        return lambda element: any(one.get(name) not in (None, literal) for one in select(element, path))
    if path.leaf == "text":
        return lambda element: any(
            (text == literal) is equal for one in select(element, path) for text in _text_nodes(one)
        )
    return lambda element: any((string_value(one) == literal) is equal for one in select(element, path))


def _text_nodes(element: Element) -> Sequence[Any]:
    """The text nodes of an element: what stands between its children, one by one."""
    return [text for text in (element.text, *(child.tail for child in element)) if text]
