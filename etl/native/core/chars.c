#include "chars.h"

/* Made from the sets that chars.h names. */
const uint8_t etl_byte_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 13, 0, 0, 8, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    15, 7, 5, 7, 7, 7, 4, 5, 7, 7, 7, 7, 7, 99, 103, 7,
    103, 103, 103, 103, 103, 103, 103, 103, 103, 103, 71, 7, 4, 7, 7, 3,
    7, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119,
    119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 7, 7, 2, 7, 119,
    7, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119,
    119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 119, 7, 7, 7, 7, 7,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};

int etl_is_char(uint32_t code)
{
    return (code >= 0x20 && code <= 0xD7FF) || code == 0x9 || code == 0xA || code == 0xD ||
           (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

/* The character at `at`, not ASCII, and how many bytes it has; 0 where it is no UTF-8 (RFC 3629, section 4). */
static size_t decode(const uint8_t *at, const uint8_t *end, uint32_t *code)
{
    size_t left = (size_t)(end - at);
    uint32_t first = at[0];
    size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    /* The first byte's own bits: 5 of 2 bytes, 4 of 3, 3 of 4. */
    uint32_t value = first & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3Fu);
    }
    /* Longer than needed, which only 3 and 4 bytes can still be. Surrogates are no Char. */
    if ((size == 3 && value < 0x800) || (size == 4 && value < 0x10000))
        return 0;
    *code = value;
    return size;
}

size_t etl_char_size(const uint8_t *at, const uint8_t *end)
{
    uint32_t code;
    size_t size = decode(at, end, &code);
    return size && etl_is_char(code) ? size : 0;
}

size_t etl_write_char(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
    out[0] = (uint8_t)((0xF00u >> size & 0xF0u) | code);
    return size;
}

typedef struct {
    uint32_t first;
    uint32_t last;
} char_range;

/* Production 4, NameStartChar, without ASCII. */
static const char_range name_start[] = {
    {0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2FF},    {0x370, 0x37D},   {0x37F, 0x1FFF},    {0x200C, 0x200D},
    {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
};
/* Production 4a, NameChar: these as well. */
static const char_range name_more[] = {{0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}};

static int within(uint32_t code, const char_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return 1;
    return 0;
}

int etl_is_ncname(const uint8_t *text, size_t size)
{
    const uint8_t *at = text, *end = text + size;
    if (size == 0)
        return 0;
    while (at < end) {
        int starts = at == text;
        if (*at < 0x80) {
            if (!(etl_byte_class[*at] & (starts ? ETL_NAME_START : ETL_NAME)))
                return 0;
            at++;
            continue;
        }
        uint32_t code;
        size_t bytes = decode(at, end, &code);
        if (bytes == 0 || (!within(code, name_start, sizeof name_start / sizeof *name_start) &&
                           (starts || !within(code, name_more, sizeof name_more / sizeof *name_more))))
            return 0;
        at += bytes;
    }
    return 1;
}
