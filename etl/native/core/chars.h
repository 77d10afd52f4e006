/* Which bytes and characters XML 1.0 (fifth edition) allows where. */
#ifndef ETL_CHARS_H
#define ETL_CHARS_H

#include <stddef.h>
#include <stdint.h>

/* What a byte may be, as bits: what a scanning loop can pass over, and what the first bytes of names are. */
enum {
    /* In character data: neither markup nor to be looked at ("<", "&", "]", carriage return, forbidden, not ASCII). */
    ETL_PLAIN_TEXT = 1,
    /* In an attribute's value: the same with both quotes and all white space but the blank taken out. */
    ETL_PLAIN_VALUE = 2,
    /* In CDATA sections, comments and processing instructions: all but carriage return, "-", "?", "]", and as above. */
    ETL_PLAIN_SPECIAL = 4,
    ETL_SPACE = 8,
    /* An ASCII NameStartChar or NameChar (production 4 and 4a), the colon not among them. */
    ETL_NAME_START = 16,
    ETL_NAME = 32,
    /* A byte that may stand in a name: ASCII NameChar, colon, or part of a character that is not ASCII. */
    ETL_NAME_BYTE = 64
};

extern const uint8_t etl_byte_class[256];

static inline int etl_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Bytes (2 to 4) of the character at `at`, whose first byte is not ASCII; 0 where it is no UTF-8, or no Char
   (production 2). */
size_t etl_char_size(const uint8_t *at, const uint8_t *end);

/* Whether a name of `size` bytes is an NCName (Namespaces in XML 1.0, production 4); `text` is valid UTF-8 or not. */
int etl_is_ncname(const uint8_t *text, size_t size);

/* Whether a code point is a Char (production 2). */
int etl_is_char(uint32_t code);

/* Write a Char as UTF-8; its bytes (1 to 4). */
size_t etl_write_char(uint32_t code, uint8_t *out);

#endif
