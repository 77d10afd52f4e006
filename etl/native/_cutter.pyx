"""Binding of the splitter's inner loops, `core/cut.h`."""

cdef extern from "cut.h" nogil:
    size_t etl_count_lines(const unsigned char *bytes, size_t length)


def count_lines(const unsigned char[::1] text not None):
    """Line ends in `text`; without the GIL."""
    cdef size_t lines, length = text.shape[0]
    if length == 0:
        return 0
    with nogil:
        lines = etl_count_lines(&text[0], length)
    return lines
