"""Binding of `zlib/zip.h`: members of a zip, hundreds in a call, without the GIL. Needs zlib's header to be built."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

import array

INTERFACE = 7

cdef extern from "zip.h" nogil:
    cdef enum:
        ETL_ZIP_ENTRY

    ctypedef struct etl_zip_member:
        size_t name
        uint32_t name_size
        uint32_t size

    ctypedef struct etl_zip_job:
        const uint8_t *directory
        size_t directory_size
        const uint8_t *data
        size_t data_size
        uint64_t begin
        uint64_t shift
        uint32_t largest
        size_t most

    ctypedef struct etl_zip_range:
        const uint8_t *directory
        size_t directory_size
        uint64_t shift
        uint64_t behind
        size_t most

    ctypedef struct etl_zip_sum:
        uint64_t last
        uint64_t made
        bint is_ordered

    size_t etl_place_members(
        const etl_zip_range *range, size_t *at, uint64_t *begins, uint64_t *ends, etl_zip_sum *sum
    )
    int64_t etl_unpack_zip(
        const etl_zip_job *job, size_t *at, uint8_t *text, size_t room, etl_zip_member *members
    )

cdef array.array NUMBERS = array.array("I")
cdef array.array PLACES = array.array("Q")


def places(bytes directory not None, size_t at, uint64_t shift, uint64_t behind, uint64_t last, size_t most):
    """Where usual members from the entry at `at` on begin and end, whether in order, what they make, and the place
    behind the last entry.
    """
    cdef etl_zip_range range
    cdef etl_zip_sum sum
    cdef size_t count
    cdef array.array begins, ends
    cdef uint64_t *to_begins
    cdef uint64_t *to_ends
    if at > <size_t> len(directory):
        raise ValueError("This place is not in the directory.")
    most = min(most, (<size_t> len(directory) - at) // ETL_ZIP_ENTRY)
    begins, ends = array.clone(PLACES, most, False), array.clone(PLACES, most, False)
    range.directory, range.directory_size, range.shift, range.behind = directory, len(directory), shift, behind
    range.most = most
    sum.last, sum.made, sum.is_ordered = last, 0, True
    to_begins, to_ends = <uint64_t *> begins.data.as_voidptr, <uint64_t *> ends.data.as_voidptr
    with nogil:
        count = etl_place_members(&range, &at, to_begins, to_ends, &sum)
    array.resize(begins, count)
    array.resize(ends, count)
    return begins, ends, bool(sum.is_ordered), sum.made, at


def unpack(
    bytes directory not None, size_t at, bytes data not None, uint64_t begin, uint64_t shift, size_t most,
    size_t bytes_most, uint32_t largest
):
    """Usual small members from the entry at `at` on: names, contents, one behind the other, their sizes, and the place
    behind the last entry.
    """
    cdef etl_zip_job job
    cdef size_t place, size = 0
    cdef int64_t count
    cdef bytes text = PyBytes_FromStringAndSize(NULL, bytes_most + largest + 1)
    cdef uint8_t *to = <uint8_t *> PyBytes_AS_STRING(text)
    cdef array.array sizes
    cdef etl_zip_member *members
    if at > <size_t> len(directory):
        raise ValueError("This place is not in the directory.")
    job.directory, job.directory_size, job.data, job.data_size = directory, len(directory), data, len(data)
    job.begin, job.shift, job.largest, job.most = begin, shift, largest, most
    members = <etl_zip_member *> calloc(max(most, <size_t> 1), sizeof(etl_zip_member))
    if members is NULL:
        raise MemoryError
    try:
        with nogil:
            count = etl_unpack_zip(&job, &at, to, bytes_most + largest + 1, members)
        if count < 0:
            raise MemoryError
        sizes = array.clone(NUMBERS, count, False)
        names = []
        for place in range(<size_t> count):
            names.append(directory[members[place].name:members[place].name + members[place].name_size])
            sizes.data.as_uints[place] = members[place].size
            size += members[place].size
    finally:
        free(members)
    return names, text[:size], sizes, at
