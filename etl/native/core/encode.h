/* Rows as the target wants them: PostgreSQL's text format of COPY, or a flat list of Python values as marshal writes it.

   As etl/transform/encoder.py has it. */
#ifndef ETL_ENCODE_H
#define ETL_ENCODE_H

#include <stddef.h>

#include "assemble.h"

typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
} etl_buffer;

/* Append the rows of one table whose records are not in `bad` (a byte for each record of the split, not 0 where the
   record is a reject; NULL: none is); `kept[i]` is the record of the i-th row written, `*kept_count` how many there are.
   `rows` has all tables, for the keys of parents. `data` grows by malloc; the caller frees it.
   COPY: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". */
etl_status etl_encode_copy(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                           uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data, uint32_t *kept,
                           uint32_t *kept_count);
/* The same as marshal (version 2: no references) writes one list of all values, row after row. */
etl_status etl_encode_marshal(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                              uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data,
                              uint32_t *kept, uint32_t *kept_count);
void etl_buffer_free(etl_buffer *buffer);

#endif
