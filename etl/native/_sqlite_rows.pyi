INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

ENTRY_POINT: int
"""Address of what `sqlite3_auto_extension` is to call with each new connection."""
