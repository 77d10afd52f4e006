"""The profile while it grows: what is seen of each path, and values that wait to be looked at many at a time.

A `Tally` stands for one path of elements. Its `children` is a dictionary that makes what it does not have, so that all
the children of a batch of elements find theirs without a step of Python for each; what there is no more room for is
counted by the parent, and gets the one tally `Tallies.dropped`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import repeat

from etl.inference.profile import MAX_PATHS, ElementProfile, Profile
from etl.inference.values import ValueProfile
from etl.mapping.paths import XML_WHITE_SPACE, XSI_NIL, local_name

MAX_DEPTH = 200
"""Elements deeper than that are counted as others: no mapping will speak of them one by one."""

MAX_NAME_LENGTH = 1000
"""Characters; elements and attributes with longer names are counted as others."""

MAX_PENDING = 500_000
"""Values that wait at most, together: some 40 MB."""

SHAPES_EVERY = 32
"""Pieces of documents whose rows of children wait together: less than a MB each, however long the rows are."""

MAX_HASHES = 400_000
"""Kept of all columns together in order to know which are unique: some 30 MB."""

MAX_PREFIXES = 1000

_NIL = ("true", "1")


class Pending(list[str | None]):
    """Values that wait for their profile; None for an element without text."""

    __slots__ = ("profile",)

    def __init__(self, profile: ValueProfile) -> None:
        super().__init__()
        self.profile = profile

    def flush(self) -> None:
        """Give them to the profile."""
        if self:
            self.profile.add(self)
            self.clear()


class _Nils(Pending):
    """Values of ``xsi:nil``: an element without a text for each true one."""

    __slots__ = ("text",)

    def __init__(self, text: ValueProfile) -> None:
        super().__init__(ValueProfile())
        self.text = text

    def flush(self) -> None:
        self.text.nil += sum((value or "").strip(XML_WHITE_SPACE) in _NIL for value in self)
        super().flush()


class _Nowhere(Pending):
    """Keeps nothing."""

    __slots__ = ()

    def append(self, value: str | None) -> None:
        pass


class Tally:
    """All elements with one path from the root."""

    __slots__ = ("attributes", "children", "inner", "profile", "texts")

    def __init__(self, profile: ElementProfile, tallies: Tallies) -> None:
        self.profile = profile
        self.inner = 0
        """Elements with children; the others have a text each."""
        self.texts = Pending(profile.text)
        self.children = _Children(self, tallies)
        self.attributes = _Attributes(self, tallies)

    @property
    def count(self) -> int:
        """Elements seen to their end."""
        return self.inner + self.profile.text.count + len(self.texts)


Shapes = Counter[tuple[Tally, ...]]
"""How many parents have which row of children. Many have the same: each row is looked at once."""


def count_children(numbers: Iterable[tuple[Tally, int]], parents: int) -> None:
    """So many parents have each these numbers of children."""
    for child, number in numbers:
        profile = child.profile
        profile.parents += parents
        if number > profile.most:
            profile.most = number


class Tallies:
    """All paths of a survey."""

    def __init__(self) -> None:
        self._all: list[Tally] = []
        self._values: list[Pending] = []
        self._hashes_each = 0
        self.dropped = Tally(ElementProfile("", 0), self)
        """Stands for all elements that there is no room for."""
        self.any_dropped = False
        """Whether a child was dropped since this was last set to False."""
        self.shapes: Shapes = Counter()
        self._unsettled = 0
        self._nowhere = _Nowhere(ValueProfile())
        self.roots: dict[str, Tally] = {}
        self.prefixes: dict[str, str] = {}
        """Namespaces, each with the first prefix seen for it."""

    def root(self, tag: str) -> Tally:
        """The tally of the documents with that root element."""
        if tag not in self.roots:
            if self._full(tag):
                return self.dropped
            self.roots[tag] = self._new(tag, 0)
        return self.roots[tag]

    def prefix(self, prefix: str, namespace: str) -> None:
        """Note a namespace declaration."""
        if namespace and len(self.prefixes) < MAX_PREFIXES and len(namespace) <= MAX_NAME_LENGTH:
            self.prefixes.setdefault(namespace, prefix)

    def child(self, parent: Tally, tag: str) -> Tally:
        """A new tally, or `dropped`."""
        depth = parent.profile.depth + 1
        if self._full(tag) or depth > MAX_DEPTH or parent is self.dropped:
            parent.profile.others += 1
            self.any_dropped = True
            return self.dropped
        child = parent.children[tag] = self._new(tag, depth)
        parent.profile.children[tag] = child.profile
        return child

    def attribute(self, parent: Tally, name: str) -> Pending:
        """New values, or a place where they vanish."""
        if self._full(name) or parent is self.dropped:
            parent.profile.others += 1
            return self._nowhere
        values = _Nils(parent.profile.text) if name == XSI_NIL else Pending(ValueProfile())
        parent.attributes[name] = values
        parent.profile.attributes[name] = values.profile
        self._values.append(values)
        return values

    def _full(self, name: str) -> bool:
        # A colon in a local name: its prefix was not declared, so no path can name it.
        strange = len(name) > MAX_NAME_LENGTH or ":" in local_name(name)
        return strange or len(self._values) >= MAX_PATHS

    def _new(self, tag: str, depth: int) -> Tally:
        tally = Tally(ElementProfile(tag, depth), self)
        self._all.append(tally)
        self._values.append(tally.texts)
        return tally

    def settle(self) -> None:
        """Look at what waits, after each piece, if it is much: at values first of all where most of them are."""
        self._unsettled += 1
        if self._unsettled >= SHAPES_EVERY:
            self._settle_shapes()
        waiting = sum(map(len, self._values))
        if waiting <= MAX_PENDING:
            return
        mean = waiting / len(self._values)
        for values in self._values:
            if len(values) >= mean:
                values.flush()
        self._forget_hashes()

    def _settle_shapes(self) -> None:
        for shape, parents in self.shapes.items():
            if len(set(shape)) == len(shape):
                count_children(zip(shape, repeat(1)), parents)
            else:
                count_children(Counter(shape).items(), parents)
        self.shapes.clear()
        self._unsettled = 0

    def _forget_hashes(self) -> None:
        profiles = [values.profile for values in self._values]
        hashes = sum(profile.hashes for profile in profiles)
        most = max((profile.hashes for profile in profiles), default=0)
        while hashes > MAX_HASHES and most > 1:
            most //= 2
            for profile in profiles:
                profile.shrink(most)
            hashes = sum(profile.hashes for profile in profiles)

    def finish(self, profile: Profile) -> None:
        """Put all that was seen into `profile`."""
        self._settle_shapes()
        for values in self._values:
            values.flush()
        for tally in self._all:
            seen = tally.profile
            seen.leaves = seen.text.count
            seen.count = tally.inner + seen.leaves
            # What did not parse does not count, though its parent had it as a child.
            seen.parents, seen.most = min(seen.parents, seen.count), min(seen.most, seen.count)
        for tag, root in self.roots.items():
            root.profile.parents, root.profile.most = root.profile.count, 1
            profile.roots[tag] = root.profile
        profile.prefixes.update(self.prefixes)


class _Children(dict[str, Tally]):
    __slots__ = ("_owner", "_tallies")

    def __init__(self, owner: Tally, tallies: Tallies) -> None:
        super().__init__()
        self._owner = owner
        self._tallies = tallies

    def __missing__(self, tag: str) -> Tally:
        return self._tallies.child(self._owner, tag)


class _Attributes(dict[str, Pending]):
    __slots__ = ("_owner", "_tallies")

    def __init__(self, owner: Tally, tallies: Tallies) -> None:
        super().__init__()
        self._owner = owner
        self._tallies = tallies

    def __missing__(self, name: str) -> Pending:
        return self._tallies.attribute(self._owner, name)
