/* How far a document is as every parser accepts it: the reference is `etl/extract/clean.py`, with the same results.
 *
 * In: bytes, and what they begin within. Out: the place of the first byte that has to be looked at by somebody else. No
 * state is kept, nothing is allocated, and no byte outside of the text is read.
 */
#ifndef ETL_CLEAN_H
#define ETL_CLEAN_H

#include <stddef.h>
#include <stdint.h>

/* What a place is within. Markup is text as well: an attribute's value has references like any other text. */
typedef enum {
    ETL_WITHIN_TEXT,
    ETL_WITHIN_COMMENT,
    ETL_WITHIN_CDATA,
    ETL_WITHIN_INSTRUCTION,
    ETL_WITHIN_CHARACTERS /* to the end, whatever stands there */
} etl_within;

typedef struct {
    size_t at;         /* `length` where all is clean */
    etl_within within; /* what that place is within */
} etl_clean_result;

/* Past clean bytes from `at` on. Not clean is what XML 1.0 allows nowhere, what is no UTF-8, and in text an ampersand
 * that begins neither one of the five entities of XML nor a reference to a Char; also what begins near the end of the
 * text so that it cannot be told, and any `<!` or `<?` that opens none of the above. */
etl_clean_result etl_clean(const uint8_t *text, size_t length, size_t at, etl_within within);

#endif
