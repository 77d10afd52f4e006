"""Sources to a profile: what is in their documents, all of them or a sample.

In: sources. Out: one `Profile`. Runs on the caller's thread; reading and decompressing run ahead on a thread of their
own (`etl.extract.reader`). Memory holds a piece of a document, whatever its shape.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from etl.errors import SourceError
from etl.extract.source import Source, open_source
from etl.inference.document import Document, pieces
from etl.inference.profile import Profile
from etl.inference.prolog import read_prolog
from etl.inference.tally import Tallies


def survey(sources: Sequence[Source], *, sample_bytes: int | None, on_bytes: Callable[[int], object]) -> Profile:
    """Look at the documents, or at so many bytes of them in all; `on_bytes` hears of each piece.

    Raises SourceError where no source can be read, or none holds XML: one bad file must not keep the others out.
    """
    profile = Profile()
    tallies = Tallies()
    left = sample_bytes
    for number, source in enumerate(sources):
        share = None if left is None else max(1, left // (len(sources) - number))
        try:
            seen = _survey_source(source, share, profile, tallies, on_bytes)
        except SourceError as error:
            if number + 1 == len(sources) and not profile.documents:
                raise
            profile.whole = False
            profile.skipped += 1
            profile.first_problem = profile.first_problem or str(error)
            continue
        left = None if left is None else left - seen
    tallies.finish(profile)
    if not profile.roots:
        raise SourceError(f"No element could be read. {profile.first_problem}.")
    return profile


@contextmanager
def _without_collection() -> Iterator[None]:
    """No search for cyclic garbage: elements make none, and looking at all of them takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _survey_source(
    source: Source, limit: int | None, profile: Profile, tallies: Tallies, on_bytes: Callable[[int], object]
) -> int:
    seen = 0
    with open_source(source) as reader:
        prolog = read_prolog(reader, source.label)
        profile.documents += 1
        document = Document(tallies, prolog)
        problem = ""
        try:
            for piece in pieces(chain([prolog.rest], reader)):
                document.feed(piece)
                tallies.settle()
                seen += len(piece)
                on_bytes(len(piece))
                if document.exhausted or (limit is not None and seen >= limit):
                    profile.whole = False
                    document.cut_off()
                    break
            else:
                document.finish()
        except SourceError as error:
            profile.whole = False
            problem = str(error)
            document.cut_off()
    profile.bytes += seen
    profile.skipped += document.problems + bool(problem)
    if not profile.first_problem:
        profile.first_problem = f"{source.label}, {document.first_problem}" if document.problems else problem
    return seen
