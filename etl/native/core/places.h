/* Where the records of a split stand: `etl_place` is a run of them. */
#ifndef ETL_PLACES_H
#define ETL_PLACES_H

#include "arena.h"
#include "assemble.h"

typedef struct {
    const etl_place *first;
    uint32_t count;
    uint32_t at; /* where the last record was found */
} etl_places;

/* The run of record number `record` of the split; quick where records come in ascending order. */
const etl_place *etl_places_find(etl_places *places, uint32_t record);
/* The line of the first byte of every record of the split, in `arena`; NULL where there is no memory. */
uint64_t *etl_places_lines(const etl_places *places, etl_arena *arena);

#endif
