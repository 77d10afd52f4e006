"""Binding of `sqlite/marshalled_rows.h`: SQLite calls it, so all that Python needs is its address."""

INTERFACE = 7

cdef extern from "marshalled_rows.h":
    void etl_marshalled_rows_init()

ENTRY_POINT = <size_t> &etl_marshalled_rows_init
