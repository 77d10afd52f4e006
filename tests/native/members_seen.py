"""What a walk through an archive shows of its members, whether they come one by one or together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from etl.errors import SourceError
from etl.extract.member import Member, SmallMembers

Seen = tuple[str, int, str, bytes]
"""Name, size, why it is skipped, and what is in it, or the error of reading that."""


def members_seen(walk: Callable[[], Iterator[Member | SmallMembers]]) -> tuple[list[Seen], str]:
    """All members, and the error behind them."""
    seen: list[Seen] = []
    try:
        for member in walk():
            if isinstance(member, SmallMembers):
                ends = list(itertools.accumulate(member.sizes, initial=0))
                pieces = [member.text[begin:end] for begin, end in itertools.pairwise(ends)]
                assert pieces
                assert ends[-1] == member.size
                seen += [(name, len(text), "", text) for name, text in zip(member.names, pieces, strict=True)]
                continue
            content = b""
            if not member.skipped:
                try:
                    content = member.read()
                except SourceError as error:
                    content = str(error).encode()
            seen.append((member.name, member.size, member.skipped, content))
    except SourceError as error:
        return seen, str(error)
    return seen, ""
