"""The mapping of a run that was given none: inferred from a sample of its sources, and saved where that is asked for.

In: sources. Out: a mapping, as its text reads. Runs on the caller's thread, which a Ctrl-C ends at any point; a file is
written whole or not at all, and one that is there is never written over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etl.allocator import give_back_free_memory
from etl.errors import InternalError, MappingError
from etl.extract.source import Source
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.metrics import Snapshot
from etl.new_file import new_file
from etl.options import Limits
from etl.progress import Progress, format_bytes, format_list
from etl.report import UNSAVED

if TYPE_CHECKING:
    from etl.extract.dtd import Dtd
    from etl.inference.profile import Profile

SAMPLE_BYTES = 64 * 2**20
"""Of the documents: seconds to read, and enough to see what is rare."""

COMPARED_BYTES = 8 * 2**20
"""Of the documents beside a schema: whether they have what it declares shows soon."""

SLOW_SECONDS = 2.0
"""After which a schema that is still read is said to be large."""


def infer_text(
    found: Sequence[Source], *, full: bool, progress: Progress, dtd: Dtd | None = None, limits: Limits | None = None
) -> str:
    """The text of a mapping for these sources; what is doubtful about it is noted, too.

    What `dtd` declares holds in all of them; `limits` (the defaults) are those of archives. Raises SourceError where a
    source cannot be read or holds no XML.
    """
    # A load that is given its mapping need not wait for these.
    from etl.inference.design import infer_mapping
    from etl.inference.openable import archived, openables
    from etl.inference.survey import survey

    sample_bytes = None if full else SAMPLE_BYTES
    look = _Look(_bytes_to_read(found, sample_bytes))
    progress.start(look.snapshot)
    try:
        profile = survey(
            openables(found),
            archives=archived(found, limits or Limits()),
            sample_bytes=sample_bytes,
            on_bytes=look.count,
            dtd=dtd,
        )
    finally:
        progress.stop()
    inferred = infer_mapping(profile, format_list([source.label for source in found], 3))
    tables = _parsed(inferred.text, UNSAVED).tables
    progress.note(f"Inferred {_tables([table.name for table in tables])} from {_extent(profile)}.")
    for warning in inferred.warnings:
        progress.note(f"{warning.rstrip('.')}.")
    return inferred.text


def text_from_schema(
    file: Path, found: Sequence[Source], progress: Progress, dtd: Dtd | None = None, limits: Limits | None = None
) -> str:
    """The text of a mapping by an XML Schema, for the root elements of these sources if there are any.

    What `dtd` declares holds in all of them; `limits` (the defaults) are those of archives. Raises SettingsError where
    the schema is not usable, SourceError where no source can be read.
    """
    from etl.inference.openable import archived, openables
    from etl.inference.survey import survey
    from etl.inference.xsd import infer_from_schema

    def look() -> Profile:
        return survey(
            openables(found),
            archives=archived(found, limits or Limits()),
            sample_bytes=COMPARED_BYTES,
            on_bytes=lambda _seen: None,
            dtd=dtd,
        )

    slow = threading.Timer(SLOW_SECONDS, progress.note, [f"The schema {file} is a large one: this takes a while."])
    slow.daemon = True
    slow.start()
    try:
        inferred = infer_from_schema(file, look if found else None)
    finally:
        slow.cancel()
    tables = _parsed(inferred.text, UNSAVED).tables
    progress.note(f"Made {_tables([table.name for table in tables])} from {file}.")
    for warning in inferred.warnings:
        progress.note(f"{warning.rstrip('.')}.")
    return inferred.text


def inferred_mapping(
    found: Sequence[Source],
    save_as: Path | None,
    progress: Progress,
    dtd: Dtd | None = None,
    limits: Limits | None = None,
) -> Mapping:
    """A mapping inferred from `kept` sources, which are then ready to be read; saved as `save_as`, where it is given.

    Raises SourceError; that it cannot be saved is noted.
    """
    streams = [source.stream for source in found if source.stream is not None]
    try:
        text = infer_text(found, full=False, progress=progress, dtd=dtd, limits=limits)
        mapping = _parsed(text, _save_noted(text, save_as, progress) if save_as else UNSAVED)
    except BaseException:
        for stream in streams:
            stream.close()
        raise
    for stream in streams:
        stream.keep_no_more()
    # What the survey needed would stay in the process beside what the load needs.
    give_back_free_memory()
    return mapping


class _Look:
    """How far the look at a sample is."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._seen = 0
        self._began = time.monotonic()

    def count(self, seen: int) -> None:
        """Take note of more bytes that were looked at."""
        self._seen += seen

    def snapshot(self) -> Snapshot:
        return Snapshot(
            position=self._seen,
            total=self._total,
            document_bytes=self._seen,
            records=0,
            rejected=0,
            discarded=0,
            seconds=time.monotonic() - self._began,
            pool=None,
            metrics=None,
            bottleneck="",
            activity="inferring a mapping",
        )


def _bytes_to_read(found: Sequence[Source], sample_bytes: int | None) -> int | None:
    """As far as it can be told before: what a compressed file holds cannot."""
    from etl.inference.choice import LOOKED_AT
    from etl.inference.openable import PACKED

    if any(source.kind == "archive" or source.path is None or source.size is None for source in found):
        return sample_bytes
    if any(source.path is not None and source.path.suffix.lower() in PACKED for source in found):
        return sample_bytes
    known, documents = sum(source.size or 0 for source in found), sum(len(source.files) or 1 for source in found)
    return known if sample_bytes is None else min(known * LOOKED_AT // max(LOOKED_AT, documents), sample_bytes)


def _parsed(text: str, label: str) -> Mapping:
    try:
        return parse_mapping(text, label)
    except MappingError as error:
        raise InternalError(f"The mapping that was inferred is not one (please report this): {error}") from error


def _save_noted(text: str, file: Path, progress: Progress) -> str:
    """Save the text, say so, and return what messages are to call it."""
    try:
        with new_file(file) as out:
            out.write(text.encode())
    except OSError as error:
        progress.note(f"The mapping is not saved as {file}: {error.strerror or error}. `etl infer` writes it out.")
        return UNSAVED
    progress.note(f"The mapping is saved as {file}, which the next load uses as it then stands.")
    return str(file)


def _tables(names: Sequence[str]) -> str:
    return f"the table {names[0]}" if len(names) == 1 else f"{len(names):,} tables ({format_list(names)})"


def _extent(profile: Profile) -> str:
    documents = "the document" if profile.documents == 1 else f"{profile.documents:,} documents"
    size = format_bytes(profile.bytes)
    return f"all of {documents} ({size})" if profile.whole else f"a sample of {documents} ({size})"
