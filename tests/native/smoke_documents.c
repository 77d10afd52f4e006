/* core: blake2b.c buffer.c cut.c documents.c files.c root.c tar.c */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blake2b.h"
#include "documents.h"
#include "files.h"
#include "tar.h"

enum { MOST = 8 };

/* A copy of exactly its size, so that a sanitizer sees a byte too many. */
static uint8_t *copy(const void *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert(exact != NULL);
    if (size > 0)
        memcpy(exact, bytes, size);
    return exact;
}

static void digests(void)
{
    /* `hashlib.blake2b(b"abc", digest_size=16)`; whole, and byte by byte. */
    static const uint8_t expected[ETL_DIGEST_BYTES] = {
        0xcf, 0x4a, 0xb7, 0x91, 0xc6, 0x2b, 0x8d, 0x2b, 0x21, 0x09, 0xc9, 0x02, 0x75, 0x28, 0x78, 0x16};
    uint8_t whole[ETL_DIGEST_BYTES], pieces[ETL_DIGEST_BYTES], block[1000];
    etl_blake2b hash;
    etl_blake2b_begin(&hash);
    etl_blake2b_add(&hash, (const uint8_t *)"abc", 3);
    etl_blake2b_end(&hash, whole);
    assert(memcmp(whole, expected, sizeof whole) == 0);
    memset(block, 7, sizeof block);
    for (size_t size = 0; size <= sizeof block; size++) {
        etl_blake2b_begin(&hash);
        etl_blake2b_add(&hash, block, size);
        etl_blake2b_end(&hash, whole);
        for (size_t step = 1; step < 300; step += 63) {
            etl_blake2b_begin(&hash);
            for (size_t at = 0; at < size; at += step)
                etl_blake2b_add(&hash, block + at, size - at < step ? size - at : step);
            etl_blake2b_end(&hash, pieces);
            assert(memcmp(whole, pieces, sizeof whole) == 0);
        }
    }
}

/* Many inputs at once, of different lengths, each a copy of exactly its size. */
static void digests_together(void)
{
    enum { INPUTS = 40, PARTS = 2 };
    static const size_t SIZES[] = {0, 1, 127, 128, 129, 255, 256, 257, 700};
    const size_t kinds = sizeof SIZES / sizeof *SIZES;
    uint8_t block[700];
    for (size_t place = 0; place < sizeof block; place++)
        block[place] = (uint8_t)(place * place);
    etl_blake2b_input inputs[INPUTS] = {0};
    uint8_t *parts[INPUTS][PARTS], digests[INPUTS * ETL_DIGEST_BYTES], alone[ETL_DIGEST_BYTES];
    for (size_t count = 0; count <= INPUTS; count++) {
        for (size_t each = 0; each < count; each++) {
            size_t head = SIZES[(each + count) % kinds], body = SIZES[(each * 7 + count / 3) % kinds];
            parts[each][0] = copy(block, head);
            parts[each][1] = copy(block, body);
            inputs[each] = (etl_blake2b_input){parts[each][0], head, parts[each][1], body};
        }
        etl_blake2b_all(inputs, count, digests);
        for (size_t each = 0; each < count; each++) {
            etl_blake2b hash;
            etl_blake2b_begin(&hash);
            etl_blake2b_add(&hash, inputs[each].head, inputs[each].head_size);
            etl_blake2b_add(&hash, inputs[each].body, inputs[each].body_size);
            etl_blake2b_end(&hash, alone);
            assert(memcmp(alone, digests + each * ETL_DIGEST_BYTES, sizeof alone) == 0);
            free(parts[each][0]);
            free(parts[each][1]);
        }
    }
}

static void every_beginning(const char *text)
{
    for (uint32_t length = 0; length <= strlen(text); length++) {
        uint8_t *exact = copy(text, length), digest[ETL_DIGEST_BYTES];
        etl_document document;
        etl_root_name names[ETL_ROOT_NAMES];
        etl_documents_job job = {exact, &length, 1, NULL, NULL};
        uint32_t met = etl_look_at_documents(&job, &document, digest, names);
        assert(met == (document.root > 0));
        assert(met == (length >= strlen(text) - 1));
        free(exact);
    }
    etl_documents_job none = {NULL, NULL, 0, NULL, NULL};
    assert(etl_look_at_documents(&none, NULL, NULL, NULL) == 0);
}

static void set_checksum(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t place = 0; place < ETL_TAR_BLOCK; place++)
        sum += header[place];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static size_t walk(const uint8_t *tar, size_t length, size_t from, size_t most, size_t bytes, uint32_t largest)
{
    etl_tar_member members[MOST];
    uint8_t *exact = copy(tar, length);
    size_t at = from, count = etl_walk_tar(exact, length, &at, most, bytes, largest, members);
    assert(at <= length && (at - from) % ETL_TAR_BLOCK == 0 && (count > 0) == (at > from));
    free(exact);
    return count;
}

static void limits(void)
{
    enum { FILES = 3, LENGTH = FILES * 2 * ETL_TAR_BLOCK };
    static const char *const wide[] = {"37777777777", "777777777777"};
    static uint8_t tar[LENGTH];
    for (size_t file = 0; file < FILES; file++) {
        uint8_t *header = tar + file * 2 * ETL_TAR_BLOCK;
        memcpy(header, "a.xml", 5);
        memcpy(header + 124, "00000000777", 11);
        header[156] = '0';
        set_checksum(header);
    }
    for (size_t length = 0; length <= LENGTH; length += 64)
        assert(walk(tar, length, 0, MOST, SIZE_MAX, UINT32_MAX) == length / (2 * ETL_TAR_BLOCK));
    assert(walk(tar, LENGTH, LENGTH, MOST, SIZE_MAX, UINT32_MAX) == 0);
    assert(walk(tar, LENGTH, 0, 0, SIZE_MAX, UINT32_MAX) == 0);
    assert(walk(tar, LENGTH, 0, MOST, 0, UINT32_MAX) == 0);
    assert(walk(tar, LENGTH, 0, MOST, 1, UINT32_MAX) == 1);
    assert(walk(tar, LENGTH, 0, MOST, 512, UINT32_MAX) == 2);
    assert(walk(tar, LENGTH, 0, MOST, SIZE_MAX, 0) == 0);
    assert(walk(tar, LENGTH, 0, MOST, SIZE_MAX, 510) == 0);
    assert(walk(tar, LENGTH, 0, MOST, SIZE_MAX, 511) == FILES);
    for (size_t kind = 0; kind < 3; kind++)
        for (size_t size = 0; size < 2; size++) {
            tar[156] = (uint8_t)"0xL"[kind];
            memcpy(tar + 124, wide[size], strlen(wide[size]));
            set_checksum(tar);
            assert(walk(tar, LENGTH, 0, MOST, SIZE_MAX, UINT32_MAX) == 0);
        }
}

static void files(const char *own)
{
    const char *names[] = {own, "/no/such/file", own};
    static uint8_t text[1 << 16];
    uint32_t sizes[3];
    assert(etl_read_files(names, 0, text, sizeof text, 100, sizes) == 0);
    assert(etl_read_files(names, 3, text, 0, 0, sizes) == 0);
    assert(etl_read_files(names, 3, text, 1, 0, sizes) == 0);
    assert(etl_read_files(names, 3, text, sizeof text, 1, sizes) == 0);
    assert(etl_read_files(names + 1, 2, text, sizeof text, 1000, sizes) == 0);
    const char *empty[] = {"/dev/null", "/dev/null", "/"};
    assert(etl_read_files(empty, 3, text, 1, 0, sizes) == 2 && sizes[0] == 0 && sizes[1] == 0);
}

static void folders(void)
{
    etl_buffer names = {0}, sizes = {0};
    assert(etl_list_folder("/no/such/folder", &names, &sizes) == ETL_NOT_LISTED);
    assert(etl_list_folder("/dev", &names, &sizes) != ETL_LIST_NOMEM);
    etl_buffer_free(&names);
    etl_buffer_free(&sizes);
}

int main(int count, char **arguments)
{
    (void)count;
    digests();
    digests_together();
    every_beginning("\xef\xbb\xbf<?xml version='1.0' encoding=\"UTF-8\" standalone='no' ?>\n<!-- --><r a='>'>/</ r></r>\n");
    limits();
    files(arguments[0]);
    folders();
    puts("ok");
    return 0;
}
