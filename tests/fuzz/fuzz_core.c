/* Feeds the core with documents that nobody wrote: scan, assemble, encode both ways; the sanitizers are the judges.

   The first byte chooses the program and what stands around the records, the second which records are bad; the rest is
   a run. As libFuzzer's target, or (STANDALONE) as a program of its own that mutates the files it is given. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "encode.h"
#include "scan.h"

#include "plans.inc"

enum { MOST_RECORDS = 64 };

static const etl_text prefixes[] = {{(const uint8_t *)"m", 1}};
static const etl_text uris[] = {{(const uint8_t *)"http://example.org/ns", 21}};
static const etl_entity entities[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"\xC3\xA4", 2}, 70},
                                      {{(const uint8_t *)"empty", 5}, {(const uint8_t *)"", 0}, 64},
                                      {{(const uint8_t *)"l", 1}, {(const uint8_t *)"a text that is longer", 21}, 90000}};
static const etl_text source_texts[] = {
    {(const uint8_t *)"source\t\\", 8}, {(const uint8_t *)"load", 4}, {(const uint8_t *)"then", 4}};
static const etl_value around[] = {{(const uint8_t *)"7", 1, 0}, {NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}};

/* Where records could be: as a splitter would have it that knows nothing but "<a" and "</a>". */
static uint32_t find_records(const uint8_t *at, size_t size, uint32_t *spans)
{
    uint32_t count = 0, depth = 0;
    for (size_t i = 0; i + 1 < size && count < MOST_RECORDS; i++) {
        if (at[i] == '<' && at[i + 1] != '/' && at[i + 1] != '!' && at[i + 1] != '?') {
            if (depth++ == 0)
                spans[2 * count] = (uint32_t)i;
        } else if (depth && ((at[i] == '<' && at[i + 1] == '/') || (at[i] == '/' && at[i + 1] == '>'))) {
            if (--depth == 0) {
                const uint8_t *end = memchr(at + i, '>', size - i);
                if (end == NULL)
                    break;
                i = (size_t)(end - at);
                spans[2 * count++ + 1] = (uint32_t)i + 1;
            }
        }
    }
    return count;
}

static void encode(const etl_plan *plan, const etl_rows *rows, const etl_place *place, const uint8_t *bad,
                   etl_arena *arena)
{
    for (uint32_t table = 0; table < plan->table_count; table++) {
        uint32_t *kept = malloc((rows[table].count + 1) * sizeof *kept), count;
        etl_buffer data = {0};
        if (kept == NULL)
            abort();
        etl_encode_copy(plan, table, rows, place, 1, bad, arena, &data, kept, &count);
        data.size = 0;
        etl_encode_marshal(plan, table, rows, place, 1, NULL, arena, &data, kept, &count);
        etl_buffer_free(&data);
        free(kept);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static etl_scanner *scanners[PLAN_COUNT];
    static uint32_t used;
    if (size < 2 || size > 1 << 16)
        return 0;
    uint8_t choice = input[0], badness = input[1];
    const etl_plan *plan = plans[choice % PLAN_COUNT];
    etl_scanner **scanner = &scanners[choice % PLAN_COUNT];
    /* Names are remembered from one split to the next, so is a scanner; but not for ever. */
    if (*scanner != NULL && ++used % 1000 == 0) {
        etl_scanner_free(*scanner);
        *scanner = NULL;
    }
    if (*scanner == NULL)
        *scanner = etl_scanner_new(plan->program, (etl_bounds){1000, 200});
    /* Memory of its own, so that every byte beside it is a find. */
    uint8_t *payload = malloc(size - 2 + (size == 2));
    uint32_t spans[2 * MOST_RECORDS];
    uint8_t bad[MOST_RECORDS];
    if (*scanner == NULL || payload == NULL)
        abort();
    memcpy(payload, input + 2, size - 2);
    memset(bad, 0, sizeof bad);
    uint32_t count = find_records(payload, size - 2, spans);
    bad[badness % MOST_RECORDS] = badness & 1;
    etl_surroundings surroundings = {
        prefixes, uris, choice & 64 ? 1 : 0, choice & 128 ? 1 : 0, 0, entities, sizeof entities / sizeof *entities};
    etl_run run = {payload, size - 2, spans, count};
    etl_place place = {payload, spans, count, 0, 1000, 10, 5, 3, source_texts, around, badness};
    etl_rows *rows = calloc(plan->table_count, sizeof *rows);
    if (rows == NULL)
        abort();
    etl_scan_begin(*scanner);
    if (etl_scan_enter(*scanner, &surroundings) == ETL_OK && etl_scan_run(*scanner, &run, 0) == ETL_OK &&
        etl_assemble(plan, etl_scan_rows(*scanner), &place, 1, etl_scan_arena(*scanner), rows) == ETL_OK)
        encode(plan, rows, &place, bad, etl_scan_arena(*scanner));
    size_t unseen;
    etl_scan_unseen(*scanner, &unseen);
    free(rows);
    free(payload);
    return 0;
}

#ifdef STANDALONE
static uint64_t state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % limit;
}

static size_t mutate(uint8_t *bytes, size_t size, size_t room)
{
    static const char *const pieces[] = {"<", ">", "/>", "</a>", "<a>", "<b c='1'>", "&amp;", "&#x9;", "&a;", "&empty;", "&l;", "]]>", "<!--", "-->",
                                         "<![CDATA[", "'", "\"", "\r\n", "xmlns:m=''", " m:x='&#65;'", "\xC3\xA4", "\x00", "="};
    const char *piece = pieces[random_below(sizeof pieces / sizeof *pieces)];
    size_t at = size > 2 ? 2 + random_below((uint32_t)size - 2) : size, length = strlen(piece);
    switch (random_below(5)) {
    case 0:
        if (at < size)
            bytes[at] = (uint8_t)random_below(256);
        return size;
    case 1:
        length = size - at < 8 ? size - at : random_below(8);
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 2:
        return random_below(20) ? size : at;
    default:
        if (size + length > room)
            return size;
        memmove(bytes + at + length, bytes + at, size - at);
        memcpy(bytes + at, piece, length);
        return size + length;
    }
}

/* fuzz_core TRIES FILE... */
int main(int count, char **arguments)
{
    enum { ROOM = 1 << 16 };
    static uint8_t original[ROOM], bytes[ROOM];
    for (int i = 2; i < count; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (file == NULL)
            return 2;
        size_t read = fread(original, 1, ROOM, file);
        fclose(file);
        for (long tries = strtol(arguments[1], NULL, 10); tries-- > 0;) {
            size_t size = read;
            memcpy(bytes, original, size);
            for (uint32_t changes = random_below(6); changes-- > 0;)
                size = mutate(bytes, size, ROOM);
            LLVMFuzzerTestOneInput(bytes, size);
        }
    }
    return 0;
}
#endif
