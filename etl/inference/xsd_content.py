"""Which elements a content model allows, and how often: types go in, what may stand in their elements comes out.

Order is no matter for tables, so a model is what can be said of each name alone: at least and at most how many, added
up over sequences, the widest of the branches of a choice. Members of substitution groups stand for their head, and
types that an element may name by `xsi:type` for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

MANY = 2
"""As good as any larger number: there are several."""

_ANY_TYPE = "{http://www.w3.org/2001/XMLSchema}anyType"


@dataclass(slots=True)
class Occurrence:
    """Elements of one name in one element."""

    declarations: list[Any]
    """Of elements (`xmlschema.XsdElement`); several where the name is declared at several places."""
    least: int
    most: int
    """MANY where there may be any number above one."""


@dataclass(slots=True)
class Model:
    """What may stand in an element."""

    children: dict[str, Occurrence] = field(default_factory=dict)
    """By name, in the order of the schema."""
    one_of: frozenset[str] = frozenset()
    """Names of which there is exactly one element, if that is so for all the content."""
    wildcard: bool = False
    """Elements may stand there that the schema does not name."""

    @property
    def is_emptiable(self) -> bool:
        """No element need be in it."""
        return not self.one_of and all(not one.least for one in self.children.values())


def types_of(declaration: Any) -> list[Any]:
    """The types that elements of a declaration may have: its own, and those derived from it, which `xsi:type` names."""
    types = [declaration.type, *(one.type for one in getattr(declaration, "alternatives", ()))]
    own = declaration.type
    if own.is_complex() and own.name and own.name != _ANY_TYPE and not own.has_simple_content():
        types += [
            one
            for one in own.maps.types.values()
            if one is not own and one.is_complex() and one.is_derived(own) and not one.abstract
        ]
    usable = [one for one in dict.fromkeys(types) if one.is_simple() or not one.abstract]
    return usable or types[:1]


def is_any_type(one: Any) -> bool:
    """Anything may stand in its elements."""
    return bool(one.name == _ANY_TYPE)


def model_of(types: Sequence[Any]) -> Model:
    """What may stand in elements that are of one of these types."""
    models = [_group(one.content) if _has_model(one) else Model() for one in types]
    model = models[0] if len(models) == 1 else _choice(models)
    if any(getattr(one, "open_content", None) is not None for one in types):
        model.wildcard = True
    return model


def _has_model(one: Any) -> bool:
    return one.is_complex() and not one.has_simple_content()


def _group(group: Any) -> Model:
    """The model of a group, with its own number of occurrences."""
    if group.max_occurs == 0:
        return Model()
    parts = [_particle(particle) for particle in group if particle.max_occurs != 0]
    model = _choice(parts) if group.model == "choice" else _sequence(parts)
    return _times(model, group)


def _particle(particle: Any) -> Model:
    if hasattr(particle, "process_contents"):
        return Model(wildcard=True)
    if not hasattr(particle, "type"):
        return _group(particle)
    names = list(_names(particle))
    alone = len(names) == 1
    children = {name: Occurrence([one], int(alone), 1) for name, one in names}
    one_of = frozenset(children) if children and not alone else frozenset()
    return _times(Model(children, one_of), particle)


def _names(element: Any) -> Iterator[tuple[str, Any]]:
    """The elements that may stand where this one is declared, by name."""
    own = element.ref or element
    if not own.abstract:
        yield element.name, own
    for other in element.iter_substitutes():
        if not other.abstract:
            yield other.name, other


def _times(model: Model, particle: Any) -> Model:
    least, most = particle.min_occurs, particle.max_occurs
    several = most is None or most > 1
    for one in model.children.values():
        one.least = min(MANY, one.least * least)
        one.most = MANY if several else one.most
    if several or least == 0:
        model.one_of = frozenset()
    return model


def _sequence(parts: Sequence[Model]) -> Model:
    """All of them stand there, one behind the other."""
    model = _merged(parts, lambda one, other: min(MANY, one + other), lambda one, other: min(MANY, one + other))
    filled = [part for part in parts if part.children]
    if len(filled) == 1:
        model.one_of = filled[0].one_of
    return model


def _choice(parts: Sequence[Model]) -> Model:
    """One of them stands there."""
    model = _merged(parts, min, max)
    for name, one in model.children.items():
        if any(name not in part.children for part in parts):
            one.least = 0
    if len(parts) > 1 and all(map(_is_one, parts)):
        model.one_of = frozenset(model.children)
    elif len(parts) == 1:
        model.one_of = parts[0].one_of
    return model


def _merged(parts: Sequence[Model], least: Callable[[int, int], int], most: Callable[[int, int], int]) -> Model:
    """The children of all parts; the numbers of one that is in several are put together."""
    model = Model(wildcard=any(part.wildcard for part in parts))
    for part in parts:
        for name, one in part.children.items():
            known = model.children.get(name)
            if known is None:
                # The part itself is looked at again.
                model.children[name] = Occurrence(list(one.declarations), one.least, one.most)
            else:
                known.declarations += [new for new in one.declarations if new not in known.declarations]
                known.least, known.most = least(known.least, one.least), most(known.most, one.most)
    return model


def _is_one(part: Model) -> bool:
    """There is exactly one element."""
    if part.one_of or part.wildcard:
        return bool(part.one_of) and not part.wildcard
    return [(one.least, one.most) for one in part.children.values()] == [(1, 1)]
