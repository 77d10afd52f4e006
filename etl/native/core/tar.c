#include "tar.h"

#include <stdbool.h>
#include <string.h>

enum {
    NAME_BYTES = 100,
    SIZE_AT = 124,
    SIZE_BYTES = 12,
    SUM_AT = 148,
    SUM_BYTES = 8,
    KIND_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_BYTES = 155,
    DESCRIPTION_BYTES = 1 << 13, /* usual ones; the caller takes longer ones */
};

/* An octal number of digits alone; behind them the field ends, or has blanks and NUL. */
static bool read_octal(const uint8_t *field, size_t size, uint64_t *number)
{
    size_t at = 0;
    *number = 0;
    while (at < size && field[at] >= '0' && field[at] <= '7')
        *number = *number * 8 + (uint64_t)(field[at++] - '0');
    bool any = at > 0;
    while (at < size && field[at] == ' ')
        at++;
    return any && (at == size || field[at] == 0);
}

static bool has_checksum(const uint8_t *header)
{
    uint64_t stated, found = SUM_BYTES * ' ';
    if (!read_octal(header + SUM_AT, SUM_BYTES, &stated))
        return false;
    for (size_t place = 0; place < ETL_TAR_BLOCK; place++)
        found += header[place];
    for (size_t place = SUM_AT; place < SUM_AT + SUM_BYTES; place++)
        found -= header[place];
    return found == stated;
}

static size_t length_of(const uint8_t *text, size_t most)
{
    const uint8_t *end = memchr(text, 0, most);
    return end == NULL ? most : (size_t)(end - text);
}

/* The size that a header states, if it is one and that is at most `largest`. */
static bool read_header(const uint8_t *header, uint32_t largest, uint32_t *size)
{
    uint64_t stated;
    if (!has_checksum(header) || !read_octal(header + SIZE_AT, SIZE_BYTES, &stated))
        return false;
    *size = (uint32_t)stated;
    return stated <= largest;
}

static bool has_name(const uint8_t *header)
{
    size_t size = length_of(header, NAME_BYTES);
    return size > 0 && header[size - 1] != '/';
}

static bool is_key(const uint8_t *key, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(key, name, size) == 0;
}

/* Of pax records (`length key=value` and a line feed, over and over) those that name the member; false where one says how
 * it is stored, or makes no sense. */
static bool read_pax(const uint8_t *records, size_t length, size_t *path, uint32_t *path_size)
{
    static const char SPARSE[] = "GNU.sparse.";
    size_t at = 0;
    while (at < length && records[at] != 0) {
        size_t digit = at, stated = 0;
        while (digit < length && digit - at < 6 && records[digit] >= '0' && records[digit] <= '9')
            stated = stated * 10 + (size_t)(records[digit++] - '0');
        if (digit == at || digit == length || records[digit] != ' ' || stated > length - at || stated < digit - at + 3)
            return false;
        const uint8_t *key = records + digit + 1, *end = records + at + stated - 1;
        const uint8_t *equals = memchr(key, '=', (size_t)(end - key));
        if (equals == NULL || *end != '\n')
            return false;
        size_t size = (size_t)(equals - key);
        if (is_key(key, size, "size") || (size >= sizeof SPARSE - 1 && memcmp(key, SPARSE, sizeof SPARSE - 1) == 0))
            return false;
        if (is_key(key, size, "path")) {
            *path = (size_t)(equals + 1 - records);
            *path_size = (uint32_t)(end - equals - 1);
        }
        at += stated;
    }
    return true;
}

static size_t filled(uint32_t size)
{
    return ((size_t)size + ETL_TAR_BLOCK - 1) / ETL_TAR_BLOCK * ETL_TAR_BLOCK;
}

/* One member with what is said of it before its header, from `at` on; the place behind it, 0 where it is the caller's. */
static size_t walk_over(const uint8_t *data, size_t length, size_t at, uint32_t largest, etl_tar_member *member)
{
    bool described = false;
    *member = (etl_tar_member){0};
    while (length - at >= ETL_TAR_BLOCK) {
        const uint8_t *header = data + at;
        uint8_t kind = header[KIND_AT];
        bool describes = kind == 'x' || kind == 'L';
        uint32_t size;
        if ((!describes && kind != '0' && kind != 0) || !read_header(header, describes ? DESCRIPTION_BYTES : largest, &size))
            return 0;
        at += ETL_TAR_BLOCK;
        if (length - at < size || length - at < filled(size))
            return 0;
        if (!describes) {
            if (!has_name(header))
                return 0;
            member->begin = at;
            member->size = size;
            return at + filled(size);
        }
        /* Of what is said twice, the last counts, in a way of its own for each kind. */
        if (described || (kind == 'x' && !read_pax(data + at, size, &member->path, &member->path_size)))
            return 0;
        if (kind == 'L')
            member->path_size = (uint32_t)length_of(data + at, size);
        member->path += at;
        described = true;
        at += filled(size);
    }
    return 0;
}

size_t etl_walk_tar(const uint8_t *data, size_t length, size_t *at, size_t most, size_t bytes, uint32_t largest,
                    etl_tar_member *members)
{
    size_t count = 0, taken = 0, next;
    while (count < most && taken < bytes && (next = walk_over(data, length, *at, largest, &members[count])) != 0) {
        taken += members[count++].size;
        *at = next;
    }
    return count;
}

size_t etl_tar_name(const uint8_t *header, uint8_t *name)
{
    size_t size = 0;
    if (header[PREFIX_AT] != 0 && memcmp(header + MAGIC_AT, "ustar", 6) == 0) {
        size = length_of(header + PREFIX_AT, PREFIX_BYTES);
        memcpy(name, header + PREFIX_AT, size);
        name[size++] = '/';
    }
    size_t own = length_of(header, NAME_BYTES);
    memcpy(name + size, header, own);
    return size + own;
}
