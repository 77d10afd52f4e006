/* A scanner's life: made for a program, made ready for a split, told what stands around its records, freed. */
#include <stdlib.h>
#include <string.h>

#include "scanner.h"

/* Pieces of text, or attributes, for which memory is kept between splits. */
enum { KEPT_ENTRIES = 1 << 14 };

static const char XML_URI[] = "http://www.w3.org/XML/1998/namespace";
static const char XSI_URI[] = "http://www.w3.org/2001/XMLSchema-instance";

int etl_make_room(void *array_address, uint32_t count, uint32_t *capacity, size_t width)
{
    if (count < *capacity)
        return 1;
    if (*capacity > UINT32_MAX / 2 - 16)
        return 0;
    uint32_t wanted = *capacity * 2 + 16;
    void *array;
    memcpy(&array, array_address, sizeof array);
    array = wanted > SIZE_MAX / width ? NULL : realloc(array, wanted * width);
    if (array == NULL)
        return 0;
    memcpy(array_address, &array, sizeof array);
    *capacity = wanted;
    return 1;
}

etl_status etl_room_for_prefixes(etl_scanner *scanner)
{
    while (scanner->bound_count < scanner->names.prefix_count) {
        if (!etl_make_room(&scanner->bound, scanner->bound_count, &scanner->bound_capacity, sizeof *scanner->bound))
            return ETL_NOMEM;
        scanner->bound[scanner->bound_count++] = ETL_NONE;
    }
    return ETL_OK;
}

static etl_status fill_lookups(etl_scanner *scanner)
{
    const etl_program *program = scanner->program;
    if (etl_lookup_init(&scanner->edges, program->edge_count) != ETL_OK ||
        etl_lookup_init(&scanner->attributes, program->attribute_count) != ETL_OK)
        return ETL_NOMEM;
    for (uint32_t i = 0; i < program->edge_count; i++) {
        const etl_edge *edge = &program->edges[i];
        etl_lookup_add(&scanner->edges, edge->node, edge->uri, edge->local, i);
        scanner->leads_on[edge->node] = 1;
    }
    for (uint32_t i = 0; i < program->attribute_count; i++) {
        const etl_attribute *attribute = &program->attributes[i];
        etl_lookup_add(&scanner->attributes, attribute->node, attribute->uri, attribute->local, i);
    }
    return ETL_OK;
}

/* Numbers of namespaces that mean something to the scanner itself; new ones each time names were forgotten. */
static etl_status number_own_namespaces(etl_scanner *scanner)
{
    etl_status status =
        etl_names_uri(&scanner->names, (const uint8_t *)XML_URI, sizeof XML_URI - 1, &scanner->xml_uri);
    if (status != ETL_OK)
        return status;
    return etl_names_uri(&scanner->names, (const uint8_t *)XSI_URI, sizeof XSI_URI - 1, &scanner->nil_uri);
}

static etl_status init(etl_scanner *scanner)
{
    const etl_program *program = scanner->program;
    scanner->leads_on = calloc(program->node_count, 1);
    scanner->rows = calloc((size_t)program->table_count + 1, sizeof *scanner->rows);
    scanner->registers = calloc((size_t)program->register_count + 1, sizeof *scanner->registers);
    scanner->register_tables = calloc((size_t)program->register_count + 1, sizeof *scanner->register_tables);
    if (scanner->leads_on == NULL || scanner->rows == NULL || scanner->registers == NULL ||
        scanner->register_tables == NULL)
        return ETL_NOMEM;
    for (uint32_t i = 0; i < program->table_count; i++)
        scanner->rows[i].table = &program->tables[i];
    for (uint32_t i = 0; i < program->node_count; i++)
        for (uint32_t k = 0; k < program->nodes[i].begins.count; k++) {
            const etl_begin *begin = &program->begins[program->nodes[i].begins.first + k];
            scanner->register_tables[begin->reg] = begin->table;
        }
    if (etl_names_init(&scanner->names, program) != ETL_OK || etl_unseen_init(scanner) != ETL_OK ||
        fill_lookups(scanner) != ETL_OK)
        return ETL_NOMEM;
    return number_own_namespaces(scanner);
}

etl_scanner *etl_scanner_new(const etl_program *program, etl_bounds bounds)
{
    etl_scanner *scanner = calloc(1, sizeof *scanner);
    if (scanner == NULL)
        return NULL;
    scanner->program = program;
    scanner->bounds = bounds;
    if (init(scanner) != ETL_OK) {
        etl_scanner_free(scanner);
        return NULL;
    }
    return scanner;
}

void etl_scanner_free(etl_scanner *scanner)
{
    if (scanner == NULL)
        return;
    for (uint32_t i = 0; scanner->rows != NULL && i < scanner->program->table_count; i++)
        etl_raw_rows_free(&scanner->rows[i]);
    etl_names_free(&scanner->names);
    etl_lookup_free(&scanner->edges);
    etl_lookup_free(&scanner->attributes);
    etl_lookup_free(&scanner->seen);
    etl_arena_free(&scanner->arena);
    free(scanner->leads_on);
    free(scanner->register_tables);
    free(scanner->registers);
    free(scanner->rows);
    free(scanner->found);
    free(scanner->bound);
    free(scanner->replaced);
    free(scanner->counters);
    free(scanner->pieces);
    free(scanner->unseen);
    free(scanner);
}

/* What an extraordinary element has made large. */
static void give_back(etl_scanner *scanner)
{
    free(scanner->pieces);
    free(scanner->found);
    scanner->pieces = NULL;
    scanner->found = NULL;
    scanner->piece_capacity = scanner->found_capacity = 0;
    scanner->piece_count = scanner->found_count = 0;
}

void etl_scan_begin(etl_scanner *scanner)
{
    for (uint32_t i = 0; i < scanner->program->table_count; i++)
        etl_raw_rows_clear(&scanner->rows[i]);
    etl_arena_clear(&scanner->arena);
    scanner->gathered = NULL;
    scanner->characters_left = 0;
    /* What was noted in a split that was then declined has been told to nobody. */
    if (scanner->reason != NULL && scanner->unseen_count)
        etl_unseen_forget(scanner);
    scanner->unseen_count = 0;
    scanner->reason = NULL;
    scanner->is_fresh = 1;
    if (scanner->piece_capacity > KEPT_ENTRIES || scanner->found_capacity > KEPT_ENTRIES)
        give_back(scanner);
}

/* Forget names when there are many: what refers to them by number as well. */
static etl_status forget_names(etl_scanner *scanner)
{
    etl_unseen_forget(scanner);
    etl_status status = etl_names_forget(&scanner->names);
    if (status == ETL_OK)
        status = number_own_namespaces(scanner);
    scanner->last_name = 0;
    return status;
}

etl_status etl_scan_enter(etl_scanner *scanner, const etl_surroundings *surroundings)
{
    etl_status status = ETL_OK;
    /* Not in the middle of a split, whose names would then be told as unseen by other numbers. */
    if (scanner->is_fresh && etl_names_crowded(&scanner->names))
        status = forget_names(scanner);
    scanner->is_fresh = 0;
    scanner->around = surroundings->depth;
    scanner->root = surroundings->root;
    scanner->entities = surroundings->entities;
    scanner->entity_count = surroundings->entity_count;
    scanner->replaced_count = 0;
    scanner->bound_count = 0;
    if (status == ETL_OK)
        status = etl_room_for_prefixes(scanner);
    if (status != ETL_OK)
        return status;
    scanner->bound[ETL_PREFIX_NONE] = 0;
    scanner->bound[ETL_PREFIX_XML] = scanner->xml_uri;
    for (uint32_t i = 0; i < surroundings->bindings; i++) {
        etl_text prefix = surroundings->prefixes[i], uri = surroundings->uris[i];
        uint32_t number, means;
        status = etl_names_prefix(&scanner->names, prefix.at, prefix.size, &number);
        if (status == ETL_OK)
            status = etl_names_uri(&scanner->names, uri.at, uri.size, &means);
        if (status == ETL_OK)
            status = etl_room_for_prefixes(scanner);
        if (status != ETL_OK)
            return status == ETL_DECLINED ? etl_decline(scanner, "too many namespaces") : status;
        scanner->bound[number] = means;
    }
    return ETL_OK;
}

const etl_raw_rows *etl_scan_rows(const etl_scanner *scanner)
{
    return scanner->rows;
}

const etl_unseen *etl_scan_unseen(const etl_scanner *scanner, size_t *count)
{
    *count = scanner->unseen_count;
    return scanner->unseen;
}

etl_arena *etl_scan_arena(etl_scanner *scanner)
{
    return &scanner->arena;
}

const char *etl_scan_reason(const etl_scanner *scanner)
{
    return scanner->reason;
}
