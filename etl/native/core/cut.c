#include "cut.h"

size_t etl_count_lines(const unsigned char *bytes, size_t length)
{
    size_t lines = 0;
    for (size_t at = 0; at < length; at++)
        lines += bytes[at] == '\n';
    return lines;
}
