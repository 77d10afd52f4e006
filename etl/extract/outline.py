"""The elements that stand open around records, and what their children are: records, parents of records, or neither.

Each start tag outside of records is looked up here. A name seen before under the same parents costs one dictionary
look-up; a new one, one with namespace declarations, and one whose attributes a path asks for are read by
the same parser that reads the records later, so that both see the same names and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from lxml import etree

from etl.extract.markup import ElementRule, element_rule
from etl.mapping.paths import NameTest, RecordPath, Step
from etl.messages import Skeleton

_MAX_KEY_BYTES = 4096
"""Start tags up to this size are remembered: longer ones, each of them another, would fill the memory."""

_MAX_PATH = 1000
"""Characters of a path that a person is told."""

_MAX_CHILDREN = 4096
"""Kinds of children remembered for a parent; start tags with namespace declarations may all differ."""

MAX_PLAIN_NAMES = 256
"""More kinds of records than any dump has; each is compared with the names that follow."""


@dataclass(frozen=True, slots=True)
class HeaderPath:
    """A path to what is wanted of a document before its first record; its first step is the root."""

    steps: tuple[Step, ...]
    attribute: NameTest | None
    """What is wanted of the element; None: all of it."""
    text: str
    place: str
    """Where the mapping has it, as a message begins."""


@dataclass
class Place:
    """The children of one kind of open element."""

    depth: int
    paths: tuple[RecordPath, ...]
    """Those whose steps up to here hold."""
    header: tuple[HeaderPath, ...] = ()
    """The same, of those that lead to what is no record."""
    children: dict[bytes, Child] = field(default_factory=dict)
    """By name, or by whole start tag where the name does not decide."""
    plain_names: list[bytes] = field(default_factory=list)
    """Literal names, met so far, that are records' wherever no namespace is declared: `MAX_PLAIN_NAMES` at most."""

    @cached_property
    def tests(self) -> bool:
        """Whether attributes decide what a child is."""
        steps = [*(_step(path, self.depth) for path in self.paths), *(path.steps[self.depth] for path in self.header)]
        return any(step.tests for step in steps)

    @cached_property
    def anywhere(self) -> tuple[RecordPath, ...]:
        """Those that may be met at any depth."""
        return tuple(path for path in self.paths if path.anywhere)

    def asking_for(self, name: str) -> list[RecordPath]:
        """Paths whose next step may be an element of that local name."""
        return [*self._by_name.get(name, ()), *self._by_name.get(None, ())]

    def header_for(self, name: str) -> list[HeaderPath]:
        """The same, of `header`."""
        return [path for path in self.header if path.steps[self.depth].element.name in (None, name)]

    def add_plain(self, name: bytes) -> None:
        if len(self.plain_names) < MAX_PLAIN_NAMES and name not in self.plain_names:
            self.plain_names.append(name)

    @cached_property
    def _by_name(self) -> dict[str | None, list[RecordPath]]:
        """By the local name their next step asks for; None for any."""
        found: dict[str | None, list[RecordPath]] = {}
        for path in self.paths:
            found.setdefault(_step(path, self.depth).element.name, []).append(path)
        return found


@dataclass(frozen=True, slots=True)
class Child:
    """What an element is for the splitter."""

    action: Literal["record", "descend", "skip"]
    rule: ElementRule
    place: Place
    by_name: bool
    """Whether every element of that name without namespace declarations is the same here."""
    path: str
    """Names from the root on, for notices; the last as `{namespace}name` where its namespace is not the wanted one."""
    ended: tuple[HeaderPath, ...] = ()
    """Those that lead to it."""

    @property
    def asked(self) -> bool:
        """Whether something other than records is wanted of it."""
        return bool(self.ended or self.place.header)


@dataclass(frozen=True, slots=True)
class OpenElement:
    """An element that stands open: a parent of records, or of such parents."""

    name: bytes
    tag: bytes
    line: int
    place: Place


class Outline:
    """The stack of open elements at the point the splitter has come to."""

    def __init__(self, records: Sequence[RecordPath], header: Sequence[HeaderPath] = ()) -> None:
        self.open: list[OpenElement] = []
        self.subset = b""
        """`Skeleton.subset`."""
        self.header = b""
        """`Skeleton.header`."""
        self.root_seen = False
        self._document = Place(0, tuple(records), tuple(header))
        self._place = self._document
        self._tests = self._document.tests
        self._skeleton: Skeleton | None = None
        self._parser = etree.XMLParser(
            attribute_defaults=True,
            resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know only bool
            no_network=True,
            load_dtd=False,
            huge_tree=True,
        )

    @property
    def skeleton(self) -> Skeleton:
        """The open elements; the same object as long as none is opened or closed."""
        if self._skeleton is None:
            self._skeleton = Skeleton(
                subset=self.subset,
                open_tags=b"".join(element.tag for element in self.open),
                close_tags=b"".join(b"</" + element.name + b">" for element in reversed(self.open)),
                depth=len(self.open),
                header=self.header,
            )
        return self._skeleton

    @property
    def tests(self) -> bool:
        """Whether attributes decide what an element at this point is."""
        return self._tests

    @property
    def names(self) -> list[bytes]:
        return [element.name for element in self.open]

    @property
    def parent(self) -> bytes | None:
        """Literal name of the innermost open element."""
        return self.open[-1].name if self.open else None

    @property
    def plain_names(self) -> list[bytes]:
        """`Place.plain_names` of the innermost open element."""
        return self._place.plain_names

    @property
    def record_names(self) -> frozenset[bytes]:
        """Local names of the records that may be children of it, as far as paths name them."""
        tests = [_step(path, self._place.depth).element for path in self._place.paths if self._is_last(path)]
        return frozenset(test.name.encode() for test in tests if test.name is not None)

    def _is_last(self, path: RecordPath) -> bool:
        return path.anywhere or len(path.steps) == self._place.depth + 1

    @property
    def wanted(self) -> tuple[HeaderPath, ...]:
        """What is looked for beside records."""
        return self._document.header

    def look_for(self, header: Sequence[HeaderPath]) -> None:
        """From here on, beside records, look for these alone."""
        self._document = Place(0, self._document.paths, tuple(header))
        opened, self.open = self.open, []
        self._moved()
        for element in opened:
            self.push(self.child(element.name, element.tag), element.tag, element.line)

    def push(self, child: Child, tag: bytes, line: int) -> None:
        self.open.append(OpenElement(child.rule.name, tag, line, child.place))
        self._moved()

    def pop(self) -> None:
        self.open.pop()
        self._moved()

    def _moved(self) -> None:
        self._place = self.open[-1].place if self.open else self._document
        self._tests = self._place.tests
        self._skeleton = None

    def child(self, name: bytes, tag: bytes) -> Child:
        """What the element is that begins with the start tag `tag` (as much of it as was read) at this point."""
        by_name = not self._tests and b"xmlns" not in tag
        key = name if by_name else tag
        children = self._place.children
        child = children.get(key)
        if child is None:
            child = self._classify(name, b"<" + name + b"/>" if by_name else tag, by_name)
            if len(children) >= _MAX_CHILDREN:
                children.clear()
            if len(key) <= _MAX_KEY_BYTES:
                children[key] = child
                if by_name and child.action == "record":
                    self._place.add_plain(name)
        return child

    def _classify(self, name: bytes, tag: bytes, by_name: bool) -> Child:
        depth = self._place.depth
        names = b"/".join([b"", *self.names, name])
        path = names[:_MAX_PATH].decode("utf-8", "replace")
        asking, header = self._place.asking_for(_local(name)), self._place.header_for(_local(name))
        # Most names nobody asks for, and a document may have very many of them, deep down.
        element = self.parsed(tag) if asking or header else None
        matching = [path for path in asking if matches(_step(path, depth), element)]
        if any(self._is_last(path) for path in matching):
            return Child("record", element_rule(name), Place(depth + 1, ()), by_name, path)
        if element is not None and asking and not any(_is_named(element.tag, _step(a, depth).element) for a in asking):
            # What differs from the mapping's path is the namespace: without it the two would look the same.
            path = f"{path.rpartition('/')[0]}/{element.tag}"[:_MAX_PATH]
        deeper = (*self._place.anywhere, *matching)
        met = [path for path in header if matches(path.steps[depth], element)]
        further = tuple(path for path in met if len(path.steps) > depth + 1)
        ended = tuple(path for path in met if len(path.steps) == depth + 1)
        below = Place(depth + 1, deeper, further)
        return Child("descend" if deeper or further else "skip", element_rule(name), below, by_name, path, ended)

    def parsed(self, tag: bytes) -> etree._Element | None:
        """The element that `tag` opens at this point; None where it is ill-formed."""
        skeleton = self.skeleton
        empty = tag if tag.endswith(b"/>") else tag[:-1] + b"/>"
        try:
            element = etree.fromstring(skeleton.subset + skeleton.open_tags + empty + skeleton.close_tags, self._parser)
        except etree.XMLSyntaxError:
            return None
        for _ in range(skeleton.depth):
            element = element[-1]
        return element


def _step(path: RecordPath, depth: int) -> Step:
    """The step of `path` that decides about an element at `depth`."""
    return path.steps[0 if path.anywhere else depth]


def _local(name: bytes) -> str:
    return name.rpartition(b":")[2].decode("utf-8", "replace")


def matches(step: Step, element: etree._Element | None) -> bool:
    """Whether an element with the local name a step asks for is what it asks for.

    One whose start tag is ill-formed (`element` is None) is judged by its local name alone, so that a record among
    them is found, and rejected, rather than passed over in silence.
    """
    return element is None or (
        _is_named(element.tag, step.element)
        and all(has_attribute(element, test.attribute, test.value) for test in step.tests)
    )


def has_attribute(element: etree._Element, wanted: NameTest, value: str | None = None) -> bool:
    """Whether it has such an attribute, with this value if one is given."""
    return any(_is_named(str(name), wanted) and value in (None, found) for name, found in element.items())


def _is_named(name: str, test: NameTest) -> bool:
    qualified = etree.QName(name)
    return test.namespace in (None, qualified.namespace or "") and test.name in (None, qualified.localname)
