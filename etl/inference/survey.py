"""Documents to a profile: what is in all of them, or in a sample.

In: documents that can be opened. Out: one `Profile`. Runs on the caller's thread; reading and decompressing run ahead
on a thread of their own (`etl.extract.reader`). Memory holds a piece of a document, whatever its shape.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

from etl.errors import SourceError
from etl.inference.choice import turns
from etl.inference.document import Document
from etl.inference.openable import Openable
from etl.inference.pieces import PIECE_BYTES, pieces
from etl.inference.profile import Profile
from etl.inference.prolog import Prolog, read_prolog
from etl.inference.sample import can_be_sought, look_further_in
from etl.inference.tally import Tallies

LEAST_BYTES = 1 << 14
"""Of a document, however many share the sample: its first record should be among them."""

_NAMESPACE = re.compile(rb"\sxmlns(?::[^\s=]+)?\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def survey(documents: Iterable[Openable], *, sample_bytes: int | None, on_bytes: Callable[[int], object]) -> Profile:
    """Look at the documents, or at so many bytes of them in all; `on_bytes` hears of each piece.

    Of very many, some (`etl.inference.choice`). Raises SourceError where none can be read, or none holds XML: one bad
    file must not keep the others out.
    """
    profile = Profile()
    tallies = Tallies()
    roots: set[bytes] = set()
    seen = 0
    failure: SourceError | None = None
    with _without_collection():
        for turn in turns(documents, sample_bytes):
            only_new = turn.only_new or (sample_bytes is not None and seen >= sample_bytes)
            look = _Look(turn.document, tallies, on_bytes)
            try:
                looked = look.take(turn.share, roots, only_new=only_new)
            except SourceError as error:
                failure = error
                profile.whole = False
                profile.skipped += 1
                profile.first_problem = profile.first_problem or str(error).rstrip(".")
                continue
            if looked:
                look.add_to(profile)
                seen += look.seen
            else:
                profile.whole = False
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
    """One document, looked at."""

    def __init__(self, opened: Openable, tallies: Tallies, on_bytes: Callable[[int], object]) -> None:
        self.seen = 0
        """Bytes of the document."""
        self._opened = opened
        self._tallies = tallies
        self._on_bytes = on_bytes
        self._whole = False
        self._problem = ""

    def take(self, limit: int | None, roots: set[bytes], *, only_new: bool) -> bool:
        """Look at the whole document, or at about `limit` bytes of it; False where that is not wanted.

        `roots` are the root elements of those before, and get its own; `only_new`: it is of interest if that is new.
        """
        path, size = self._opened.path, self._opened.size
        with self._opened.open() as reader:
            prolog = read_prolog(reader, self._opened.label)
            root = _root(prolog)
            if only_new and root in roots:
                return False
            roots.add(root)
            spread = limit is not None and size is not None and size > limit and can_be_sought(self._opened)
            first = limit // 2 if spread and limit else limit
            size_of_piece = PIECE_BYTES if first is None else min(PIECE_BYTES, max(first, LEAST_BYTES))
            self._document = Document(self._tallies, prolog)
            try:
                self._whole = self._feed(pieces(chain([prolog.rest], reader), size_of_piece), first)
            except SourceError as error:
                self._problem = str(error)
        if self._whole:
            self._document.finish()
        elif spread and limit is not None and path is not None and not self._document.exhausted:
            with path.open("rb") as file:
                look_further_in(file, self.seen, limit - self.seen, self._document, self._feed_passage)
        else:
            self._document.cut_off()
        return True

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
        if document.root:
            # Packed, it may be larger; but what is small is known to be.
            size = max(self.seen, self._opened.size or 0)
            profile.root_bytes[document.root] = profile.root_bytes.get(document.root, 0) + size
        profile.whole = profile.whole and self._whole
        profile.skipped += document.problems + bool(self._problem)
        if not profile.first_problem:
            label = self._opened.label
            problem = self._problem.rstrip(".")
            profile.first_problem = f"{label}, {document.first_problem}" if document.problems else problem


def _root(prolog: Prolog) -> bytes:
    """What tells a root element from others: its name, and the namespaces it declares."""
    tag = prolog.rest[: prolog.rest.find(b">") + 1]
    return b" ".join([prolog.name, *sorted(_NAMESPACE.findall(tag))])
