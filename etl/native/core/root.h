/* Finds the root element of a small document by a look at its two ends, with the meaning of `root_in_python` in
 * `etl/extract/whole.py`.
 *
 * In: a whole document. Out: where its root element begins and ends, if nothing is special about it: a document type, an
 * ill-formed start tag, another end tag of that name inside, and anything but white space behind it are the caller's.
 * No state is kept, nothing is allocated, and no byte outside of the text is read.
 */
#ifndef ETL_ROOT_H
#define ETL_ROOT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t start;
    size_t name_end; /* of the name, which begins behind `start` */
    size_t tag_end;  /* of the start tag */
    size_t end;
} etl_root;

/* False, and nothing is told, where the caller has to look. */
bool etl_find_root(const unsigned char *text, size_t length, etl_root *root);

#endif
