/* The scanner: bytes of records go in, raw rows of every table come out; one pass, no tree.

   It is never more permissive than libxml2 about well-formedness, nor does it know better: whatever it is not certain
   of makes it decline the split. One scanner belongs to one thread at a time; it keeps the names it has met. */
#ifndef ETL_SCAN_H
#define ETL_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "entities.h"
#include "program.h"
#include "raw_rows.h"
#include "status.h"

typedef struct etl_scanner etl_scanner;

/* What stands open around records, as far as they can see it. */
typedef struct {
    const etl_text *prefixes; /* "" is the default namespace */
    const etl_text *uris;
    uint32_t bindings;
    uint32_t depth; /* elements open around a record */
    uint32_t root;  /* the node that stands for them */
    const etl_entity *entities; /* of the document type; must stay where they are as long as the rows do */
    uint32_t entity_count;
} etl_surroundings;

typedef struct {
    uint32_t depth;      /* elements nested in each other, from the root */
    uint32_t attributes; /* of one element */
} etl_bounds;

/* Neighbouring whole records (etl.messages.Run). */
typedef struct {
    const uint8_t *payload;
    size_t size;
    const uint32_t *spans; /* start and end of each record in turn */
    uint32_t records;
} etl_run;

/* Something that nothing in the mapping takes, told once in a scanner's life. */
typedef struct {
    uint32_t node; /* the element, or the parent of the element */
    uint8_t is_attribute;
    etl_text uri;   /* its namespace */
    etl_text local; /* its name without prefix; both valid until the next etl_scan_begin */
    uint32_t record; /* place in the split of the first record that has it */
} etl_unseen;

/* NULL where there is no memory. The program must outlive the scanner. */
etl_scanner *etl_scanner_new(const etl_program *program, etl_bounds bounds);
void etl_scanner_free(etl_scanner *scanner);

/* Forget what was scanned. */
void etl_scan_begin(etl_scanner *scanner);
/* Say what stands around the records of the runs that follow. Copies what it is given. */
etl_status etl_scan_enter(etl_scanner *scanner, const etl_surroundings *surroundings);
/* Map a run; `first` is the place of its first record in the split. The payload must stay where it is until the rows
   have been used. After DECLINED or NOMEM only etl_scan_begin may be called. */
etl_status etl_scan_run(etl_scanner *scanner, const etl_run *run, uint32_t first);

/* One for each table of the program. */
const etl_raw_rows *etl_scan_rows(const etl_scanner *scanner);
const etl_unseen *etl_scan_unseen(const etl_scanner *scanner, size_t *count);
/* Memory that lives as long as the rows do, for what is made of them. */
etl_arena *etl_scan_arena(etl_scanner *scanner);
/* Why the split was declined: an English phrase, static. */
const char *etl_scan_reason(const etl_scanner *scanner);

#endif
