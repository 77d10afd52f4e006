/* Finds where records end, with the meaning of `etl/extract/markup.py`. */
#ifndef ETL_CUT_H
#define ETL_CUT_H

#include <stddef.h>

/* Line ends among `length` bytes. */
size_t etl_count_lines(const unsigned char *bytes, size_t length);

#endif
