/* core: documents.c blake2b.c cut.c root.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blake2b.h"
#include "documents.h"

enum { MOST = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is told of a document lies in it, and is told of it alone as well. */
static void check(const uint8_t *text, size_t length, const uint32_t *sizes, size_t count)
{
    etl_document documents[MOST], alone;
    etl_root_name names[ETL_ROOT_NAMES], name[ETL_ROOT_NAMES];
    uint8_t digests[MOST * ETL_DIGEST_BYTES], digest[ETL_DIGEST_BYTES], identity[ETL_DIGEST_BYTES];
    etl_documents_job job = {text, sizes, count, NULL, NULL};
    uint32_t met = etl_look_at_documents(&job, documents, digests, names);
    size_t at = 0;
    if (met > ETL_ROOT_NAMES)
        abort();
    for (size_t place = 0; place < count; place++) {
        const etl_document *document = &documents[place];
        if (document->begin < at || document->begin + document->size != at + sizes[place])
            abort();
        if (document->root > met || (document->root > 0 && (document->start >= document->end || document->line == 0 ||
                                                            document->end > document->size)))
            abort();
        etl_documents_job one = {text + at, &sizes[place], 1, NULL, NULL};
        uint32_t own = etl_look_at_documents(&one, &alone, digest, name);
        if (memcmp(digest, digests + place * ETL_DIGEST_BYTES, sizeof digest) != 0)
            abort();
        if (document->root > 0 && (own != 1 || alone.root != 1 || names[document->root - 1].size != name[0].size ||
                                   alone.start != document->start || alone.end != document->end))
            abort();
        at += sizes[place];
    }
    if (at > length)
        abort();
    etl_identify(text, at, digests, text, length - at, identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t sizes[MOST];
    size_t count = 0, begin = 0;
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    /* Documents are as long as NUL is away. */
    for (size_t at = 0; at < size && count < MOST; at++)
        if (data[at] == 0 || at + 1 == size) {
            sizes[count++] = (uint32_t)(at + 1 - begin);
            begin = at + 1;
        }
    check(exact, size, sizes, count);
    free(exact);
    return 0;
}
