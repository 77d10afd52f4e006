/* Notes elements and attributes that nothing in the mapping takes: each once in the scanner's life. */
#include <stdlib.h>

#include "scanner.h"

/* Nobody reads more. */
enum { UNSEEN_LIMIT = 10000 };

etl_status etl_note_unseen(etl_scanner *scanner, uint32_t node, uint32_t name, uint32_t uri, int is_attribute)
{
    /* A number for both: what the name is written like, and whether it is an attribute's. */
    uint32_t key = name * 2 + (uint32_t)is_attribute;
    if (etl_lookup_find(&scanner->seen, node, uri, key) != ETL_NONE || scanner->seen_count == UNSEEN_LIMIT)
        return ETL_OK;
    const etl_name *known = &scanner->names.names[name];
    etl_unseen *unseen = realloc(scanner->unseen, (scanner->unseen_count + 1) * sizeof *unseen);
    if (unseen == NULL)
        return ETL_NOMEM;
    scanner->unseen = unseen;
    unseen[scanner->unseen_count++] = (etl_unseen){
        .node = node,
        .is_attribute = (uint8_t)is_attribute,
        .uri = scanner->names.uris[uri],
        .local = {known->text + known->local_at, known->size - known->local_at},
        .record = scanner->record,
    };
    etl_lookup_add(&scanner->seen, node, uri, key, 0);
    scanner->seen_count++;
    return ETL_OK;
}

etl_status etl_unseen_init(etl_scanner *scanner)
{
    return etl_lookup_init(&scanner->seen, UNSEEN_LIMIT);
}

void etl_unseen_forget(etl_scanner *scanner)
{
    etl_lookup_clear(&scanner->seen);
    scanner->seen_count = 0;
    scanner->unseen_count = 0;
}
