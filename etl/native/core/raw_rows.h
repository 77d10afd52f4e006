/* The rows of a table as they are found: texts in slots, parents, conditions. In document order of where they begin. */
#ifndef ETL_RAW_ROWS_H
#define ETL_RAW_ROWS_H

#include "program.h"
#include "status.h"
#include "value.h"

typedef struct {
    const etl_table *table;
    uint32_t count;
    uint32_t capacity;
    etl_value *slots;  /* count x table->slots */
    uint32_t *parents; /* place of the parent's row in its table; of a record: its place in the split */
    uint32_t *lists;   /* which path led to it; NULL where the table has one */
    uint64_t *bits;    /* conditions that hold; NULL where the table has none */
    uint32_t *links;   /* count x table->links: rows that stand for ancestors; ETL_NONE where there is none */
} etl_raw_rows;

/* A row more, its slots empty, its bits 0, parent, list and links to be set; `*row` is its place. */
etl_status etl_raw_rows_add(etl_raw_rows *rows, uint32_t *row);
/* Forget all rows, and memory beyond what an ordinary split needs. */
void etl_raw_rows_clear(etl_raw_rows *rows);
void etl_raw_rows_free(etl_raw_rows *rows);

#endif
