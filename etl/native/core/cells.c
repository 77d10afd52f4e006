#include "cells.h"

/* 1, 2, ... among the rows of one parent, which are neighbours. */
static uint32_t *count_rows(const etl_rows *rows, etl_arena *arena)
{
    const uint32_t *owners = rows->parents == NULL ? rows->records : rows->parents;
    uint32_t *sequences = etl_arena_array(arena, rows->count, sizeof *sequences);
    if (sequences == NULL)
        return NULL;
    for (uint32_t i = 0; i < rows->count; i++)
        sequences[i] = i > 0 && owners[i] == owners[i - 1] ? sequences[i - 1] + 1 : 1;
    return sequences;
}

static etl_status open_cell(const etl_plan *plan, uint32_t table, uint32_t column_place, const etl_rows *rows,
                            etl_arena *arena, etl_cell *cell)
{
    const etl_column *column = &plan->layouts[table].columns[column_place];
    *cell = (etl_cell){.python = column->python};
    while (column->from == ETL_FROM_PARENT) {
        table = plan->program->tables[table].parent;
        column_place = column->index;
        column = &plan->layouts[table].columns[column_place];
        cell->up++;
    }
    cell->from = column->from;
    cell->index = column->index;
    cell->constant = column->constant;
    cell->values = rows[table].values[column_place];
    if (cell->values != NULL)
        cell->from = ETL_FROM_SLOT;
    if (cell->from == ETL_FROM_SEQUENCE) {
        cell->sequences = count_rows(&rows[table], arena);
        if (cell->sequences == NULL)
            return ETL_NOMEM;
    }
    return ETL_OK;
}

/* The way from the table's rows up to those that its columns come from. */
static etl_status open_ways_up(const etl_plan *plan, uint32_t table, const etl_rows *rows, etl_arena *arena,
                               etl_cells *cells)
{
    const uint32_t **parents = etl_arena_array(arena, cells->ups, sizeof *parents);
    cells->rows = etl_arena_array(arena, (size_t)cells->ups + 1, sizeof *cells->rows);
    if (parents == NULL || cells->rows == NULL)
        return ETL_NOMEM;
    for (uint32_t up = 0; up < cells->ups; up++) {
        parents[up] = rows[table].parents;
        table = plan->program->tables[table].parent;
    }
    cells->parents = parents;
    return ETL_OK;
}

etl_status etl_cells_open(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                          uint32_t place_count, etl_arena *arena, etl_cells *cells)
{
    const etl_layout *layout = &plan->layouts[table];
    etl_cell *made = etl_arena_array(arena, layout->count, sizeof *made);
    if (made == NULL)
        return ETL_NOMEM;
    *cells = (etl_cells){.cells = made, .count = layout->count, .records = rows[table].records};
    cells->places = (etl_places){.first = places, .count = place_count};
    for (uint32_t place = 0; place < layout->count; place++) {
        etl_status status = open_cell(plan, table, place, rows, arena, &made[place]);
        if (status != ETL_OK)
            return status;
        if (made[place].up > cells->ups)
            cells->ups = made[place].up;
        if (made[place].from == ETL_FROM_LINE && cells->lines == NULL) {
            cells->lines = etl_places_lines(&cells->places, arena);
            if (cells->lines == NULL)
                return ETL_NOMEM;
        }
    }
    return open_ways_up(plan, table, rows, arena, cells);
}
