#include "clean.h"

#include <stdbool.h>
#include <string.h>

#include "chars.h"

enum { BLOCK = 64, BEHIND = 2, AHEAD = 5 };

typedef struct {
    const uint8_t *text;
    size_t length;
    size_t at;
} cursor;

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

static uint8_t last_of(etl_within within)
{
    return within == ETL_WITHIN_CHARACTERS ? 0 : (uint8_t)hiding[within].closing[0];
}

/* All without a branch, so that compilers may make vector instructions of the loops. */
static inline uint8_t is_foreign(uint8_t byte)
{
    return (uint8_t)((byte >= 0x80) | ((byte < ' ') & (byte != '\t') & (byte != '\n') & (byte != '\r')));
}

/* Marks by 1 which of BLOCK bytes have to be looked at; of the one behind them it is seen what it is. */
static void mark(const uint8_t *at, uint8_t *marks, etl_within within)
{
    if (within == ETL_WITHIN_TEXT) {
        for (size_t i = 0; i < BLOCK; i++) {
            uint8_t byte = at[i], next = at[i + 1];
            marks[i] = (uint8_t)(is_foreign(byte) | (byte == '&') | ((byte == '<') & ((next == '!') | (next == '?'))));
        }
    } else {
        const uint8_t last = last_of(within);
        for (size_t i = 0; i < BLOCK; i++)
            marks[i] = (uint8_t)(is_foreign(at[i]) | (at[i] == last));
    }
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

#ifdef __GNUC__

/* Of each of so many bytes the same at once; a comparison gives 0xFF for yes. */
typedef uint8_t bytes __attribute__((vector_size(16)));
enum { WIDTH = sizeof(bytes) };

static inline bytes load(const uint8_t *at)
{
    bytes loaded;
    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

static inline bool any(bytes yes)
{
    uint64_t halves[2];
    memcpy(halves, &yes, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

static inline bytes is_control(bytes a)
{
    return (bytes)(a < ' ') & (bytes)(a != '\t') & (bytes)(a != '\n') & (bytes)(a != '\r');
}

/* Whether in BLOCK bytes each ampersand begins an entity of XML, or a reference as they stand for line breaks and
 * quotes. AHEAD bytes behind them are read. */
static bool are_known_references(const uint8_t *at)
{
    bytes others = {0};
    for (const uint8_t *end = at + BLOCK; at < end; at += WIDTH) {
        const bytes b = load(at + 1), c = load(at + 2), d = load(at + 3), e = load(at + 4), f = load(at + 5);
        const bytes less = ((bytes)(b == 'l') | (bytes)(b == 'g')) & (bytes)(c == 't') & (bytes)(d == ';');
        const bytes amp = (bytes)(b == 'a') & (bytes)(c == 'm') & (bytes)(d == 'p') & (bytes)(e == ';');
        const bytes quot =
            (bytes)(b == 'q') & (bytes)(c == 'u') & (bytes)(d == 'o') & (bytes)(e == 't') & (bytes)(f == ';');
        const bytes line = (bytes)(c == 'x') & ((bytes)(d == 'A') | (bytes)(d == 'D'));
        const bytes quote = (bytes)(c == '3') & ((bytes)(d == '4') | (bytes)(d == '9'));
        const bytes number = (bytes)(b == '#') & (bytes)(e == ';') & (line | quote);
        others |= (bytes)(load(at) == '&') & ~(less | amp | quot | number);
    }
    return !any(others);
}

/* Whether BLOCK bytes are UTF-8 (RFC 3629) of characters with up to three bytes, without the last 64 of these. The first
 * byte begins a character; BEHIND bytes before it and AHEAD behind the last are read. */
static bool are_usual_characters(const uint8_t *at)
{
    const uint8_t *begin = at, *end = at + BLOCK;
    bytes others = {0};
    for (; at < end; at += WIDTH) {
        const bytes a = load(at), b = load(at + 1);
        bytes before = load(at - 1), before_that = load(at - 2);
        if (at == begin) {
            /* Whatever stands there somebody else has dealt with. */
            before[0] = 0;
            before_that[0] = before_that[1] = 0;
        }
        const bytes expected = (bytes)(before >= 0xC0) | (bytes)(before_that >= 0xE0);
        others |= (bytes)((a & 0xC0) == 0x80) ^ expected;
        others |= (bytes)((a & 0xFE) == 0xC0) | (bytes)(a >= 0xF0);
        others |= (bytes)(a == 0xE0) & (bytes)(b < 0xA0);
        others |= (bytes)(a == 0xED) & (bytes)(b >= 0xA0);
        others |= (bytes)(a == 0xEF) & (bytes)(b == 0xBF);
    }
    return !any(others);
}

static size_t up_to_a_character(const uint8_t *end)
{
    return (size_t)BLOCK - (end[-1] >= 0xC0 ? 1 : end[-2] >= 0xE0 ? 2 : 0);
}

/* How many of the next BLOCK bytes are clean; they end with a character. 0 where they have to be looked at. */
static size_t clean_text_block(const uint8_t *at)
{
    bytes found = {0}, wide = {0}, references = {0};
    for (size_t i = 0; i < BLOCK; i += WIDTH) {
        const bytes a = load(at + i), b = load(at + i + 1);
        found |= is_control(a) | ((bytes)(a == '<') & ((bytes)(b == '!') | (bytes)(b == '?')));
        references |= (bytes)(a == '&');
        wide |= a & 0x80;
    }
    if (any(found) || (any(references) && !are_known_references(at)) || (any(wide) && !are_usual_characters(at)))
        return 0;
    return up_to_a_character(at + BLOCK);
}

static size_t clean_hidden_block(const uint8_t *at, uint8_t last)
{
    bytes found = {0}, wide = {0};
    for (size_t i = 0; i < BLOCK; i += WIDTH) {
        const bytes a = load(at + i);
        found |= is_control(a) | (bytes)(a == last);
        wide |= a & 0x80;
    }
    if (any(found) || (any(wide) && !are_usual_characters(at)))
        return 0;
    return up_to_a_character(at + BLOCK);
}

#endif

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
    mark(block, marks, before);
    while (c->at < start + size && *within == before) {
        size_t from = c->at - start;
        const uint8_t *found = memchr(marks + from, 1, size - from);
        if (found == NULL) {
            c->at = start + size;
            break;
        }
        c->at = start + (size_t)(found - marks);
        if (!pass_marked(c, within))
            return false;
    }
    return true;
}

/* Past blocks in which nothing has to be looked at. */
static void pass_clean_blocks(cursor *c, etl_within within)
{
#ifdef __GNUC__
    while (c->at >= BEHIND && c->length - c->at >= BLOCK + AHEAD) {
        const uint8_t *at = c->text + c->at;
        size_t size = within == ETL_WITHIN_TEXT ? clean_text_block(at) : clean_hidden_block(at, last_of(within));
        if (size == 0)
            break;
        c->at += size;
    }
#else
    (void)c, (void)within;
#endif
}

etl_clean_result etl_clean(const uint8_t *text, size_t length, size_t at, etl_within within)
{
    cursor c = {text, length, at};
    do {
        pass_clean_blocks(&c, within);
    } while (c.at < length && pass_block(&c, &within) && c.at < length);
    return (etl_clean_result){c.at, within};
}
