"""What a schema says of identity: `xs:key` and `xs:unique` become keys of tables, `xs:keyref` remarks.

In: the nodes of a schema's profile. Out: nothing; what is declared of their values is filled in. A constraint holds in
each element that declares it; only where a document has one such element, its values are different in all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etl.inference.declared import DeclaredValues
from etl.inference.xsd_profile import Node
from etl.mapping.paths import local_name


def declare_keys(roots: Sequence[Node]) -> None:
    """Take in the identity constraints of all elements below these."""
    for node in _descendants(roots):
        for declaration in node.declarations:
            for constraint in declaration.identities:
                _take(node, constraint)


def _descendants(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _descendants(list(node.children.values()))


def _take(scope: Node, constraint: Any) -> None:
    kind = type(constraint).__name__.lower()
    for selected in _selected(scope, constraint.selector):
        found = [_values(selected, one) for one in constraint.fields]
        values = [one for one in found if one is not None]
        if not values or len(values) < len(found):
            continue
        if kind.endswith("keyref"):
            refer = getattr(constraint.refer, "local_name", None) or "a key"
            for one in values:
                one.declaration.remarks.append(f"refers to {refer} (xs:keyref {constraint.local_name})")
        elif not scope.is_single:
            for one in values:
                one.declaration.remarks.append(f"unique in its {local_name(scope.profile.tag)}")
        else:
            if kind.endswith("key"):
                for one in constraint.fields:
                    _make_sure(selected, one)
            for one in values:
                one.declaration.key = tuple(values)


def _make_sure(selected: Node, field: Any) -> None:
    """What is part of an `xs:key` is there, however it is declared."""
    count = selected.profile.count
    values = _values(selected, field)
    for path in _paths(field):
        nodes = [selected]
        for step in path.steps:
            nodes = [inner for node in nodes for inner in _children(node, step)]
            for node in nodes:
                node.profile.count = node.profile.parents = count
    if values is not None:
        values.count = count
        values.declaration.required = values.declaration.default is None


# --- paths of constraints ---


class _Path:
    """One branch of a path: steps down, and an attribute at the end or none."""

    def __init__(self, text: str, names: Any, default: str) -> None:
        self.anywhere = text.startswith(".//")
        steps = [step.strip() for step in text.removeprefix(".//").split("/")]
        steps = [step.removeprefix("child::") for step in steps if step and step != "."]
        self.attribute = ""
        if steps and steps[-1].startswith(("@", "attribute::")):
            self.attribute = _expanded(steps.pop().removeprefix("@").removeprefix("attribute::"), names, "")
        self.steps = [_expanded(step, names, default) for step in steps]


def _expanded(name: str, names: Any, default: str) -> str:
    """A name with its namespace, as lxml writes it; of a wildcard ``*`` or ``{namespace}*``."""
    prefix, colon, local = name.rpartition(":")
    namespace = names.get(prefix, "") if colon else default
    return f"{{{namespace}}}{local}" if namespace and name != "*" else local


def _paths(selector: Any) -> list[_Path]:
    names = selector.schema.namespaces
    default = selector.xpath_default_namespace
    return [_Path("".join(part.split()), names, default) for part in selector.path.split("|")]


def _selected(scope: Node, selector: Any) -> list[Node]:
    found: list[Node] = []
    for path in _paths(selector):
        nodes = list(_descendants([scope])) if path.anywhere else [scope]
        for step in path.steps:
            nodes = [inner for node in nodes for inner in _children(node, step)]
        found += [node for node in nodes if node not in found]
    return found


def _children(node: Node, step: str) -> list[Node]:
    if step.endswith("*"):
        return [child for tag, child in node.children.items() if step == "*" or tag.startswith(step[:-1])]
    child = node.children.get(step)
    return [child] if child is not None else []


def _values(node: Node, field: Any) -> DeclaredValues | None:
    """The values of a field; none where there are several places, or it has no value of its own."""
    found: list[object] = []
    for path in _paths(field):
        nodes = _selected_by(node, path)
        if path.attribute:
            found += [one.profile.attributes.get(path.attribute) for one in nodes]
        else:
            found += [one.profile.text for one in nodes]
    values = [one for one in found if isinstance(one, DeclaredValues)]
    return values[0] if len(values) == 1 else None


def _selected_by(node: Node, path: _Path) -> list[Node]:
    nodes = list(_descendants([node])) if path.anywhere else [node]
    for step in path.steps:
        nodes = [inner for one in nodes for inner in _children(one, step)]
    return nodes
