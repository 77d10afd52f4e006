/* The lexical rules of the types, as `etl/mapping/types.py` (the reference) has them, for texts that are plainly right. */
#ifndef ETL_LEXICAL_H
#define ETL_LEXICAL_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    ETL_TYPE_TEXT = 0,
    ETL_TYPE_VARCHAR = 1,
    ETL_TYPE_BOOLEAN = 2,
    ETL_TYPE_SMALLINT = 3,
    ETL_TYPE_INTEGER = 4,
    ETL_TYPE_BIGINT = 5,
    ETL_TYPE_NUMERIC = 6,
    ETL_TYPE_REAL = 7,
    ETL_TYPE_DOUBLE = 8,
    ETL_TYPE_DATE = 9,
    ETL_TYPE_TIME = 10,
    ETL_TYPE_TIMESTAMP = 11,
    ETL_TYPE_TIMESTAMPTZ = 12,
    ETL_TYPE_UUID = 13,
    /* Every value is Python's affair. */
    ETL_TYPE_PYTHON = 14
} etl_type_name;

typedef struct {
    uint32_t name;     /* etl_type_name */
    uint32_t length;   /* of varchar: characters */
    int32_t precision; /* of numeric; -1: none is declared */
    int32_t scale;     /* of numeric with precision */
    uint8_t utc;       /* of timestamptz: values without an offset are UTC */
} etl_type;

typedef enum {
    /* The text is its own canonical text. */
    ETL_LEX_SAME = 0,
    /* The canonical text was written. */
    ETL_LEX_WRITTEN = 1,
    /* No value of the type, or one for the reference to decide. Never an opinion: always right. */
    ETL_LEX_UNSURE = 2
} etl_lexed;

enum { ETL_CANONICAL_BYTES = 64 };

/* The canonical text of `text` (valid UTF-8): itself, or `*written` bytes in `canonical`, which has room for
   ETL_CANONICAL_BYTES. */
etl_lexed etl_lex(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written);

#endif
