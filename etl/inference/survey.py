"""Sources to a profile: what is in their documents, all of them or a sample.

In: sources. Out: one `Profile`. Runs on the caller's thread; reading and decompressing run ahead on a thread of their
own (`etl.extract.reader`). Memory holds a piece of a document, whatever its shape.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from etl.errors import SourceError
from etl.extract.source import Source, open_source
from etl.inference.document import Document
from etl.inference.pieces import pieces
from etl.inference.profile import Profile
from etl.inference.prolog import read_prolog
from etl.inference.sample import can_be_sought, look_further_in
from etl.inference.tally import Tallies


def survey(sources: Sequence[Source], *, sample_bytes: int | None, on_bytes: Callable[[int], object]) -> Profile:
    """Look at the documents, or at so many bytes of them in all; `on_bytes` hears of each piece.

    Raises SourceError where no source can be read, or none holds XML: one bad file must not keep the others out.
    """
    profile = Profile()
    tallies = Tallies()
    left = sample_bytes
    failure: SourceError | None = None
    with _without_collection():
        for number, source in enumerate(sources):
            share = None if left is None else max(1, left // (len(sources) - number))
            look = _Look(source, tallies, on_bytes)
            try:
                look.take(share)
            except SourceError as error:
                failure = error
                profile.whole = False
                profile.skipped += 1
                profile.first_problem = profile.first_problem or str(error).rstrip(".")
                continue
            look.add_to(profile)
            left = None if left is None else left - look.seen
        tallies.finish(profile)
    if failure is not None and not profile.documents:
        raise failure
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


class _Look:
    """One source, looked at."""

    def __init__(self, source: Source, tallies: Tallies, on_bytes: Callable[[int], object]) -> None:
        self.seen = 0
        """Bytes of the document."""
        self._source = source
        self._tallies = tallies
        self._on_bytes = on_bytes
        self._whole = False
        self._problem = ""

    def take(self, limit: int | None) -> None:
        """Look at the whole document, or at about `limit` bytes of it."""
        path, size = self._source.path, self._source.size
        spread = limit is not None and size is not None and size > limit and can_be_sought(self._source)
        with open_source(self._source) as reader:
            prolog = read_prolog(reader, self._source.label)
            self._document = Document(self._tallies, prolog)
            try:
                self._whole = self._feed(
                    pieces(chain([prolog.rest], reader)), limit // 2 if spread and limit else limit
                )
            except SourceError as error:
                self._problem = str(error)
        if self._whole:
            self._document.finish()
        elif spread and limit is not None and path is not None and not self._document.exhausted:
            with path.open("rb") as file:
                look_further_in(file, self.seen, limit - self.seen, self._document, self._feed_passage)
        else:
            self._document.cut_off()

    def _feed(self, data: Iterable[bytes], limit: int | None) -> bool:
        """Whether there was no more, and all of it could be looked at."""
        rest = iter(data)
        for piece in rest:
            self._document.feed(piece)
            self._tallies.settle()
            self.seen += len(piece)
            self._on_bytes(len(piece))
            if self._document.exhausted and not self._document.ended:
                return False
            if self._document.ended or (limit is not None and self.seen >= limit):
                return not any(rest)
        return True

    def _feed_passage(self, passage: bytes) -> None:
        self._feed(pieces([passage]), None)

    def add_to(self, profile: Profile) -> None:
        """Add what there is to say about the document."""
        document = self._document
        profile.documents += 1
        profile.bytes += self.seen
        profile.whole = profile.whole and self._whole
        profile.skipped += document.problems + bool(self._problem)
        if not profile.first_problem:
            label = self._source.label
            problem = self._problem.rstrip(".")
            profile.first_problem = f"{label}, {document.first_problem}" if document.problems else problem
