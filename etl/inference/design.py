"""From what was seen in a sample to a mapping with comments: a Profile goes in, the text of a mapping file comes out.

The steps, each in a file: which elements are records (`records`), what their rows hold (`contents`, kept narrow by
`width`), what tables and columns are called and what their keys are (`tables`, `names`, `keys`), the YAML (`write`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etl.inference.namesakes import lend_types
from etl.inference.namespaces import Namespaces
from etl.inference.profile import Profile
from etl.inference.records import find_records
from etl.inference.tables import design_tables
from etl.inference.write import write_mapping

WARNINGS_SHOWN = 20
"""Warnings written into the file; a document that calls for more needs a mapping by hand."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """A mapping that nobody wrote."""

    text: str
    """YAML that `etl.mapping.reader.parse_mapping` accepts."""
    warnings: tuple[str, ...]
    """What could not be shown as tables, or was not seen; sentences without their full stop."""


def infer_mapping(profile: Profile, label: str) -> Inferred:
    """A mapping for documents like those of the profile; `label` says what was looked at."""
    lend_types(profile)
    namespaces = Namespaces(profile)
    records, warnings = find_records(profile)
    tables = design_tables(records, namespaces, profile)
    warnings = [*passed_over(profile), *profile.mixed, *warnings]
    text = write_mapping(list(_head(profile, label, warnings)), namespaces.prefixes, tables)
    return Inferred(text, tuple(warnings))


def passed_over(profile: Profile) -> list[str]:
    """A warning of what could not be read, if there is any."""
    if profile.skipped <= 1:
        return [f"1 passage could not be read and was passed over: {profile.first_problem}"] * profile.skipped
    return [f"{profile.skipped:,} passages could not be read and were passed over; the first: {profile.first_problem}"]


def _head(profile: Profile, label: str, warnings: Sequence[str]) -> Iterator[str]:
    share = "all of it" if profile.whole else "a sample"
    if profile.skipped:
        share += f", {profile.skipped:,} passage{'s' if profile.skipped > 1 else ''} passed over"
    documents = f"{profile.documents:,} documents, " if profile.documents > 1 else ""
    yield f"Inferred from {label}: {share}, {documents}{profile.bytes:,} bytes."
    yield "Edit it as you like (`etl docs mapping`). Comments: in how many rows a value was seen (nothing: in all),"
    yield "why it has its type, and what it was."
    for warning in warnings[:WARNINGS_SHOWN]:
        yield f"Note: {warning}."
    if len(warnings) > WARNINGS_SHOWN:
        yield f"Note: {len(warnings) - WARNINGS_SHOWN:,} more like these."
