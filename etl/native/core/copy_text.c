#include <string.h>

#include "cells.h"
#include "decimal.h"
#include "encode.h"

/* Bytes of a value in the first buffer; where they are longer it grows. */
enum { ESTIMATED_BYTES = 12 };
/* What a value needs beside its text. */
enum { BESIDE_BYTES = ETL_NUMBER_DIGITS + 1 };

static const uint64_t ONES = UINT64_C(0x0101010101010101);
static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

/* Whether a byte of the word may need an escape: a backslash, or one below 16, of which XML has tab, line feed and
   carriage return. A byte of (x - 0x10..10) & ~x has its high bit where x's byte is below 16, and further ones
   only above such a byte. */
static int suspicious(uint64_t word)
{
    uint64_t backslash = word ^ ONES * '\\';
    return (((word - ONES * 0x10) & ~word) | ((backslash - ONES) & ~backslash)) & HIGH_BITS ? 1 : 0;
}

static uint8_t *put_byte(uint8_t *out, uint8_t byte)
{
    switch (byte) {
    case '\\':
        *out++ = '\\';
        break;
    case '\t':
        *out++ = '\\';
        byte = 't';
        break;
    case '\n':
        *out++ = '\\';
        byte = 'n';
        break;
    case '\r':
        *out++ = '\\';
        byte = 'r';
        break;
    default:
        break;
    }
    *out++ = byte;
    return out;
}

static uint8_t *put_bytes(uint8_t *out, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out = put_byte(out, at[i]);
    return out;
}

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static uint32_t half_at(const uint8_t *at)
{
    uint32_t half;
    memcpy(&half, at, 4);
    return half;
}

/* Most values are as short as this, of any length, so there is no loop over their bytes to be mispredicted: a few loads
   that overlap take all of them. */
static uint8_t *put_short(uint8_t *out, const uint8_t *at, size_t size)
{
    if (size >= 8) {
        uint64_t first = word_at(at), last = word_at(at + size - 8);
        if (suspicious(first) | suspicious(last))
            return put_bytes(out, at, size);
        memcpy(out, &first, 8);
        memcpy(out + size - 8, &last, 8);
    } else if (size >= 4) {
        uint32_t first = half_at(at), last = half_at(at + size - 4);
        if (suspicious((uint64_t)first << 32 | last))
            return put_bytes(out, at, size);
        memcpy(out, &first, 4);
        memcpy(out + size - 4, &last, 4);
    } else if (size > 0) {
        uint8_t first = at[0], middle = at[size / 2], last = at[size - 1];
        /* 0xff stands for no byte: it is in no UTF-8. */
        if (suspicious(~UINT64_C(0) << 24 | (uint64_t)first << 16 | (uint64_t)middle << 8 | last))
            return put_bytes(out, at, size);
        out[0] = first;
        out[size / 2] = middle;
        out[size - 1] = last;
    }
    return out + size;
}

/* Write `size` bytes, as at most twice as many. */
static uint8_t *put_text(uint8_t *out, const uint8_t *at, size_t size)
{
    if (size <= 16)
        return put_short(out, at, size);
    const uint8_t *end = at + size;
    for (; end - at > 16; at += 8) {
        uint64_t word = word_at(at);
        if (suspicious(word)) {
            out = put_bytes(out, at, 8);
        } else {
            memcpy(out, &word, 8);
            out += 8;
        }
    }
    return put_short(out, at, (size_t)(end - at));
}

/* The value and what follows it. */
static etl_status put_cell(const etl_cells *cells, const etl_cell *cell, uint8_t follows, etl_buffer *data)
{
    etl_text text = {NULL, 0};
    uint64_t number = 0;
    etl_cell_kind kind = etl_cells_read(cells, cell, &text, &number);
    size_t size = text.size;
    if (size > (SIZE_MAX - BESIDE_BYTES) / 2)
        return ETL_NOMEM;
    etl_status status = etl_buffer_reserve(data, 2 * size + BESIDE_BYTES);
    if (status != ETL_OK)
        return status;
    uint8_t *out = data->bytes + data->size;
    switch (kind) {
    case ETL_CELL_NULL:
        *out++ = '\\';
        *out++ = 'N';
        break;
    case ETL_CELL_TEXT:
        out = put_text(out, text.at, size);
        break;
    case ETL_CELL_NUMBER:
        out += etl_write_number(out, number);
        break;
    case ETL_CELL_ASKED:
        return ETL_DECLINED;
    }
    *out++ = follows;
    data->size = (size_t)(out - data->bytes);
    return ETL_OK;
}

static etl_status put_row(const etl_cells *cells, etl_buffer *data)
{
    for (uint32_t place = 0; place < cells->count; place++) {
        uint8_t follows = place + 1 < cells->count ? '\t' : '\n';
        etl_status status = put_cell(cells, &cells->cells[place], follows, data);
        if (status != ETL_OK)
            return status;
    }
    return ETL_OK;
}

etl_status etl_encode_copy(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                           uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data, uint32_t *kept,
                           uint32_t *kept_count)
{
    etl_cells cells;
    uint32_t count = rows[table].count;
    *kept_count = 0;
    etl_status status = etl_cells_open(plan, table, rows, places, place_count, arena, &cells);
    if (status == ETL_OK && count > 0 && cells.count > 0 && cells.count < SIZE_MAX / ESTIMATED_BYTES / count)
        status = etl_buffer_reserve(data, (size_t)ESTIMATED_BYTES * cells.count * count);
    for (uint32_t row = 0; row < count && status == ETL_OK; row++) {
        if (bad != NULL && bad[rows[table].records[row]])
            continue;
        etl_cells_go(&cells, row);
        status = put_row(&cells, data);
        kept[(*kept_count)++] = cells.record;
    }
    return status;
}
