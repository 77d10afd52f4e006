/* Whether a table's `where` holds for a row. */
#ifndef ETL_WHERE_H
#define ETL_WHERE_H

#include "program.h"
#include "raw_rows.h"

/* `raw` has the rows of every table; `around_bits` is what holds around the row's record. */
int etl_where_holds(const etl_program *program, const etl_raw_rows *raw, uint32_t table, uint32_t row,
                    uint64_t around_bits);

#endif
