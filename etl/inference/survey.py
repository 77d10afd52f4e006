"""Sources to a profile: what is in their documents, all of them or a sample.

In: sources. Out: one `Profile`. Runs on the caller's thread; reading and decompressing run ahead on a thread of their
own (`etl.extract.reader`). Memory holds a piece of a document, whatever its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from lxml import etree

from etl.errors import SourceError
from etl.extract.source import Source, open_source
from etl.inference.growing_tree import GrowingTree
from etl.inference.profile import Profile
from etl.inference.prolog import Prolog, read_prolog
from etl.inference.tally import Tallies

PIECE_BYTES = 1 << 18
"""Parsed at once: enough for many elements of a path to be looked at together, few enough for the cache."""


def survey(sources: Sequence[Source], *, sample_bytes: int | None, on_bytes: Callable[[int], object]) -> Profile:
    """Look at the documents, or at so many bytes of them in all; `on_bytes` hears of each piece.

    Raises SourceError where a source cannot be read, or holds no XML.
    """
    profile = Profile()
    tallies = Tallies()
    left = sample_bytes
    for number, source in enumerate(sources):
        share = None if left is None else max(1, left // (len(sources) - number))
        seen = _survey_source(source, share, profile, tallies, on_bytes)
        left = None if left is None else left - seen
    tallies.finish(profile)
    return profile


def _survey_source(
    source: Source, limit: int | None, profile: Profile, tallies: Tallies, on_bytes: Callable[[int], object]
) -> int:
    seen = 0
    with open_source(source) as reader:
        prolog = read_prolog(reader, source.label)
        profile.documents += 1
        tree = GrowingTree(tallies, _parser(prolog))
        try:
            tree.feed(prolog.subset)
            for piece in _pieces(chain([prolog.rest], reader)):
                tree.feed(piece)
                tallies.settle()
                seen += len(piece)
                on_bytes(len(piece))
                if limit is not None and seen >= limit:
                    profile.whole = False
                    tree.cut_off()
                    break
            else:
                tree.finish()
        except (SourceError, etree.XMLSyntaxError) as error:
            profile.whole = False
            profile.skipped += 1
            profile.first_problem = profile.first_problem or str(error)
            tree.cut_off()
    profile.bytes += seen
    return seen


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), PIECE_BYTES):
            yield chunk[at : at + PIECE_BYTES]


def _parser(prolog: Prolog) -> etree.XMLPullParser:
    local = prolog.name.rpartition(b":")[2].decode("utf-8", "replace")
    return etree.XMLPullParser(
        events=("start", "start-ns"),
        tag="{*}" + local,
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know bool only
        no_network=True,
        load_dtd=False,
        attribute_defaults=bool(prolog.subset),
        huge_tree=True,
        collect_ids=bool(prolog.subset),
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
    )
