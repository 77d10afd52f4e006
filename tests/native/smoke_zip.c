/* zlib: zip.c */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zip.h"

enum { MOST = 4, FILES = 2 };

/* Two stored members of one byte, "x", with names of one byte. */
static const uint8_t ENTRY[] = {
    'P', 'K', 1, 2, 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 33, 0, 0x83, 0x16, 0xdc, 0x8c, 1, 0, 0, 0,
    1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa4, 0x81, 0, 0, 0, 0, 'n',
};
static const uint8_t MEMBER[] = {
    'P', 'K', 3, 4, 20, 0, 0, 0, 0, 0, 0, 0, 33, 0, 0x83, 0x16, 0xdc, 0x8c, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'n', 'x',
};

static int64_t unpack(etl_zip_job job, size_t from, size_t room)
{
    etl_zip_member members[MOST];
    /* Copies of exactly their size, so that a sanitizer sees a byte too many. */
    uint8_t *directory = malloc(job.directory_size + 1), *data = malloc(job.data_size + 1), *text = malloc(room + 1);
    assert(directory != NULL && data != NULL && text != NULL);
    uint8_t *own = realloc(directory, job.directory_size > 0 ? job.directory_size : 1);
    assert(own != NULL);
    memcpy(own, job.directory, job.directory_size);
    memcpy(data, job.data, job.data_size);
    data[job.data_size] = 'x';
    job.directory = own;
    job.data = data;
    size_t at = from;
    int64_t count = etl_unpack_zip(&job, &at, text, room, members);
    assert(count >= 0 && at == from + (size_t)count * sizeof ENTRY);
    for (int64_t number = 0; number < count; number++)
        assert(text[number] == 'x' && members[number].size == 1 && members[number].name_size == 1);
    free(own);
    free(data);
    free(text);
    return count;
}

/* Members stand one behind the other; how many of them do so before `behind`. */
static size_t place(etl_zip_job job, uint64_t behind)
{
    const etl_zip_range range = {job.directory, job.directory_size, job.shift, behind, job.most};
    uint64_t begins[MOST], ends[MOST];
    etl_zip_sum sum = {job.shift, 7, true};
    size_t at = 0, count = etl_place_members(&range, &at, begins, ends, &sum);
    assert(at == count * sizeof ENTRY && sum.made == 7 + count && sum.is_ordered);
    assert(sum.last == (count > 0 ? ends[count - 1] : job.shift));
    for (size_t number = 0; number < count; number++)
        assert(begins[number] == job.shift + number * sizeof MEMBER && ends[number] == begins[number] + sizeof MEMBER);
    return count;
}

int main(void)
{
    uint8_t directory[FILES * sizeof ENTRY], data[FILES * sizeof MEMBER];
    for (size_t file = 0; file < FILES; file++) {
        memcpy(directory + file * sizeof ENTRY, ENTRY, sizeof ENTRY);
        directory[file * sizeof ENTRY + 42] = (uint8_t)(file * sizeof MEMBER);
        memcpy(data + file * sizeof MEMBER, MEMBER, sizeof MEMBER);
    }
    const etl_zip_job job = {directory, sizeof directory, data, sizeof data, 0, 0, 100, MOST};
    etl_zip_job other;
    assert(unpack(job, 0, 1000) == FILES);
    assert(unpack(job, sizeof ENTRY, 1000) == 1);
    assert(unpack(job, sizeof directory, 1000) == 0);
    assert(unpack(job, 0, 0) == 0);
    assert(unpack(job, 0, 100) == 0);
    assert(unpack(job, 0, 101) == 1);
    for (size_t size = 0; size <= sizeof directory; size++) {
        other = job;
        other.directory_size = size;
        assert(unpack(other, 0, 1000) == (int64_t)(size / sizeof ENTRY));
    }
    for (size_t size = 0; size <= sizeof data; size++) {
        other = job;
        other.data_size = size;
        assert(unpack(other, 0, 1000) == (int64_t)(size / sizeof MEMBER));
    }
    other = job;
    other.most = 0;
    assert(unpack(other, 0, 1000) == 0);
    other.most = 1;
    assert(unpack(other, 0, 1000) == 1);
    other = job;
    other.largest = 0;
    assert(unpack(other, 0, 1000) == 0);
    other.largest = UINT32_MAX;
    assert(unpack(other, 0, 1000) == 0);
    /* Where the file stands far behind, and where offsets go beyond 64 bits. */
    other = job;
    other.begin = other.shift = UINT64_MAX - 10;
    assert(unpack(other, 0, 1000) == 1);
    other.shift = 0;
    assert(unpack(other, 0, 1000) == 0);
    other = job;
    other.begin = (uint64_t)1 << 40;
    assert(unpack(other, 0, 1000) == 0);
    other.shift = other.begin;
    assert(unpack(other, 0, 1000) == FILES);
    assert(place(job, sizeof data) == FILES);
    assert(place(job, sizeof data - 1) == 1);
    assert(place(job, 0) == 0);
    other = job;
    other.most = 1;
    assert(place(other, sizeof data) == 1);
    other = job;
    other.shift = UINT64_MAX - sizeof data;
    assert(place(other, UINT64_MAX) == FILES);
    assert(place(other, UINT64_MAX - 1) == 1);
    assert(place(other, sizeof data) == 0);
    other.shift = UINT64_MAX;
    assert(place(other, UINT64_MAX) == 0);
    puts("ok");
    return 0;
}
