#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "chars.h"

/* A chosen set of names may all fall on one place; looking further than this is given up. */
enum { LONGEST_PROBE = 256, FIRST_SLOTS = 1024, KEEP_BELOW = ETL_NAMES_LIMIT / 2 };

static const char XML_URI[] = "http://www.w3.org/XML/1998/namespace";

/* FNV-1a, 32 bits. */
static uint32_t hash_of(const uint8_t *text, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ text[i]) * 16777619u;
    return hash;
}

static int same(etl_text text, const uint8_t *other, size_t size)
{
    return size <= UINT32_MAX && etl_same_text(text, (etl_text){other, (uint32_t)size});
}

/* A copy in the names' own memory; `at` NULL where there is none. */
static etl_text kept(etl_names *names, const uint8_t *text, size_t size)
{
    uint8_t *copy = etl_arena_take(&names->texts, size);
    if (copy != NULL && size)
        memcpy(copy, text, size);
    return (etl_text){copy, (uint32_t)size};
}

static etl_status add_text(etl_names *names, etl_text **texts, uint32_t *count, uint32_t *capacity, const uint8_t *text,
                           size_t size, uint32_t *number)
{
    for (uint32_t i = 0; i < *count; i++)
        if (same((*texts)[i], text, size)) {
            *number = i;
            return ETL_OK;
        }
    if (*count >= names->program->uri_count + ETL_URIS_LIMIT || size > UINT16_MAX)
        return ETL_DECLINED;
    if (*count == *capacity) {
        uint32_t wanted = *capacity * 2 + 16;
        etl_text *moved = realloc(*texts, wanted * sizeof **texts);
        if (moved == NULL)
            return ETL_NOMEM;
        *texts = moved;
        *capacity = wanted;
    }
    etl_text copy = kept(names, text, size);
    if (copy.at == NULL)
        return ETL_NOMEM;
    (*texts)[*count] = copy;
    *number = (*count)++;
    return ETL_OK;
}

etl_status etl_names_uri(etl_names *names, const uint8_t *text, size_t size, uint32_t *number)
{
    return add_text(names, &names->uris, &names->uri_count, &names->uri_capacity, text, size, number);
}

etl_status etl_names_prefix(etl_names *names, const uint8_t *text, size_t size, uint32_t *number)
{
    return add_text(names, &names->prefixes, &names->prefix_count, &names->prefix_capacity, text, size, number);
}

static etl_status begin(etl_names *names)
{
    uint32_t number;
    for (uint32_t i = 0; i < names->program->uri_count; i++) {
        etl_text uri = names->program->uris[i];
        etl_status status = etl_names_uri(names, uri.at, uri.size, &number);
        if (status != ETL_OK)
            return status;
    }
    static const char *const always[] = {"", "xml", "xmlns"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        etl_status status = etl_names_prefix(names, (const uint8_t *)always[i], strlen(always[i]), &number);
        if (status != ETL_OK)
            return status;
    }
    return etl_names_uri(names, (const uint8_t *)XML_URI, sizeof XML_URI - 1, &number);
}

etl_status etl_names_init(etl_names *names, const etl_program *program)
{
    *names = (etl_names){.program = program, .slot_count = FIRST_SLOTS};
    names->slots = calloc(names->slot_count, sizeof *names->slots);
    if (names->slots == NULL || etl_lookup_init(&names->locals, program->local_count) != ETL_OK)
        return ETL_NOMEM;
    for (uint32_t i = 0; i < program->local_count; i++)
        etl_lookup_add(&names->locals, hash_of(program->locals[i].at, program->locals[i].size), 0,
                       program->locals[i].size, i);
    return begin(names);
}

void etl_names_free(etl_names *names)
{
    free(names->names);
    free(names->slots);
    free(names->prefixes);
    free(names->uris);
    etl_arena_free(&names->texts);
    etl_lookup_free(&names->locals);
    *names = (etl_names){0};
}

int etl_names_crowded(const etl_names *names)
{
    /* Fewer than are always there: memory came to its end when they were last forgotten. */
    return names->prefix_count <= ETL_PREFIX_XMLNS || names->uri_count <= names->program->uri_count ||
           names->count > KEEP_BELOW || names->uri_count > names->program->uri_count + ETL_URIS_LIMIT / 2 ||
           names->prefix_count > ETL_URIS_LIMIT / 2;
}

etl_status etl_names_forget(etl_names *names)
{
    names->count = names->uri_count = names->prefix_count = 0;
    memset(names->slots, 0, names->slot_count * sizeof *names->slots);
    etl_arena_clear(&names->texts);
    return begin(names);
}

static etl_status double_slots(etl_names *names)
{
    uint32_t count = names->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return ETL_NOMEM;
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t at = names->names[i].hash & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = i + 1;
    }
    free(names->slots);
    names->slots = slots;
    names->slot_count = count;
    return ETL_OK;
}

static uint32_t local_number(const etl_names *names, const uint8_t *local, size_t size)
{
    uint32_t found = etl_lookup_find(&names->locals, hash_of(local, size), 0, (uint32_t)size);
    if (found == ETL_NONE || same(names->program->locals[found], local, size))
        return found == ETL_NONE ? ETL_ANY : found;
    /* Another name of the same hash and size stands there. */
    for (uint32_t i = 0; i < names->program->local_count; i++)
        if (same(names->program->locals[i], local, size))
            return i;
    return ETL_ANY;
}

/* The parts of a QName: prefix and local name, each an NCName. */
static etl_status split(etl_names *names, etl_name *name)
{
    const uint8_t *colon = memchr(name->text, ':', name->size);
    name->prefix = ETL_PREFIX_NONE;
    name->local_at = 0;
    if (colon != NULL) {
        size_t size = (size_t)(colon - name->text);
        if (!etl_is_ncname(name->text, size))
            return ETL_DECLINED;
        etl_status status = etl_names_prefix(names, name->text, size, &name->prefix);
        if (status != ETL_OK)
            return status;
        name->local_at = (uint32_t)size + 1;
    }
    const uint8_t *local = name->text + name->local_at;
    size_t size = name->size - name->local_at;
    if (!etl_is_ncname(local, size))
        return ETL_DECLINED;
    name->local = local_number(names, local, size);
    name->declares = ETL_NONE;
    if (name->prefix == ETL_PREFIX_XMLNS)
        return etl_names_prefix(names, local, size, &name->declares);
    if (colon == NULL && same((etl_text){name->text, name->size}, (const uint8_t *)"xmlns", 5))
        name->declares = ETL_PREFIX_NONE;
    return ETL_OK;
}

static etl_status add(etl_names *names, const uint8_t *text, size_t size, uint32_t hash, uint32_t *number)
{
    if (names->count == ETL_NAMES_LIMIT || size > ETL_NAME_BYTES_LIMIT)
        return ETL_DECLINED;
    if (names->count == names->capacity) {
        uint32_t capacity = names->capacity * 2 + 64;
        etl_name *moved = realloc(names->names, capacity * sizeof *moved);
        if (moved == NULL)
            return ETL_NOMEM;
        names->names = moved;
        names->capacity = capacity;
    }
    if (names->count >= names->slot_count / 2) {
        etl_status status = double_slots(names);
        if (status != ETL_OK)
            return status;
    }
    etl_name name = {.text = text, .size = (uint32_t)size, .hash = hash};
    memcpy(&name.head, text, size < 8 ? size : 8);
    etl_status status = split(names, &name);
    if (status != ETL_OK)
        return status;
    name.text = kept(names, text, size).at;
    if (name.text == NULL)
        return ETL_NOMEM;
    uint32_t at = hash & (names->slot_count - 1);
    while (names->slots[at])
        at = (at + 1) & (names->slot_count - 1);
    names->names[names->count] = name;
    names->slots[at] = ++names->count;
    *number = names->count - 1;
    return ETL_OK;
}

etl_status etl_names_number(etl_names *names, const uint8_t *text, size_t size, uint32_t *number)
{
    uint32_t hash = hash_of(text, size);
    uint32_t at = hash & (names->slot_count - 1);
    for (int probes = 0; names->slots[at]; probes++) {
        const etl_name *name = &names->names[names->slots[at] - 1];
        if (name->hash == hash && same((etl_text){name->text, name->size}, text, size)) {
            *number = names->slots[at] - 1;
            return ETL_OK;
        }
        if (probes == LONGEST_PROBE)
            return ETL_DECLINED;
        at = (at + 1) & (names->slot_count - 1);
    }
    return add(names, text, size, hash, number);
}
