"""Where a schema declares the records of a mapping: which elements, inside of which.

In: a schema as `xmlschema` has it, and the record paths. Out: places, from the document down, as far as a path goes.
Types are followed as they are declared, with what extends them, groups, substitutes and wildcards. Runs on the caller's
thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xmlschema.validators import XsdAnyElement, XsdElement, XsdGroup

from etl.mapping.paths import RecordPath, Step, local_name
from etl.record_schema import LAX, SKIP, STRICT, Declared
from etl.validation.texts import SchemaTexts

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Place:
    """Elements of which the children are looked for."""

    type: Any
    """Their type; LAX or SKIP where a wildcard matches them and nothing declares them."""
    wrapper: str
    depth: int
    """How many elements are open there."""
    live: frozenset[int]
    """Paths that may lead on from here."""
    name: str = ""
    """Local name of one of them."""


class Declarations:
    """The places of the records at `paths`."""

    def __init__(self, schema: Any, paths: Sequence[RecordPath], texts: SchemaTexts) -> None:
        self._paths = paths
        self._texts = texts
        self._globals = [one for name, one in schema.maps.elements.items() if not name.startswith(_XSD)]
        self._derived: dict[int, list[tuple[str, Any]]] = {}
        for name, one in schema.maps.types.items():
            base = one.base_type
            while base is not None and not (base.name or "").startswith(_XSD):
                self._derived.setdefault(id(base), []).append((name, one))
                base = base.base_type
        self._unmet = set(range(len(paths)))
        self._nearest: dict[int, tuple[int, str, list[str]]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._waiting: deque[_Place] = deque()
        self._number(_Place(None, "", 0, frozenset(range(len(paths)))))
        found = []
        while self._waiting:
            found.append(self._declared(self._waiting.popleft()))
        self.places = tuple(found)
        """For `RecordSchema.places`."""

    def unmet(self) -> str:
        """Which path nothing is declared for, and what is there instead; empty where all have something."""
        if not self._unmet:
            return ""
        number = min(self._unmet)
        path = self._paths[number]
        depth, name, names = self._nearest.get(number, (0, "", []))
        if path.anywhere or not names:
            return path.text
        more = f" and {len(names) - _MOST_SHOWN:,} more" if len(names) > _MOST_SHOWN else ""
        where = f"inside of <{name}>" if depth else "as roots"
        return f"{path.text} ({where} it declares {', '.join(names[:_MOST_SHOWN])}{more})"

    def _number(self, place: _Place) -> int:
        """The place's number; it is gone into once."""
        # The depth tells what a path of steps asks for next, and nothing else.
        depth = place.depth if any(not self._paths[one].anywhere for one in place.live) else 0
        kind = place.type if isinstance(place.type, str) else id(place.type)
        key = kind, place.wrapper, depth, place.live
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._waiting.append(place)
        return self._numbers[key]

    def _declared(self, place: _Place) -> Declared:
        if not place.live:
            return Declared(place.wrapper)
        types = {
            name: self._number(_Place(derived, place.wrapper, place.depth, place.live, place.name))
            for name, derived in self._derived.get(id(place.type), ())
        }
        wildcards = [one for one in self._particles(place) if isinstance(one, XsdAnyElement)]
        return Declared(place.wrapper, self._children(place, wildcards), self._other(place, wildcards), types)

    def _particles(self, place: _Place) -> Iterable[Any]:
        if place.type == SKIP:
            return ()
        if place.type in (None, LAX):
            return self._globals
        content = getattr(place.type, "content", None)
        return content.iter_elements() if isinstance(content, XsdGroup) else ()

    def _children(self, place: _Place, wildcards: Sequence[XsdAnyElement]) -> dict[str, int]:
        """By tag the places of the children that have declarations."""
        declared: dict[str, XsdElement] = {}
        for particle in self._particles(place):
            if isinstance(particle, XsdElement):
                for one in self._elements(particle):
                    declared.setdefault(one.name, one)
        for one in self._globals:
            if any(wild.process_contents != SKIP and wild.is_matching(one.name) for wild in wildcards):
                declared.setdefault(one.name, one)
        self._note_names(place, declared)
        met = {name: self._matching(place, name) for name in declared}
        records = {name for name, paths in met.items() if any(self._ends(path, place.depth) for path in paths)}
        local = {name for name in records if self._texts.is_local(declared[name])}
        wrapper = self._texts.wrapper([declared[name] for name in sorted(local)]) if local else ""
        self._unmet -= {path for name in records for path in met[name] if self._ends(path, place.depth)}
        children = {}
        for name, one in declared.items():
            live = self._live(place, met[name])
            if name in records or live:
                how = "" if name not in records else wrapper if name in local else STRICT
                children[name] = self._number(_Place(one.type, how, place.depth + 1, live, one.local_name))
        return children

    def _other(self, place: _Place, wildcards: Sequence[XsdAnyElement]) -> int | None:
        """The place of the children that only a wildcard takes."""
        how = place.type if place.type in (LAX, SKIP) else ""
        for wild in wildcards:
            how = wild.process_contents if how != LAX and wild.process_contents != STRICT else how
        if not how:
            return None
        records = {path for path in place.live if self._ends(path, place.depth)}
        self._unmet -= records
        live = self._live(place, place.live)
        return self._number(_Place(how, how if records else "", place.depth + 1, live, place.name))

    def _elements(self, particle: XsdElement) -> Iterator[XsdElement]:
        """The declarations that an element there may have: its own, or those that may stand in its place."""
        declaration = particle.ref or particle
        yield declaration
        yield from declaration.iter_substitutes()

    def _matching(self, place: _Place, name: str) -> list[int]:
        """Paths that lead to or through an element of that name there."""
        return [path for path in place.live if _accepts(self._step(path, place.depth), name)]

    def _step(self, path: int, depth: int) -> Step:
        found = self._paths[path]
        return found.steps[0 if found.anywhere else depth]

    def _ends(self, path: int, depth: int) -> bool:
        """Whether what a path leads to below that many open elements is a record."""
        found = self._paths[path]
        return found.anywhere or len(found.steps) == depth + 1

    def _live(self, place: _Place, met: Iterable[int]) -> frozenset[int]:
        """The paths that may lead on from a child there, by those that have met it."""
        anywhere = {path for path in place.live if self._paths[path].anywhere}
        return frozenset({path for path in met if not self._ends(path, place.depth)} | anywhere)

    def _note_names(self, place: _Place, declared: Iterable[str]) -> None:
        names = sorted(map(local_name, declared))
        for path in place.live:
            if names and place.depth >= self._nearest.get(path, (0, "", []))[0]:
                self._nearest[path] = place.depth, place.name, names


def _accepts(step: Step, name: str) -> bool:
    namespace, _, local = name.rpartition("}")
    test = step.element
    return test.namespace in (None, namespace[1:]) and test.name in (None, local)
