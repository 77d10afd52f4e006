"""Documents to a profile: what is in all of them, or in a sample.

In: documents that can be opened. Out: one `Profile`. Runs on the caller's thread; reading and decompressing run ahead
on a thread of their own (`etl.extract.reader`). Memory holds a piece of a document, whatever its shape.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from etl.errors import SourceError
from etl.extract.dtd import Dtd
from etl.inference import choice
from etl.inference.document import Document
from etl.inference.mixed import Mixed
from etl.inference.openable import Openable
from etl.inference.pieces import PIECE_BYTES, pieces
from etl.inference.profile import Profile
from etl.inference.prolog import Prolog, read_prolog
from etl.inference.sample import can_be_sought, look_further_in
from etl.inference.tally import Tallies
from etl.inference.words import file_name

LEAST_BYTES = 1 << 14
"""Of a document, however many share the sample: its first record should be among them."""

_NAMESPACE = re.compile(rb"\sxmlns(?::[^\s=]+)?\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def survey(
    documents: Sequence[Openable],
    *,
    archives: Sequence[Iterator[Openable]] = (),
    sample_bytes: int | None,
    on_bytes: Callable[[int], object],
    dtd: Dtd | None = None,
) -> Profile:
    """Look at the documents, or at so many bytes of them in all; `on_bytes` hears of each piece.

    `archives`: further documents, each open until the next is asked for. What `dtd` declares holds in all of them. Of
    very many, some are looked at (`etl.inference.choice`). Raises SourceError where none can be read, or none holds
    XML: one bad file must not keep the others out.
    """
    found = _Survey(on_bytes, dtd)
    with _without_collection():
        own = None if sample_bytes is None else sample_bytes * len(documents) // max(1, len(documents) + len(archives))
        for turn in choice.turns(documents, own):
            found.look_at(turn.document, turn.share, only_new=turn.only_new or (own is not None and found.seen >= own))
        for number, archive in enumerate(archives):
            left = None if sample_bytes is None else max(0, sample_bytes - found.seen) // (len(archives) - number)
            found.follow(archive, left)
        return found.finished()


class _Survey:
    """All documents, looked at one after the other."""

    def __init__(self, on_bytes: Callable[[int], object], dtd: Dtd | None) -> None:
        self.seen = 0
        """Bytes of documents."""
        self._on_bytes = on_bytes
        self._dtd = dtd
        self._profile = Profile()
        self._tallies = Tallies()
        self._mixed = Mixed()
        self._roots: set[bytes] = set()
        self._failure: SourceError | None = None

    def look_at(self, document: Openable, share: int | None, *, only_new: bool) -> None:
        """Look at about so many bytes of a document, or all of it; `only_new`: where its root was not seen before."""
        look = _Look(document, self._tallies, self._on_bytes, self._dtd)
        try:
            looked = look.take(share, self._roots, only_new=only_new)
        except SourceError as error:
            self._note(error)
            return
        if looked:
            look.add_to(self._profile)
            if look.root in self._tallies.roots:
                self._mixed.add(self._tallies.roots[look.root], document.label)
            self.seen += look.seen
        else:
            self._profile.whole = False

    def follow(self, archive: Iterator[Openable], limit: int | None) -> None:
        """Look at the documents of an archive as they come, each at half of what is left of `limit` bytes at most.

        How many come is not known; it is not read on for their roots without end.
        """
        end = None if limit is None else self.seen + limit
        try:
            for place, document in enumerate(archive):
                if end is None:
                    self.look_at(document, None, only_new=False)
                    continue
                if place >= choice.LOOKED_AT + choice.PEEKED_AT:
                    self._profile.whole = False
                    return
                left = max(0, end - self.seen)
                self.look_at(document, left // 2, only_new=not left or place >= choice.LOOKED_AT)
        except SourceError as error:
            self._note(error)

    def finished(self) -> Profile:
        """What was seen. Raises SourceError where that is nothing."""
        profile = self._profile
        self._tallies.finish(profile)
        profile.mixed = self._mixed.warnings()
        if self._failure is not None and not profile.documents:
            raise self._failure
        if not profile.roots:
            raise SourceError(f"No element could be read. {profile.first_problem or 'There is no document'}.")
        return profile

    def _note(self, error: SourceError) -> None:
        self._failure = error
        self._profile.whole = False
        self._profile.skipped += 1
        self._profile.first_problem = self._profile.first_problem or str(error).rstrip(".")


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

    def __init__(self, opened: Openable, tallies: Tallies, on_bytes: Callable[[int], object], dtd: Dtd | None) -> None:
        self.seen = 0
        """Bytes of the document."""
        self._opened = opened
        self._tallies = tallies
        self._on_bytes = on_bytes
        self._dtd = dtd
        self._whole = False
        self._problem = ""

    def take(self, limit: int | None, roots: set[bytes], *, only_new: bool) -> bool:
        """Look at the whole document, or at about `limit` bytes of it; False where that is not wanted.

        `roots` are the root elements of those before, and get its own; `only_new`: it is of interest if that is new.
        """
        path, size = self._opened.path, self._opened.size
        with self._opened.open() as reader:
            prolog = read_prolog(reader, self._opened.label, self._dtd)
            root = _root(prolog)
            if only_new and root in roots:
                return False
            roots.add(root)
            spread = limit is not None and size is not None and size > limit and can_be_sought(self._opened)
            first = limit // 2 if spread and limit else limit
            size_of_piece = PIECE_BYTES if first is None else min(PIECE_BYTES, max(first, LEAST_BYTES) // 8)
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
            if self._document.ended or (limit is not None and self.seen + len(piece) // 2 >= max(limit, LEAST_BYTES)):
                return not any(rest)
        return True

    def _feed_passage(self, passage: bytes) -> None:
        self._feed(pieces([passage]), None)

    @property
    def root(self) -> str:
        """`Document.root`."""
        return self._document.root

    def add_to(self, profile: Profile) -> None:
        """Add what there is to say about the document."""
        document = self._document
        profile.documents += 1
        profile.bytes += self.seen
        if document.root:
            # Packed, it may be larger; but what is small is known to be.
            size = max(self.seen, self._opened.size or 0)
            profile.root_bytes[document.root] = profile.root_bytes.get(document.root, 0) + size
            profile.labels.setdefault(document.root, self._opened.label)
            name = file_name(self._opened.label)
            if profile.files.setdefault(document.root, name) != name:
                profile.files[document.root] = ""
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
