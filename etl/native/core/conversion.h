/* What converting one value and converting a list of them have in common. */
#ifndef ETL_CONVERSION_H
#define ETL_CONVERSION_H

#include "convert.h"

/* What a value has become. */
typedef enum {
    ETL_IS_TEXT = 0,
    ETL_IS_NULL = 1,
    ETL_IS_ASKED = 2,
    ETL_NO_MEMORY = 3
} etl_outcome;

/* A column's conversion; new texts are made in room taken from the arena for many of them at once. */
typedef struct {
    const etl_column_rule *rule;
    etl_arena *arena;
    uint8_t *at; /* where the next text is made */
    size_t left;
    size_t ahead;    /* bytes to take at once at least */
    etl_text *parts; /* the values of a list, worked out; `at` NULL is NULL */
    size_t part_capacity;
} etl_conversion;

/* Make sure of `size` bytes at `at`, a valid address even for none; false where there is no memory. */
int etl_made_reserve(etl_conversion *made, size_t size);
/* The first `size` of them are a text now. */
void etl_made_keep(etl_conversion *made, size_t size);
/* Make the text a new one with the same bytes, which it gives; NULL where there is no memory. */
uint8_t *etl_made_copy(etl_conversion *made, etl_text *text);

/* One of XML's white space characters. */
static inline int etl_is_white_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Strip and transform: what happens to each value on its own, also in a list. */
etl_outcome etl_convert_steps(etl_conversion *made, const etl_value *value, etl_text *text);
/* What follows the steps: nulls, then the type. */
etl_outcome etl_convert_typed(etl_conversion *made, etl_text *text);
/* What a column says of NULL. */
etl_outcome etl_convert_filled(const etl_column_rule *rule, etl_text *text);

etl_outcome etl_convert_counted(etl_conversion *made, const etl_value *value, etl_text *text);
etl_outcome etl_convert_joined(etl_conversion *made, const etl_value *value, etl_text *text);
etl_outcome etl_convert_arrayed(etl_conversion *made, const etl_value *value, etl_text *text);

#endif
