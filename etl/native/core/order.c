#include "order.h"

#include <string.h>

#include "where.h"

static uint32_t *numbers(etl_arena *arena, size_t count)
{
    return etl_arena_array(arena, count, sizeof(uint32_t));
}

/* The rows that stay, as they were found. */
static void keep_rows(const etl_program *program, uint32_t table, const etl_raw_rows *raw, const etl_order *parent,
                      etl_places *places, etl_order *order)
{
    const etl_raw_rows *own = &raw[table];
    int always = program->tables[table].where.count == 0;
    for (uint32_t row = 0; row < own->count; row++) {
        uint32_t owner = own->parents[row];
        if (parent != NULL && (owner = parent->places[owner]) == ETL_NONE)
            continue;
        if (!always) {
            uint32_t record = parent == NULL ? owner : parent->records[owner];
            if (!etl_where_holds(program, raw, table, row, etl_places_find(places, record)->around_bits))
                continue;
        }
        order->rows[order->count] = row;
        order->parents[order->count++] = owner;
    }
}

static int is_sorted(const etl_order *order, const uint32_t *lists)
{
    for (uint32_t i = 1; i < order->count; i++) {
        if (order->parents[i - 1] > order->parents[i])
            return 0;
        if (lists != NULL && order->parents[i - 1] == order->parents[i] &&
            lists[order->rows[i - 1]] > lists[order->rows[i]])
            return 0;
    }
    return 1;
}

/* Sort by `keys`, one for each row: counting how many have each key, which keeps the order of equal ones. */
static etl_status sort_by(etl_order *order, const uint32_t *keys, etl_arena *arena)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < order->count; i++)
        largest = keys[i] > largest ? keys[i] : largest;
    uint32_t *starts = numbers(arena, (size_t)largest + 1);
    uint32_t *rows = numbers(arena, order->count);
    uint32_t *parents = numbers(arena, order->count);
    if (starts == NULL || rows == NULL || parents == NULL)
        return ETL_NOMEM;
    memset(starts, 0, ((size_t)largest + 1) * sizeof *starts);
    for (uint32_t i = 0; i < order->count; i++)
        starts[keys[i]]++;
    uint32_t start = 0;
    for (size_t key = 0; key <= largest; key++) {
        uint32_t count = starts[key];
        starts[key] = start;
        start += count;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        uint32_t place = starts[keys[i]]++;
        rows[place] = order->rows[i];
        parents[place] = order->parents[i];
    }
    order->rows = rows;
    order->parents = parents;
    return ETL_OK;
}

static etl_status sort(etl_order *order, const uint32_t *lists, etl_arena *arena)
{
    if (lists != NULL) {
        uint32_t *keys = numbers(arena, order->count);
        if (keys == NULL)
            return ETL_NOMEM;
        for (uint32_t i = 0; i < order->count; i++)
            keys[i] = lists[order->rows[i]];
        etl_status status = sort_by(order, keys, arena);
        if (status != ETL_OK)
            return status;
    }
    return sort_by(order, order->parents, arena);
}

/* What follows from the order. */
static etl_status complete(etl_order *order, uint32_t raw_count, const etl_order *parent, etl_arena *arena)
{
    order->records = order->parents;
    if (parent != NULL) {
        order->records = numbers(arena, order->count);
        if (order->records == NULL)
            return ETL_NOMEM;
        for (uint32_t i = 0; i < order->count; i++)
            order->records[i] = parent->records[order->parents[i]];
    }
    order->places = numbers(arena, raw_count);
    if (order->places == NULL)
        return ETL_NOMEM;
    for (uint32_t row = 0; row < raw_count; row++)
        order->places[row] = ETL_NONE;
    for (uint32_t i = 0; i < order->count; i++)
        order->places[order->rows[i]] = i;
    return ETL_OK;
}

etl_status etl_order_rows(const etl_program *program, uint32_t table, const etl_raw_rows *raw, const etl_order *parent,
                          etl_places *places, etl_arena *arena, etl_order *order)
{
    const etl_raw_rows *own = &raw[table];
    *order = (etl_order){.rows = numbers(arena, own->count), .parents = numbers(arena, own->count)};
    if (order->rows == NULL || order->parents == NULL)
        return ETL_NOMEM;
    keep_rows(program, table, raw, parent, places, order);
    if (!is_sorted(order, own->lists)) {
        etl_status status = sort(order, own->lists, arena);
        if (status != ETL_OK)
            return status;
    }
    return complete(order, own->count, parent, arena);
}
