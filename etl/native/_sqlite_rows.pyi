ENTRY_POINT: int
"""Address of what `sqlite3_auto_extension` is to call with each new connection."""
