/* Makes whole tables of raw rows: rows left out by `where`, put in order, their values converted.

   As etl/transform/assemble.py has it. Nothing here takes long but converting. */
#ifndef ETL_ASSEMBLE_H
#define ETL_ASSEMBLE_H

#include "convert.h"
#include "program.h"
#include "raw_rows.h"
#include "status.h"

typedef enum {
    ETL_FROM_SLOT = 0,   /* slot `index` of the row */
    ETL_FROM_LINK = 1,   /* slot `index` of the row of `table` that link `link` refers to */
    ETL_FROM_AROUND = 2, /* text `index` of what stands around the record */
    ETL_FROM_CONSTANT = 3,  /* `constant`, canonical; `at` NULL is NULL */
    ETL_FROM_SOURCE = 4,    /* text `index` of the record's source, canonical */
    ETL_FROM_LINE = 5,      /* of the record's first byte */
    ETL_FROM_OFFSET = 6,    /* the same */
    ETL_FROM_RECORD = 7,    /* its number in its source */
    ETL_FROM_RECORD_ID = 8, /* keys_from + record number */
    ETL_FROM_PARENT = 9,    /* column `index` of the parent's row */
    ETL_FROM_SEQUENCE = 10  /* 1, 2, ... among the rows of one parent */
} etl_from;

/* What a target without COPY gets of a canonical text. */
typedef enum {
    ETL_PYTHON_STR = 0,
    ETL_PYTHON_INT = 1,
    ETL_PYTHON_FLOAT = 2,
    ETL_PYTHON_BOOL = 3,
    ETL_PYTHON_BYTES = 4 /* of `\x` and hexadecimal digits */
} etl_python;

typedef struct {
    uint32_t from; /* etl_from */
    uint32_t index;
    uint32_t link;
    uint32_t table;
    uint32_t python; /* etl_python */
    etl_text constant;
    etl_column_rule rule; /* of SLOT, LINK, AROUND */
} etl_column;

typedef struct {
    const etl_column *columns;
    uint32_t count;
} etl_layout;

/* A run, once more: where it stands in its document. */
typedef struct {
    const uint8_t *payload;
    const uint32_t *spans;
    uint32_t records;
    uint32_t first;        /* place in the split of its first record */
    uint64_t offset;       /* of payload[0] */
    uint64_t line;         /* the same */
    uint64_t first_record; /* number of its first record */
    uint64_t keys_from;    /* what a surrogate key is made of, and of the record's number */
    const etl_text *source_texts;
    const etl_value *around; /* texts for FROM_AROUND */
    uint64_t around_bits;    /* for ETL_WHERE_AROUND */
} etl_place;

/* A table on its way. Rows are in their final order; arrays live in the arena. */
typedef struct {
    uint32_t count;
    uint32_t *records;  /* for each row the place of its record in the split */
    uint32_t *parents;  /* for each row the place of its parent's in the parent table; NULL for record tables */
    etl_value **values; /* by column of SLOT, LINK and AROUND: `count` values, converted or asked; NULL for others */
    uint32_t *asked;    /* by column: how many values are asked */
    uint8_t *matched;   /* by column: something was found, NULL or not */
    uint8_t *mixed;     /* by column: an element with child elements was among it */
    uint32_t *several_count; /* by column: records in which one that keeps the first value met another */
    uint32_t **several;      /* by column: these records, ascending, each once */
} etl_rows;

typedef struct {
    const etl_program *program;
    const etl_layout *layouts; /* of the mapping's tables, the first ones of the program's */
    uint32_t table_count;
} etl_plan;

/* Fill `rows` (one for each of the plan's tables) from what was scanned. */
etl_status etl_assemble(const etl_plan *plan, const etl_raw_rows *raw, const etl_place *places, uint32_t place_count,
                        etl_arena *arena, etl_rows *rows);

#endif
