"""A table's `where`: compiled to a function that says of elements for which of them it holds.

What the quick form can say is worked out by walking to the nodes it names, with XPath 1.0's meaning; the rest is asked
of lxml. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etl.mapping.model import AllOf, AnyOf, Compare, Condition, Exists, Not
from etl.mapping.paths import ValuePath, XPath
from etl.transform.elements import Element, ancestor, select, string_value
from etl.transform.name_tests import qualified
from etl.transform.xpaths import truth_of

Where = Callable[[Sequence[Element]], list[bool]]
"""Of elements, for which it holds; it raises XPathFailure where an XPath in it fails."""

_FromStart = Callable[[Element], bool]
"""Whether one path's condition holds, asked of the element to which the path goes up first."""
_Answers = dict[tuple[_FromStart, Element], bool]
_Test = Callable[[Element, _Answers], bool]


def compile_condition(condition: Condition) -> Where:
    """The condition as a function of elements."""
    test = _test(condition)

    def where(elements: Sequence[Element]) -> list[bool]:
        answers: _Answers = {}
        return [test(element, answers) for element in elements]

    return where


def _test(condition: Condition) -> _Test:
    match condition:
        case Exists(path):
            return _from_element(path, _exists(path))
        case Compare(path, literal, equal):
            return _from_element(path, _compare(path, literal, equal))
        case Not(inner):
            test = _test(inner)
            return lambda element, answers: not test(element, answers)
        case AllOf(conditions):
            tests = [_test(one) for one in conditions]
            return lambda element, answers: all(test(element, answers) for test in tests)
        case AnyOf(conditions):
            tests = [_test(one) for one in conditions]
            return lambda element, answers: any(test(element, answers) for test in tests)
        case XPath():
            truth = truth_of(condition)
            return lambda element, _: truth(element)


def _from_element(path: ValuePath, holds: _FromStart) -> _Test:
    up = path.up
    if not up:
        return lambda element, _: holds(element)

    def test(element: Element, answers: _Answers) -> bool:
        start = ancestor(element, up)
        if start is None:
            return False
        answer = answers.get((holds, start))
        if answer is None:
            # Kept, or each of a million siblings would walk over all the others.
            answer = answers[holds, start] = holds(start)
        return answer

    return test


def _exists(path: ValuePath) -> _FromStart:
    if path.attribute is not None:
        name = qualified(path.attribute)
        if not path.steps:
            return lambda start: start.get(name) is not None
        return lambda start: any(one.get(name) is not None for one in select(start, path))
    return lambda start: bool(select(start, path))


def _compare(path: ValuePath, literal: str, equal: bool) -> _FromStart:
    if path.attribute is not None:
        name = qualified(path.attribute)
        if equal:
            return lambda start: any(one.get(name) == literal for one in select(start, path))
        return lambda start: any(one.get(name) not in (None, literal) for one in select(start, path))
    return lambda start: any((string_value(one) == literal) is equal for one in select(start, path))
