/* What happens to the values of one column: strip, transform, nulls, default, required, convert; in that order.

   As etl/transform/columns.py and lists.py have it. What is not plain is left to them, value by value: an "asked" one. */
#ifndef ETL_CONVERT_H
#define ETL_CONVERT_H

#include "arena.h"
#include "lexical.h"
#include "program.h"
#include "status.h"
#include "value.h"

typedef enum {
    ETL_STEP_LOWER = 0,
    ETL_STEP_UPPER = 1,
    ETL_STEP_COLLAPSE = 2,
    ETL_STEP_MAP = 3
} etl_step_kind;

typedef struct {
    uint32_t kind; /* etl_step_kind; LOWER and UPPER ask where a text is not all ASCII */
    /* Of MAP, in the rule's `texts`: from, to, from, to ... (`count` is an even number), ascending by the UTF-8 bytes
       of `from`, each of which is there once. Texts that are none of these stay as they are. What they become has
       only characters that XML allows: the reference refuses others. */
    etl_range values;
} etl_step;

typedef enum {
    ETL_MANY_ONE = 0,   /* values are texts */
    ETL_MANY_COUNT = 1, /* values are lists: how many there are (0 where there is none); always a value */
    ETL_MANY_JOIN = 2,  /* lists: those that are not NULL, with `separator` between; NULL where there are none */
    ETL_MANY_ARRAY = 3, /* lists: each converted on its own, then PostgreSQL's array literal (etl/mapping/arrays.py) */
    ETL_MANY_PAIRS = 4  /* lists of entries, keys and values (etl_keep): always asked */
} etl_many;

typedef struct {
    etl_type type;
    uint32_t many; /* etl_many */
    uint8_t strip; /* XML's four white space characters, at both ends */
    uint8_t asks;  /* Python does all of this column's values, NULL included */
    uint8_t required;
    uint8_t has_fallback; /* a default, in its canonical form, for what is NULL */
    etl_text fallback;
    etl_text separator;   /* of JOIN */
    const etl_step *steps;
    uint32_t step_count;
    const etl_text *nulls; /* texts that mean NULL, after the steps */
    uint32_t null_count;
    const etl_text *texts;
} etl_column_rule;

/* Convert `count` raw values in place: each is then a canonical text, NULL (`at` NULL), or as it was with
   ETL_VALUE_ASKED; what is not asked has neither ETL_VALUE_NIL nor ETL_VALUE_LIST any more, other flags stay. New texts
   are made in `arena`; texts also point into the raw ones and into the rule's. Where the rule wants lists, a value
   without ETL_VALUE_LIST is a list of that value alone. `*asked` is how many are asked. */
etl_status etl_convert(const etl_column_rule *rule, etl_value *values, uint32_t count, etl_arena *arena,
                       uint32_t *asked);

#endif
