"""Documents that have their records at the same place, and different things in them: which these are.

In: the tallies of a survey, behind each document. Out: a warning for each place. A mapping goes by paths and not by
files, so that such documents share a table; whoever wants a table of each kind loads them by mappings of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etl.inference.tally import Tally
from etl.mapping.paths import local_name

DOCUMENTS_LIMIT = 200
"""Of one root element; each is compared with what came before it."""

_DEPTH = 2
"""Of records below the root, at most."""
_NAMES_LIMIT = 1000
_KINDS_LIMIT = 10
_SHOWN = 3
_LEAST_RECORDS = 10
"""Of a kind: what fewer of them do not have may be missing by chance."""

_Path = tuple[str, ...]
_Names = dict[str, int]
"""Of attributes and child elements, to how often they were seen; that of the element itself under ""."""


@dataclass(slots=True)
class _Kind:
    label: str
    """Of the first document."""
    records: int
    always: set[str]
    """Names that each record has."""
    names: set[str]

    def is_other_than(self, other: _Kind) -> bool:
        """Each has what the other one never has, and they share little."""
        together = len(self.names | other.names)
        own = self.always - other.names and other.always - self.names
        return bool(own) and 3 * len(self.names & other.names) <= together


class Mixed:
    """Kinds of records, by the path where they stand."""

    def __init__(self) -> None:
        self._so_far: dict[_Path, _Names] = {}
        self._kinds: dict[_Path, list[_Kind]] = {}
        self._documents: dict[str, int] = {}

    def add(self, root: Tally, label: str) -> None:
        """Take in a document with that root, which was counted last."""
        tag = root.profile.tag
        self._documents[tag] = self._documents.get(tag, 0) + 1
        if self._documents[tag] > DOCUMENTS_LIMIT:
            return
        for path, tally in _repeating(root, (tag,)):
            now = _counts(tally)
            before = self._so_far.get(path, {})
            self._so_far[path] = now
            grown = {name: count - before.get(name, 0) for name, count in now.items()}
            records = grown.pop("")
            names = {name for name, count in grown.items() if count > 0}
            if records >= _LEAST_RECORDS and names:
                always = {name for name in names if grown[name] >= records}
                self._take(path, _Kind(label, records, always, names))

    def _take(self, path: _Path, new: _Kind) -> None:
        kinds = self._kinds.setdefault(path, [])
        same = next((kind for kind in kinds if not kind.is_other_than(new)), None)
        if same is not None:
            same.always &= new.always
            same.names |= new.names
        elif len(kinds) < _KINDS_LIMIT:
            kinds.append(new)

    def warnings(self) -> list[str]:
        return [_warning(path, kinds) for path, kinds in self._kinds.items() if len(kinds) > 1]


def _repeating(root: Tally, path: _Path) -> Iterator[tuple[_Path, Tally]]:
    for tag, child in root.children.items():
        below = (*path, tag)
        if child.count > 1 and len(child.attributes) + len(child.children) <= _NAMES_LIMIT:
            yield below, child
        if len(below) <= _DEPTH:
            yield from _repeating(child, below)


def _counts(tally: Tally) -> _Names:
    attributes = {f"@{name}": len(values) + values.profile.count for name, values in tally.attributes.items()}
    return {"": tally.count, **attributes, **{tag: child.count for tag, child in tally.children.items()}}


def _warning(path: _Path, kinds: list[_Kind]) -> str:
    shown = "/" + "/".join(map(local_name, path))
    told = "; ".join(f"in {kind.label} {_few(kind)}" for kind in kinds[:_SHOWN])
    more = f"; and {len(kinds) - _SHOWN:,} kinds more" if len(kinds) > _SHOWN else ""
    return (
        f"{shown} is not the same in all documents ({told}{more}), but in one table, since a mapping goes by paths and"
        " not by files. For a table of each kind infer and load them apart (`etl docs commands`, Several kinds of"
        " document)"
    )


def _few(kind: _Kind) -> str:
    names = sorted(kind.always or kind.names)
    shown = [("@" if name.startswith("@") else "") + local_name(name.removeprefix("@")) for name in names[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")
