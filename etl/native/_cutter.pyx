"""Binding of the splitter's inner loops, `core/cut.h` and `core/root.h`: the GIL is released while many bytes are looked at."""

cimport cython
from cpython cimport array
from libc.stdint cimport SIZE_MAX, uint32_t
from libc.stdlib cimport free, malloc

INTERFACE = 7

cdef extern from "cut.h" nogil:
    ctypedef struct etl_cut_name:
        const unsigned char *bytes
        size_t length

    ctypedef struct etl_cut_job:
        const unsigned char *text
        size_t length
        const etl_cut_name *names
        size_t name_count
        size_t longest
        size_t gap
        size_t origin
        size_t stop

    ctypedef struct etl_cut_result:
        size_t count
        size_t at
        size_t reached

    etl_cut_result etl_cut(const etl_cut_job *job, size_t at, size_t room, uint32_t *spans)
    size_t etl_count_lines(const unsigned char *bytes, size_t length)

cdef extern from "root.h" nogil:
    ctypedef struct etl_root:
        size_t start
        size_t name_end
        size_t tag_end
        size_t end

    bint etl_find_root(const unsigned char *text, size_t length, etl_root *root)

cdef enum:
    ROOM = 1024


@cython.final
cdef class Cutter:
    """Cuts records of some literal names; one thread at a time."""

    cdef tuple held
    cdef etl_cut_name *names
    cdef size_t name_count
    cdef uint32_t spans[2 * ROOM]

    def __cinit__(self, tuple names not None):
        cdef bytes name
        cdef size_t number = 0
        self.held = names
        self.names = <etl_cut_name *> malloc(max(len(names), 1) * sizeof(etl_cut_name))
        if self.names is NULL:
            raise MemoryError
        for name in names:
            if not name:
                raise ValueError("A name has one byte at least.")
            self.names[number].bytes = name
            self.names[number].length = len(name)
            number += 1
        self.name_count = number

    def __dealloc__(self):
        free(self.names)

    def take(
        self,
        const unsigned char[::1] text not None,
        size_t at,
        array.array spans not None,
        size_t origin,
        size_t stop,
        size_t longest,
        size_t gap,
        size_t room,
    ):
        """Append to `spans` the records that follow each other from `at` on: (place behind the last, how far it looked).

        `spans` (type code "I") gets two numbers a record, counted from `origin`; a record that ends at `stop` or later
        is the last, as is the one numbered `room`.
        """
        cdef etl_cut_job job
        cdef etl_cut_result result
        cdef size_t most
        if origin > at or at > <size_t> text.shape[0] or spans.ob_descr.typecode != b"I":
            raise ValueError("These places are not in the text.")
        job = self._job(text, longest, gap, origin, stop)
        while True:
            most = min(room, <size_t> ROOM)
            with nogil:
                result = etl_cut(&job, at, most, self.spans)
            if result.count:
                array.extend_buffer(spans, <char *> self.spans, <Py_ssize_t> (2 * result.count))
            at = result.at
            room -= result.count
            if room == 0 or result.count < ROOM or at >= stop:
                return at, result.reached

    def skip(self, const unsigned char[::1] text not None, size_t at):
        """The place behind the elements that follow each other from `at` on, and how far it looked."""
        cdef etl_cut_job job
        cdef etl_cut_result result
        if at > <size_t> text.shape[0]:
            raise ValueError("This place is not in the text.")
        job = self._job(text, SIZE_MAX, SIZE_MAX, at, SIZE_MAX)
        with nogil:
            result = etl_cut(&job, at, SIZE_MAX, NULL)
        return result.at, result.reached

    cdef etl_cut_job _job(
        self, const unsigned char[::1] text, size_t longest, size_t gap, size_t origin, size_t stop
    ) noexcept:
        cdef etl_cut_job job
        job.text = &text[0] if text.shape[0] else NULL
        job.length = text.shape[0]
        job.names = self.names
        job.name_count = self.name_count
        job.longest = longest
        job.gap = gap
        job.origin = origin
        job.stop = stop
        return job


def count_lines(const unsigned char[::1] text not None, size_t start, size_t end):
    """Line feeds in `text` from `start` to `end`."""
    cdef size_t lines
    if start > end or end > <size_t> text.shape[0]:
        raise ValueError("These places are not in the text.")
    if start == end:
        return 0
    with nogil:
        lines = etl_count_lines(&text[start], end - start)
    return lines


def root(bytes content not None):
    """`etl.extract.whole.root_in_python`; for small documents, with the GIL: waiting for it would take longer."""
    cdef etl_root found
    cdef const unsigned char *text = content
    if not etl_find_root(text, len(content), &found):
        return None
    return found.start, found.name_end, found.tag_end, found.end, etl_count_lines(text, found.start) + 1
