from array import array
from typing import final

INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

@final
class Cutter:
    """Cuts records of some literal names; one thread at a time."""

    def __new__(cls, names: tuple[bytes, ...]) -> Cutter: ...
    def take(
        self,
        text: bytes | bytearray,
        at: int,
        spans: array[int],
        origin: int,
        stop: int,
        longest: int,
        gap: int,
        room: int,
    ) -> tuple[int, int]:
        """Append to `spans` the records from `at` on; the place behind the last, and how far it looked."""

    def skip(self, text: bytes | bytearray, at: int) -> tuple[int, int]:
        """The place behind the elements that follow each other from `at` on, and how far it looked."""

def count_lines(text: bytes | bytearray, start: int, end: int) -> int:
    """Line feeds in `text` from `start` to `end`."""

def root(content: bytes) -> tuple[int, int, int, int, int] | None:
    """As `etl.extract.whole.root_in_python`."""
