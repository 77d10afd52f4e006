/* Which raw rows a table has, and in which order: by their parents' order, then list by list, then as they were found. */
#ifndef ETL_ORDER_H
#define ETL_ORDER_H

#include "arena.h"
#include "places.h"
#include "program.h"
#include "raw_rows.h"
#include "status.h"

/* Arrays live in the arena. */
typedef struct {
    uint32_t count;
    uint32_t *rows;    /* raw row of each row */
    uint32_t *parents; /* of each row the place of its parent's row; of a record's row its record */
    uint32_t *records; /* of each row */
    uint32_t *places;  /* of each raw row the place it has come to; ETL_NONE: it is left out */
} etl_order;

/* Rows for which `where` does not hold are left out, and those below them. `parent` is the order of the parent table,
   NULL where the table is one of records. */
etl_status etl_order_rows(const etl_program *program, uint32_t table, const etl_raw_rows *raw, const etl_order *parent,
                          etl_places *places, etl_arena *arena, etl_order *order);

#endif
