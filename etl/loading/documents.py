"""The documents of collections in the ledger: which are known, which a batch brings, whether all of them are there.

A document's row comes with the transaction that commits the first of its tiles: one without tiles is in nobody's
way. What is in here belongs to the caller's open transaction, on any thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from etl import native
from etl.errors import TargetError
from etl.loading.ledger_base import DocumentGap, KnownDocument, Tile, find_gaps
from etl.loading.ledger_queries import in_pieces
from etl.loading.ledger_tables import LedgerTables
from etl.loading.stored_text import storable
from etl.messages import Pack, Part
from etl.packs import DIGEST_BYTES, documents, records_most
from etl.targets.base import TargetConnection

_IDENTITIES = 10_000
"""Read at once."""


def identity(fingerprint: str, structure: str) -> bytes:
    """Of a document that is loaded by a mapping with that digest; 16 bytes."""
    return hashlib.blake2b(f"{structure} {fingerprint}".encode(), digest_size=16).digest()


def packed_identities(pack: Pack, structure: str) -> list[bytes]:
    """The identity of each document of a pack."""
    if native.unavailable():
        return [identity(document.fingerprint, structure) for document in documents(pack)]
    from etl.native import _documents

    before = f"{structure} {pack.prefix}".encode()
    found = _documents.identities(before, pack.digests, pack.suffix.encode())
    return [found[at : at + DIGEST_BYTES] for at in range(0, len(found), DIGEST_BYTES)]


def brought_meanwhile(label: str, what: str) -> TargetError:
    """What to raise where a document has come to be there since it was asked for."""
    return TargetError(
        f"{label} was brought by another load meanwhile, as {what}. Run the same command again: it finds what is there."
    )


class DocumentRows:
    """The rows of etl_document, for the loads of one mapping."""

    def __init__(self, tables: LedgerTables, structure: str) -> None:
        self._tables = tables
        self._structure = structure

    def claim(self, connection: TargetConnection, parts: Sequence[Part]) -> None:
        """Insert the documents of parts that are not there yet.

        Raises TargetError where one of them is there as a document of another source.
        """
        # A document may have several parts among these.
        owners = {part.place[:2]: part for part in parts if part.document is not None or part.pack is not None}
        if not owners:
            return
        rows = [self._columns(part, connection.encoding) for part in owners.values()]
        columns = [list(chain.from_iterable(values)) for values in zip(*rows, strict=True)]
        # In the order of their identities, since another load may be bringing the same.
        order = sorted(range(len(columns[3])), key=columns[3].__getitem__)
        columns = [[column[place] for place in order] for column in columns]
        known = sorted(connection.insert_new(self._tables.document, ("source", "document"), columns))
        there = set(self._there(connection, known))
        for place in known:
            if place not in there:
                label = columns[2][list(zip(columns[0], columns[1], strict=True)).index(place)]
                raise brought_meanwhile(label, "a document of another source")

    def _columns(self, part: Part, encoding: str) -> tuple[Sequence[Any], ...]:
        """Rows of etl_document for what a part is of, by columns."""
        pack, document = part.pack, part.document
        if pack is None:
            assert document is not None
            name = identity(document.fingerprint, self._structure)
            label = document.label if document.label.isascii() else storable(document.label, encoding)
            taken = (document.records_before,), (document.records_most,)
            return (part.source,), (document.number,), (label,), (name,), *taken, (0,)
        count = len(pack.labels)
        most = [records_most(size) for size in pack.sizes]
        return (
            [part.source] * count,
            range(pack.number, pack.number + count),
            [label if label.isascii() else storable(label, encoding) for label in pack.labels],
            packed_identities(pack, self._structure),
            list(accumulate(most[:-1], initial=pack.records_before)),
            most,
            [pack.number] * count,
        )

    def _there(
        self, connection: TargetConnection, places: Sequence[tuple[int, int]], *conditions: sa.ColumnElement[bool]
    ) -> Iterator[tuple[int, int]]:
        """Those of the documents, in order, that have rows."""
        document = self._tables.document.c
        for source, group in groupby(places, key=lambda place: place[0]):
            for some in in_pieces([number for _, number in group]):
                here = (document.source == source, document.document.in_(some), *conditions)
                yield from ((row[0], row[1]) for row in connection.execute(sa.select(*_PLACE(document)).where(*here)))

    def find(self, connection: TargetConnection, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        """Those of the documents that are known, by their fingerprints, and what is committed of them."""
        document, source = self._tables.document, self._tables.source
        wanted = {identity(fingerprint, self._structure): fingerprint for fingerprint in fingerprints}
        columns = (document.c.identity, *_PLACE(document.c), document.c.records_before, document.c.pack, source.c.label)
        known: dict[str, KnownDocument] = {}
        found: dict[tuple[int, int], tuple[str, int, str]] = {}
        # With one parameter for all, since one each takes longer than finding them.
        rows = sa.select(*columns).join_from(document, source, source.c.number == document.c.source)
        rows = rows.where(document.c.identity.in_(sa.bindparam("wanted", expanding=True)))
        for some in in_pieces(sorted(wanted)):
            for name, number, place, before, pack, label in connection.execute(rows, [{"wanted": some}]):
                if pack:
                    own = KnownDocument(number, place, before, 1, (), complete=True, source_label=label)
                    known[wanted[bytes(name)]] = own
                else:
                    found[number, place] = wanted[bytes(name)], before, label
        for place, tiles in self._tiles(connection, sorted(found)):
            fingerprint, before, label = found[place]
            known[fingerprint] = self._known(place, before, label, tiles)
        return known

    @staticmethod
    def _known(place: tuple[int, int], before: int, label: str, tiles: Sequence[tuple[Tile, int]]) -> KnownDocument:
        return KnownDocument(
            source=place[0],
            number=place[1],
            records_before=before,
            records=sum(records for _, records in tiles),
            done=tuple((tile.start, tile.end) for tile, _ in tiles),
            complete=not find_gaps(tile for tile, _ in tiles),
            source_label=label,
        )

    def _tiles(
        self, connection: TargetConnection, places: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[tuple[int, int], list[tuple[Tile, int]]]]:
        """The tiles of each of these documents, in order, with the records in each."""
        split = self._tables.split.c
        tile = (split.source, split.document, split.start_offset, split.end_offset, split.is_last, split.records)
        for source, group in groupby(places, key=lambda place: place[0]):
            for some in in_pieces([number for _, number in group]):
                here = (split.source == source, split.document.in_(some))
                rows = connection.execute(sa.select(*tile).where(*here).order_by(*tile[:4]))
                by_document = {
                    place: [(Tile(*row[2:5]), row[5]) for row in rows_of_one]
                    for place, rows_of_one in groupby(rows, key=lambda row: (row[0], row[1]))
                }
                for number in some:
                    yield (source, number), by_document.get((source, number), [])

    def last(self, connection: TargetConnection, source: int) -> tuple[int, int]:
        """The largest number among a source's documents, and how many record numbers they have taken; 0 without any."""
        document = self._tables.document.c
        taken = sa.func.max(document.records_before + document.records_most)
        ((number, records),) = connection.execute(
            sa.select(sa.func.max(document.document), taken).where(document.source == source)
        )
        return number or 0, records or 0

    def gaps(self, connection: TargetConnection, source: int) -> tuple[DocumentGap, ...]:
        """Numbers below the largest that no document of a source has, with the record numbers around them."""
        document = self._tables.document.c
        end = (document.records_before + document.records_most).label("end")
        before = [sa.func.lag(column, 1, 0).over(order_by=document.document) for column in (document.document, end)]
        columns = (document.document, document.records_before, before[0].label("after"), before[1].label("records"))
        rows = sa.select(*columns).where(document.source == source).subquery().c
        found = sa.select(rows.after + 1, rows.document, rows.records, rows.records_before)
        places = connection.execute(found.where(rows.document > rows.after + 1).order_by(rows.document))
        return tuple(DocumentGap(*place) for place in places)

    def any_known(self, connection: TargetConnection) -> bool:
        """Whether there is any document at all."""
        return bool(connection.execute(sa.select(self._tables.document.c.source).limit(1)))

    def identities(self, connection: TargetConnection) -> Iterator[bytes]:
        """Of all documents; some thousands of them are in memory at a time."""
        own = self._tables.document.c.identity
        last = b""
        while rows := connection.execute(sa.select(own).where(own > last).order_by(own).limit(_IDENTITIES)):
            yield from (bytes(known) for (known,) in rows)
            last = bytes(rows[-1][0])

    def complete(self, connection: TargetConnection, source: int, first: int, others: Sequence[int]) -> int:
        """How many of a source's documents, from the `first` on and of some `others`, are there without a gap."""
        split = self._tables.split.c
        here = (split.source == source, split.document >= first)
        whole = sa.func.sum(sa.case((sa.and_(split.start_offset == 0, split.is_last), 1), else_=0))
        counted = sa.select(split.document, sa.func.count().label("tiles"), whole.label("whole"))
        counts = counted.where(*here).group_by(split.document).subquery()
        simple = sa.and_(counts.c.tiles == 1, counts.c.whole == 1)
        ((number,),) = connection.execute(sa.select(sa.func.count()).select_from(counts).where(simple))
        rest = connection.execute(sa.select(counts.c.document).where(sa.not_(simple)))
        places = sorted({(source, document) for (document,) in rest} | {(source, other) for other in others})
        own = self._tables.document.c
        # The first of a pack is counted by its tile.
        packed = (own.source == source, own.document >= first, own.pack > 0, own.pack < own.document)
        ((more,),) = connection.execute(sa.select(sa.func.count()).where(*packed))
        return int(number) + int(more) + sum(1 for _ in self._complete(connection, places))

    def are_complete(self, connection: TargetConnection, places: Iterable[tuple[int, int]]) -> bool:
        """Whether all of these documents, by source and number, are there without a gap."""
        wanted = sorted(set(places))
        return len(wanted) == sum(1 for _ in self._complete(connection, wanted))

    def _complete(self, connection: TargetConnection, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Those of the documents, each named once, of which nothing is missing."""
        packed = set(self._there(connection, places, self._tables.document.c.pack > 0))
        yield from packed
        for place, tiles in self._tiles(connection, [place for place in places if place not in packed]):
            if not find_gaps(tile for tile, _ in tiles):
                yield place


_PLACE = attrgetter("source", "document")
