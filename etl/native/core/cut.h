/* Finds where neighbouring records end, with the meaning that `etl/extract/markup.py` gives to a record's end.
 *
 * In: bytes that begin behind a record, between its neighbours. Out: where each record that follows begins and ends, as
 * long as they are whole, have one of the names given, and nothing is special about them: what is ill-formed,
 * references and other elements between records, and start tags with namespace declarations are the caller's.
 * No state is kept, nothing is allocated, and no byte outside of the text is read.
 */
#ifndef ETL_CUT_H
#define ETL_CUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const unsigned char *bytes;
    size_t length;
} etl_cut_name;

typedef struct {
    const unsigned char *text;
    size_t length;
    const etl_cut_name *names; /* of records, as written, prefix included */
    size_t name_count;
    size_t longest; /* bytes of a record */
    size_t gap;     /* bytes between two records */
    size_t origin;  /* in the text; what spans count from, not behind the place where cutting begins */
    size_t stop;    /* in the text; the record that ends here or later is the last one */
} etl_cut_job;

typedef struct {
    size_t count;   /* records cut */
    size_t at;      /* behind the last of them, or where cutting began */
    size_t reached; /* at least `at`: how far was looked for one more, which was not cut; `at` where none was tried */
} etl_cut_result;

/* At most `room` records from `at` on; `spans` (2 * room numbers) gets start and end of each, unless it is NULL. */
etl_cut_result etl_cut(const etl_cut_job *job, size_t at, size_t room, uint32_t *spans);

/* Line feeds among `length` bytes. */
size_t etl_count_lines(const unsigned char *bytes, size_t length);

#endif
