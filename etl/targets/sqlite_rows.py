"""The compiled function by which rows get from a batch into a SQLite file without becoming Python objects.

It is SQLite's own to call (`etl/native/sqlite/marshalled_rows.c`), so it is handed to the SQLite that Python's module
`sqlite3` runs on, for the connections that are opened here. Where that cannot be reached, or nothing was compiled, rows
go in through Python's module, with the same results.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import marshal
import sqlite3
import threading
from collections.abc import Callable, Iterator

from etl.native import problem, unavailable

FUNCTION = "etl_marshalled_rows"

MOST_COLUMNS = 250
"""Of a row that the function can tell apart."""

_registering = threading.Lock()
"""What is registered holds for the whole process, so one connection is opened at a time."""


@contextlib.contextmanager
def offered() -> Iterator[None]:
    """Connections opened meanwhile know the function, where there is one."""
    entry_point = None if unavailable() else _entry_point()
    if entry_point is None:
        yield
        return
    register, withdraw, function = entry_point
    with _registering:
        register(function)
        try:
            yield
        finally:
            withdraw(function)


def missing() -> str:
    """Why connections lack the function although other compiled modules are used, as the end of a sentence; or ""."""
    if unavailable():
        return ""
    return problem("_sqlite_rows") or "Python's SQLite takes no functions from outside, or is older than 3.31"


def is_known(connection: sqlite3.Connection) -> bool:
    """Whether the connection has the function."""
    try:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {FUNCTION}(1, ?)", (marshal.dumps([None], 2),))
    except sqlite3.Error:
        return False
    return bool(count == 1)


@functools.cache
def _entry_point() -> tuple[Callable[[ctypes.c_void_p], int], Callable[[ctypes.c_void_p], int], ctypes.c_void_p] | None:
    """`sqlite3_auto_extension`, what takes it back, and what both are given; None where one of them is missing."""
    try:
        # Looked up from there, names are those of the very SQLite that the module was linked with.
        library = ctypes.CDLL(importlib.import_module("_sqlite3").__file__)
        register, withdraw = library.sqlite3_auto_extension, library.sqlite3_cancel_auto_extension
        if problem("_sqlite_rows"):
            return None
        address = importlib.import_module("etl.native._sqlite_rows").ENTRY_POINT
    except (ImportError, AttributeError, OSError, TypeError):
        return None
    return register, withdraw, ctypes.c_void_p(address)
