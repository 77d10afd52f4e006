"""Names that a database keeps for itself: a mapping may not use them, an inferred one goes round them.

They count whatever the target is, so that a mapping works in every database.
"""

from __future__ import annotations

LEDGER_TABLES = frozenset({"etl_source", "etl_document", "etl_split", "etl_reject", "etl_skeleton", "etl_table"})

_SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""What every table of PostgreSQL has, in lower case only."""
_SQLITE = "sqlite_"
"""What SQLite names its own tables and indexes with, in upper case, too."""


def table_problem(name: str) -> str | None:
    """A sentence if no table can have that name."""
    if name.lower() in LEDGER_TABLES:
        return "the ledger's tables have this name; choose another"
    if _is_sqlites(name):
        return f"SQLite keeps the names sqlite and sqlite_... for itself; choose another, as in {free_table(name)}"
    return None


def column_problem(name: str) -> str | None:
    """A sentence if no column can have that name."""
    if name in _SYSTEM_COLUMNS:
        return f"every table of PostgreSQL has a system column {name}; choose another name, as in {free_column(name)}"
    return None


def free_table(name: str) -> str:
    """The name, or a like one where databases keep it for themselves (the ledger's tables aside)."""
    return f"_{name}" if _is_sqlites(name) else name


def free_column(name: str) -> str:
    """The name, or a like one where databases keep it for themselves."""
    return f"{name}_" if name in _SYSTEM_COLUMNS else name


def _is_sqlites(name: str) -> bool:
    # The key of a table `sqlite` would be `sqlite_pkey`.
    return f"{name.lower()}_".startswith(_SQLITE)
