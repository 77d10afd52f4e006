#include "cut.h"

#include <stdbool.h>
#include <string.h>

enum { BLOCK = 32 };

/* A place in the text. A function that passes something leaves it behind that, or, where it answers false, where it
 * could not go on. */
typedef struct {
    const unsigned char *text;
    size_t length;
    size_t at;
} cursor;

static bool is_space(unsigned char byte)
{
    /* `\s` of a pattern of bytes: more than XML's white space, since the Python twin has it so. */
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool ends_name(unsigned char byte)
{
    return byte == '>' || byte == '/' || is_space(byte);
}

/* Go on to the next `byte`. */
static bool find(cursor *c, unsigned char byte)
{
    const unsigned char *found = memchr(c->text + c->at, byte, c->length - c->at);
    c->at = found == NULL ? c->length : (size_t)(found - c->text);
    return found != NULL;
}

static bool begins(const cursor *c, size_t at, const char *what, size_t length)
{
    return c->length - at >= length && memcmp(c->text + at, what, length) == 0;
}

/* Whether the name stands at `at`, with one byte at least behind it. */
static bool is_named(const cursor *c, size_t at, const etl_cut_name *name)
{
    return c->length - at > name->length && c->text[at] == name->bytes[0] &&
           memcmp(c->text + at, name->bytes, name->length) == 0;
}

/* Past a start tag; `at` is behind the name. A `<` outside of quotes ends an ill-formed tag, and inside of quotes it may
 * mean that the closing one is missing: neither is for here. */
static bool pass_start_tag(cursor *c, bool *declares)
{
    static const bool matters[256] = {['>'] = true, ['"'] = true, ['\''] = true, ['x'] = true};
    size_t start = c->at;
    while (c->at < c->length) {
        unsigned char byte = c->text[c->at++];
        if (!matters[byte])
            continue;
        if (byte == '>')
            return memchr(c->text + start, '<', c->at - start) == NULL;
        if (byte == '"' || byte == '\'') {
            if (!find(c, byte))
                return false;
            c->at++;
        } else if (byte == 'x' && begins(c, c->at, "mlns", 4)) {
            *declares = true;
        }
    }
    return false;
}

/* Past `S? '>'`; `at` is behind the name of an end tag. */
static bool pass_end_tag(cursor *c)
{
    while (c->at < c->length && is_space(c->text[c->at]))
        c->at++;
    if (c->at == c->length || c->text[c->at] != '>')
        return false;
    c->at++;
    return true;
}

/* What hides tags that it holds. */
typedef struct {
    const char *opening;
    size_t opening_length;
    const char *closing;
    size_t closing_length;
} hiding;

static const hiding comment = {"<!--", 4, "-->", 3};
static const hiding cdata_section = {"<![CDATA[", 9, "]]>", 3};
static const hiding instruction = {"<?", 2, "?>", 2};

/* What begins at `at`; NULL where it is something else, or cannot be told from it any more. */
static const hiding *hides(const cursor *c)
{
    const hiding *const all[] = {&instruction, &comment, &cdata_section};
    for (size_t number = 0; number < sizeof all / sizeof *all; number++) {
        if (begins(c, c->at, all[number]->opening, all[number]->opening_length))
            return all[number];
    }
    return NULL;
}

/* Past what begins at `at`. */
static bool pass_hidden(cursor *c, const hiding *hidden)
{
    c->at += hidden->opening_length;
    while (find(c, (unsigned char)hidden->closing[0])) {
        if (begins(c, c->at, hidden->closing, hidden->closing_length)) {
            c->at += hidden->closing_length;
            return true;
        }
        c->at++;
    }
    return false;
}

/* Past the tag at `at` if it is one of the element's own name, and count; past any other markup. */
static bool pass_markup(cursor *c, const etl_cut_name *name, size_t *depth)
{
    const hiding *hidden;
    size_t behind = c->at + 1;
    if (behind == c->length)
        return false;
    if (c->text[behind] == '/') {
        behind++;
        if (is_named(c, behind, name)) {
            unsigned char next = c->text[behind + name->length];
            if (next == '>' || is_space(next)) {
                c->at = behind + name->length;
                (*depth)--;
                return pass_end_tag(c);
            }
        }
        c->at = behind;
        return true;
    }
    if (is_named(c, behind, name) && ends_name(c->text[behind + name->length])) {
        bool declares = false; /* inside a record that changes nothing */
        c->at = behind + name->length;
        if (!pass_start_tag(c, &declares))
            return false;
        if (c->text[c->at - 2] != '/')
            (*depth)++;
        return true;
    }
    hidden = hides(c);
    if (hidden != NULL)
        return pass_hidden(c, hidden);
    c->at = behind;
    return true;
}

/* Go on to the next `<` that may count: of a tag of that initial, of a comment, of a CDATA section, of a processing
 * instruction. Others may be found too. */
static bool find_markup(cursor *c, unsigned char initial)
{
    /* Comparing a whole block without a branch lets a compiler compare 16 bytes at once; tags are too near each other
     * for memchr to be fast. */
    while (c->length - c->at >= BLOCK + 2) {
        const unsigned char *here = c->text + c->at;
        unsigned char hits[BLOCK];
        unsigned char any = 0;
        for (size_t at = 0; at < BLOCK; at++) {
            unsigned char next = here[at + 1];
            int counts = (next == initial) | (next == '!') | (next == '?') | ((next == '/') & (here[at + 2] == initial));
            hits[at] = (unsigned char)((here[at] == '<') & counts);
            any |= hits[at];
        }
        if (any != 0) {
            c->at += (size_t)((const unsigned char *)memchr(hits, 1, BLOCK) - hits);
            return true;
        }
        c->at += BLOCK;
    }
    return find(c, '<');
}

/* Past an element; `at` is behind its start tag. Only its own name counts, whatever is open inside. */
static bool pass_content(cursor *c, const etl_cut_name *name)
{
    size_t depth = 1;
    while (depth > 0) {
        if (!find_markup(c, name->bytes[0]) || !pass_markup(c, name, &depth))
            return false;
    }
    return true;
}

/* The name that the start tag at `at` has; NULL where it is none of them. The last one found is tried first. */
static const etl_cut_name *name_of(const etl_cut_job *job, const cursor *c, size_t *last)
{
    size_t at = c->at + 1;
    for (size_t tried = 0; tried < job->name_count; tried++) {
        const etl_cut_name *name = &job->names[*last];
        if (is_named(c, at, name) && ends_name(c->text[at + name->length]))
            return name;
        *last = *last + 1 < job->name_count ? *last + 1 : 0;
    }
    return NULL;
}

/* Past what may stand between two records, up to the next tag; false also where a reference stands there, which may
 * stand for anything. */
static bool pass_gap(cursor *c, size_t gap)
{
    size_t start = c->at;
    for (;;) {
        const hiding *hidden;
        size_t text = c->at;
        if (!find(c, '<') || c->at - start > gap || memchr(c->text + text, '&', c->at - text) != NULL)
            return false;
        hidden = hides(c);
        if (hidden == NULL)
            return true;
        if (!pass_hidden(c, hidden))
            return false;
    }
}

/* Past the record whose `<` is at `at`. */
static bool pass_record(cursor *c, const etl_cut_name *name)
{
    bool declares = false;
    c->at += 1 + name->length;
    if (!pass_start_tag(c, &declares) || declares)
        return false;
    return c->text[c->at - 2] == '/' || pass_content(c, name);
}

etl_cut_result etl_cut(const etl_cut_job *job, size_t at, size_t room, uint32_t *spans)
{
    cursor c = {job->text, job->length, at};
    etl_cut_result result = {0, at, at};
    size_t last = 0;
    while (result.count < room) {
        const etl_cut_name *name;
        size_t start;
        bool whole = pass_gap(&c, job->gap);
        start = c.at;
        name = whole ? name_of(job, &c, &last) : NULL;
        whole = name != NULL && pass_record(&c, name);
        result.reached = c.at;
        if (!whole || c.at - start > job->longest || c.at - job->origin > UINT32_MAX)
            break;
        if (spans != NULL) {
            spans[2 * result.count] = (uint32_t)(start - job->origin);
            spans[2 * result.count + 1] = (uint32_t)(c.at - job->origin);
        }
        result.count++;
        result.at = c.at;
        if (c.at >= job->stop)
            break;
    }
    return result;
}

size_t etl_count_lines(const unsigned char *bytes, size_t length)
{
    size_t lines = 0;
    while (length > 0) {
        /* Sums of one byte, so that a compiler can add up many at once. */
        size_t block = length < UINT8_MAX ? length : UINT8_MAX;
        uint8_t sum = 0;
        for (size_t at = 0; at < block; at++)
            sum = (uint8_t)(sum + (bytes[at] == '\n'));
        lines += sum;
        bytes += block;
        length -= block;
    }
    return lines;
}
