#include "clean.h"

#include <stdbool.h>
#include <string.h>

#include "chars.h"

enum { BLOCK = 64 };

typedef struct {
    const uint8_t *text;
    size_t length;
    size_t at;
} cursor;

/* All without a branch, so that compilers make vector instructions of the loops below. */
static inline uint8_t is_foreign(uint8_t byte)
{
    return (uint8_t)((byte >= 0x80) | ((byte < ' ') & (byte != '\t') & (byte != '\n') & (byte != '\r')));
}

/* Marks by 1 what has to be looked at of BLOCK bytes of text, and one more byte that is not marked itself. */
static bool mark_text(const uint8_t *at, uint8_t *marks)
{
    uint8_t found = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t byte = at[i], next = at[i + 1];
        marks[i] = (uint8_t)(is_foreign(byte) | (byte == '&') | ((byte == '<') & ((next == '!') | (next == '?'))));
        found |= marks[i];
    }
    return found != 0;
}

/* The same within what `last` begins the end of. */
static bool mark_hidden(const uint8_t *at, uint8_t *marks, uint8_t last)
{
    uint8_t found = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        marks[i] = (uint8_t)(is_foreign(at[i]) | (at[i] == last));
        found |= marks[i];
    }
    return found != 0;
}

static bool begins(const cursor *c, const char *what, size_t length)
{
    return c->length - c->at >= length && memcmp(c->text + c->at, what, length) == 0;
}

static bool continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* As etl_char_size: what most characters are is seen here, without a call. */
static inline size_t char_size(const uint8_t *at, size_t left)
{
    if (left >= 2 && at[0] >= 0xC2 && at[0] <= 0xDF && continues(at[1]))
        return 2;
    if (left >= 3 && at[0] >= 0xE1 && at[0] <= 0xEC && continues(at[1]) && continues(at[2]))
        return 3;
    return etl_char_size(at, at + left);
}

/* Past characters that are not ASCII. */
static bool pass_characters(cursor *c)
{
    while (c->at < c->length && c->text[c->at] >= 0x80) {
        size_t size = char_size(c->text + c->at, c->length - c->at);
        if (size == 0)
            return false;
        c->at += size;
    }
    return true;
}

static uint32_t digit_of(uint8_t byte)
{
    if (etl_is_digit(byte))
        return (uint32_t)(byte - '0');
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? (uint32_t)(byte - 'a' + 10) : UINT32_MAX;
}

/* Past a reference to a Char by its number. */
static bool pass_number(cursor *c)
{
    enum { MOST = 8 }; /* digits, so that they fit; the reference knows of leading zeros */
    uint32_t base = 10, code = 0;
    size_t at = c->at + 2, first;
    if (at < c->length && c->text[at] == 'x') {
        base = 16;
        at++;
    }
    for (first = at; at < c->length && at - first < MOST; at++) {
        uint32_t digit = digit_of(c->text[at]);
        if (digit >= base)
            break;
        code = code * base + digit;
    }
    if (at == first || at == c->length || c->text[at] != ';' || !etl_is_char(code))
        return false;
    c->at = at + 1;
    return true;
}

static bool pass_name(cursor *c, const char *reference, size_t length)
{
    if (!begins(c, reference, length))
        return false;
    c->at += length;
    return true;
}

static bool pass_reference(cursor *c)
{
    switch (c->length - c->at > 1 ? c->text[c->at + 1] : 0) {
    case '#':
        return pass_number(c);
    case 'l':
        return pass_name(c, "&lt;", 4);
    case 'g':
        return pass_name(c, "&gt;", 4);
    case 'q':
        return pass_name(c, "&quot;", 6);
    case 'a':
        return pass_name(c, "&amp;", 5) || pass_name(c, "&apos;", 6);
    default:
        return false;
    }
}

static const struct {
    const char *opening;
    size_t opening_length;
    const char *closing;
    size_t closing_length;
} hiding[] = {
    [ETL_WITHIN_COMMENT] = {"<!--", 4, "-->", 3},
    [ETL_WITHIN_CDATA] = {"<![CDATA[", 9, "]]>", 3},
    [ETL_WITHIN_INSTRUCTION] = {"<?", 2, "?>", 2},
};

/* Past what opens with a `<` and is no element. */
static bool pass_opening(cursor *c, etl_within *within)
{
    for (etl_within what = ETL_WITHIN_COMMENT; what <= ETL_WITHIN_INSTRUCTION; what++) {
        if (begins(c, hiding[what].opening, hiding[what].opening_length)) {
            c->at += hiding[what].opening_length;
            *within = what;
            return true;
        }
    }
    return false;
}

/* Past the first byte of what may be an end, or all of it if it is. */
static bool pass_closing(cursor *c, etl_within *within)
{
    const char *closing = hiding[*within].closing;
    size_t length = hiding[*within].closing_length, left = c->length - c->at;
    if (begins(c, closing, length)) {
        c->at += length;
        *within = ETL_WITHIN_TEXT;
        return true;
    }
    if (left < length && memcmp(c->text + c->at, closing, left) == 0)
        return false;
    c->at++;
    return true;
}

/* Past what is marked. */
static bool pass_marked(cursor *c, etl_within *within)
{
    uint8_t byte = c->text[c->at];
    if (byte >= 0x80)
        return pass_characters(c);
    if (is_foreign(byte))
        return false;
    if (*within != ETL_WITHIN_TEXT)
        return pass_closing(c, within);
    return byte == '&' ? pass_reference(c) : pass_opening(c, within);
}

static uint8_t last_of(etl_within within)
{
    return within == ETL_WITHIN_CHARACTERS ? 0 : (uint8_t)hiding[within].closing[0];
}

/* Past the next BLOCK bytes, or as many as there are, or what is within the same of them. */
static bool pass_block(cursor *c, etl_within *within)
{
    uint8_t marks[BLOCK], padded[BLOCK + 1];
    const uint8_t *block = c->text + c->at;
    const etl_within before = *within;
    const size_t start = c->at;
    size_t size = BLOCK;
    if (c->length - start <= BLOCK) {
        /* Of a `<` at the end it cannot be told what it opens: it is marked with this behind it. */
        size = c->length - start;
        memset(padded, '!', sizeof padded);
        memcpy(padded, block, size);
        block = padded;
    }
    bool marked = before == ETL_WITHIN_TEXT ? mark_text(block, marks) : mark_hidden(block, marks, last_of(before));
    while (marked && c->at < start + size && *within == before) {
        size_t from = c->at - start;
        const uint8_t *found = memchr(marks + from, 1, size - from);
        if (found == NULL)
            break;
        c->at = start + (size_t)(found - marks);
        if (!pass_marked(c, within))
            return false;
    }
    if (*within == before && c->at < start + size)
        c->at = start + size;
    return true;
}

etl_clean_result etl_clean(const uint8_t *text, size_t length, size_t at, etl_within within)
{
    cursor c = {text, length, at};
    while (c.at < length && pass_block(&c, &within))
        ;
    return (etl_clean_result){c.at, within};
}
