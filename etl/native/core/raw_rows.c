#include "raw_rows.h"

#include <stdlib.h>
#include <string.h>

/* Memory that is kept between splits; a larger split's is given back. */
enum { KEPT_BYTES = 1 << 22, FIRST_ROWS = 256 };

/* An array with room for `capacity` elements; NULL where there is no memory, and the old one is left as it is. */
static void *resized(void *array, uint32_t capacity, size_t width)
{
    return capacity > SIZE_MAX / width ? NULL : realloc(array, capacity * width);
}

static etl_status grow(etl_raw_rows *rows)
{
    const etl_table *table = rows->table;
    if (rows->capacity > UINT32_MAX / 2)
        return ETL_NOMEM;
    uint32_t capacity = rows->capacity ? rows->capacity * 2 : FIRST_ROWS;
    uint32_t *parents = resized(rows->parents, capacity, sizeof *parents);
    if (parents == NULL)
        return ETL_NOMEM;
    rows->parents = parents;
    if (table->slots) {
        etl_value *slots = resized(rows->slots, capacity, table->slots * sizeof *slots);
        if (slots == NULL)
            return ETL_NOMEM;
        rows->slots = slots;
    }
    if (table->lists > 1) {
        uint32_t *lists = resized(rows->lists, capacity, sizeof *lists);
        if (lists == NULL)
            return ETL_NOMEM;
        rows->lists = lists;
    }
    if (table->conditions) {
        uint64_t *bits = resized(rows->bits, capacity, sizeof *bits);
        if (bits == NULL)
            return ETL_NOMEM;
        rows->bits = bits;
    }
    if (table->links) {
        uint32_t *links = resized(rows->links, capacity, table->links * sizeof *links);
        if (links == NULL)
            return ETL_NOMEM;
        rows->links = links;
    }
    rows->capacity = capacity;
    return ETL_OK;
}

etl_status etl_raw_rows_add(etl_raw_rows *rows, uint32_t *row)
{
    const etl_table *table = rows->table;
    if (rows->count == rows->capacity) {
        etl_status status = grow(rows);
        if (status != ETL_OK)
            return status;
    }
    *row = rows->count++;
    for (size_t i = 0, first = (size_t)*row * table->slots; i < table->slots; i++)
        rows->slots[first + i] = (etl_value){NULL, 0, 0};
    if (rows->bits != NULL)
        rows->bits[*row] = 0;
    return ETL_OK;
}

void etl_raw_rows_clear(etl_raw_rows *rows)
{
    rows->count = 0;
    if ((uint64_t)rows->capacity * (rows->table->slots * sizeof(etl_value) + 2 * sizeof(uint32_t)) > KEPT_BYTES)
        etl_raw_rows_free(rows);
}

void etl_raw_rows_free(etl_raw_rows *rows)
{
    free(rows->slots);
    free(rows->parents);
    free(rows->lists);
    free(rows->bits);
    free(rows->links);
    *rows = (etl_raw_rows){.table = rows->table};
}
