from array import array

INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

def list_folder(folder: bytes) -> tuple[bytes, array[int]] | None:
    """The regular files of a folder, in no order: their names, each with a slash behind it, and the size of each; type
    code "Q".

    None where the folder cannot be read, or links are in it, or files that have other names, too.
    """

def read_files(names: list[bytes], bytes_most: int, largest: int) -> tuple[bytes, array[int]]:
    """What is in files, by their encoded names, one behind the other, and the size of each.

    Up to the first that has more than `largest` bytes or cannot be read; none is begun behind `bytes_most`.
    """

def walk_tar(
    data: bytes, at: int, most: int, bytes_most: int, largest: int
) -> tuple[list[bytes], bytes, array[int], int]:
    """Usual small members from `at` on: their names, what is in them, one behind the other, the size of each, and the
    place behind them. No more than `most`, and none is begun behind `bytes_most`.
    """

def look(text: bytes, sizes: array[int], salts: list[bytes] | None) -> tuple[bytes, array[int], list[bytes]]:
    """Of documents that stand one behind the other: digests (16 bytes each), facts (six numbers each, those of
    `etl_document` in `core/documents.h`), and the names of their roots, with the
    namespaces declared behind them.

    `salts` go before the documents into their digests; without them their sizes do, in digits.
    """

def identities(before: bytes, digests: bytes, behind: bytes) -> bytes:
    """For each of `digests` (16 bytes each) that of `before`, its hexadecimal digits and `behind`."""
