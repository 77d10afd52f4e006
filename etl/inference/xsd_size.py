"""What it would cost to make models of a schema: its documents go in, and a refusal comes out where that is too much.

Groups refer to others, and types extend others, so that thirty lines can stand for more elements than any memory holds;
and `xmlschema` compares the elements of a model each with each. Nothing but the documents is looked at. Runs on the
caller's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from etl.errors import SettingsError

MAX_PAIRS = 10**9
"""Elements compared in all models together, which takes ten minutes or more."""

_XS = "{http://www.w3.org/2001/XMLSchema}"
_TYPE, _GROUP = f"{_XS}complexType", f"{_XS}group"
_PARTICLES = {f"{_XS}{name}" for name in ("element", "any", "sequence", "choice", "all")}
_AROUND = {f"{_XS}{name}" for name in ("complexContent", "restriction", "extension", "sequence", "choice", "all")}

_Name = tuple[str, str]
"""The tag and the local name of a type or a group; of those of one name, in several namespaces, the largest counts."""


def check_size(roots: Iterable[Any], label: str) -> None:
    """Raise SettingsError where the models of these documents (`lxml` elements) are too large to be looked at."""
    models = _Models(roots)
    pairs = 0
    for model in models.all:
        pairs += models.size(model) ** 2
        if pairs > MAX_PAIRS:
            name = next((one.get("name") for one in (model, *model.iterancestors()) if one.get("name")), "?")
            raise SettingsError(
                f"The schema {label} is not read: with all groups and types that others refer to, it allows so many"
                f" elements (in {name}, line {model.sourceline}, and before) that looking at them would take hours."
                " Leave out what your documents do not have, or infer a mapping from these (`etl infer SOURCE`)."
            )


class _Models:
    """The types and groups, and how many particles each comes to."""

    def __init__(self, roots: Iterable[Any]) -> None:
        self.all = [one for root in roots for one in root.iter(_TYPE, _GROUP) if one.get("ref") is None]
        self._named: dict[_Name, list[Any]] = {}
        for one in self.all:
            self._named.setdefault((one.tag, one.get("name", "")), []).append(one)
        self._sizes: dict[Any, int] = {}

    def size(self, model: Any) -> int:
        """Without recursion, which a chain of a thousand types would exhaust. One in a circle is for others to tell."""
        waiting, begun = [model], set()
        while waiting:
            one = waiting[-1]
            content = list(_content(one))
            names = Counter(_reference(node) for node in content)
            unknown = [other for name in names for other in self._named.get(name, ()) if other not in self._sizes]
            if unknown and one not in begun:
                begun.add(one)
                waiting += unknown
                continue
            waiting.pop()
            own = sum(node.tag in _PARTICLES for node in content)
            referred = (number * self._largest(name) for name, number in names.items())
            self._sizes[one] = min(MAX_PAIRS, own + sum(referred))
        return self._sizes[model]

    def _largest(self, name: _Name) -> int:
        return max((self._sizes.get(one, 0) for one in self._named.get(name, ())), default=0)


def _content(model: Any) -> Iterator[Any]:
    """What stands in a model; what is in its elements are others."""
    for node in model.iterchildren("*"):
        yield node
        if node.tag in _AROUND:
            yield from _content(node)


def _reference(node: Any) -> _Name:
    """What it stands for; a type that is extended is part of what extends it."""
    kind, name = (_TYPE, node.get("base")) if node.tag == f"{_XS}extension" else (_GROUP, node.get("ref"))
    if not name or node.tag not in (f"{_XS}extension", _GROUP):
        return "", ""
    return kind, name.rpartition(":")[2].strip()
