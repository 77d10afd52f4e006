/* Looks where neighbouring members of a zip stand, and unpacks them, as long as nothing is unusual about their entries in
 * the directory: small files, stored or deflated, with sizes in 32 bits and a header of their own that is in memory, as is
 * all of their content. All else, and what turns out to be damaged, is the caller's: `etl/extract/zip_members.py` and
 * `zip_directory.py` have the meaning.
 *
 * In: bytes of the directory that begin with an entry, and bytes of the file. Out: places, or contents, one behind the
 * other, and where the names stand. Formats: PKWARE's APPNOTE 6.3, 4.3.7 and 4.3.12.
 */
#ifndef ETL_ZIP_H
#define ETL_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ETL_ZIP_ENTRY = 46 }; /* bytes, at the least */

typedef struct {
    size_t name; /* in the directory */
    uint32_t name_size;
    uint32_t size;
} etl_zip_member;

typedef struct {
    const uint8_t *directory;
    size_t directory_size;
    const uint8_t *data;
    size_t data_size;
    uint64_t begin;   /* of `data` in the file */
    uint64_t shift;   /* what the directory's offsets do not count */
    uint32_t largest; /* bytes of a member */
    size_t most;      /* members */
} etl_zip_job;

typedef struct {
    const uint8_t *directory;
    size_t directory_size;
    uint64_t shift;  /* what the directory's offsets do not count */
    uint64_t behind; /* all members: no byte of one stands there */
    size_t most;     /* members */
} etl_zip_range;

typedef struct {
    uint64_t last;   /* where the one before ends */
    uint64_t made;   /* bytes that all make */
    bool is_ordered; /* whether each begins behind the one before */
} etl_zip_sum;

/* Where the members from the entry at `*at` on begin and end in the file, at the least; how many. `*at` is moved behind
 * the last. Up to the first entry that is not whole, or has its sizes or its place among the extra fields, or whose
 * member reaches beyond `behind`. What `sum` says goes on. */
size_t etl_place_members(const etl_zip_range *range, size_t *at, uint64_t *begins, uint64_t *ends, etl_zip_sum *sum);

/* Fill `text` from the entry at `*at` on, which is moved behind the last that was unpacked, as long as there is `room`
 * for more than `largest` bytes; how many were. -1 where there is no memory. */
int64_t etl_unpack_zip(const etl_zip_job *job, size_t *at, uint8_t *text, size_t room, etl_zip_member *members);

#endif
