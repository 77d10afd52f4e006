from array import array

INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

def places(
    directory: bytes, at: int, shift: int, behind: int, last: int, most: int
) -> tuple[array[int], array[int], bool, int, int]:
    """Of usual members from the entry at `at` on: where in the file they begin and end, at the least (type code "Q");
    whether each begins behind the one before, the first behind `last`; the bytes that they make; and the place behind
    the last entry.

    `shift`: what the directory's offsets do not count. Up to the first entry that is not whole, or has its sizes or its
    place among the extra fields, or whose member reaches beyond `behind`; no more than `most`.
    """

def unpack(
    directory: bytes, at: int, data: bytes, begin: int, shift: int, most: int, bytes_most: int, largest: int
) -> tuple[list[bytes], bytes, array[int], int]:
    """Usual small members from the entry at `at` on, as far as `data`, the file's bytes from `begin` on, has them:
    names, contents, one behind the other, their sizes, and the place behind the last entry.

    `shift`: what the directory's offsets do not count. No more than `most` members of `largest` bytes each, and not
    many more bytes than `bytes_most`.
    """
