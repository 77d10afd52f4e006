/* core: assemble.c cells.c columns.c copy_text.c decimal.c marshal_list.c order.c places.c raw_rows.c where.c */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

/* Memory of our own: blocks of exactly the size asked for, so that a sanitizer sees a byte too many, and none after
   `left` more. */
static unsigned left;

static void *take(void *old, size_t size)
{
    return left == 0 ? NULL : (left--, realloc(old, size ? size : 1));
}

typedef struct block {
    struct block *next;
    void *bytes;
} block;

static block *blocks;

void *etl_arena_take(etl_arena *arena, size_t size)
{
    (void)arena;
    void *bytes = take(NULL, size);
    if (bytes == NULL)
        return NULL;
    block *taken = malloc(sizeof *taken);
    assert(taken != NULL);
    *taken = (block){blocks, bytes};
    blocks = taken;
    return bytes;
}

static void give_back(void)
{
    while (blocks != NULL) {
        block *next = blocks->next;
        free(blocks->bytes);
        free(blocks);
        blocks = next;
    }
}

etl_status etl_buffer_grow(etl_buffer *buffer, size_t room)
{
    uint8_t *bytes = take(buffer->bytes, buffer->size + room);
    if (bytes == NULL)
        return ETL_NOMEM;
    *buffer = (etl_buffer){bytes, buffer->size, buffer->size + room};
    return ETL_OK;
}

/* Values are canonical here. */
etl_status etl_convert(const etl_column_rule *rule, etl_value *values, uint32_t count, etl_arena *arena,
                       uint32_t *asked)
{
    (void)rule, (void)values, (void)count, (void)arena;
    *asked = 0;
    return ETL_OK;
}

static const char payload[] = "<a/>\n<b/>\n\n<c/>";
static const uint32_t spans[] = {0, 4, 5, 9, 11, 15};
static const etl_place place = {
    .payload = (const uint8_t *)payload, .spans = spans, .records = 3, .line = 1, .first_record = 1, .keys_from = 1ull << 40};
static const etl_where where[] = {{.kind = ETL_WHERE_BIT, .operand = 3}};
static const etl_table tables[] = {
    {.slots = 2, .lists = 1, .parent = ETL_NONE, .where = {0, 1}, .conditions = 1},
    {.slots = 1, .lists = 2, .parent = 0},
};
static const etl_program program = {.where = where, .tables = tables, .table_count = 2};
static const etl_column record_columns[] = {
    {.from = ETL_FROM_RECORD_ID, .python = ETL_PYTHON_INT},
    {.from = ETL_FROM_SLOT, .index = 0},
    {.from = ETL_FROM_SLOT, .index = 1, .python = ETL_PYTHON_FLOAT},
    {.from = ETL_FROM_LINE, .python = ETL_PYTHON_INT},
};
static const etl_column child_columns[] = {
    {.from = ETL_FROM_PARENT, .index = 2, .python = ETL_PYTHON_FLOAT},
    {.from = ETL_FROM_SEQUENCE, .python = ETL_PYTHON_INT},
    {.from = ETL_FROM_SLOT, .index = 0},
};
static const etl_layout layouts[] = {{record_columns, 4}, {child_columns, 3}};
static const etl_plan plan = {&program, layouts, 2};

static uint32_t add(etl_raw_rows *rows, uint32_t parent, uint32_t list, const char *first, const char *second)
{
    uint32_t row;
    assert(etl_raw_rows_add(rows, &row) == ETL_OK);
    rows->parents[row] = parent;
    if (rows->lists != NULL)
        rows->lists[row] = list;
    if (rows->bits != NULL)
        rows->bits[row] = parent == 1 ? 0 : 1u << 3;
    etl_value *slots = &rows->slots[row * rows->table->slots];
    slots[0] = (etl_value){(const uint8_t *)first, (uint32_t)strlen(first), 0};
    if (second != NULL)
        slots[1] = (etl_value){(const uint8_t *)second, (uint32_t)strlen(second), ETL_VALUE_SEVERAL};
    return row;
}

typedef etl_status encoder(const etl_plan *, uint32_t, const etl_rows *, const etl_place *, uint32_t, const uint8_t *,
                           etl_arena *, etl_buffer *, uint32_t *, uint32_t *);

/* A table of rows assembled anew. */
static etl_status encoded(const etl_raw_rows *raw, encoder *encode, uint32_t table, const uint8_t *bad,
                          etl_buffer *data)
{
    etl_rows rows[2];
    uint32_t kept[4], count;
    etl_status status = etl_assemble(&plan, raw, &place, 1, NULL, rows);
    if (status == ETL_OK)
        status = encode(&plan, table, rows, &place, 1, bad, NULL, data, kept, &count);
    give_back();
    return status;
}

static void expect(const etl_raw_rows *raw, encoder *encode, uint32_t table, const uint8_t *bad, const char *bytes,
                   size_t size)
{
    for (unsigned allowed = 0;; allowed++) {
        etl_buffer data = {0};
        left = allowed;
        etl_status status = encoded(raw, encode, table, bad, &data);
        if (status == ETL_OK && (data.size != size || memcmp(data.bytes, bytes, size) != 0)) {
            printf("table %u: %.*s\n", (unsigned)table, (int)data.size, (const char *)data.bytes);
            exit(1);
        }
        free(data.bytes);
        if (status == ETL_OK)
            return;
        assert(status == ETL_NOMEM && allowed < 1000);
    }
}

#define EXPECT(encode, table, bad, bytes) expect(raw, encode, table, bad, bytes, sizeof bytes - 1)

int main(void)
{
    etl_raw_rows raw[] = {{.table = &tables[0]}, {.table = &tables[1]}};
    static const uint8_t bad[] = {1, 0, 0};
    add(&raw[0], 0, 0, "a\\b", "0.5");
    add(&raw[0], 1, 0, "left out", "1");
    add(&raw[0], 2, 0, "nine\tbytes and more\n", "12345678901234567e+10");
    add(&raw[1], 0, 1, "second", NULL);
    add(&raw[1], 0, 0, "first", NULL);
    add(&raw[1], 1, 0, "gone", NULL);
    add(&raw[1], 2, 0, "\xc3\xa4", NULL);
    EXPECT(etl_encode_copy, 0, NULL,
           "1099511627777\ta\\\\b\t0.5\t1\n"
           "1099511627779\tnine\\tbytes and more\\n\t12345678901234567e+10\t4\n");
    EXPECT(etl_encode_copy, 1, NULL, "0.5\t1\tfirst\n0.5\t2\tsecond\n12345678901234567e+10\t1\t\xc3\xa4\n");
    EXPECT(etl_encode_copy, 1, bad, "12345678901234567e+10\t1\t\xc3\xa4\n");
    EXPECT(etl_encode_marshal, 0, bad,
           "[\4\0\0\0" "l\3\0\0\0\3\0\0\0\0\4" "z\24nine\tbytes and more\n" "g\xaa\x3c\x56\x7c\xbf\x87\x59\x45" "i\4\0\0\0");
    EXPECT(etl_encode_marshal, 1, bad,
           "[\3\0\0\0" "g\xaa\x3c\x56\x7c\xbf\x87\x59\x45" "i\1\0\0\0" "u\2\0\0\0\xc3\xa4");
    etl_raw_rows_free(&raw[0]);
    etl_raw_rows_free(&raw[1]);
    puts("ok");
    return 0;
}
