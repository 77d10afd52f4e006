"""What a command is given to load: the sources that its names stand for, without what is no document.

In: names as the user wrote them. Out: sources, and what was skipped. Runs on the thread that calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from etl.errors import SourceError
from etl.extract.member import described_skips
from etl.extract.no_document import skipped_file
from etl.extract.repair import Repair
from etl.extract.source import Source, expand


@dataclass(frozen=True, slots=True)
class Given:
    """The sources of a command."""

    sources: list[Source]
    skipped: Counter[str]
    """Files that a folder or a pattern brought and that are no documents, by the reason; those that were not looked at
    alone are counted by the reading of their folder.
    """
    skipped_examples: dict[str, str]
    """The first of each."""

    def described_skips(self) -> str:
        """A few words on what was skipped, "" where nothing was."""
        return described_skips(self.skipped, self.skipped_examples)


def given_sources(names: Sequence[str], repair: Repair | None = None) -> Given:
    """The sources that names stand for; see `expand`.

    Of what the user named himself nothing is skipped. Raises SourceError as `expand` does, and where nothing is left.
    """
    named = frozenset(names)
    found = Given([], Counter(), {})
    for source in expand(names, repair):
        reason = "" if source.label in named else _skipped(source)
        if reason:
            found.skipped[reason] += 1
            found.skipped_examples.setdefault(reason, source.label)
        else:
            found.sources.append(source)
    if not found.sources:
        raise SourceError(f"There is no XML document in {', '.join(names)}: {found.described_skips()}.")
    return found


def _skipped(source: Source) -> str:
    """Why it is no document; what can be read only once is not looked at."""
    if source.kind != "document" or source.path is None or not source.rereadable:
        return ""
    return skipped_file(source.path, source.repair)
