/* Walks over neighbouring members of a tar whose headers say nothing unusual: small files that are whole in memory, with
 * names of any length, and times or owners beside them. All else is the caller's: `etl/extract/tar_members.py` has the
 * meaning.
 *
 * In: bytes that begin with a header. Out: the members up to the first that is not so. No state is kept, nothing is
 * allocated, and no byte outside is read.
 */
#ifndef ETL_TAR_H
#define ETL_TAR_H

#include <stddef.h>
#include <stdint.h>

enum { ETL_TAR_BLOCK = 512 };

typedef struct {
    size_t begin; /* of the content; its header stands before it */
    uint32_t size;
    uint32_t path_size;
    size_t path; /* its name where it does not stand in its header; `path_size` 0: it does */
} etl_tar_member;

/* At most `most` members of `largest` bytes each, with no more than `bytes` in all, from `*at` on, which is moved behind
 * them and what fills their last block; how many. */
size_t etl_walk_tar(const uint8_t *data, size_t length, size_t *at, size_t most, size_t bytes, uint32_t largest,
                    etl_tar_member *members);

/* The name that stands in a header, of at most 256 bytes; how many. */
size_t etl_tar_name(const uint8_t *header, uint8_t *name);

#endif
