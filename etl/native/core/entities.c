#include "entities.h"

#include <string.h>

static int compare(etl_text one, etl_text other)
{
    int order = memcmp(one.at, other.at, one.size < other.size ? one.size : other.size);
    return order ? order : (one.size > other.size) - (one.size < other.size);
}

const etl_entity *etl_entity_find(const etl_entity *sorted, uint32_t count, etl_text name)
{
    uint32_t first = 0, end = count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        int order = compare(name, sorted[middle].name);
        if (order == 0)
            return &sorted[middle];
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}
