/* What stands in each column of a table's rows: keys of parents followed to where they come from, rows counted. */
#ifndef ETL_CELLS_H
#define ETL_CELLS_H

#include "assemble.h"
#include "places.h"

typedef struct {
    uint32_t from;    /* etl_from, never PARENT; SLOT stands for LINK and AROUND too */
    uint32_t up;      /* it is a column of the row's parent (1), of that one's parent (2) ... */
    uint32_t index;   /* of SOURCE */
    uint32_t python;  /* etl_python */
    etl_text constant;
    const etl_value *values;   /* of SLOT: by row of the table that it comes from */
    const uint32_t *sequences; /* of SEQUENCE: the same */
} etl_cell;

/* The columns of one table, and the row that is looked at. Arrays live in the arena. */
typedef struct {
    const etl_cell *cells; /* by column */
    uint32_t count;
    const uint32_t *records;
    uint32_t ups;             /* how far up its columns go */
    const uint32_t **parents; /* of the table's rows, of the parent table's rows ... */
    uint32_t *rows;           /* the row, its parent, that one's parent ... */
    const uint64_t *lines;    /* by record; NULL where no column has it */
    etl_places places;
    const etl_place *place; /* of the row's record */
    uint32_t record;
} etl_cells;

etl_status etl_cells_open(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                          uint32_t place_count, etl_arena *arena, etl_cells *cells);

/* Look at another row. */
static inline void etl_cells_go(etl_cells *cells, uint32_t row)
{
    cells->record = cells->records[row];
    cells->place = etl_places_find(&cells->places, cells->record);
    cells->rows[0] = row;
    for (uint32_t up = 0; up < cells->ups; up++)
        cells->rows[up + 1] = cells->parents[up][cells->rows[up]];
}

typedef enum {
    ETL_CELL_NULL = 0,
    ETL_CELL_TEXT = 1,
    ETL_CELL_NUMBER = 2,
    /* Python has not said what it is. */
    ETL_CELL_ASKED = 3
} etl_cell_kind;

static inline etl_cell_kind etl_cell_text(const uint8_t *at, uint32_t size, etl_text *text)
{
    *text = (etl_text){at, size};
    return at == NULL ? ETL_CELL_NULL : ETL_CELL_TEXT;
}

/* What the row has in a column: in `text` or `number`. */
static inline etl_cell_kind etl_cells_read(const etl_cells *cells, const etl_cell *cell, etl_text *text,
                                           uint64_t *number)
{
    const etl_place *place = cells->place;
    uint32_t index = cells->record - place->first;
    switch ((etl_from)cell->from) {
    case ETL_FROM_SLOT: {
        const etl_value *value = &cell->values[cells->rows[cell->up]];
        return value->flags & ETL_VALUE_ASKED ? ETL_CELL_ASKED : etl_cell_text(value->at, value->size, text);
    }
    case ETL_FROM_SOURCE: {
        const etl_text *source = &place->source_texts[cell->index];
        return etl_cell_text(source->at, source->size, text);
    }
    case ETL_FROM_LINE:
        *number = cells->lines[cells->record];
        return ETL_CELL_NUMBER;
    case ETL_FROM_OFFSET:
        *number = place->offset + place->spans[2 * (size_t)index];
        return ETL_CELL_NUMBER;
    case ETL_FROM_RECORD:
        *number = place->first_record + index;
        return ETL_CELL_NUMBER;
    case ETL_FROM_RECORD_ID:
        *number = place->keys_from + place->first_record + index;
        return ETL_CELL_NUMBER;
    case ETL_FROM_SEQUENCE:
        *number = cell->sequences[cells->rows[cell->up]];
        return ETL_CELL_NUMBER;
    default:
        return etl_cell_text(cell->constant.at, cell->constant.size, text);
    }
}

#endif
