/* zlib: zip.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "zip.h"

enum { MOST = 32, ENTRY_BYTES = 46, LARGEST = 500, ROOM = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(uint8_t *to, uint64_t number, unsigned bytes)
{
    for (unsigned place = 0; place < bytes; place++)
        to[place] = (uint8_t)(number >> (8 * place));
}

/* A copy of exactly its size, so that a sanitizer sees a byte too many. */
static uint8_t *copy(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    return exact;
}

/* Checksums that are right are beyond what mutations find: each entry gets that of what its content makes, as far as it
 * can be found, and its size. */
static void mend(uint8_t *directory, size_t size, const uint8_t *data, size_t data_size)
{
    for (size_t at = 0; at + ENTRY_BYTES <= size;) {
        uint8_t *entry = directory + at, made[LARGEST + 1];
        size_t offset = entry[42] | (size_t)entry[43] << 8, compressed = entry[20];
        if (offset + 30 <= data_size) {
            size_t begin = offset + 30 + data[offset + 26] + data[offset + 28];
            z_stream stream;
            memset(&stream, 0, sizeof stream);
            if (begin + compressed <= data_size && inflateInit2(&stream, -MAX_WBITS) == Z_OK) {
                stream.next_in = (z_const Bytef *)(data + begin);
                stream.avail_in = (uInt)compressed;
                stream.next_out = made;
                stream.avail_out = sizeof made;
                if (entry[10] == 0) {
                    put(entry + 16, crc32(crc32(0, NULL, 0), data + begin, (uInt)compressed), 4);
                    put(entry + 24, compressed, 4);
                } else if (inflate(&stream, Z_FINISH) == Z_STREAM_END) {
                    put(entry + 16, crc32(crc32(0, NULL, 0), made, (uInt)stream.total_out), 4);
                    put(entry + 24, stream.total_out, 4);
                }
                inflateEnd(&stream);
            }
        }
        at += ENTRY_BYTES + (size_t)entry[28] + entry[30] + entry[32];
    }
}

/* Members have names in the directory, and contents of the size and the checksum that it says. */
static void check(const etl_zip_job *job)
{
    etl_zip_member members[MOST];
    uint8_t *text = malloc(ROOM);
    size_t at = 0, used = 0, entry = 0;
    if (text == NULL)
        abort();
    int64_t count = etl_unpack_zip(job, &at, text, ROOM, members);
    if (count < 0 || count > MOST || at > job->directory_size || (count == 0 && at != 0))
        abort();
    for (int64_t number = 0; number < count; number++) {
        const etl_zip_member *member = &members[number];
        if (member->name != entry + ENTRY_BYTES || member->name_size == 0 || member->size > job->largest ||
            member->name + member->name_size > at || used + member->size > ROOM)
            abort();
        const uint8_t *said = job->directory + entry;
        uint32_t checksum = (uint32_t)said[16] | (uint32_t)said[17] << 8 | (uint32_t)said[18] << 16 |
                            (uint32_t)said[19] << 24;
        if (crc32(crc32(0, NULL, 0), text + used, member->size) != checksum)
            abort();
        used += member->size;
        entry += ENTRY_BYTES + (size_t)(said[28] | said[29] << 8) + (size_t)(said[30] | said[31] << 8) +
                 (size_t)(said[32] | said[33] << 8);
    }
    if (entry != at)
        abort();
    free(text);
}

static uint64_t number(const uint8_t *at, unsigned bytes)
{
    return bytes == 0 ? 0 : at[0] | number(at + 1, bytes - 1) << 8;
}

/* Members stand where the directory says, none beyond what there is, and the sums are those of all. */
static void check_places(const etl_zip_job *job, uint64_t behind)
{
    const etl_zip_range range = {job->directory, job->directory_size, job->shift, behind, MOST};
    uint64_t begins[MOST], ends[MOST], made = 0, last = 0;
    size_t at = 0, entry = 0;
    bool is_ordered = true;
    etl_zip_sum sum = {0, 0, true};
    size_t count = etl_place_members(&range, &at, begins, ends, &sum);
    if (count > MOST || at > job->directory_size)
        abort();
    for (size_t place = 0; place < count; place++) {
        const uint8_t *said = job->directory + entry;
        uint64_t size = 30 + number(said + 20, 4) + number(said + 28, 2);
        if (begins[place] != number(said + 42, 4) + job->shift || begins[place] < job->shift || ends[place] > behind ||
            ends[place] - begins[place] != size || ends[place] < begins[place])
            abort();
        is_ordered = is_ordered && begins[place] >= last;
        last = ends[place];
        made += number(said + 24, 4);
        entry += ENTRY_BYTES + number(said + 28, 2) + number(said + 30, 2) + number(said + 32, 2);
    }
    if (entry != at || sum.made != made || sum.last != last || sum.is_ordered != is_ordered)
        abort();
}

/* The first byte says how much of the rest is the directory, in pieces of 16 bytes; the second, what is mended. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t directory_size = 16 * (size_t)data[0], rest = size - 2;
    directory_size = directory_size < rest ? directory_size : rest;
    uint8_t *directory = copy(data + 2, directory_size), *file = copy(data + 2 + directory_size, rest - directory_size);
    etl_zip_job job = {directory, directory_size, file, rest - directory_size, 0, 0, LARGEST, MOST};
    if (data[1] & 1)
        mend(directory, directory_size, file, job.data_size);
    if (data[1] & 2)
        job.begin = 5;
    if (data[1] & 4)
        job.shift = UINT64_MAX - 20;
    check(&job);
    check_places(&job, job.data_size);
    check_places(&job, data[1] & 8 ? UINT64_MAX : (uint64_t)1 << 32);
    free(directory);
    free(file);
    return 0;
}
