#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* What one split needs is kept for the next, since fresh memory costs a page fault every 4 KiB; but no more than this,
   lest one large record holds it for good. */
enum { BLOCK_BYTES = 1 << 18, KEPT_BYTES = 1 << 23 };

struct etl_block {
    etl_block *next;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static int add_block(etl_arena *arena, size_t size)
{
    size_t ordinary = arena->expected > BLOCK_BYTES ? arena->expected : BLOCK_BYTES;
    size_t capacity = size > ordinary ? size : ordinary;
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

static void free_blocks(etl_arena *arena)
{
    for (etl_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (etl_arena){.expected = arena->expected};
}

void etl_arena_clear(etl_arena *arena)
{
    size_t total = 0;
    for (const etl_block *block = arena->blocks; block != NULL; block = block->next)
        total += block->capacity;
    arena->used = 0;
    /* Several blocks become one of their size, so that the next split finds all it needs in one. */
    if (total > KEPT_BYTES || (arena->blocks != NULL && arena->blocks->next != NULL)) {
        arena->expected = total < KEPT_BYTES ? total : KEPT_BYTES;
        free_blocks(arena);
    }
}

void etl_arena_free(etl_arena *arena)
{
    free_blocks(arena);
    arena->expected = 0;
}
