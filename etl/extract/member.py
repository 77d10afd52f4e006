"""One file inside an archive, and what an archive may make.

Members are read on the thread that walks through the archive, each before the next one is asked for.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from etl.errors import SourceError

if TYPE_CHECKING:
    from etl.options import Limits

SMALL_BYTES = 1 << 18
"""A document up to this size is read as a whole, and shares splits with others."""

FREE_BYTES = 100 << 20
"""Whatever makes no more than this is no bomb; below it the ratio is not looked at."""

FOLDER = "folder"
"""Why a folder in an archive is skipped, which nobody needs to hear of."""

NO_FILE = frozenset((FOLDER, "link", "device", "named pipe"))
"""Why something in an archive is skipped that holds nothing."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Kinds of characters that move the cursor, turn the line round or are not seen."""


class ArchiveLimits(NamedTuple):
    """What an archive may make; the settings `limits.archive_ratio` and `limits.archive_bytes`."""

    ratio: int
    """Bytes for each compressed byte, above `FREE_BYTES`."""
    total_bytes: int
    """Bytes in all."""

    @classmethod
    def of(cls, limits: Limits) -> ArchiveLimits:
        """Those of the settings."""
        return cls(limits.archive_ratio, limits.archive_bytes)

    def check_ratio(self, what: str, made: int, compressed: int) -> None:
        """Raise SourceError where `compressed` bytes made, or say that they make, more than is right."""
        if made > FREE_BYTES and made > self.ratio * compressed:
            raise SourceError(
                f"{what} is not read: {compressed} compressed bytes make {made} bytes or more, which is more than "
                f"limits.archive_ratio allows ({self.ratio} for each), as if to fill memory or disk. "
                "If you trust it, set limits.archive_ratio higher."
            )

    def check_total(self, label: str, made: int) -> None:
        """Raise SourceError where an archive made, or says that it makes, more than is right."""
        if made > self.total_bytes:
            raise SourceError(
                f"{label} holds {made} bytes or more, which is more than limits.archive_bytes allows "
                f"({self.total_bytes}). If you trust it, set limits.archive_bytes higher."
            )


class SmallMembers(NamedTuple):
    """Neighbouring members that are small files, read together."""

    names: list[str]
    """As `Member.name`."""
    text: bytes
    """What is in them, one behind the other."""
    sizes: array[int]
    """Bytes of each; type code "I"."""
    end: int | None
    """Bytes of the archive up to their end, as it is stored; None where that is not known."""

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self.text)


class Member(ABC):
    """A file of an archive, or whatever else stands there.

    It is read at most once, and before the next one is asked for.
    """

    __slots__ = ("name", "size", "skipped", "stamp")

    def __init__(self, name: str, size: int, stamp: bytes, skipped: str) -> None:
        self.name = name
        """As the archive has it, escaped for display; never the path of a file. Several members may share one."""
        self.size = size
        """Bytes once decompressed, as the archive says."""
        self.stamp = stamp
        """What the archive says of the content without a look at it; another stamp means that it was changed."""
        self.skipped = skipped
        """Why it is not a file to read ("folder", "link", "encrypted", ...), "" for one that is."""

    @abstractmethod
    def read(self) -> bytes:
        """The whole content; for small members. Raises SourceError where it is damaged, cut off, or too much."""

    @abstractmethod
    def blocks(self) -> Iterator[bytes]:
        """The content in pieces near 1 MiB; raises as `read`, after all that is good came out."""


def shown(name: str) -> str:
    """A name without characters that would move the cursor or cannot be seen: each is escaped as Python does."""
    if name.isprintable():
        return name
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in _HIDDEN else letter
        for letter in name
    )


def shown_name(name: bytes) -> str:
    """A name in UTF-8 as `shown` gives it, whatever bytes it has."""
    return shown(name.decode("utf-8", "backslashreplace"))


def shown_names(names: Sequence[bytes]) -> list[str]:
    """Each as `shown_name` gives it."""
    # Printable names do not hold what is put between them.
    together = b"\0".join(names)
    if together.isascii():
        each = together.decode("ascii").split("\0")
        if len(each) == len(names) and "".join(each).isprintable():
            return each
    return [shown_name(name) for name in names]


def described_skips(skipped: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """How many files are no documents, and why, with the first of each kind; "" where there are none."""
    kinds = "; ".join(
        f"{count:,} {reason}: {shown(examples[reason])}{', ...' if count > 1 else ''}"
        for reason, count in sorted(skipped.items())
    )
    number = sum(skipped.values())
    return f"{number:,} file{'s' if number > 1 else ''} skipped ({kinds})" if number else ""
