/* core: clean.c chars.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

/* Shorter than what is looked at as a whole, longer than whatever begins in it. */
enum { WINDOW = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a copy of exactly its size, so that a sanitizer sees a byte too many. */
static etl_clean_result clean(const uint8_t *text, size_t length, size_t at, etl_within within)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL)
        abort();
    if (length > 0)
        memcpy(exact, text, length);
    etl_clean_result result = etl_clean(exact, length, at, within);
    free(exact);
    return result;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A text is as clean as its parts are, looked at one after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (etl_within within = ETL_WITHIN_TEXT; within <= ETL_WITHIN_CHARACTERS; within++) {
        etl_clean_result whole = clean(data, size, 0, within), part = {0, within};
        size_t before;
        do {
            before = part.at;
            part = clean(data + before, least(size - before, WINDOW), 0, part.within);
            part.at += before;
        } while (part.at > before && part.at < size);
        if (whole.at != part.at || whole.within != part.within)
            abort();
    }
    return 0;
}
