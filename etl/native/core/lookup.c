#include "lookup.h"

#include <stdlib.h>

etl_status etl_lookup_init(etl_lookup *lookup, uint32_t count)
{
    /* At least half of it stays empty, so that every search ends, and soon. */
    uint64_t size = 16;
    while (size < (uint64_t)count * 2)
        size *= 2;
    if (size > UINT32_MAX)
        return ETL_NOMEM;
    lookup->entries = calloc(size, sizeof *lookup->entries);
    if (lookup->entries == NULL)
        return ETL_NOMEM;
    lookup->mask = (uint32_t)size - 1;
    etl_lookup_clear(lookup);
    return ETL_OK;
}

void etl_lookup_clear(etl_lookup *lookup)
{
    for (size_t i = 0; i <= lookup->mask; i++)
        lookup->entries[i].place = ETL_NONE;
}

void etl_lookup_add(etl_lookup *lookup, uint32_t node, uint32_t uri, uint32_t local, uint32_t place)
{
    uint32_t at = etl_lookup_start(lookup, node, uri, local);
    while (lookup->entries[at].place != ETL_NONE)
        at = (at + 1) & lookup->mask;
    lookup->entries[at] = (etl_lookup_entry){node, uri, local, place};
}

void etl_lookup_free(etl_lookup *lookup)
{
    free(lookup->entries);
    *lookup = (etl_lookup){0};
}
