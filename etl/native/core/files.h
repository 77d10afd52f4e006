/* Lists folders, and reads small files, one after the other. No file stays open. */
#ifndef ETL_FILES_H
#define ETL_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

typedef enum {
    ETL_LISTED,
    ETL_NOT_LISTED, /* the folder cannot be read, or holds links, or files with several names */
    ETL_LIST_NOMEM,
} etl_listing;

/* The regular files of a folder, in no order: their names, each with a slash behind it, and their sizes, uint64_t. */
etl_listing etl_list_folder(const char *folder, etl_buffer *names, etl_buffer *sizes);

/* Read files into `text` as long as it has room for `largest` bytes and one more, up to the first that is larger or
 * cannot be read; how many, with their sizes. */
size_t etl_read_files(const char *const *names, size_t count, uint8_t *text, size_t room, uint32_t largest,
                      uint32_t *sizes);

#endif
