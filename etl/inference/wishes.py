"""Different names for everything that wants one: candidates go in, best first, and the chosen names come out.

Where several want one name, those further from it go on to their next candidates; what is still the same at the end
is numbered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from etl.inference.words import NAME_BYTES, shortened


@dataclass(slots=True)
class Wish:
    """What wants a name."""

    candidates: list[str]
    distance: int
    """How far it is from what the names are for."""
    at: int = 0

    @property
    def name(self) -> str:
        return self.candidates[self.at]

    @property
    def can_move(self) -> bool:
        return self.at + 1 < len(self.candidates)


def settle(wishes: Sequence[Wish], reserved: Collection[str], limit: int = NAME_BYTES) -> list[str]:
    """The best candidates that are all different, also but for upper and lower case."""
    for wish in wishes:
        wish.candidates = [shortened(name, limit) for name in wish.candidates]
    moved = True
    while moved:
        moved = False
        for name, group in _groups(wishes).items():
            if name in reserved:
                moving = group
            elif len(group) > 1:
                moving = _all_but_nearest(group)
            else:
                continue
            for wish in moving:
                if wish.can_move:
                    wish.at += 1
                    moved = True
    return _numbered([wish.name for wish in wishes], reserved, limit)


def _groups(wishes: Sequence[Wish]) -> dict[str, list[Wish]]:
    groups: dict[str, list[Wish]] = {}
    for wish in wishes:
        groups.setdefault(wish.name.lower(), []).append(wish)
    return groups


def _all_but_nearest(group: list[Wish]) -> list[Wish]:
    """All, except one that stands nearer to the row than the others."""
    least = min(wish.distance for wish in group)
    nearest = [wish for wish in group if wish.distance == least]
    return [wish for wish in group if wish is not nearest[0]] if len(nearest) == 1 else group


def _numbered(names: list[str], reserved: Collection[str], limit: int) -> list[str]:
    taken: set[str] = set()
    wanted = {name.lower() for name in names}
    chosen: list[str] = []
    for name in names:
        unique, number = name, 1
        while (key := unique.lower()) in reserved or key in taken or (number > 1 and key in wanted):
            number += 1
            unique = f"{shortened(name, limit - len(f'_{number}'))}_{number}"
        taken.add(key)
        chosen.append(unique)
    return chosen
