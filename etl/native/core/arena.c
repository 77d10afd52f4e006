#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* A split's values that need memory of their own are a few KiB to some hundred KiB. */
enum { BLOCK_BYTES = 1 << 18 };

struct etl_block {
    etl_block *next;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static int add_block(etl_arena *arena, size_t size)
{
    size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    if (capacity > SIZE_MAX - sizeof(etl_block))
        return 0;
    etl_block *block = malloc(sizeof(etl_block) + capacity);
    if (block == NULL)
        return 0;
    block->next = arena->blocks;
    block->capacity = capacity;
    arena->blocks = block;
    arena->capacity = capacity;
    arena->used = 0;
    return 1;
}

void *etl_arena_take(etl_arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);
    if (size > SIZE_MAX - unit)
        return NULL;
    size = (size + unit - 1) / unit * unit;
    if (size > arena->capacity - arena->used || arena->blocks == NULL) {
        if (!add_block(arena, size))
            return NULL;
    }
    void *taken = arena->blocks->bytes + arena->used;
    arena->used += size;
    return taken;
}

void etl_arena_clear(etl_arena *arena)
{
    etl_block *kept = NULL;
    for (etl_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        if (kept == NULL && block->capacity == BLOCK_BYTES)
            kept = block;
        else
            free(block);
    }
    arena->blocks = kept;
    arena->used = 0;
    arena->capacity = 0;
    if (kept != NULL) {
        kept->next = NULL;
        arena->capacity = kept->capacity;
    }
}

void etl_arena_free(etl_arena *arena)
{
    etl_arena_clear(arena);
    free(arena->blocks);
    *arena = (etl_arena){0};
}
