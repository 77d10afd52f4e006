#include "zip.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum {
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    UNIX = 3,
    KIND_OF_FILE = 0170000,
    REGULAR = 0100000,
    STORED = 0,
    DEFLATE = 8,
    UTF8 = 1 << 11,
    HARMLESS = 1 << 1 | 1 << 2 | 1 << 3 | UTF8, /* how hard it was compressed, sizes behind the content, and the name */
};

typedef struct {
    uint32_t checksum;
    uint32_t compressed;
    uint32_t size;
    uint16_t method;
    uint64_t offset;
    size_t bytes; /* of the entry */
} entry_facts;

static uint16_t two(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t four(const uint8_t *at)
{
    return (uint32_t)two(at) | (uint32_t)two(at + 2) << 16;
}

static bool is_ascii(const uint8_t *text, size_t size)
{
    for (size_t place = 0; place < size; place++)
        if (text[place] >= 0x80)
            return false;
    return true;
}

/* Whether an entry is one of a small file, with nothing unusual about it. */
static bool read_entry(const etl_zip_job *job, size_t at, etl_zip_member *member, entry_facts *facts)
{
    const uint8_t *entry = job->directory + at;
    if (job->directory_size - at < ENTRY_BYTES || memcmp(entry, "PK\1\2", 4) != 0)
        return false;
    size_t name = two(entry + 28), extra = two(entry + 30), comment = two(entry + 32);
    facts->bytes = ENTRY_BYTES + name + extra + comment;
    if (job->directory_size - at < facts->bytes || name == 0)
        return false;
    uint16_t flags = two(entry + 8), mode = two(entry + 40);
    facts->method = two(entry + 10);
    facts->checksum = four(entry + 16);
    facts->compressed = four(entry + 20);
    facts->size = four(entry + 24);
    facts->offset = four(entry + 42) + job->shift;
    *member = (etl_zip_member){at + ENTRY_BYTES, (uint32_t)name, facts->size};
    const uint8_t *text = entry + ENTRY_BYTES;
    /* Another name may stand among the extra fields. */
    bool named = is_ascii(text, name) || (flags & UTF8 && extra == 0);
    bool regular = entry[5] != UNIX || (mode & KIND_OF_FILE) == 0 || (mode & KIND_OF_FILE) == REGULAR;
    bool in_32_bits = facts->compressed != UINT32_MAX && facts->size != UINT32_MAX && four(entry + 42) != UINT32_MAX;
    return named && regular && in_32_bits && text[name - 1] != '/' && (flags & ~HARMLESS) == 0 &&
           two(entry + 34) == 0 && (facts->method == STORED || facts->method == DEFLATE) &&
           facts->size <= job->largest && facts->compressed <= job->largest;
}

/* The content as it is stored, behind its own header; NULL where it is not all in memory, or not there at all. */
static const uint8_t *find_content(const etl_zip_job *job, const entry_facts *facts)
{
    if (facts->offset < job->begin || facts->offset - job->begin > job->data_size)
        return NULL;
    const uint8_t *header = job->data + (size_t)(facts->offset - job->begin), *end = job->data + job->data_size;
    if (end - header < LOCAL_BYTES || memcmp(header, "PK\3\4", 4) != 0)
        return NULL;
    size_t before = LOCAL_BYTES + (size_t)two(header + 26) + two(header + 28), there = (size_t)(end - header);
    return there >= before && there - before >= facts->compressed ? header + before : NULL;
}

static bool unpack(z_stream *stream, const uint8_t *content, const entry_facts *facts, uint8_t *text)
{
    if (facts->method == STORED) {
        if (facts->compressed != facts->size)
            return false;
        memcpy(text, content, facts->size);
    } else {
        uint8_t more; /* than was promised */
        stream->next_in = (z_const Bytef *)content;
        stream->avail_in = facts->compressed;
        stream->next_out = facts->size > 0 ? text : &more;
        stream->avail_out = facts->size > 0 ? facts->size : 1;
        /* What is left over is the caller's: it may be another frame. */
        if (inflateReset(stream) != Z_OK || inflate(stream, Z_FINISH) != Z_STREAM_END || stream->avail_in > 0 ||
            stream->total_out != facts->size)
            return false;
    }
    return crc32(crc32(0, NULL, 0), text, facts->size) == facts->checksum;
}

int64_t etl_unpack_zip(const etl_zip_job *job, size_t *at, uint8_t *text, size_t room, etl_zip_member *members)
{
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    /* Deflate without a header. */
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return -1;
    size_t count = 0;
    while (count < job->most && room > job->largest) {
        entry_facts facts;
        if (!read_entry(job, *at, &members[count], &facts))
            break;
        const uint8_t *content = find_content(job, &facts);
        if (content == NULL || !unpack(&stream, content, &facts, text))
            break;
        text += facts.size;
        room -= facts.size;
        *at += facts.bytes;
        count++;
    }
    inflateEnd(&stream);
    return (int64_t)count;
}
