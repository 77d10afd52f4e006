#include "assemble.h"

#include "columns.h"
#include "order.h"
#include "places.h"

static etl_status convert(const etl_layout *layout, etl_arena *arena, etl_rows *rows)
{
    for (uint32_t place = 0; place < layout->count; place++) {
        if (rows->values[place] == NULL)
            continue;
        etl_status status =
            etl_convert(&layout->columns[place].rule, rows->values[place], rows->count, arena, &rows->asked[place]);
        if (status != ETL_OK)
            return status;
    }
    return ETL_OK;
}

static etl_status assemble_table(const etl_plan *plan, uint32_t table, const etl_raw_rows *raw, etl_places *places,
                                 etl_arena *arena, etl_order *orders, etl_rows *rows)
{
    uint32_t parent = plan->program->tables[table].parent;
    etl_order *order = &orders[table];
    etl_status status = etl_order_rows(plan->program, table, raw, parent == ETL_NONE ? NULL : &orders[parent], places,
                                       arena, order);
    if (status != ETL_OK)
        return status;
    *rows = (etl_rows){.count = order->count,
                       .records = order->records,
                       .parents = parent == ETL_NONE ? NULL : order->parents};
    status = etl_fill_columns(&plan->layouts[table], raw, &raw[table], order, places, arena, rows);
    return status == ETL_OK ? convert(&plan->layouts[table], arena, rows) : status;
}

etl_status etl_assemble(const etl_plan *plan, const etl_raw_rows *raw, const etl_place *places, uint32_t place_count,
                        etl_arena *arena, etl_rows *rows)
{
    size_t tables = plan->table_count;
    etl_order *orders = etl_arena_array(arena, tables, sizeof *orders);
    if (orders == NULL)
        return ETL_NOMEM;
    etl_places found = {.first = places, .count = place_count};
    for (uint32_t table = 0; table < plan->table_count; table++) {
        etl_status status = assemble_table(plan, table, raw, &found, arena, orders, &rows[table]);
        if (status != ETL_OK)
            return status;
    }
    return ETL_OK;
}
