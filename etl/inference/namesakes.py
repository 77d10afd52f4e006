"""Types for columns with too few values of their own: those of their namesakes elsewhere in the documents.

The identifiers of 74 relations are what those of 69,385 nodes are; with another type the tables could not be joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from etl.inference.profile import ElementProfile, Profile
from etl.inference.shapes import descendants
from etl.inference.values import Guess, ValueProfile
from etl.mapping.model import ColumnType
from etl.mapping.paths import local_name

_LARGER = ColumnType("bigint")
_INTEGERS = {ColumnType("integer"), _LARGER}


def lend_types(profile: Profile) -> None:
    """Give values too few for a guess the type that all namesakes with enough of them have, if they are of it too."""
    groups: dict[tuple[str, str], list[ValueProfile]] = {}
    for element in chain.from_iterable((root, *descendants(root)) for root in profile.roots.values()):
        for kind, name, values in _values(element):
            groups.setdefault((kind, name), []).append(values)
    for (_, name), group in groups.items():
        _lend(local_name(name), group)


def _values(element: ElementProfile) -> Iterable[tuple[str, str, ValueProfile]]:
    yield "element", element.tag, element.text
    for name, values in element.attributes.items():
        yield "attribute", name, values


def _lend(name: str, group: list[ValueProfile]) -> None:
    lenders = [values for values in group if values.is_sure]
    types = {values.guess().type for values in lenders}
    if types == _INTEGERS:
        types = {_LARGER}
    if len(types) != 1 or len(lenders) == len(group):
        return
    (lent,) = types
    for values in group:
        if not values.is_sure and values.allows(lent):
            seen = values.count - values.empty
            values.lent = Guess(lent, f"only {seen:,} values, {lent} like every other {name}")
