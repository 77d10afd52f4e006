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

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* Python's lower() makes ASCII of a few other letters, but none of these words has one of them. */
static int is_word(const char *words, const uint8_t *text, size_t size)
{
    for (const char *word = words; *word != '\0'; word += strlen(word) + 1) {
        size_t at = 0;
        while (at < size && word[at] != '\0' && lower(text[at]) == (uint8_t)word[at])
            at++;
        if (at == size && word[at] == '\0')
            return 1;
    }
    return 0;
}

static etl_lexed boolean(const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    /* One after the other, an empty one at the end. */
    static const char TRUE_WORDS[] = "true\0" "1\0" "t\0" "y\0" "yes\0" "on\0";
    static const char FALSE_WORDS[] = "false\0" "0\0" "f\0" "n\0" "no\0" "off\0";
    const char *word = is_word(TRUE_WORDS, text, size) ? "true" : is_word(FALSE_WORDS, text, size) ? "false" : NULL;
    if (word == NULL)
        return ETL_LEX_UNSURE;
    *written = strlen(word);
    memcpy(canonical, word, *written);
    return etl_lex_compared(text, size, canonical, *written);
}

static int is_hexadecimal(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

/* 32 hexadecimal digits, with hyphens (8-4-4-4-12) or without any; braces around or none. */
static etl_lexed uuid(const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    enum { WITH_HYPHENS = 36, WITHOUT = 32 };
    const uint8_t *from = text;
    size_t inner = size;
    if (size > 2 && text[0] == '{' && text[size - 1] == '}') {
        from = text + 1;
        inner = size - 2;
    }
    if (inner != WITH_HYPHENS && inner != WITHOUT)
        return ETL_LEX_UNSURE;
    for (size_t to = 0; to < WITH_HYPHENS; to++) {
        const int hyphen = to == 8 || to == 13 || to == 18 || to == 23;
        if (hyphen) {
            if (inner == WITH_HYPHENS && *from++ != '-')
                return ETL_LEX_UNSURE;
            canonical[to] = '-';
            continue;
        }
        canonical[to] = lower(*from++);
        if (!is_hexadecimal(canonical[to]))
            return ETL_LEX_UNSURE;
    }
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
