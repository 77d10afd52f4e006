/* Reads small files, one after the other.
 *
 * In: their names. Out: what is in them, one behind the other. Nothing is allocated, and no file stays open.
 */
#ifndef ETL_FILES_H
#define ETL_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Read files into `text` as long as it has room for `largest` bytes and one more, up to the first that is larger or
 * cannot be read; how many, with their sizes. */
size_t etl_read_files(const char *const *names, size_t count, uint8_t *text, size_t room, uint32_t largest,
                      uint32_t *sizes);

#endif
