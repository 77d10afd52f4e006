/* Entities that a document type declares and that are text alone: names and what they stand for, in the order of bytes. */
#ifndef ETL_ENTITIES_H
#define ETL_ENTITIES_H

#include <stdint.h>

#include "program.h"

/* What libxml2 may count of one record's references and take without a look at its size is twice as much. */
enum { ETL_MOST_ENTITY_COST = 500000 };

typedef struct {
    etl_text name;
    etl_text text; /* no markup, no "]]>", no white space but blanks */
    uint32_t cost; /* at least what libxml2 counts of one reference to it */
} etl_entity;

/* The one of that name; NULL where there is none. */
const etl_entity *etl_entity_find(const etl_entity *sorted, uint32_t count, etl_text name);

#endif
