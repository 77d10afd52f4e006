#include "documents.h"

#include <stdbool.h>
#include <string.h>

#include "blake2b.h"
#include "cut.h"
#include "root.h"

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool goes_on(const uint8_t *at, const uint8_t *end, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0;
}

static const uint8_t *pass_spaces(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Behind `name = "` of a declaration, with white space before it; NULL where something else stands there. */
static const uint8_t *pass_to_value(const uint8_t *at, const uint8_t *end, const char *name)
{
    const uint8_t *word = pass_spaces(at, end);
    if (word == at || !goes_on(word, end, name))
        return NULL;
    at = pass_spaces(word + strlen(name), end);
    if (at == end || *at != '=')
        return NULL;
    at = pass_spaces(at + 1, end);
    return at < end && (*at == '"' || *at == '\'') ? at + 1 : NULL;
}

/* Behind the quote that ends a value of one byte or more, at `at`; NULL where none does. */
static const uint8_t *pass_quote(const uint8_t *from, const uint8_t *at, const uint8_t *end)
{
    return at != NULL && at > from && at < end && (*at == '"' || *at == '\'') ? at + 1 : NULL;
}

static const uint8_t *pass_version(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = pass_to_value(at, end, "version");
    if (from == NULL)
        return NULL;
    for (at = from; at < end && ((*at >= '0' && *at <= '9') || *at == '.');)
        at++;
    return pass_quote(from, at, end);
}

static const uint8_t *pass_utf8(const uint8_t *at, const uint8_t *end)
{
    static const char NAME[] = "utf-8";
    const uint8_t *from = pass_to_value(at, end, "encoding");
    if (from == NULL || (size_t)(end - from) < sizeof NAME - 1)
        return NULL;
    for (size_t place = 0; place < sizeof NAME - 1; place++) {
        uint8_t byte = from[place];
        if ((byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte) != NAME[place])
            return NULL;
    }
    return pass_quote(from, from + sizeof NAME - 1, end);
}

static const uint8_t *pass_standalone(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = pass_to_value(at, end, "standalone");
    if (from == NULL)
        return NULL;
    for (at = from; at < end && *at >= 'a' && *at <= 'z';)
        at++;
    return pass_quote(from, at, end);
}

/* Whether a document that begins so can only be UTF-8: as `_UTF8` in `etl/extract/collection.py`. */
static bool is_utf8(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *begin = at;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    if (end - at < 2 || *at != '<')
        return false;
    bool declared = goes_on(at, end, "<?xml") && end - at > 5 && is_space(at[5]);
    /* Only a declaration has to stand at the very beginning. */
    if (!declared || at != begin)
        return !declared && at[1] != 0;
    at = pass_version(at + 5, end);
    if (at == NULL)
        return false;
    const uint8_t *next = pass_utf8(at, end);
    at = next != NULL ? next : at;
    next = pass_standalone(at, end);
    at = pass_spaces(next != NULL ? next : at, end);
    return goes_on(at, end, "?>");
}

/* Behind the namespace declarations that stand first in a start tag whose name ends at `at`. */
static const uint8_t *pass_declarations(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        const uint8_t *next = pass_spaces(at, end);
        if (next == at || !goes_on(next, end, "xmlns"))
            return at;
        next += 5;
        if (next < end && *next == ':')
            while (next < end && *next != '=' && !is_space(*next))
                next++;
        next = pass_spaces(next, end);
        if (next == end || *next != '=')
            return at;
        next = pass_spaces(next + 1, end);
        if (next == end || (*next != '"' && *next != '\''))
            return at;
        const uint8_t *quote = memchr(next + 1, *next, (size_t)(end - next - 1));
        if (quote == NULL)
            return at;
        at = quote + 1;
    }
}

static bool declares_namespaces(const uint8_t *tag, const uint8_t *end)
{
    while ((tag = memchr(tag, 'x', (size_t)(end - tag))) != NULL) {
        if (goes_on(tag, end, "xmlns"))
            return true;
        tag++;
    }
    return false;
}

/* 1 + the place of a name among those that were met, where it is added; 0 where there is no room for it. */
static uint32_t place_of(const uint8_t *name, uint32_t size, etl_root_name *names, uint32_t *count)
{
    for (uint32_t place = 0; place < *count; place++)
        if (names[place].size == size && memcmp(names[place].at, name, size) == 0)
            return place + 1;
    if (*count == ETL_ROOT_NAMES)
        return 0;
    names[*count] = (etl_root_name){name, size};
    return ++*count;
}

static void look(const uint8_t *text, etl_document *document, etl_root_name *names, uint32_t *count)
{
    const uint8_t *content = text + document->begin;
    etl_root root;
    if (!is_utf8(content, content + document->size) || !etl_find_root(content, document->size, &root))
        return;
    const uint8_t *name = content + root.start + 1, *tag_end = content + root.tag_end;
    const uint8_t *behind = pass_declarations(content + root.name_end, tag_end);
    if (tag_end[-2] == '/' || declares_namespaces(behind, tag_end))
        return;
    document->start = (uint32_t)root.start;
    document->end = (uint32_t)root.end;
    document->line = (uint32_t)etl_count_lines(content, root.start) + 1;
    document->root = place_of(name, (uint32_t)(behind - name), names, count);
}

/* Decimal digits of a number; how many. */
static size_t digits(uint32_t number, uint8_t to[10])
{
    uint8_t reversed[10];
    size_t count = 0;
    do {
        reversed[count++] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t place = 0; place < count; place++)
        to[place] = reversed[count - 1 - place];
    return count;
}

enum { DIGESTED = 64 }; /* at once */

static void put_digests(const etl_documents_job *job, uint8_t *digests)
{
    etl_blake2b_input inputs[DIGESTED];
    uint8_t sizes[DIGESTED][10];
    const uint8_t *stored = job->text;
    size_t waiting = 0;
    for (size_t place = 0; place < job->count; place++) {
        etl_blake2b_input *input = &inputs[waiting];
        *input = (etl_blake2b_input){.head = sizes[waiting], .body = stored, .body_size = job->sizes[place]};
        if (job->salts == NULL) {
            input->head_size = digits(job->sizes[place], sizes[waiting]);
        } else {
            input->head = job->salts[place];
            input->head_size = job->salt_sizes[place];
        }
        stored += job->sizes[place];
        if (++waiting == DIGESTED || place + 1 == job->count) {
            etl_blake2b_all(inputs, waiting, digests + (place + 1 - waiting) * ETL_DIGEST_BYTES);
            waiting = 0;
        }
    }
}

uint32_t etl_look_at_documents(const etl_documents_job *job, etl_document *documents, uint8_t *digests,
                               etl_root_name names[ETL_ROOT_NAMES])
{
    static const char MARK[] = "\xef\xbb\xbf";
    uint32_t count = 0, at = 0;
    for (size_t place = 0; place < job->count; place++) {
        const uint8_t *stored = job->text + at;
        uint32_t size = job->sizes[place];
        uint32_t marked = goes_on(stored, stored + size, MARK) ? sizeof MARK - 1 : 0;
        documents[place] = (etl_document){.begin = at + marked, .size = size - marked};
        look(job->text, &documents[place], names, &count);
        at += size;
    }
    put_digests(job, digests);
    return count;
}

void etl_identify(const uint8_t *before, size_t before_size, const uint8_t *digest, const uint8_t *behind,
                  size_t behind_size, uint8_t *identity)
{
    static const char HEXADECIMAL[] = "0123456789abcdef";
    uint8_t text[2 * ETL_DIGEST_BYTES];
    for (size_t place = 0; place < ETL_DIGEST_BYTES; place++) {
        text[2 * place] = (uint8_t)HEXADECIMAL[digest[place] >> 4];
        text[2 * place + 1] = (uint8_t)HEXADECIMAL[digest[place] & 15];
    }
    etl_blake2b hash;
    etl_blake2b_begin(&hash);
    etl_blake2b_add(&hash, before, before_size);
    etl_blake2b_add(&hash, text, sizeof text);
    etl_blake2b_add(&hash, behind, behind_size);
    etl_blake2b_end(&hash, identity);
}
