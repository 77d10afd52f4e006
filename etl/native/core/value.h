/* A text: in a record's bytes where it stands there as it is wanted, else in memory of the scanner's own. */
#ifndef ETL_VALUE_H
#define ETL_VALUE_H

#include <stdint.h>

enum {
    /* The element says xsi:nil: found, and NULL (its size is 0). */
    ETL_VALUE_NIL = 1,
    /* A column that keeps the first value met another one. */
    ETL_VALUE_SEVERAL = 2,
    /* The element has child elements. */
    ETL_VALUE_MIXED = 4,
    /* `at` is an etl_list (a column that keeps all its values), `size` how many values it has. */
    ETL_VALUE_LIST = 8,
    /* Of a converted value: the mapping's Python decides what becomes of it. */
    ETL_VALUE_ASKED = 16,
    /* Of an item of a list: an entry begins with the items behind it; a key of the entry. */
    ETL_VALUE_ENTRY = 32,
    ETL_VALUE_KEY = 64
};

/* UTF-8. `at` NULL: nothing was found, or NULL. */
typedef struct {
    const uint8_t *at;
    uint32_t size;
    uint32_t flags;
} etl_value;

/* The values of a column that keeps them all, in document order. */
typedef struct etl_item {
    etl_value value;
    struct etl_item *next;
} etl_item;

typedef struct {
    etl_item *first;
    etl_item *last;
} etl_list;

#endif
