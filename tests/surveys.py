"""Surveys of documents that are in memory, cut in any way."""

from __future__ import annotations

from itertools import chain

from etl.inference.document import Document
from etl.inference.pieces import pieces
from etl.inference.profile import ElementProfile, Profile
from etl.inference.prolog import read_prolog
from etl.inference.tally import Tallies
from etl.inference.values import ValueProfile


def surveyed(data: bytes, piece_bytes: int = 1 << 18, chunk_bytes: int = 1 << 20) -> Profile:
    """What a survey of one document sees that is read in such chunks, and parsed in such pieces."""
    tallies = Tallies()
    chunks = iter([data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)])
    prolog = read_prolog(chunks, "document")
    document = Document(tallies, prolog)
    for piece in pieces(chain([prolog.rest], chunks), piece_bytes):
        document.feed(piece)
        tallies.settle()
    document.finish()
    profile = Profile(documents=1, bytes=len(data), skipped=document.problems, first_problem=document.first_problem)
    tallies.finish(profile)
    return profile


def outline(profile: Profile) -> list[object]:
    """All that was seen, but for the sizes of elements, which depend on the pieces."""
    return [_outline(root) for root in profile.roots.values()]


def _outline(element: ElementProfile) -> tuple[object, ...]:
    return (
        (element.tag, element.depth, element.count, element.parents, element.most),
        (element.leaves, element.mixed, element.text.nil, element.others),
        _values(element.text),
        [(name, _values(values)) for name, values in element.attributes.items()],
        [_outline(child) for child in element.children.values()],
    )


def _values(values: ValueProfile) -> tuple[object, ...]:
    return values.count, values.empty, tuple(values.examples), values.longest, values.unique, values.guess()
