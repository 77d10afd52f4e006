"""The path language of the mapping: parsing and the parsed form. What a path may say is in `etl docs mapping`.

A name is matched by namespace and local name. `namespace` None means any namespace (``{*}name`` or ``*``), "" means
none. `name` None means any name (``*``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NameTest:
    """Which element or attribute names a step accepts."""

    namespace: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """The predicate ``[@name='value']``."""

    attribute: NameTest
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: a child element with that name for which all tests hold."""

    element: NameTest
    tests: tuple[AttributeTest, ...] = ()
    position: int | None = None
    """The predicate ``[n]``: the n-th (from 1) among the siblings that the name test and the tests before it accept."""


@dataclass(frozen=True, slots=True)
class RecordPath:
    """An absolute `each`: one record per element it matches.

    ``/a/b`` has steps a, b counted from the document node. ``//b`` (`anywhere`) has the single step b and means the
    outermost elements of that name. Positions cannot occur: they would depend on where the document is cut.
    """

    text: str
    steps: tuple[Step, ...]
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A path from a table's element to a value, or to the elements of a child table.

    First `up` steps to ancestors (``..``), then `steps` down, then `leaf` says what is taken of the last element:
    its string value (all text below it), its own text nodes, or an attribute.
    """

    text: str
    up: int = 0
    steps: tuple[Step, ...] = ()
    leaf: Literal["string", "text", "attribute"] = "string"
    attribute: NameTest | None = None


@dataclass(frozen=True, slots=True)
class XPath:
    """XPath 1.0 beyond the paths above: evaluated by lxml, on one record at a time with nothing around it but its
    ancestors and their attributes."""

    text: str
    namespaces: tuple[tuple[str, str], ...] = ()
    """Prefixes and what they stand for."""


XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"
XSI_NIL = f"{{{XSI_NAMESPACE}}}nil"
"""The attribute by which an element is NULL, as lxml writes it."""

XML_WHITE_SPACE = " \t\r\n"
"""What XML takes for white space; Python's own idea of it is wider."""


def local_name(name: str) -> str:
    """A tag or an attribute's name as lxml writes it (``{namespace}name``), without its namespace."""
    return name.rpartition("}")[2]


VALUE_PATH_SYNTAX = (
    "steps name, p:name, p:*, {*}name, * and . joined by /, .. at the beginning, [@a='v'] and [n] behind a step, "
    "and @attr or text() at the end"
)
RECORD_PATH_SYNTAX = (
    "/name/name with steps name, p:name, p:*, {*}name, * and [@a='v'] behind a step, "
    "or //name (also //p:name, //{*}name), the outermost elements of that name"
)
DOCUMENT_PATH_SYNTAX = (
    "/name/name with steps name, p:name, p:*, {*}name, * and [@a='v'] behind a step, and @attr or text() at the end"
)

# [A-Za-z_\u00c0-\U0010ffff][A-Za-z0-9_.\-\u00b7-\U0010ffff]*, told by what is left out: Python takes milliseconds to
# compile each set that reaches beyond one byte.
NAME_PATTERN = r"[^\x00-@\[-\^`{-\xbf][^\x00-,/:-@\[-\^`{-\xb6]*"
_STEP = re.compile(
    rf"(?P<any>\{{\*\}}(?P<any_name>{NAME_PATTERN}|\*))"
    rf"|(?P<prefix>{NAME_PATTERN}):(?P<prefixed>{NAME_PATTERN}|\*)"
    rf"|(?P<plain>{NAME_PATTERN})|(?P<star>\*)"
)
_ATTRIBUTE_TEST = re.compile(r"""\s*@(?P<name>[^\s=!<>'"\]]+)\s*=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*\]""")
_POSITION_TEST = re.compile(r"\s*(?P<number>[0-9]+)\s*\]")


def parse_record_path(text: str, namespaces: Mapping[str, str]) -> RecordPath:
    """Parse an absolute `each`; `namespaces` gives the namespace of each prefix.

    Raises ValueError with the position (from 1) of what cannot stand there and what is allowed.
    """
    scanner = _Scanner(text, namespaces, RECORD_PATH_SYNTAX)
    anywhere = scanner.take("//")
    if not anywhere and not scanner.take("/"):
        raise scanner.error("an absolute path begins with / or //")
    steps = [scanner.step(positions=False)]
    if anywhere and (steps[0].tests or steps[0].element.name is None):
        raise scanner.error("// takes a name without predicates")
    while scanner.take("/"):
        if anywhere:
            raise scanner.error("//name stands alone", back=1)
        steps.append(scanner.step(positions=False))
    scanner.expect_end()
    return RecordPath(text=text, steps=tuple(steps), anywhere=anywhere)


def parse_value_path(text: str, namespaces: Mapping[str, str]) -> ValuePath:
    """Parse a path relative to a table's element; errors as in `parse_record_path`."""
    scanner = _Scanner(text, namespaces, VALUE_PATH_SYNTAX)
    up = 0
    steps: list[Step] = []
    while True:
        if scanner.take(".."):
            if steps:
                raise scanner.error(".. can stand only at the beginning", back=2)
            up += 1
        elif scanner.take("."):
            pass
        elif scanner.take("text()"):
            scanner.expect_end()
            return ValuePath(text=text, up=up, steps=tuple(steps), leaf="text")
        elif scanner.take("@"):
            attribute = scanner.attribute_name()
            scanner.expect_end()
            return ValuePath(text=text, up=up, steps=tuple(steps), leaf="attribute", attribute=attribute)
        else:
            steps.append(scanner.step(positions=True))
        if not scanner.take("/"):
            scanner.expect_end()
            return ValuePath(text=text, up=up, steps=tuple(steps))


def parse_document_path(text: str, namespaces: Mapping[str, str]) -> ValuePath:
    """Parse a path from the document's root to a value: its first step is the root. Errors: see `parse_record_path`."""
    scanner = _Scanner(text, namespaces, DOCUMENT_PATH_SYNTAX)
    if not text.startswith("/"):
        raise scanner.error("with `scope: document` a path begins at the document's root, with /")
    steps: list[Step] = []
    while scanner.take("/"):
        if steps and scanner.take("text()"):
            scanner.expect_end()
            return ValuePath(text=text, steps=tuple(steps), leaf="text")
        if steps and scanner.take("@"):
            attribute = scanner.attribute_name()
            scanner.expect_end()
            return ValuePath(text=text, steps=tuple(steps), leaf="attribute", attribute=attribute)
        steps.append(scanner.step(positions=False))
    scanner.expect_end()
    return ValuePath(text=text, steps=tuple(steps))


class _Scanner:
    """A place in a path, moving right."""

    def __init__(self, text: str, namespaces: Mapping[str, str], syntax: str) -> None:
        self.text = text
        self.namespaces = namespaces
        self.syntax = syntax
        self.place = 0

    def error(self, problem: str, back: int = 0) -> ValueError:
        return ValueError(f"position {self.place - back + 1}: {problem}; allowed: {self.syntax}")

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.place):
            return False
        self.place += len(token)
        return True

    def expect_end(self) -> None:
        if self.place < len(self.text):
            raise self.error(f"{self.text[self.place :]!r} cannot stand here")

    def step(self, *, positions: bool) -> Step:
        match = _STEP.match(self.text, self.place)
        if match is None or self.text.startswith(("(", "::"), match.end()):
            rest = self.text[self.place :]
            raise self.error(f"{rest!r} cannot stand here" if rest else "a name is missing at the end")
        element = self._name_test(match)
        self.place = match.end()
        tests: list[AttributeTest] = []
        while self.take("["):
            if found := _ATTRIBUTE_TEST.match(self.text, self.place):
                value = found["single"] if found["single"] is not None else found["double"]
                tests.append(AttributeTest(self._attribute_test_name(found["name"]), value))
                self.place = found.end()
            elif found := _POSITION_TEST.match(self.text, self.place):
                position = int(found["number"]) if len(found["number"]) < 10 else 0
                if not positions:
                    raise self.error("a position among records would depend on where the document is cut")
                if position < 1:
                    raise self.error("positions count from 1")
                self.place = found.end()
                if self.take("["):
                    raise self.error("nothing can follow a position", back=1)
                return Step(element, tuple(tests), position)
            else:
                raise self.error("this predicate cannot stand here")
        return Step(element, tuple(tests))

    def attribute_name(self) -> NameTest:
        match = _STEP.match(self.text, self.place)
        if match is None:
            raise self.error("an attribute's name is missing")
        name = self._attribute_name(match)
        self.place = match.end()
        return name

    def _attribute_test_name(self, text: str) -> NameTest:
        match = _STEP.fullmatch(text)
        if match is None:
            raise self.error(f"{text!r} is not an attribute's name")
        return self._attribute_name(match)

    def _attribute_name(self, match: re.Match[str]) -> NameTest:
        test = self._name_test(match)
        if test.namespace is None or test.name is None:
            raise self.error(f"an attribute needs its exact name (found {match[0]!r})")
        return test

    def _name_test(self, match: re.Match[str]) -> NameTest:
        if match["any"]:
            return NameTest(None, None if match["any_name"] == "*" else match["any_name"])
        if match["star"]:
            return NameTest(None, None)
        if match["plain"]:
            return NameTest("", match["plain"])
        prefix = match["prefix"]
        namespace = XML_NAMESPACE if prefix == "xml" else self.namespaces.get(prefix)
        if namespace is None:
            declared = ", ".join(sorted(self.namespaces)) or "none"
            raise self.error(f"the prefix {prefix!r} is not declared under `namespaces` (declared: {declared})")
        return NameTest(namespace, None if match["prefixed"] == "*" else match["prefixed"])
