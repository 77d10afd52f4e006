/* The names a scanner has met: each is looked at closely once, and is a number from then on.

   Names are QNames (Namespaces in XML 1.0, production 7) as they are written, prefix included; namespaces are numbers,
   too. Both stay until they are forgotten all at once, so that a document that makes up names cannot fill the memory. */
#ifndef ETL_NAMES_H
#define ETL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "lookup.h"
#include "program.h"
#include "status.h"

/* Of names, and of prefixes or namespaces; more in a split than are left of these (half of them at least), or a longer
   name, is not for this scanner. */
enum { ETL_NAMES_LIMIT = 20000, ETL_URIS_LIMIT = 200, ETL_NAME_BYTES_LIMIT = 1000 };

/* Numbers of prefixes that are always there. */
enum { ETL_PREFIX_NONE = 0, ETL_PREFIX_XML = 1, ETL_PREFIX_XMLNS = 2 };

typedef struct {
    uint64_t head; /* the first 8 bytes, zeros behind a shorter one */
    const uint8_t *text;
    uint32_t size;
    uint32_t follower; /* the name that came next when this one was last met: a guess that is mostly right */
    uint32_t prefix;   /* number of its prefix */
    uint32_t declares; /* of xmlns and xmlns:p: number of the prefix that such an attribute declares; else ETL_NONE */
    uint32_t local;    /* place of the local name in the program's, ETL_ANY where it is not there */
    uint32_t local_at; /* where the local name begins */
    uint32_t hash;
    uint64_t element; /* the last start tag (by number) that had it as an attribute */
} etl_name;

typedef struct {
    etl_name *names;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* places in `names` + 1; a power of two */
    uint32_t slot_count;
    etl_text *prefixes;
    uint32_t prefix_count;
    uint32_t prefix_capacity;
    etl_text *uris; /* the program's first */
    uint32_t uri_count;
    uint32_t uri_capacity;
    etl_arena texts;   /* of names, prefixes and namespaces */
    etl_lookup locals; /* the program's local names by (hash, size) */
    const etl_program *program;
} etl_names;

etl_status etl_names_init(etl_names *names, const etl_program *program);
void etl_names_free(etl_names *names);

/* Whether so many are known that it is time to forget them. */
int etl_names_crowded(const etl_names *names);
/* Forget all but what the program names. Numbers given out before are void. */
etl_status etl_names_forget(etl_names *names);

/* The number of a name; DECLINED where it is no QName, or one name too many. */
etl_status etl_names_number(etl_names *names, const uint8_t *text, size_t size, uint32_t *number);
/* The number of a namespace, 0 of none (""); DECLINED where it is one too many. */
etl_status etl_names_uri(etl_names *names, const uint8_t *text, size_t size, uint32_t *number);
/* The number of a prefix; DECLINED where it is one too many. */
etl_status etl_names_prefix(etl_names *names, const uint8_t *text, size_t size, uint32_t *number);

#endif
