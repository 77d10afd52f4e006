#include "root.h"

#include <string.h>

static bool is_xml_space(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool begins_name(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_' || byte == ':' || byte >= 0x80;
}

/* White space is `\s` of a pattern of bytes: more than XML's, since the Python twin has it so. */
static bool goes_on_name(unsigned char byte)
{
    switch (byte) {
    case ' ':
    case '\t':
    case '\n':
    case '\v':
    case '\f':
    case '\r':
    case '<':
    case '>':
    case '/':
    case '=':
    case '"':
    case '\'':
        return false;
    default:
        return true;
    }
}

/* The place behind the first `what` from `at` on; 0 where there is none. */
static size_t behind(const unsigned char *text, size_t length, size_t at, const char *what, size_t size)
{
    while (length - at >= size) {
        const unsigned char *found = memchr(text + at, (unsigned char)what[0], length - at - size + 1);
        if (found == NULL)
            return 0;
        at = (size_t)(found - text);
        if (memcmp(found, what, size) == 0)
            return at + size;
        at++;
    }
    return 0;
}

/* Where the root element's start tag begins: behind white space, comments and processing instructions. */
static size_t pass_prolog(const unsigned char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t next = 0;
        if (is_xml_space(text[at]))
            next = at + 1;
        else if (length - at >= 2 && memcmp(text + at, "<?", 2) == 0)
            next = behind(text, length, at + 2, "?>", 2);
        else if (length - at >= 4 && memcmp(text + at, "<!--", 4) == 0)
            next = behind(text, length, at + 4, "-->", 3);
        if (next == 0)
            break;
        at = next;
    }
    return at;
}

/* The place behind the start tag whose name ends at `at`; 0 where it is ill-formed. */
static size_t pass_start_tag(const unsigned char *text, size_t length, size_t at)
{
    unsigned char quote = 0;
    for (; at < length; at++) {
        unsigned char byte = text[at];
        if (byte == '<')
            return 0;
        if (quote != 0)
            quote = byte == quote ? 0 : quote;
        else if (byte == '"' || byte == '\'')
            quote = byte;
        else if (byte == '>')
            return at + 1;
    }
    return 0;
}

/* Whether `slash` is the second byte of an end tag `</name>`; as many bytes as that has are there. */
static bool is_end_tag(const unsigned char *slash, const unsigned char *name, size_t size)
{
    /* The last byte tells most other tags apart, without a call. */
    return slash[-1] == '<' && slash[0] == '/' && slash[1 + size] == '>' && memcmp(slash + 1, name, size) == 0;
}

bool etl_find_root(const unsigned char *text, size_t length, etl_root *root)
{
    size_t start = pass_prolog(text, length);
    if (length - start < 2 || text[start] != '<' || !begins_name(text[start + 1]))
        return false;
    size_t name_end = start + 2;
    while (name_end < length && goes_on_name(text[name_end]))
        name_end++;
    size_t tag_end = pass_start_tag(text, length, name_end);
    if (tag_end == 0)
        return false;
    size_t end = length;
    while (end > tag_end && is_xml_space(text[end - 1]))
        end--;
    const unsigned char *name = text + start + 1;
    size_t size = name_end - start - 1;
    /* Behind the start tag, in which no `<` can stand. */
    if (end - tag_end < size + 3 || !is_end_tag(text + end - size - 2, name, size))
        return false;
    const unsigned char *last = text + end - size - 2;
    for (const unsigned char *at = text + tag_end; at < last; at++) {
        at = memchr(at, '/', (size_t)(last - at));
        if (at == NULL)
            break;
        if (is_end_tag(at, name, size))
            return false;
    }
    *root = (etl_root){start, name_end, tag_end, end};
    return true;
}
