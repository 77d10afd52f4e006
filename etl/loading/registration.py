"""Begins sources, takes up those that are known, and begins them again: which rows of etl_source a load goes by.

Comes in: what is to be loaded, by which mapping, and a connection whose transaction is open and has the lock under
which loads register. Goes out: each source with what is committed of it. Runs on the load's main thread.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from etl.errors import MappingError, SourceHeld, TargetError
from etl.loading import readings
from etl.loading.documents import DocumentRows
from etl.loading.growing import find_grown
from etl.loading.holds import Holds
from etl.loading.known_documents import KnownDocuments
from etl.loading.ledger_base import Prefix, RegisteredSource, Totals, now
from etl.loading.ledger_queries import forget, next_number, tiles_of, totals_of
from etl.loading.ledger_tables import LedgerTables
from etl.loading.mapping_digest import differences, structure_digest
from etl.loading.other_content import OtherContent
from etl.loading.source_rows import SourceRow, SourceRows, moment
from etl.loading.stored_text import storable, storable_yaml
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import SourceInfo
from etl.targets.base import Target, TargetConnection


class Registration:
    """Registers the sources of one load by one mapping."""

    def __init__(self, target: Target, tables: LedgerTables, mapping: Mapping, documents: DocumentRows) -> None:
        self._target = target
        self._tables = tables
        self._mapping = mapping
        self._structure = structure_digest(mapping)
        self._names = {table.name for table in mapping.tables}
        self._load_id = str(uuid.uuid4())
        self._rows = SourceRows(target, tables, self._load_id)
        self._other_content = OtherContent(self._rows, tables, self._names, target.write)
        self.holds = Holds(target)
        self.epochs: dict[int, int] = {}
        """Of the sources that are this load's, by their numbers."""
        self.known_documents = KnownDocuments(tables, self._rows, documents, self.holds, self._structure)

    def take_up_grown(
        self, connection: TargetConnection, label: str, fingerprint: str, size: int, path: str, prefix: Prefix
    ) -> tuple[str, ...]:
        """Give a source whose file has grown the identity that the file has now, and say so; see `find_grown`.

        Raises SourceHeld where a load that is alive has it.
        """
        path = storable(path, connection.encoding)
        grown = find_grown(connection, self._tables, self._structure, fingerprint, size, path, prefix)
        if grown is None:
            return ()
        (row,) = self._rows.where(connection, self._tables.source.c.number == grown.number)
        self._check_free(row)
        self._update(connection, grown.number, fingerprint=fingerprint, size=size)
        if not grown.begun:
            return ()
        return (
            f"{label} has grown since a load of it began (on {moment(grown.started_at)}), from {grown.size:,} to"
            f" {size:,} bytes: it goes on behind what was loaded then.",
        )

    def register(
        self,
        connection: TargetConnection,
        label: str,
        fingerprint: str | None,
        size: int | None,
        path: str | None,
        *,
        open_ended: bool,
    ) -> RegisteredSource:
        """See `Ledger.register`."""
        path = None if path is None else storable(path, connection.encoding)
        self._forget_dropped(connection)
        if fingerprint is not None:
            self.known_documents.check_reading(connection, [fingerprint])
        if fingerprint is not None and not open_ended:
            part = self.known_documents.as_source(connection, label, fingerprint)
            if part is not None:
                return part
        for known in self._known(connection, fingerprint):
            ours = known.mapping_digest == self._structure
            if ours and known.state == "finished" and not open_ended and not self._rows.missing(connection, known):
                done = self._registered(connection, known, totals_of(connection, self._tables, known.number))
                since = self._other_content.since(connection, label, path, known)
                return dataclasses.replace(done, notices=(*done.notices, *since))
            if not ours and not known.tables & self._names:
                continue
            found = self._take(connection, known)
            if ours and (found.tables == "all" or found.only_begun):
                return self._registered(connection, found.row, found.totals, open_ended=open_ended)
            if ours and found.tables == "some":
                raise self._rows.partly_gone(connection, found.row)
            if found.tables != "none" and found.totals.loaded:
                raise self._other_mapping(connection, label, found.row)
            self._delete(connection, known.number)
        return self._begin(connection, label, fingerprint, size, path)

    def _forget_dropped(self, connection: TargetConnection) -> None:
        """Of sources whose tables were all dropped nothing is there: they must not be known once these are there again.

        One of which a load that lives has just begun has no tables yet.
        """
        if self._present(connection):
            return
        for row in self._rows.where(connection, self._tables.source.c.mapping_digest == self._structure):
            gone = self._rows.missing(connection, row) == row.tables
            free = gone and not self.holds.elsewhere(row.lock, row.holder)
            if free and totals_of(connection, self._tables, row.number).records:
                self._delete(connection, row.number)

    def begin_again(self, connection: TargetConnection, fingerprints: Sequence[str], paths: Sequence[str]) -> None:
        """See `Ledger.begin_again`."""
        upsert = self._target.write == "upsert"
        there: list[_Found] = []
        readings = [*fingerprints, *self.known_documents.other_readings(connection, fingerprints)]
        same = [row for fingerprint in readings for row in self._known(connection, fingerprint)]
        for known in [*same, *([] if upsert else self._with_other_content(connection, readings, paths))]:
            # Of an upsert by this very mapping the records take their own places: nothing has to be emptied for that.
            if not known.tables & self._names or (upsert and known.mapping_digest != self._structure):
                continue
            found = self._take(connection, known)
            if found.tables == "some" and not found.only_begun:
                raise self._rows.partly_gone(connection, found.row)
            if found.tables == "all":
                there.append(found)
        if not upsert:
            # Where only new content is named, its records would join those of others.
            self._check_others(connection, [found.row for found in there], self._present(connection))
        if there and not upsert:
            self._empty(connection, there)
        kept: set[str] = set()
        for row in (found.row for found in there):
            if row.fingerprint in kept or row.fingerprint not in fingerprints:
                self._delete(connection, row.number)
            else:
                kept.add(row.fingerprint)
                forget(connection, self._tables, row.number)
                self._update(
                    connection,
                    row.number,
                    **self._mapping_values(connection),
                    tables=json.dumps(sorted(self._names)),
                    state="loading",
                    epoch=row.epoch + 1,
                    **self.holds.ours(),
                    load_id=self._load_id,
                    started_at=now(),
                    finished_at=None,
                )

    def _empty(self, connection: TargetConnection, there: Sequence[_Found]) -> None:
        """Empty the tables of these sources; raises TargetError where others have rows there."""
        rows = [found.row for found in there]
        emptied = frozenset().union(*(row.tables for row in rows))
        self._check_alone(connection, rows, emptied)
        counts = self._target.empty(connection, emptied)
        # Now that nobody else can write there: somebody may have, since.
        self._check_alone(connection, rows, emptied)
        self._check_counts(counts, sum(found.totals.loaded for found in there))

    def _take(self, connection: TargetConnection, known: SourceRow) -> _Found:
        """The source as it stays until the transaction ends. Raises SourceHeld where a load that is alive has it."""
        self._check_free(known)
        here = self._tables.source.c.number == known.number
        # What a dead load has in flight may still be committed, and counts then.
        found = self._rows.where(connection, here, locked="if free")
        if not found:
            self._target.notify(
                f"Waiting for what {known.holder}, has left in flight of {known.label}: the server has not noticed yet"
                " that it is gone."
            )
            found = self._rows.where(connection, here, locked="in turn")
        (row,) = found
        missing = self._rows.missing(connection, row)
        tables: Literal["all", "some", "none"] = "all" if not missing else "none" if missing == row.tables else "some"
        return _Found(row, tables, totals_of(connection, self._tables, row.number))

    def _check_free(self, row: SourceRow) -> None:
        """Raise SourceHeld where a load or a retry that is alive has the source, which may be finished all the same."""
        who = self.holds.elsewhere(row.lock, row.holder)
        if who is not None:
            doing = "is being loaded" if row.state != "finished" else "has rejects that are being retried"
            raise SourceHeld(
                f"{row.label} {doing} in {self._target.label} already, by {who}. Wait for its end, or end it, and run"
                " the same command again: what is committed by then stays."
            )

    def _known(self, connection: TargetConnection, fingerprint: str | None) -> list[SourceRow]:
        if fingerprint is None:
            return []
        source = self._tables.source.c
        # The row of this very mapping first: it decides, whatever else is there.
        return self._rows.where(connection, source.fingerprint == fingerprint, source.mapping_digest != self._structure)

    def _with_other_content(
        self, connection: TargetConnection, fingerprints: Sequence[str], paths: Sequence[str]
    ) -> list[SourceRow]:
        """What these files were loaded as before, when they held something else."""
        source = self._tables.source.c
        return self._rows.where(connection, sa.and_(source.path.in_(paths), source.fingerprint.not_in(fingerprints)))

    def _present(self, connection: TargetConnection) -> frozenset[str]:
        """The mapping's tables that are there."""
        return frozenset(self._names) - self._target.missing_tables(connection, self._names)

    def _registered(
        self, connection: TargetConnection, row: SourceRow, totals: Totals, *, open_ended: bool = False
    ) -> RegisteredSource:
        """A source that is known; if it is unfinished, it is this load's from now on."""
        notices = readings.changed(row, totals.records, self._mapping)
        if open_ended and row.state != "loading":
            self._update(connection, row.number, state="loading", finished_at=None)
            row = dataclasses.replace(row, state="loading")
        if row.state != "finished":
            self.epochs[row.number] = row.epoch + 1
            self._update(
                connection, row.number, **self._mapping_values(connection), epoch=row.epoch + 1, **self.holds.ours()
            )
        info = SourceInfo(row.number, row.label, row.load_id, row.started_at)
        done = tuple((tile.start, tile.end) for tile in tiles_of(connection, self._tables, row.number))
        return RegisteredSource(info, row.state, done, totals, notices)

    def _other_mapping(self, connection: TargetConnection, label: str, row: SourceRow) -> TargetError:
        common = ", ".join(sorted(self._names & row.tables))
        verb = "was loaded" if row.state == "finished" else "began to be loaded"
        changed = self._differences(row)
        again = ""
        with suppress(TargetError):
            self._check_alone(connection, [row], row.tables)
            again = ", or use --again (not with `write: upsert`), which empties them and loads it anew"
        return TargetError(
            f"{label} {verb} into {common} with another mapping (as {row.label}, on {moment(row.started_at)})"
            f"{f'; what differs: {changed}' if changed else ''}. Its records would be there twice, or half by the one"
            f" and half by the other. Use that mapping (column mapping of etl_source, number {row.number}), or name"
            f" other tables in this one, or load into another database, or drop these tables first{again}."
        )

    def _differences(self, row: SourceRow) -> str:
        """What this mapping has otherwise than the source's."""
        try:
            return differences(parse_mapping(row.mapping, row.mapping_file or ""), self._mapping)
        except MappingError:  # of another version of this program, or made without a file
            return ""

    def _check_alone(self, connection: TargetConnection, rows: Sequence[SourceRow], emptied: Collection[str]) -> None:
        """Raise TargetError where these tables may hold rows of others than these sources, or no longer fit."""
        not_ours = sorted(set(emptied) - self._target.created_tables(connection, self._mapping))
        if not_ours:
            raise _not_again(f"{', '.join(not_ours)} was there before any load, and may hold rows of others")
        self._check_others(connection, rows, emptied)

    def _check_others(self, connection: TargetConnection, rows: Sequence[SourceRow], tables: Collection[str]) -> None:
        """Raise TargetError where sources other than these have rows in these tables."""
        numbers = [row.number for row in rows]
        for other in self._rows.where(connection, self._tables.source.c.number.not_in(numbers)):
            shared = sorted(other.tables & set(tables))
            if shared and totals_of(connection, self._tables, other.number).loaded:
                raise _not_again(f"{', '.join(shared)} has rows of {other.label} (source {other.number}) too")

    def _check_counts(self, counts: dict[str, int], loaded: int) -> None:
        """Raise TargetError where tables of records had more rows than loads have put there."""
        roots = [table for table in self._mapping.tables if table.parent is None and table.name in counts]
        paths = [path.text for table in roots for path in table.records]
        rows = [counts[table.name] for table in roots]
        # An element may be a record of several tables.
        most = sum(rows) if len(set(paths)) == len(paths) else max(rows)
        if most > loaded:
            names = ", ".join(table.name for table in roots)
            raise _not_again(f"{names} had {most:,} rows, and loads have put only {loaded:,} there")

    def _begin(
        self, connection: TargetConnection, label: str, fingerprint: str | None, size: int | None, path: str | None
    ) -> RegisteredSource:
        started, label = now(), storable(label, connection.encoding)
        values = {
            "label": label,
            "path": path,
            "fingerprint": fingerprint,
            "size": size,
            **self._mapping_values(connection),
            "tables": json.dumps(sorted(self._names)),
            "state": "loading",
            "epoch": 1,
            **self.holds.ours(),
            "load_id": self._load_id,
            "started_at": started,
        }
        notices = self._other_content.before(connection, label, path)
        number = next_number(connection, self._tables)
        connection.execute(sa.insert(self._tables.source).values(number=number, **values))
        self.epochs[number] = 1
        info = SourceInfo(number, label, self._load_id, started)
        return RegisteredSource(info, "loading", (), Totals(), notices)

    def _mapping_values(self, connection: TargetConnection) -> dict[str, Any]:
        file = Path(self._mapping.label)
        return {
            "mapping": storable_yaml(self._mapping.text, connection.encoding),
            "mapping_file": storable(str(file.absolute()), connection.encoding) if file.is_file() else None,
            "mapping_digest": self._structure,
            "conversion_digest": readings.kept(self._mapping),
        }

    def _update(self, connection: TargetConnection, number: int, **values: Any) -> None:
        source = self._tables.source
        connection.execute(sa.update(source).where(source.c.number == number).values(values))

    def _delete(self, connection: TargetConnection, number: int) -> None:
        forget(connection, self._tables, number)
        source = self._tables.source
        connection.execute(sa.delete(source).where(source.c.number == number))


@dataclass(frozen=True, slots=True)
class _Found:
    """A source that nobody else has, while its row is locked."""

    row: SourceRow
    tables: Literal["all", "some", "none"]
    """Which of its tables are there."""
    totals: Totals

    @property
    def only_begun(self) -> bool:
        """Whether its load may have ended before all tables were created; it keeps number and first start then."""
        return self.row.state == "loading" and not self.totals.records


def _not_again(why: str) -> TargetError:
    return TargetError(
        f"--again would empty what is not this source's alone: {why}. Load into another database, or drop or empty the"
        " tables yourself."
    )
