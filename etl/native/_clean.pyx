"""Binding of `core/clean.h`: the GIL is released while it looks at bytes."""

cimport cython
from libc.stdint cimport uint8_t

INTERFACE = 7

cdef extern from "clean.h" nogil:
    ctypedef enum etl_within:
        ETL_WITHIN_CHARACTERS

    ctypedef struct etl_clean_result:
        size_t at
        etl_within within

    etl_clean_result etl_clean(const uint8_t *text, size_t length, size_t at, etl_within within)


@cython.boundscheck(False)
def pass_clean(const unsigned char[::1] text not None, size_t at, int within):
    """The place of the first byte from `at` on that is not plainly clean, and what it is within."""
    cdef etl_clean_result result
    cdef size_t length = text.shape[0]
    if at > length or not 0 <= within <= ETL_WITHIN_CHARACTERS:
        raise ValueError("This place is not in the text.")
    if at == length:
        return at, within
    with nogil:
        result = etl_clean(&text[0], length, at, <etl_within> within)
    return result.at, <int> result.within
