#include "zip.h"

#include <string.h>
#include <zlib.h>

enum {
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
    uint32_t place; /* of its own header, as far as the directory counts */
    size_t name;    /* bytes */
    size_t extra;   /* bytes */
    size_t bytes;   /* of the entry */
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

/* Whether a whole entry stands there whose numbers are its own: none in an extra field, nor of another disk. */
static bool read_entry(const uint8_t *entry, size_t there, entry_facts *facts)
{
    if (there < ETL_ZIP_ENTRY || memcmp(entry, "PK\1\2", 4) != 0)
        return false;
    facts->checksum = four(entry + 16);
    facts->compressed = four(entry + 20);
    facts->size = four(entry + 24);
    facts->name = two(entry + 28);
    facts->extra = two(entry + 30);
    facts->place = four(entry + 42);
    facts->bytes = ETL_ZIP_ENTRY + facts->name + facts->extra + two(entry + 32);
    return there >= facts->bytes && facts->compressed != UINT32_MAX && facts->size != UINT32_MAX &&
           facts->place != UINT32_MAX && two(entry + 34) == 0;
}

/* Whether an entry is one of a small file, with nothing unusual about it. */
static bool is_small_file(const uint8_t *entry, const entry_facts *facts, uint32_t largest)
{
    if (facts->name == 0 || facts->size > largest || facts->compressed > largest)
        return false;
    uint16_t flags = two(entry + 8), method = two(entry + 10), kind = two(entry + 40) & KIND_OF_FILE;
    const uint8_t *name = entry + ETL_ZIP_ENTRY;
    /* Another name may stand among the extra fields. */
    bool named = is_ascii(name, facts->name) || (flags & UTF8 && facts->extra == 0);
    bool regular = entry[5] != UNIX || kind == 0 || kind == REGULAR;
    return named && regular && name[facts->name - 1] != '/' && (flags & ~HARMLESS) == 0 &&
           (method == STORED || method == DEFLATE);
}

/* The content as it is stored, behind its own header; NULL where it is not all in memory, or not there at all. */
static const uint8_t *find_content(const etl_zip_job *job, const entry_facts *facts)
{
    uint64_t offset = facts->place + job->shift;
    if (offset < job->begin || offset - job->begin > job->data_size)
        return NULL;
    const uint8_t *header = job->data + (size_t)(offset - job->begin), *end = job->data + job->data_size;
    if (end - header < LOCAL_BYTES || memcmp(header, "PK\3\4", 4) != 0)
        return NULL;
    size_t before = LOCAL_BYTES + (size_t)two(header + 26) + two(header + 28), there = (size_t)(end - header);
    return there >= before && there - before >= facts->compressed ? header + before : NULL;
}

static bool unpack(z_stream *stream, uint16_t method, const uint8_t *content, const entry_facts *facts, uint8_t *text)
{
    if (method == STORED) {
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

size_t etl_place_members(const etl_zip_range *range, size_t *at, uint64_t *begins, uint64_t *ends, etl_zip_sum *sum)
{
    size_t count = 0;
    while (count < range->most) {
        entry_facts facts;
        if (!read_entry(range->directory + *at, range->directory_size - *at, &facts))
            break;
        uint64_t end = (uint64_t)facts.place + LOCAL_BYTES + facts.name + facts.compressed;
        if (range->shift > range->behind || end > range->behind - range->shift)
            break;
        begins[count] = facts.place + range->shift;
        ends[count] = end + range->shift;
        sum->is_ordered = sum->is_ordered && begins[count] >= sum->last;
        sum->last = ends[count];
        sum->made += facts.size;
        *at += facts.bytes;
        count++;
    }
    return count;
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
        const uint8_t *entry = job->directory + *at;
        entry_facts facts;
        if (!read_entry(entry, job->directory_size - *at, &facts) || !is_small_file(entry, &facts, job->largest))
            break;
        const uint8_t *content = find_content(job, &facts);
        if (content == NULL || !unpack(&stream, two(entry + 10), content, &facts, text))
            break;
        members[count] = (etl_zip_member){*at + ETL_ZIP_ENTRY, (uint32_t)facts.name, facts.size};
        text += facts.size;
        room -= facts.size;
        *at += facts.bytes;
        count++;
    }
    inflateEnd(&stream);
    return (int64_t)count;
}
