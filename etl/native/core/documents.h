/* Looks at small documents that are in memory as they are stored: what each of them is known by, and whether it is a
 * plain one: UTF-8, with a root element that `etl_find_root` finds, and that declares namespaces, if any, before it has
 * other attributes.
 *
 * In: documents one behind the other. Out: digests and facts. Nothing is allocated, and no byte outside is read.
 */
#ifndef ETL_DOCUMENTS_H
#define ETL_DOCUMENTS_H

#include <stddef.h>
#include <stdint.h>

enum {
    ETL_ROOT_NAMES = 32, /* different ones, among the documents of one call; one with another is not plain. Namespace
                          * declarations behind a name are a part of it. */
};

typedef struct {
    uint32_t begin, size; /* of the content, behind a byte order mark, in the text */
    uint32_t start, end;  /* of the root element, in the content */
    uint32_t line;        /* in which it begins, from 1 */
    uint32_t root;        /* 1 + the place of its name among `names`; 0 where the document is not plain */
} etl_document;

typedef struct {
    const uint8_t *at;
    uint32_t size;
} etl_root_name;

typedef struct {
    const uint8_t *text;
    const uint32_t *sizes; /* of the documents as they are stored */
    size_t count;
    const uint8_t *const *salts; /* what goes before each into its digest; NULL: its size, in decimal digits */
    const uint32_t *salt_sizes;
} etl_documents_job;

/* Fill `documents` and `digests` (ETL_DIGEST_BYTES each); how many root names there are. */
uint32_t etl_look_at_documents(const etl_documents_job *job, etl_document *documents, uint8_t *digests,
                               etl_root_name names[ETL_ROOT_NAMES]);

/* As a document of a mapping's structure is known: the digest of "structure prefix hexadecimal-digest suffix". */
void etl_identify(const uint8_t *before, size_t before_size, const uint8_t *digest, const uint8_t *behind,
                  size_t behind_size, uint8_t *identity);

#endif
