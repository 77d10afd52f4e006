/* Memory that is given back all at once, when the next split begins. Addresses stay valid until then. */
#ifndef ETL_ARENA_H
#define ETL_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct etl_block etl_block;

typedef struct {
    etl_block *blocks;
    size_t used;     /* of the first block */
    size_t capacity; /* of the first block */
    size_t expected; /* what the next split will need, by what the last ones did */
} etl_arena;

/* `size` bytes aligned for any of our types; NULL where there is no memory. `size` 0 gives a valid address. */
void *etl_arena_take(etl_arena *arena, size_t size);
/* The same for `count` elements of `width` bytes. */
static inline void *etl_arena_array(etl_arena *arena, size_t count, size_t width)
{
    return count > SIZE_MAX / width ? NULL : etl_arena_take(arena, count * width);
}
/* Forget everything; memory of ordinary size is kept for the next split. */
void etl_arena_clear(etl_arena *arena);
void etl_arena_free(etl_arena *arena);

#endif
