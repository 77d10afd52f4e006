#include "blake2b.h"

#include <string.h>

static const uint64_t INITIAL[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t ORDER[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotated(uint64_t word, unsigned by)
{
    return (word >> by) | (word << (64 - by));
}

static inline uint64_t little_endian(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (unsigned place = 0; place < 8; place++)
        word |= (uint64_t)bytes[place] << (8 * place);
    return word;
}

/* RFC 7693, 3.1. */
#define MIX(a, b, c, d, x, y)          \
    do {                               \
        a += b + (x);                  \
        d = rotated(d ^ a, 32);        \
        c += d;                        \
        b = rotated(b ^ c, 24);        \
        a += b + (y);                  \
        d = rotated(d ^ a, 16);        \
        c += d;                        \
        b = rotated(b ^ c, 63);        \
    } while (0)

/* A round of RFC 7693, 3.2. */
static inline __attribute__((always_inline)) void mix_all(uint64_t *mixed, const uint64_t *word, const uint8_t *order)
{
    MIX(mixed[0], mixed[4], mixed[8], mixed[12], word[order[0]], word[order[1]]);
    MIX(mixed[1], mixed[5], mixed[9], mixed[13], word[order[2]], word[order[3]]);
    MIX(mixed[2], mixed[6], mixed[10], mixed[14], word[order[4]], word[order[5]]);
    MIX(mixed[3], mixed[7], mixed[11], mixed[15], word[order[6]], word[order[7]]);
    MIX(mixed[0], mixed[5], mixed[10], mixed[15], word[order[8]], word[order[9]]);
    MIX(mixed[1], mixed[6], mixed[11], mixed[12], word[order[10]], word[order[11]]);
    MIX(mixed[2], mixed[7], mixed[8], mixed[13], word[order[12]], word[order[13]]);
    MIX(mixed[3], mixed[4], mixed[9], mixed[14], word[order[14]], word[order[15]]);
}

/* RFC 7693, 3.2. Inputs longer than 2^64 bytes do not come. */
static void compress(etl_blake2b *hash, const uint8_t *block, uint64_t final)
{
    uint64_t word[16], mixed[16];
    for (unsigned place = 0; place < 16; place++)
        word[place] = little_endian(block + 8 * place);
    for (unsigned place = 0; place < 8; place++) {
        mixed[place] = hash->state[place];
        mixed[place + 8] = INITIAL[place];
    }
    mixed[12] ^= hash->taken;
    mixed[14] ^= final;
    /* One by one, so that the places are constants: a loop takes twice as long. */
    mix_all(mixed, word, ORDER[0]);
    mix_all(mixed, word, ORDER[1]);
    mix_all(mixed, word, ORDER[2]);
    mix_all(mixed, word, ORDER[3]);
    mix_all(mixed, word, ORDER[4]);
    mix_all(mixed, word, ORDER[5]);
    mix_all(mixed, word, ORDER[6]);
    mix_all(mixed, word, ORDER[7]);
    mix_all(mixed, word, ORDER[8]);
    mix_all(mixed, word, ORDER[9]);
    mix_all(mixed, word, ORDER[0]);
    mix_all(mixed, word, ORDER[1]);
    for (unsigned place = 0; place < 8; place++)
        hash->state[place] ^= mixed[place] ^ mixed[place + 8];
}

void etl_blake2b_begin(etl_blake2b *hash)
{
    memcpy(hash->state, INITIAL, sizeof INITIAL);
    hash->state[0] ^= 0x01010000 ^ ETL_DIGEST_BYTES;
    hash->taken = 0;
    hash->waiting = 0;
}

void etl_blake2b_add(etl_blake2b *hash, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        /* The last block is mixed in otherwise, and only what follows tells that one is not. */
        if (hash->waiting == ETL_BLAKE2B_BLOCK) {
            hash->taken += ETL_BLAKE2B_BLOCK;
            compress(hash, hash->block, 0);
            hash->waiting = 0;
        }
        while (hash->waiting == 0 && size > ETL_BLAKE2B_BLOCK) {
            hash->taken += ETL_BLAKE2B_BLOCK;
            compress(hash, bytes, 0);
            bytes += ETL_BLAKE2B_BLOCK;
            size -= ETL_BLAKE2B_BLOCK;
        }
        size_t room = ETL_BLAKE2B_BLOCK - hash->waiting;
        size_t piece = size < room ? size : room;
        memcpy(hash->block + hash->waiting, bytes, piece);
        hash->waiting += piece;
        bytes += piece;
        size -= piece;
    }
}

void etl_blake2b_end(etl_blake2b *hash, uint8_t digest[ETL_DIGEST_BYTES])
{
    memset(hash->block + hash->waiting, 0, ETL_BLAKE2B_BLOCK - hash->waiting);
    hash->taken += hash->waiting;
    compress(hash, hash->block, UINT64_MAX);
    for (unsigned place = 0; place < ETL_DIGEST_BYTES; place++)
        digest[place] = (uint8_t)(hash->state[place / 8] >> (8 * (place % 8)));
}
