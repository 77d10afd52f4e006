/* BLAKE2b without a key, as RFC 7693 has it: what `hashlib.blake2b` computes, for many small inputs without the GIL.
 *
 * In: an input in pieces, or many inputs. Out: digests of 16 bytes. All state is the caller's; nothing is allocated.
 */
#ifndef ETL_BLAKE2B_H
#define ETL_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

enum { ETL_DIGEST_BYTES = 16, ETL_BLAKE2B_BLOCK = 128 };

typedef struct {
    uint64_t state[8];
    uint64_t taken; /* bytes mixed in */
    size_t waiting; /* bytes in `block` */
    uint8_t block[ETL_BLAKE2B_BLOCK];
} etl_blake2b;

void etl_blake2b_begin(etl_blake2b *hash);
void etl_blake2b_add(etl_blake2b *hash, const uint8_t *bytes, size_t size);
void etl_blake2b_end(etl_blake2b *hash, uint8_t digest[ETL_DIGEST_BYTES]);

typedef struct {
    const uint8_t *head;
    size_t head_size;
    const uint8_t *body;
    size_t body_size;
} etl_blake2b_input; /* two pieces, one behind the other */

/* The digest of each input. */
void etl_blake2b_all(const etl_blake2b_input *inputs, size_t count, uint8_t *digests);

#endif
