"""Binding of what many small documents need before they are mapped, `core/files.h`, `core/tar.h` and `core/documents.h`:
each call deals with hundreds of them, without the GIL.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import array

INTERFACE = 7

cdef extern from "blake2b.h" nogil:
    cdef enum:
        ETL_DIGEST_BYTES

cdef extern from "buffer.h" nogil:
    ctypedef struct etl_buffer:
        uint8_t *bytes
        size_t size

    void etl_buffer_free(etl_buffer *buffer)

cdef extern from "files.h" nogil:
    ctypedef enum etl_listing:
        ETL_LISTED
        ETL_NOT_LISTED
        ETL_LIST_NOMEM

    etl_listing etl_list_folder(const char *folder, etl_buffer *names, etl_buffer *sizes)
    size_t etl_read_files(
        const char *const *names, size_t count, uint8_t *text, size_t room, uint32_t largest, uint32_t *sizes
    )

cdef extern from "tar.h" nogil:
    cdef enum:
        ETL_TAR_BLOCK

    ctypedef struct etl_tar_member:
        size_t begin
        uint32_t size
        uint32_t path_size
        size_t path

    size_t etl_walk_tar(
        const uint8_t *data, size_t length, size_t *at, size_t most, size_t bytes, uint32_t largest,
        etl_tar_member *members
    )
    size_t etl_tar_name(const uint8_t *header, uint8_t *name)

cdef extern from "documents.h" nogil:
    cdef enum:
        ETL_ROOT_NAMES

    ctypedef struct etl_document:
        uint32_t begin
        uint32_t size
        uint32_t start
        uint32_t end
        uint32_t line
        uint32_t root

    ctypedef struct etl_root_name:
        const uint8_t *at
        uint32_t size

    ctypedef struct etl_documents_job:
        const uint8_t *text
        const uint32_t *sizes
        size_t count
        const uint8_t *const *salts
        const uint32_t *salt_sizes

    uint32_t etl_look_at_documents(
        const etl_documents_job *job, etl_document *documents, uint8_t *digests, etl_root_name *names
    )
    void etl_identify(
        const uint8_t *before, size_t before_size, const uint8_t *digest, const uint8_t *behind, size_t behind_size,
        uint8_t *identity
    )

cdef array.array NUMBERS = array.array("I")
cdef array.array SIZES = array.array("Q")


cdef void *room(size_t count, size_t width) except NULL:
    """Memory for an array, to be freed."""
    cdef void *taken = calloc(max(count, <size_t> 1), width)
    if taken is NULL:
        raise MemoryError
    return taken


def list_folder(bytes folder not None):
    """The regular files of a folder, in no order: their names, each with a slash behind it, and the size of each.

    None where the folder cannot be read, or links are in it, or files that have other names, too.
    """
    cdef etl_buffer names, sizes
    cdef etl_listing listing
    cdef const char *path = folder
    cdef array.array numbers
    memset(&names, 0, sizeof(names))
    memset(&sizes, 0, sizeof(sizes))
    try:
        with nogil:
            listing = etl_list_folder(path, &names, &sizes)
        if listing == ETL_LIST_NOMEM:
            raise MemoryError
        if listing == ETL_NOT_LISTED:
            return None
        numbers = array.clone(SIZES, sizes.size // sizeof(uint64_t), False)
        if sizes.size:
            memcpy(numbers.data.as_voidptr, sizes.bytes, sizes.size)
        return PyBytes_FromStringAndSize(<char *> names.bytes, names.size), numbers
    finally:
        etl_buffer_free(&names)
        etl_buffer_free(&sizes)


def read_files(list names not None, size_t bytes_most, uint32_t largest):
    """What is in files, by their encoded names, one behind the other, and the size of each.

    Up to the first that has more than `largest` bytes or cannot be read, and no more than `bytes_most` and one more.
    """
    cdef size_t count = len(names), place, size = 0
    cdef size_t space = bytes_most + largest + 1
    cdef array.array sizes = array.clone(NUMBERS, count, False)
    cdef bytes text = PyBytes_FromStringAndSize(NULL, space)
    cdef uint8_t *to = <uint8_t *> PyBytes_AS_STRING(text)
    cdef bytes name
    cdef const char **each = <const char **> room(count, sizeof(char *))
    try:
        for place in range(count):
            name = names[place]
            each[place] = name
        with nogil:
            count = etl_read_files(each, count, to, space, largest, sizes.data.as_uints)
    finally:
        free(each)
    array.resize(sizes, count)
    for place in range(count):
        size += sizes.data.as_uints[place]
    return text[:size], sizes


def walk_tar(bytes data not None, size_t at, size_t most, size_t bytes_most, uint32_t largest):
    """Usual small members from `at` on: their names, what is in them, one behind the other, the size of each, and the
    place behind them.
    """
    cdef size_t length = len(data), count, place, size = 0
    cdef const uint8_t *begin = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef uint8_t name[256]
    cdef uint8_t *to
    cdef array.array sizes
    cdef bytes text
    cdef etl_tar_member *members
    if at > length:
        raise ValueError("This place is not in the data.")
    most = min(most, (length - at) // ETL_TAR_BLOCK)
    members = <etl_tar_member *> room(most, sizeof(etl_tar_member))
    try:
        with nogil:
            count = etl_walk_tar(begin, length, &at, most, bytes_most, largest, members)
            for place in range(count):
                size += members[place].size
        sizes = array.clone(NUMBERS, count, False)
        text = PyBytes_FromStringAndSize(NULL, size)
        to = <uint8_t *> PyBytes_AS_STRING(text)
        with nogil:
            for place in range(count):
                memcpy(to, begin + members[place].begin, members[place].size)
                to += members[place].size
                sizes.data.as_uints[place] = members[place].size
        names = []
        for place in range(count):
            if members[place].path_size:
                names.append(data[members[place].path:members[place].path + members[place].path_size])
                continue
            size = etl_tar_name(begin + members[place].begin - ETL_TAR_BLOCK, name)
            names.append(PyBytes_FromStringAndSize(<char *> name, size))
    finally:
        free(members)
    return names, text, sizes, at


def look(bytes text not None, array.array sizes not None, list salts):
    """Digests of documents that stand one behind the other, six numbers of each (`etl_document`), and the names of
    their roots.

    `salts`, bytes, go before the documents into their digests; without them their sizes do, in decimal digits.
    """
    cdef size_t count = len(sizes), place, size = 0
    cdef uint32_t names = 0
    cdef etl_documents_job job
    cdef etl_root_name *found = <etl_root_name *> room(ETL_ROOT_NAMES, sizeof(etl_root_name))
    cdef array.array facts = array.clone(NUMBERS, count * (sizeof(etl_document) // sizeof(uint32_t)), False)
    cdef bytes digests = PyBytes_FromStringAndSize(NULL, count * ETL_DIGEST_BYTES)
    cdef uint8_t *digest = <uint8_t *> PyBytes_AS_STRING(digests)
    cdef const uint8_t **salt = NULL
    cdef uint32_t *salt_sizes = NULL
    cdef bytes one
    job.text, job.sizes, job.count = text, sizes.data.as_uints, count
    try:
        if sizes.ob_descr.typecode == c"I":
            for place in range(count):
                size += sizes.data.as_uints[place]
        if sizes.ob_descr.typecode != c"I" or size != <size_t> len(text) or size > UINT32_MAX:
            raise ValueError("These sizes are not those of the documents.")
        if salts is not None and <size_t> len(salts) != count:
            raise ValueError("There is a salt for each document, or for none.")
        if salts is not None:
            salt = <const uint8_t **> room(count, sizeof(uint8_t *))
            salt_sizes = <uint32_t *> room(count, sizeof(uint32_t))
            for place in range(count):
                one = salts[place]
                salt[place], salt_sizes[place] = one, <uint32_t> PyBytes_GET_SIZE(one)
        job.salts, job.salt_sizes = salt, salt_sizes
        with nogil:
            names = etl_look_at_documents(&job, <etl_document *> facts.data.as_uints, digest, found)
        roots = [PyBytes_FromStringAndSize(<char *> found[place].at, found[place].size) for place in range(names)]
    finally:
        free(salt)
        free(salt_sizes)
        free(found)
    return digests, facts, roots


def identities(bytes before not None, bytes digests not None, bytes behind not None):
    """Digests of `before`, a digest's hexadecimal digits and `behind`, one for each of `digests`, one behind the other."""
    cdef size_t place, count = <size_t> len(digests) // ETL_DIGEST_BYTES
    cdef size_t before_size = len(before), behind_size = len(behind)
    cdef const uint8_t *begins = before
    cdef const uint8_t *ends = behind
    cdef const uint8_t *digest = digests
    cdef bytes made = PyBytes_FromStringAndSize(NULL, count * ETL_DIGEST_BYTES)
    cdef uint8_t *to = <uint8_t *> PyBytes_AS_STRING(made)
    with nogil:
        for place in range(count):
            etl_identify(
                begins, before_size, digest + place * ETL_DIGEST_BYTES, ends, behind_size, to + place * ETL_DIGEST_BYTES
            )
    return made
