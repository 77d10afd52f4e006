#include "buffer.h"

#include <stdlib.h>

enum { FIRST_BYTES = 1 << 12 };

etl_status etl_buffer_grow(etl_buffer *buffer, size_t room)
{
    if (room > SIZE_MAX - buffer->size)
        return ETL_NOMEM;
    size_t needed = buffer->size + room;
    /* Twice as much each time, so that a byte is moved once or twice on average. */
    size_t capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity < FIRST_BYTES)
        capacity = FIRST_BYTES;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return ETL_NOMEM;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return ETL_OK;
}

void etl_buffer_free(etl_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (etl_buffer){0};
}
