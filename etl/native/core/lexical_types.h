/* The rules of single types, for `etl_lex` alone: each is called with a type of its kind, and answers as that does. */
#ifndef ETL_LEXICAL_TYPES_H
#define ETL_LEXICAL_TYPES_H

#include "lexical.h"

etl_lexed etl_lex_integer(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written);
etl_lexed etl_lex_numeric(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written);
etl_lexed etl_lex_floating(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written);
etl_lexed etl_lex_moment(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written);

/* SAME where what was written is the text itself. */
etl_lexed etl_lex_compared(const uint8_t *text, size_t size, const uint8_t *canonical, size_t written);

#endif
