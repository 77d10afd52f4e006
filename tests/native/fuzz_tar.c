/* core: tar.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tar.h"

enum { MOST = 64, SUM_AT = 148, KIND_AT = 156 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checksums that are right are beyond what mutations find. */
static void sum_headers(uint8_t *data, size_t size)
{
    for (size_t at = 0; size - at >= ETL_TAR_BLOCK; at += ETL_TAR_BLOCK) {
        uint32_t sum = 0;
        memset(data + at + SUM_AT, ' ', 8);
        for (size_t place = 0; place < ETL_TAR_BLOCK; place++)
            sum += data[at + place];
        for (size_t place = SUM_AT + 6; place-- > SUM_AT; sum /= 8)
            data[at + place] = (uint8_t)('0' + sum % 8);
        data[at + SUM_AT + 6] = 0;
    }
}

/* Short inputs become long ones: a header's fields are given in few bytes, and stand where they should. */
static uint8_t *spread(const uint8_t *data, size_t size, size_t *length)
{
    enum { PIECE = 40, FIELDS = 5 };
    static const struct {
        size_t at, size;
    } fields[FIELDS] = {{0, 8}, {124, 12}, {KIND_AT, 1}, {257, 8}, {345, 8}};
    size_t blocks = size / PIECE, rest = size % PIECE;
    *length = blocks * ETL_TAR_BLOCK + rest;
    uint8_t *made = calloc(*length + 1, 1);
    if (made == NULL)
        abort();
    for (size_t block = 0; block < blocks; block++) {
        const uint8_t *from = data + block * PIECE;
        uint8_t *to = made + block * ETL_TAR_BLOCK;
        if (from[PIECE - 1] & 1) { /* not a header, but what one says follows */
            memcpy(to, from, PIECE);
            continue;
        }
        for (size_t field = 0; field < FIELDS; field++) {
            memcpy(to + fields[field].at, from, fields[field].size);
            from += fields[field].size;
        }
    }
    memcpy(made + blocks * ETL_TAR_BLOCK, data + blocks * PIECE, rest);
    return made;
}

/* Members lie one behind the other in the data, with their names; walked over in two goes they are the same. */
static void check(const uint8_t *data, size_t length, uint32_t largest, size_t bytes)
{
    etl_tar_member members[MOST], again[MOST];
    size_t at = 0, before = 0, total = 0;
    size_t count = etl_walk_tar(data, length, &at, MOST, bytes, largest, members);
    if (at > length || at % ETL_TAR_BLOCK != 0 || (count == 0 && at != 0))
        abort();
    for (size_t number = 0; number < count; number++) {
        const etl_tar_member *member = &members[number];
        uint8_t name[256];
        if (member->begin < before + ETL_TAR_BLOCK || member->size > largest || member->begin + member->size > at ||
            total >= bytes)
            abort();
        if (member->path_size > 0 && (member->path < before || member->path + member->path_size > member->begin))
            abort();
        if (member->path_size == 0 && etl_tar_name(data + member->begin - ETL_TAR_BLOCK, name) > sizeof name)
            abort();
        before = member->begin + member->size;
        total += member->size;
    }
    if (count > 1) {
        size_t first = 0;
        if (etl_walk_tar(data, length, &first, 1, bytes, largest, again) != 1 ||
            etl_walk_tar(data, length, &first, MOST - 1, SIZE_MAX, largest, again + 1) < count - 1 ||
            memcmp(members, again, count * sizeof *members) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length;
    if (size == 0)
        return 0;
    uint8_t *made = spread(data + 1, size - 1, &length);
    /* In a block of exactly its size, so that a sanitizer sees a byte too many. */
    made = realloc(made, length > 0 ? length : 1);
    if (made == NULL)
        abort();
    if (data[0] & 1)
        sum_headers(made, length);
    check(made, length, data[0] & 2 ? 300 : UINT32_MAX, data[0] & 4 ? 100 : SIZE_MAX);
    free(made);
    return 0;
}
