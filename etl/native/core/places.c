#include "places.h"

#include <string.h>

const etl_place *etl_places_find(etl_places *places, uint32_t record)
{
    if (record < places->first[places->at].first)
        places->at = 0;
    while (places->at + 1 < places->count &&
           record - places->first[places->at].first >= places->first[places->at].records)
        places->at++;
    return &places->first[places->at];
}

static uint64_t newlines(const uint8_t *at, const uint8_t *end)
{
    uint64_t count = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        count++;
        at++;
    }
    return count;
}

uint64_t *etl_places_lines(const etl_places *places, etl_arena *arena)
{
    size_t records = 0;
    for (uint32_t i = 0; i < places->count; i++)
        records += places->first[i].records;
    uint64_t *lines = etl_arena_array(arena, records, sizeof *lines);
    if (lines == NULL)
        return NULL;
    for (uint32_t i = 0; i < places->count; i++) {
        const etl_place *place = &places->first[i];
        uint64_t line = place->line;
        uint32_t counted = 0;
        for (uint32_t record = 0; record < place->records; record++) {
            uint32_t start = place->spans[2 * (size_t)record];
            line += newlines(place->payload + counted, place->payload + start);
            counted = start;
            lines[place->first + record] = line;
        }
    }
    return lines;
}
