"""Small documents that were read together, as columns: what the compiled code saw of hundreds of them in one call.

In: texts one behind the other. Out: those that are plain, in bunches, and the others one by one. A document is plain
where it can only be UTF-8, has no document type, and its root element declares namespaces, if any, before it has other
attributes, and has no other element of its name in it. Runs on the thread that reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from etl import native
from etl.messages import Pack, Part
from etl.packs import DIGEST_BYTES, fingerprints_of

MOST = 1000
"""Documents in one bunch."""

_FACTS = 6
"""Numbers of each document: where its content begins, its bytes, where its root starts and ends in that, the line, and
1 and the place of the root's name; 0 where it is not plain."""


class Bunch(NamedTuple):
    """Neighbouring plain documents. Arrays have type code "I" and a number for each."""

    labels: tuple[str, ...]
    position: int
    """As `Found.position`, of the last."""
    prefix: str
    digests: bytes
    suffix: str
    """As those of `Pack`."""
    text: bytes
    begins: array[int]
    sizes: array[int]
    starts: array[int]
    ends: array[int]
    lines: array[int]
    """As those of `Pack`."""
    roots: array[int]
    names: tuple[bytes, ...]
    """For each document 1 and the place of its root element's name among these, with the namespaces declared there."""

    @property
    def fingerprints(self) -> list[str]:
        """Of each."""
        return fingerprints_of(self.prefix, self.digests, self.suffix)

    @property
    def contents(self) -> Iterator[bytes]:
        """Of each, without byte order mark."""
        return (self.text[begin : begin + size] for begin, size in zip(self.begins, self.sizes, strict=True))

    def piece(self, first: int, behind: int) -> Bunch:
        """Those from the one place up to the other."""
        if behind - first == len(self.sizes):
            return self
        where = slice(first, behind)
        start, end = self.begins[first], self.begins[behind - 1] + self.sizes[behind - 1]
        return self._replace(
            labels=self.labels[where],
            digests=self.digests[first * DIGEST_BYTES : behind * DIGEST_BYTES],
            text=self.text[start:end],
            begins=array("I", [begin - start for begin in self.begins[where]]),
            sizes=self.sizes[where],
            starts=self.starts[where],
            ends=self.ends[where],
            lines=self.lines[where],
            roots=self.roots[where],
        )

    def pieces(self, most: int) -> Iterator[Bunch]:
        """All of them, so many at once at most."""
        if len(self.sizes) <= most:
            yield self
            return
        for first in range(0, len(self.sizes), most):
            yield self.piece(first, min(first + most, len(self.sizes)))


class Odd(NamedTuple):
    """A document that is not plain."""

    label: str
    position: int
    fingerprint: str
    stored: bytes


def can_bunch() -> bool:
    """Whether the compiled code is there."""
    return not native.unavailable()


def bunched(
    labels: Sequence[str],
    text: bytes,
    sizes: array[int],
    position: int,
    prefix: str = "",
    salts: list[bytes] | None = None,
) -> Iterator[Bunch | Odd]:
    """Documents that stand one behind the other in `text`, as they are stored; `sizes` are their bytes.

    `salts`: what of their names is a part of their identity.
    """
    from etl.native import _documents

    digests, facts, names = _documents.look(text, sizes, salts)
    begins, own, starts, ends, lines, roots = (facts[place::_FACTS] for place in range(_FACTS))
    labels = tuple(labels)
    every = Bunch(
        labels, position, prefix, digests, "", text, begins, own, starts, ends, lines, roots, names=tuple(names)
    )
    if 0 not in every.roots:
        yield every
        return
    fingerprints = every.fingerprints
    stored = [0, *accumulate(sizes)]
    first = 0
    for place, root in enumerate(every.roots):
        if root:
            continue
        if first < place:
            yield every.piece(first, place)
        yield Odd(labels[place], position, fingerprints[place], text[stored[place] : stored[place + 1]])
        first = place + 1
    if first < len(labels):
        yield every.piece(first, len(labels))


def part_of(bunch: Bunch, source: int, number: int, records_before: int) -> Part:
    """The part of a split that a bunch is, each document of which is a record; `number` and `records_before` are those
    of the first.
    """
    records = len(bunch.sizes)
    pack = Pack(
        number,
        records_before,
        bunch.labels,
        bunch.digests,
        bunch.prefix,
        bunch.suffix,
        bunch.text,
        bunch.begins,
        bunch.sizes,
        bunch.starts,
        bunch.ends,
        bunch.lines,
    )
    return Part(source, 0, sum(bunch.sizes), records, (), (), True, frozenset(), bunch.position, None, pack)
