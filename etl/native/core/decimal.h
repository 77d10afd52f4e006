/* Canonical decimal texts from numbers, and numbers from them. */
#ifndef ETL_DECIMAL_H
#define ETL_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#include "program.h"
#include "status.h"

enum { ETL_NUMBER_DIGITS = 20 };

/* Write `number` in at most ETL_NUMBER_DIGITS digits; returns how many. */
size_t etl_write_number(uint8_t *out, uint64_t number);
/* DECLINED where `text` is not a number in digits, with `-` or without, that fits. */
etl_status etl_read_integer(etl_text text, int64_t *number);
/* The double nearest to a canonical decimal, "NaN" or "Infinity", whatever the locale; DECLINED where `text` is longer
   than canonical texts of floats are, or is none of these. */
etl_status etl_read_double(etl_text text, double *number);

#endif
