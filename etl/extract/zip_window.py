"""A file's bytes by their place, for a reader that mostly goes forward. Belongs to the thread that reads."""

from __future__ import annotations

from etl.extract.raw_file import RawFile

_AHEAD_BYTES = 1 << 20
_APART_BYTES = 1 << 14
"""Read where it is not the next place, since there the next one may be anywhere again."""

_NEAR_BYTES = 1 << 16
"""No further than this, the next place counts as such."""


class Window:
    """Some bytes of a file, `data`, which move along with what is asked for."""

    __slots__ = ("_end", "_raw", "begin", "data")

    def __init__(self, raw: RawFile, end: int) -> None:
        """Nothing is read from `end` on."""
        self._raw = raw
        self._end = end
        self.begin = 0
        """Of `data` in the file."""
        self.data = b""

    def at(self, offset: int, size: int, likely: int = 0) -> int:
        """Where in `data` the bytes from `offset` on are, `size` of them at least; `likely` as many are wanted next.

        Raises EOFError if there are fewer.
        """
        start = offset - self.begin
        if start < 0 or start + size > len(self.data):
            self._load(offset, size, likely)
            return 0
        return start

    def _load(self, offset: int, size: int, likely: int) -> None:
        follows = 0 <= offset - self.begin <= len(self.data) + _NEAR_BYTES
        length = max(size, likely, _AHEAD_BYTES if follows else _APART_BYTES)
        self.data = self._raw.read_at(offset, max(0, min(length, self._end - offset)))
        self.begin = offset
        if len(self.data) < size:
            raise EOFError(f"{size} bytes should be there, but only {len(self.data)} are")
