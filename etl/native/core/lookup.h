/* From (node, namespace, local name) to a place in an array of the program: one probe of a hash table, mostly. */
#ifndef ETL_LOOKUP_H
#define ETL_LOOKUP_H

#include <stdint.h>

#include "program.h"
#include "status.h"

typedef struct {
    uint32_t node;
    uint32_t uri;
    uint32_t local;
    uint32_t place; /* ETL_NONE: nothing is here */
} etl_lookup_entry;

typedef struct {
    etl_lookup_entry *entries;
    uint32_t mask; /* how many there are, a power of two, less 1 */
} etl_lookup;

etl_status etl_lookup_init(etl_lookup *lookup, uint32_t count);
/* `count` of these at most. */
void etl_lookup_add(etl_lookup *lookup, uint32_t node, uint32_t uri, uint32_t local, uint32_t place);
void etl_lookup_clear(etl_lookup *lookup);
void etl_lookup_free(etl_lookup *lookup);

static inline uint32_t etl_lookup_start(const etl_lookup *lookup, uint32_t node, uint32_t uri, uint32_t local)
{
    uint64_t key = node * UINT64_C(0x9E3779B97F4A7C15) ^ local * UINT64_C(0xC2B2AE3D27D4EB4F) ^
                   uri * UINT64_C(0x165667B19E3779F9);
    return (uint32_t)(key >> 32) & lookup->mask;
}

/* The place, ETL_NONE where there is none. */
static inline uint32_t etl_lookup_find(const etl_lookup *lookup, uint32_t node, uint32_t uri, uint32_t local)
{
    for (uint32_t at = etl_lookup_start(lookup, node, uri, local);; at = (at + 1) & lookup->mask) {
        const etl_lookup_entry *entry = &lookup->entries[at];
        if (entry->place == ETL_NONE)
            return ETL_NONE;
        if (entry->node == node && entry->local == local && entry->uri == uri)
            return entry->place;
    }
}

#endif
