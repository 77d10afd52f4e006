"""What to do about entities that nobody declares: the report of a run goes in, with a sentence on its DTD it comes out.

A document says in its first lines which DTD it was written by. That file is not opened; only here it is looked at
whether one of its name is beside the document. Caller's thread, behind the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from etl.errors import SourceError
from etl.extract.doctype import MAX_DOCTYPE_BYTES, parse_doctype
from etl.extract.source import Source, open_source
from etl.report import CheckReport, LoadReport
from etl.shell_text import for_shell

_SOURCES = 20
"""Looked at, until one names a DTD: those of a run are of one kind, mostly."""

_Report = TypeVar("_Report", LoadReport, CheckReport)


def with_dtd_hint(report: _Report, found: Sequence[Source], given: Path | None) -> _Report:
    """The report, with a notice where records were rejected for entities; `given` is the DTD that the user named."""
    if given is not None or all(reject.reason != "undefined_entity" for reject in report.rejects):
        return report
    hint = next(filter(None, map(_hint, found[:_SOURCES])), "--dtd FILE gives entities their meaning.")
    if isinstance(report, LoadReport):
        hint += " So does `etl retry --dtd FILE`, for the records that were rejected."
    return dataclasses.replace(report, notices=(*report.notices, hint))


def _hint(source: Source) -> str:
    """A sentence, where the document names a DTD."""
    system = _named(source) if source.rereadable and not source.is_collection else ""
    if not system:
        return ""
    beside = None if source.path is None else source.path.parent / PurePosixPath(system).name
    if beside is not None and beside.suffix == ".dtd" and beside.is_file():
        return (
            f"No DTD that a document names is opened; {source.label} has its own beside it: --dtd {for_shell(beside)}"
            " takes it."
        )
    return f"No DTD that a document names is opened; if you have that of {source.label}, {system}: --dtd FILE takes it."


def _named(source: Source) -> str:
    head = b""
    try:
        with open_source(source) as chunks:
            for chunk in chunks:
                head += chunk
                at = head.find(b"<!DOCTYPE")
                doctype = parse_doctype(head[at : at + MAX_DOCTYPE_BYTES]) if at >= 0 else None
                if doctype is not None:
                    return doctype.system.decode("utf-8", "replace")
                if len(head) > MAX_DOCTYPE_BYTES:
                    break
    except SourceError:
        pass  # it is told elsewhere
    return ""
