/* Bytes that grow at their end. */
#ifndef ETL_BUFFER_H
#define ETL_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
} etl_buffer;

etl_status etl_buffer_grow(etl_buffer *buffer, size_t room);
void etl_buffer_free(etl_buffer *buffer);

/* Make room for `room` bytes more; what was there may move. */
static inline etl_status etl_buffer_reserve(etl_buffer *buffer, size_t room)
{
    return room <= buffer->capacity - buffer->size ? ETL_OK : etl_buffer_grow(buffer, room);
}

#endif
