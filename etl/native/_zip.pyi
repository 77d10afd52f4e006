from array import array

INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

def unpack(
    directory: bytes, at: int, data: bytes, begin: int, shift: int, most: int, bytes_most: int, largest: int
) -> tuple[list[bytes], bytes, array[int], int]:
    """Usual small members from the entry at `at` on, as far as `data`, the file's bytes from `begin` on, has them:
    names, contents, one behind the other, their sizes, and the place behind the last entry.

    `shift`: what the directory's offsets do not count. No more than `most` members of `largest` bytes each, and not
    many more bytes than `bytes_most`.
    """
