INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

def pass_clean(text: bytes | bytearray, at: int, within: int) -> tuple[int, int]:
    """The place of the first byte from `at` on that is not plainly clean (the end where there is none), and what it is
    within: `etl.extract.clean.Within`."""
