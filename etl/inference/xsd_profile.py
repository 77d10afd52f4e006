"""A schema as a profile, as if documents of all that it allows had been looked at: so one design serves both.

Numbers are made up so that they say what the schema says, and nothing else: what must be there is in all elements, what
may be there in some, what may repeat came twice in one of them. What has no end is cut: elements inside others of
their type, whatever the schema leaves open, and what lies deeper than so many paths lead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from etl.inference.declared import Declaration, DeclaredValues, Lexical
from etl.inference.profile import ElementProfile, Profile
from etl.inference.xsd_content import MANY, Model, Occurrence, is_any_type, model_of, types_of
from etl.inference.xsd_types import documentation_of, lexical_of, same_for
from etl.mapping.model import ColumnType
from etl.mapping.paths import XSI_NAMESPACE, local_name

PATHS_LIMIT = 5_000
"""Of elements and attributes together, the nearest to the roots first; a mapping of more is beyond any reader."""

_EVERY = 8**400
"""Elements of each root: it can be divided at every step down and no rounding shows."""
_XSI_TYPE = f"{{{XSI_NAMESPACE}}}type"
_TYPES_NAMED = 6
_TEXT = Lexical(ColumnType("text"))

RECURSIVE = "elements of its own type may stand in it"
ANYTHING = "anything may stand in it"
PROSE = "text with markup"
TOO_DEEP = f"beyond the first {PATHS_LIMIT:,} paths"


@dataclass(slots=True, eq=False)
class Node:
    """One path of elements, and where it is declared."""

    profile: ElementProfile
    declarations: list[Any]
    path: tuple[str, ...]
    is_single: bool
    """There is one such element in a document, at most."""
    types: list[Any]
    above: frozenset[Any]
    """Types of the elements around it."""
    in_prose: bool = False
    """Text may stand beside it."""
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True)
class SchemaProfile:
    """What one schema allows below some of its elements."""

    profile: Profile
    roots: list[Node]
    cut: dict[str, list[str]]
    """Why elements are not looked into, to their paths as a person reads them."""
    open: list[str]
    """Paths of elements in which there may be others than those that have a place."""


def profile_of(roots: Sequence[Any]) -> SchemaProfile:
    """What stands below these global elements (`xmlschema.XsdElement`)."""
    return _Builder().build(roots)


class _Builder:
    def __init__(self) -> None:
        self._left = PATHS_LIMIT
        self._cut: dict[str, list[str]] = {}
        self._open: list[str] = []
        self._lexical: dict[Any, Lexical] = {}

    def build(self, roots: Sequence[Any]) -> SchemaProfile:
        profile = Profile(documents=1, declared=True)
        nodes = []
        for root in roots:
            element = ElementProfile(root.name, 0, count=_EVERY, parents=_EVERY, most=1)
            profile.roots[root.name] = element
            nodes.append(Node(element, [root], (root.name,), True, _types([root]), frozenset()))
        waiting = deque(nodes)
        while waiting:
            node = waiting.popleft()
            self._fill(node)
            waiting.extend(node.children.values())
        return SchemaProfile(profile, nodes, self._cut, self._open)

    def _fill(self, node: Node) -> None:
        element, types = node.profile, node.types
        element.says = _documentation(node)
        simple = [one if one.is_simple() else one.content for one in types if _has_text(one)]
        model = model_of(types)
        self._add_attributes(node)
        if any(map(is_any_type, types)):
            self._cut_off(node, ANYTHING)
        elif any(not _is_leaf(one) and one in node.above for one in types):
            self._cut_off(node, RECURSIVE)
        elif model.children and node.in_prose and _is_mixed(node):
            # What marks up a text is no structure, and a thousand ways of nesting it are none either.
            self._cut_off(node, PROSE)
        elif model.children:
            self._add_children(node, model)
        elif model.wildcard:
            self._cut_off(node, ANYTHING)
        else:
            self._add_text(node, simple)

    # --- what is in it ---

    def _add_children(self, node: Node, model: Model) -> None:
        element = node.profile
        if len(model.children) > self._left:
            self._cut_off(node, TOO_DEEP)
            return
        self._left -= len(model.children)
        element.mixed = element.count if _is_mixed(node) else 0
        if model.is_emptiable:
            element.leaves = element.count * 3 // 8
        if model.wildcard:
            self._open.append(shown(node.path))
            element.says = _joined(["other elements may stand in it (xs:any)", element.says])
        nillable = any(one.nillable for one in node.declarations)
        for name, one in model.children.items():
            share = element.count // len(model.one_of) if name in model.one_of else element.count * 5 // 8
            always = one.least > 0 and not nillable
            parents = element.count if always else share
            child = ElementProfile(name, element.depth + 1, count=parents * one.most, parents=parents, most=one.most)
            element.children[name] = child
            node.children[name] = self._child(node, child, one)

    def _child(self, node: Node, child: ElementProfile, one: Occurrence) -> Node:
        return Node(
            child,
            one.declarations,
            (*node.path, child.tag),
            node.is_single and one.most < MANY,
            _types(one.declarations),
            node.above | {known for known in node.types if not _is_leaf(known)},
            _is_mixed(node),
        )

    def _add_text(self, node: Node, simple: Sequence[Any]) -> None:
        element = node.profile
        element.leaves = element.count
        lexical = same_for([self._lexical_of(one) for one in simple]) if simple else _TEXT
        nillable = any(one.nillable for one in node.declarations)
        declaration = Declaration(
            lexical,
            required=not (nillable or lexical.may_be_empty or not simple),
            documentation=element.says if element.most < MANY else "",
        )
        if nillable:
            declaration.remarks.append("nillable")
        _take_default(declaration, node.declarations, empty=True)
        element.text = DeclaredValues(declaration, element.count)
        if lexical.is_id:
            _make_key(element.text)
        if not simple and not _is_mixed(node):
            element.text.empty = element.count
            declaration.remarks.append("a flag: there is nothing in it")

    def _cut_off(self, node: Node, why: str) -> None:
        element = node.profile
        element.cut = why
        element.others = element.count
        element.mixed = element.count if _is_mixed(node) else 0
        self._cut.setdefault(why, []).append(shown(node.path))

    # --- attributes ---

    def _add_attributes(self, node: Node) -> None:
        element = node.profile
        with_attributes = [one.attributes for one in node.types if one.is_complex()]
        names = list(dict.fromkeys(name for each in with_attributes for name in each if name is not None))
        if any(None in each for each in with_attributes):
            element.says = _joined(["other attributes may stand in it (xs:anyAttribute)", element.says])
        several = len(node.types) > 1
        for name in names[: max(0, self._left)]:
            uses = [each[name] for each in with_attributes if name in each and each[name].use != "prohibited"]
            if uses:
                always = len(uses) == len(node.types) and all(one.use == "required" for one in uses)
                element.attributes[name] = self._attribute(uses, element.count, always=always)
                self._left -= 1
        if several:
            shown = ", ".join(one.local_name or "?" for one in node.types[:_TYPES_NAMED])
            more = ", ..." if len(node.types) > _TYPES_NAMED else ""
            remark = f"one of {shown}{more}"
            declaration = Declaration(_TEXT, required=False, remarks=[remark])
            element.attributes[_XSI_TYPE] = DeclaredValues(declaration, element.count * 5 // 8)

    def _attribute(self, uses: Sequence[Any], count: int, *, always: bool) -> DeclaredValues:
        lexical = same_for([self._lexical_of(one.type) for one in uses])
        declaration = Declaration(
            lexical, required=always and not lexical.may_be_empty, documentation=documentation_of(uses[0])
        )
        _take_default(declaration, uses, empty=False)
        is_there = always or declaration.default is not None
        values = DeclaredValues(declaration, count if is_there else count * 5 // 8)
        if lexical.is_id:
            _make_key(values)
        return values

    def _lexical_of(self, simple: Any) -> Lexical:
        if simple not in self._lexical:
            self._lexical[simple] = lexical_of(simple)
        return self._lexical[simple]


def _make_key(values: DeclaredValues) -> None:
    values.declaration.key = (values,)


def _take_default(declaration: Declaration, places: Sequence[Any], *, empty: bool) -> None:
    """What the schema puts in place of a value that is left out, or empty."""
    texts = {one.default if one.default is not None else one.fixed for one in places}
    if texts == {None}:
        return
    fixed = all(one.fixed is not None for one in places)
    if len(texts) == 1:
        (text,) = texts
        declaration.default = text
        where = "empty" if empty else "left out"
        declaration.remarks.append(f"always {text!r}" if fixed else f"{text!r} where it is {where}")
    declaration.required = False


def _types(declarations: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(one for declaration in declarations for one in types_of(declaration)))


def _has_text(one: Any) -> bool:
    return bool(one.is_simple() or one.has_simple_content())


def _is_leaf(one: Any) -> bool:
    """No elements stand in elements of that type."""
    return _has_text(one) or not len(one.content)


def _is_mixed(node: Node) -> bool:
    return any(one.is_complex() and one.mixed for one in node.types)


def _documentation(node: Node) -> str:
    for component in [*node.declarations, *node.types[:1]]:
        if (component.name or "").startswith("{http://www.w3.org/2001/XMLSchema}"):
            continue
        if found := documentation_of(component):
            return found
    return ""


def _joined(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


def shown(path: Sequence[str]) -> str:
    """A path of tags as a person reads it."""
    return "/" + "/".join(map(local_name, path))
