#include "columns.h"

#include <string.h>

/* Rows whose slots stay in the processor's cache while one column after the other is read from them. */
enum { BLOCK_ROWS = 256 };

typedef struct {
    uint32_t flags; /* of all values together */
    int found;
} noticed;

static void *zeros(etl_arena *arena, size_t count, size_t width)
{
    void *taken = etl_arena_array(arena, count, width);
    if (taken != NULL)
        memset(taken, 0, count * width);
    return taken;
}

static void put(etl_value *to, const etl_value *value, noticed *seen)
{
    *to = *value;
    seen->flags |= value->flags;
    seen->found |= value->at != NULL;
}

static void from_slots(const etl_column *column, const etl_raw_rows *own, const uint32_t *rows, uint32_t count,
                       etl_value *values, noticed *seen)
{
    size_t width = own->table->slots;
    for (uint32_t i = 0; i < count; i++)
        put(&values[i], &own->slots[rows[i] * width + column->index], seen);
}

static void from_links(const etl_column *column, const etl_raw_rows *raw, const etl_raw_rows *own, const uint32_t *rows,
                       uint32_t count, etl_value *values, noticed *seen)
{
    const etl_raw_rows *linked = &raw[column->table];
    size_t width = linked->table->slots, links = own->table->links;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = own->links[rows[i] * links + column->link];
        if (row == ETL_NONE)
            values[i] = (etl_value){NULL, 0, 0};
        else
            put(&values[i], &linked->slots[row * width + column->index], seen);
    }
}

static void from_around(const etl_column *column, etl_places *places, const uint32_t *records, uint32_t count,
                        etl_value *values, noticed *seen)
{
    for (uint32_t i = 0; i < count; i++)
        put(&values[i], &etl_places_find(places, records[i])->around[column->index], seen);
}

static int is_gathered(const etl_column *column)
{
    return column->from == ETL_FROM_SLOT || column->from == ETL_FROM_LINK || column->from == ETL_FROM_AROUND;
}

static etl_status make_arrays(const etl_layout *layout, etl_arena *arena, etl_rows *rows)
{
    rows->values = zeros(arena, layout->count, sizeof *rows->values);
    rows->asked = zeros(arena, layout->count, sizeof *rows->asked);
    rows->matched = zeros(arena, layout->count, sizeof *rows->matched);
    rows->mixed = zeros(arena, layout->count, sizeof *rows->mixed);
    rows->several_count = zeros(arena, layout->count, sizeof *rows->several_count);
    rows->several = zeros(arena, layout->count, sizeof *rows->several);
    if (rows->values == NULL || rows->asked == NULL || rows->matched == NULL || rows->mixed == NULL ||
        rows->several_count == NULL || rows->several == NULL)
        return ETL_NOMEM;
    for (uint32_t place = 0; place < layout->count; place++) {
        if (!is_gathered(&layout->columns[place]))
            continue;
        rows->values[place] = etl_arena_array(arena, rows->count, sizeof(etl_value));
        if (rows->values[place] == NULL)
            return ETL_NOMEM;
    }
    return ETL_OK;
}

/* Rows come in the order of their records. */
static etl_status list_several(etl_rows *rows, uint32_t place, etl_arena *arena)
{
    uint32_t *records = zeros(arena, rows->count, sizeof *records);
    if (records == NULL)
        return ETL_NOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        if (!(rows->values[place][i].flags & ETL_VALUE_SEVERAL))
            continue;
        if (count == 0 || records[count - 1] != rows->records[i])
            records[count++] = rows->records[i];
    }
    rows->several[place] = records;
    rows->several_count[place] = count;
    return ETL_OK;
}

etl_status etl_fill_columns(const etl_layout *layout, const etl_raw_rows *raw, const etl_raw_rows *own,
                            const etl_order *order, etl_places *places, etl_arena *arena, etl_rows *rows)
{
    noticed *seen = zeros(arena, layout->count, sizeof *seen);
    if (seen == NULL || make_arrays(layout, arena, rows) != ETL_OK)
        return ETL_NOMEM;
    for (uint32_t first = 0; first < rows->count; first += BLOCK_ROWS) {
        uint32_t count = rows->count - first < BLOCK_ROWS ? rows->count - first : BLOCK_ROWS;
        for (uint32_t place = 0; place < layout->count; place++) {
            const etl_column *column = &layout->columns[place];
            if (!is_gathered(column))
                continue;
            etl_value *values = rows->values[place] + first;
            if (column->from == ETL_FROM_SLOT)
                from_slots(column, own, order->rows + first, count, values, &seen[place]);
            else if (column->from == ETL_FROM_LINK)
                from_links(column, raw, own, order->rows + first, count, values, &seen[place]);
            else
                from_around(column, places, rows->records + first, count, values, &seen[place]);
        }
    }
    for (uint32_t place = 0; place < layout->count; place++) {
        rows->matched[place] = (uint8_t)seen[place].found;
        rows->mixed[place] = (seen[place].flags & ETL_VALUE_MIXED) != 0;
        if (seen[place].flags & ETL_VALUE_SEVERAL && list_several(rows, place, arena) != ETL_OK)
            return ETL_NOMEM;
    }
    return ETL_OK;
}
