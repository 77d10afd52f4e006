#include "lexical.h"

#include <string.h>

#include "lexical_types.h"

etl_lexed etl_lex_compared(const uint8_t *text, size_t size, const uint8_t *canonical, size_t written)
{
    return size == written && memcmp(text, canonical, size) == 0 ? ETL_LEX_SAME : ETL_LEX_WRITTEN;
}

static etl_lexed varchar(uint32_t length, const uint8_t *text, size_t size)
{
    if (size <= length)
        return ETL_LEX_SAME;
    size_t characters = 0;
    for (size_t at = 0; at < size; at++)
        characters += (text[at] & 0xC0) != 0x80; /* each byte of UTF-8 that continues no character begins one */
    return characters <= length ? ETL_LEX_SAME : ETL_LEX_UNSURE;
}

/* Python's lower() makes ASCII of a few other letters, but none of these words has one of them. */
static etl_lexed boolean(const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    enum { LONGEST = 5 };
    static const struct {
        char text[LONGEST + 1];
        uint8_t size;
        uint8_t is_true;
    } WORDS[] = {
        {"true", 4, 1}, {"false", 5, 0}, {"1", 1, 1}, {"0", 1, 0},  {"t", 1, 1},  {"f", 1, 0},
        {"y", 1, 1},    {"n", 1, 0},     {"yes", 3, 1}, {"no", 2, 0}, {"on", 2, 1}, {"off", 3, 0},
    };
    if (size > LONGEST)
        return ETL_LEX_UNSURE;
    uint8_t lower[LONGEST];
    for (size_t at = 0; at < size; at++)
        lower[at] = text[at] >= 'A' && text[at] <= 'Z' ? (uint8_t)(text[at] | ('a' ^ 'A')) : text[at];
    for (size_t word = 0; word < sizeof WORDS / sizeof WORDS[0]; word++) {
        if (WORDS[word].size != size || memcmp(WORDS[word].text, lower, size) != 0)
            continue;
        *written = WORDS[word].is_true ? 4 : 5;
        memcpy(canonical, WORDS[word].is_true ? "true" : "false", *written);
        return etl_lex_compared(text, size, canonical, *written);
    }
    return ETL_LEX_UNSURE;
}

/* 32 hexadecimal digits, with hyphens (8-4-4-4-12) or without any; braces around or none. */
static etl_lexed uuid(const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    enum { WITH_HYPHENS = 36, WITHOUT = 32, GROUPS = 5 };
    static const uint8_t ENDS[GROUPS] = {8, 13, 18, 23, WITH_HYPHENS};
    const size_t braces = size > 2 && text[0] == '{' && text[size - 1] == '}' ? 1 : 0;
    const size_t inner = size - 2 * braces;
    if (inner != WITH_HYPHENS && inner != WITHOUT)
        return ETL_LEX_UNSURE;
    const uint8_t *from = text + braces;
    int right = 1;
    size_t to = 0;
    for (size_t group = 0; group < GROUPS; group++) {
        if (group > 0) {
            canonical[to++] = '-';
            right &= inner == WITHOUT || *from++ == '-';
        }
        for (; to < ENDS[group]; to++, from++) {
            const uint8_t lower = *from | ('a' ^ 'A'); /* of a letter; a digit stays */
            right &= (*from >= '0' && *from <= '9') | (lower >= 'a' && lower <= 'f');
            canonical[to] = lower;
        }
    }
    if (!right)
        return ETL_LEX_UNSURE;
    *written = WITH_HYPHENS;
    return etl_lex_compared(text, size, canonical, *written);
}

etl_lexed etl_lex(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    switch (type->name) {
    case ETL_TYPE_TEXT:
        return ETL_LEX_SAME;
    case ETL_TYPE_VARCHAR:
        return varchar(type->length, text, size);
    case ETL_TYPE_BOOLEAN:
        return boolean(text, size, canonical, written);
    case ETL_TYPE_SMALLINT:
    case ETL_TYPE_INTEGER:
    case ETL_TYPE_BIGINT:
        return etl_lex_integer(type, text, size, canonical, written);
    case ETL_TYPE_NUMERIC:
        return etl_lex_numeric(type, text, size, canonical, written);
    case ETL_TYPE_REAL:
    case ETL_TYPE_DOUBLE:
        return etl_lex_floating(type, text, size, canonical, written);
    case ETL_TYPE_DATE:
    case ETL_TYPE_TIME:
    case ETL_TYPE_TIMESTAMP:
    case ETL_TYPE_TIMESTAMPTZ:
        return etl_lex_moment(type, text, size, canonical, written);
    case ETL_TYPE_UUID:
        return uuid(text, size, canonical, written);
    default:
        return ETL_LEX_UNSURE;
    }
}
