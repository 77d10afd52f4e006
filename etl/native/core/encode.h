/* Rows as the target wants them: PostgreSQL's text format of COPY, or a flat list of Python values as marshal writes it.

   As etl/transform/encoder.py has it. */
#ifndef ETL_ENCODE_H
#define ETL_ENCODE_H

#include "assemble.h"
#include "buffer.h"

/* Append the rows of one table whose records are not in `bad` (a byte for each record of the split, not 0 where the
   record is a reject; NULL: none is); `kept[i]` is the record of the i-th row written, `*kept_count` how many there are.
   `rows` has all tables, for the keys of parents. `data` grows by malloc; the caller frees it.
   DECLINED: a value of these rows is still asked.
   COPY: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". */
etl_status etl_encode_copy(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                           uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data, uint32_t *kept,
                           uint32_t *kept_count);
/* The same as marshal (version 2: no references) writes one list of all values, row after row: the same values of the
   same types, not the same bytes. DECLINED too where a text is no value of its column's Python type, or too large. */
etl_status etl_encode_marshal(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                              uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data,
                              uint32_t *kept, uint32_t *kept_count);

#endif
