"""Loads of small documents in an archive or a folder, and all that a database holds of them then."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import etl
from etl.messages import RECORDS_PER_SOURCE
from etl.options import Settings, build_settings
from etl.report import LoadReport
from tests.acceptance.contents import query
from tests.packing import pack
from tests.property.small_documents import CHILDREN, MAPPING, RECORDS, SmallDocument, fillers, without_twins

KINDS = ("docs", "docs.zip", "docs.tar", "docs.tar.gz")
FILLERS = {roots: fillers(101, roots=roots) for roots in (False, True)}
"""With so many beside them the files of a folder are one source. Their records are below roots, or are these."""

Row = tuple[Any, ...]


def chosen(**sections: Any) -> Settings:
    """Settings by which bad documents, however many, end no load."""
    return build_settings({"workers": {"kind": "inline"}, "errors": {"max": "unlimited"}, **sections})


@dataclass(frozen=True)
class Loaded:
    """What a database holds; names of documents stand without their archive or folder."""

    rows: dict[str, list[Row]]
    """By table, all columns."""
    rejects: list[Row]
    """Document, offset, line, record, reason, table, column, message, bytes, length."""
    documents: list[Row]
    """Number, name, record numbers before its own, its own at most."""
    totals: tuple[int, ...]
    """Documents, records, loaded, rejected, discarded, as `etl status` has them."""


class Packed:
    """Documents in a place of their own."""

    def __init__(self, folder: Path, kind: str, documents: Sequence[SmallDocument], *, roots: bool = False) -> None:
        self.own = documents
        self.documents = sorted([*documents, *FILLERS[roots]], key=lambda document: document.name)
        self.source = pack(kind, folder, {document.name: document.content for document in self.documents})
        self.mapping = folder / "docs.mapping.yaml"
        self.mapping.write_text(MAPPING, "utf-8")
        self.folder = folder
        if kind == "docs":  # of files that hold the same one is loaded
            self.documents = without_twins(self.documents)

    def url(self, name: str = "docs") -> str:
        """Of a SQLite database beside them."""
        return f"sqlite:///{self.folder / name}.db"

    def load(self, url: str, how: Settings | None = None, **options: Any) -> LoadReport:
        return etl.load(self.source, mapping=self.mapping, target=url, settings=how or chosen(), **options)

    def loaded(self, url: str) -> Loaded:
        """What is there now."""
        return loaded(url, f"{self.source}/")

    def check(self, url: str, report: LoadReport) -> Loaded:
        """That it is what the documents come to; it is returned."""
        found = self.loaded(url)
        ids = sorted(identity for table in RECORDS for identity, *_ in _own(found, table))
        assert ids == sorted(identity for document in self.documents for identity in document.ids)
        rejects = {document.name: document.rejects for document in self.documents if document.rejects}
        assert {name: sum(row[0] == name for row in found.rejects) for name in rejects} == rejects
        assert len(found.rejects) == sum(rejects.values())
        assert [row[1] for row in found.documents] == [one.name for one in self.documents if not one.skipped]
        assert [row[0] for row in found.documents] == [*range(1, len(found.documents) + 1)]
        assert found.totals == (len(found.documents), report.records, len(ids), len(found.rejects), 0)
        before = {name: before for _, name, before, *_ in found.documents}
        assert [*before.values()] == [0, *accumulate(row[3] for row in found.documents)][:-1]
        rows = [row for table in RECORDS for row in found.rows[table]]
        assert all(row[0] == RECORDS_PER_SOURCE + before[row[-4]] + row[-1] for row in rows)
        assert (report.state, report.exit_code) == ("finished", 3 if rejects else 0)
        (source,) = report.sources
        assert source.documents is not None
        skipped = [document.skipped for document in self.documents if document.skipped]
        assert source.documents.skipped == {reason: skipped.count(reason) for reason in skipped}
        assert (report.records, source.rejected + source.rejected_before) == (
            len(ids) + sum(rejects.values()),
            sum(rejects.values()),
        )
        return found


def _own(found: Loaded, table: str) -> list[Row]:
    """The rows of a table of records without their generated keys."""
    return [row[1:] for row in found.rows[table]]


def loaded(url: str, base: str) -> Loaded:
    """What a database holds of documents whose names begin with `base`."""
    rows = {
        table: sorted(_plain(row, base) for row in query(url, f"SELECT * FROM {table}"))
        for table in (*RECORDS, *CHILDREN)
    }
    rejects = query(
        url,
        "SELECT d.label, r.byte_offset, r.line, r.record, r.reason, r.table_name, r.column_name, r.message, r.raw,"
        " r.length FROM etl_reject r LEFT JOIN etl_document d ON d.source = r.source AND d.document = r.document",
    )
    documents = query(url, "SELECT document, label, records_before, records_most FROM etl_document ORDER BY document")
    status = etl.status(url)
    totals = [(one.documents, one.records, one.loaded, one.rejected, one.discarded) for one in status]
    return Loaded(
        rows,
        sorted(_plain(row, base) for row in rejects),
        [_plain(row, base) for row in documents],
        tuple(map(sum, zip(*totals, strict=True))),
    )


def _plain(row: Any, base: str) -> Row:
    return tuple(
        value.replace(base, "") if isinstance(value, str) else bytes(value) if isinstance(value, memoryview) else value
        for value in row
    )


def one_by_one(packed: Packed, url: str) -> Path:
    """Load each document, but no filler, as a file of its own; where the files are."""
    folder = packed.folder / "single"
    folder.mkdir()
    for document in packed.own:
        (folder / document.name).write_bytes(document.content)
        with contextlib.suppress(etl.SourceError):  # some are broken: what is in front of that is loaded
            etl.load(folder / document.name, mapping=packed.mapping, target=url, settings=chosen())
    return folder
