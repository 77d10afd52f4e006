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

/* All without a branch, so that compilers make vector instructions of loops over them. */
static inline uint8_t is_foreign(uint8_t byte)
{
    return (uint8_t)((byte >= 0x80) | ((byte < ' ') & (byte != '\t') & (byte != '\n') & (byte != '\r')));
}

/* Whether something among BLOCK bytes may not be clean; one more byte is read, for what begins with two. */
static bool text_block(const uint8_t *at)
{
    uint8_t found = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t byte = at[i], next = at[i + 1];
        found = (uint8_t)(found | is_foreign(byte) | (byte == '&') | ((byte == '<') & ((next == '!') | (next == '?'))));
    }
    return found != 0;
}

/* The same within what `last` begins the end of. */
static bool hidden_block(const uint8_t *at, uint8_t last)
{
    uint8_t found = 0;
    for (size_t i = 0; i < BLOCK; i++)
        found = (uint8_t)(found | is_foreign(at[i]) | (at[i] == last));
    return found != 0;
}

static bool begins(const cursor *c, const char *what, size_t length)
{
    return c->length - c->at >= length && memcmp(c->text + c->at, what, length) == 0;
}

/* Past characters that are not ASCII. */
static bool pass_characters(cursor *c)
{
    while (c->at < c->length && c->text[c->at] >= 0x80) {
        size_t size = etl_char_size(c->text + c->at, c->text + c->length);
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

static bool pass_reference(cursor *c)
{
    static const struct {
        const char *text;
        size_t length;
    } known[] = {{"&amp;", 5}, {"&lt;", 4}, {"&gt;", 4}, {"&quot;", 6}, {"&apos;", 6}};
    if (begins(c, "&#", 2))
        return pass_number(c);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (begins(c, known[i].text, known[i].length)) {
            c->at += known[i].length;
            return true;
        }
    }
    return false;
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

/* Past a `<`, and what it opens if that is no element. */
static bool pass_less(cursor *c, etl_within *within)
{
    if (c->at + 1 < c->length && c->text[c->at + 1] != '!' && c->text[c->at + 1] != '?') {
        c->at++;
        return true;
    }
    for (etl_within what = ETL_WITHIN_COMMENT; what <= ETL_WITHIN_INSTRUCTION; what++) {
        if (begins(c, hiding[what].opening, hiding[what].opening_length)) {
            c->at += hiding[what].opening_length;
            *within = what;
            return true;
        }
    }
    return false;
}

/* Past text, up to the opening of something else. */
static bool pass_text(cursor *c, etl_within *within)
{
    while (c->at < c->length && *within == ETL_WITHIN_TEXT) {
        while (c->length - c->at > BLOCK && !text_block(c->text + c->at))
            c->at += BLOCK;
        size_t stop = c->length - c->at > BLOCK ? c->at + BLOCK : c->length;
        while (c->at < stop && *within == ETL_WITHIN_TEXT) {
            uint8_t byte = c->text[c->at];
            bool passed = true;
            if (byte == '<')
                passed = pass_less(c, within);
            else if (byte == '&')
                passed = pass_reference(c);
            else if (byte >= 0x80)
                passed = pass_characters(c);
            else if (is_foreign(byte))
                passed = false;
            else
                c->at++;
            if (!passed)
                return false;
        }
    }
    return true;
}

/* Past what hides markup, and its end. */
static bool pass_hidden(cursor *c, etl_within *within)
{
    const char *closing = hiding[*within].closing;
    size_t length = hiding[*within].closing_length;
    uint8_t last = (uint8_t)closing[0];
    while (c->at < c->length) {
        while (c->length - c->at > BLOCK && !hidden_block(c->text + c->at, last))
            c->at += BLOCK;
        size_t stop = c->length - c->at > BLOCK ? c->at + BLOCK : c->length;
        while (c->at < stop) {
            uint8_t byte = c->text[c->at];
            if (byte >= 0x80) {
                if (!pass_characters(c))
                    return false;
            } else if (is_foreign(byte)) {
                return false;
            } else if (byte != last) {
                c->at++;
            } else if (begins(c, closing, length)) {
                c->at += length;
                *within = ETL_WITHIN_TEXT;
                return true;
            } else if (c->length - c->at < length && memcmp(c->text + c->at, closing, c->length - c->at) == 0) {
                return false;
            } else {
                c->at++;
            }
        }
    }
    return true;
}

/* Past characters of all kinds. */
static bool pass_all(cursor *c)
{
    while (c->at < c->length) {
        while (c->length - c->at > BLOCK && !hidden_block(c->text + c->at, 0))
            c->at += BLOCK;
        size_t stop = c->length - c->at > BLOCK ? c->at + BLOCK : c->length;
        while (c->at < stop) {
            uint8_t byte = c->text[c->at];
            if (byte >= 0x80 ? !pass_characters(c) : is_foreign(byte) != 0)
                return false;
            if (byte < 0x80)
                c->at++;
        }
    }
    return true;
}

etl_clean_result etl_clean(const uint8_t *text, size_t length, size_t at, etl_within within)
{
    cursor c = {text, length, at};
    bool passed = true;
    while (passed && c.at < length) {
        if (within == ETL_WITHIN_TEXT)
            passed = pass_text(&c, &within);
        else if (within == ETL_WITHIN_CHARACTERS)
            passed = pass_all(&c);
        else
            passed = pass_hidden(&c, &within);
    }
    return (etl_clean_result){c.at, within};
}
