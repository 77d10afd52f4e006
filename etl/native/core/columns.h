/* Raw values of a table's columns, put together column by column, and what is to be said of them. */
#ifndef ETL_COLUMNS_H
#define ETL_COLUMNS_H

#include "arena.h"
#include "assemble.h"
#include "order.h"
#include "places.h"

/* Fill `values`, `matched`, `mixed`, `several_count` and `several` of `rows`, whose `count` and `records` are known. */
etl_status etl_fill_columns(const etl_layout *layout, const etl_raw_rows *raw, const etl_raw_rows *own,
                            const etl_order *order, etl_places *places, etl_arena *arena, etl_rows *rows);

#endif
