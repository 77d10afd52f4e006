/* https://github.com/python/cpython/blob/main/Python/marshal.c: a byte says the type, sizes and numbers are
   little-endian. */
#include <string.h>

#include "cells.h"
#include "decimal.h"
#include "encode.h"

enum { ESTIMATED_BYTES = 16 };
/* What a value needs beside its text: its type and a size, or a number. */
enum { BESIDE_BYTES = 1 + 4 + 5 * 2 };
/* Sizes are signed. */
enum { LARGEST_SIZE = INT32_MAX };
enum { LIST_HEAD = 1 + 4 };

static uint8_t *put_32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        *out++ = (uint8_t)(number >> 8 * i);
    return out;
}

static uint8_t *put_64(uint8_t *out, uint64_t number)
{
    out = put_32(out, (uint32_t)number);
    return put_32(out, (uint32_t)(number >> 32));
}

static int is_ascii(const uint8_t *at, size_t size)
{
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, at + i, 8);
        all |= word;
    }
    for (; i < size; i++)
        all |= at[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

static uint8_t *put_str(uint8_t *out, etl_text text)
{
    if (!is_ascii(text.at, text.size)) {
        *out++ = 'u';
        out = put_32(out, text.size);
    } else if (text.size <= UINT8_MAX) {
        *out++ = 'z';
        *out++ = (uint8_t)text.size;
    } else {
        *out++ = 'a';
        out = put_32(out, text.size);
    }
    memcpy(out, text.at, text.size);
    return out + text.size;
}

/* Beyond 32 bits: digits of 15 bits, the lowest first; how many has the number's sign. */
static uint8_t *put_long(uint8_t *out, uint64_t amount, int negative)
{
    uint8_t *digits = out + 1 + 4;
    uint32_t count = 0;
    for (; amount; amount >>= 15, count++) {
        *digits++ = (uint8_t)amount;
        *digits++ = (uint8_t)(amount >> 8 & 0x7f);
    }
    *out = 'l';
    put_32(out + 1, negative ? 0 - count : count);
    return digits;
}

static uint8_t *put_int(uint8_t *out, int64_t number)
{
    if (number < INT32_MIN || number > INT32_MAX)
        return put_long(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
    *out++ = 'i';
    return put_32(out, (uint32_t)(int32_t)number);
}

static uint8_t *put_float(uint8_t *out, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, 8);
    *out++ = 'g';
    return put_64(out, bits);
}

static int nibble(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static etl_status put_bytes(uint8_t **out, etl_text text)
{
    if (text.size < 2 || text.size % 2 || text.at[0] != '\\' || text.at[1] != 'x')
        return ETL_DECLINED;
    *(*out)++ = 's';
    *out = put_32(*out, text.size / 2 - 1);
    for (uint32_t i = 2; i < text.size; i += 2) {
        int high = nibble(text.at[i]), low = nibble(text.at[i + 1]);
        if (high < 0 || low < 0)
            return ETL_DECLINED;
        *(*out)++ = (uint8_t)(high << 4 | low);
    }
    return ETL_OK;
}

/* The value of a canonical text. */
static etl_status put_text(uint8_t **out, etl_text text, uint32_t python)
{
    etl_status status = ETL_OK;
    int64_t integer = 0;
    double number = 0;
    switch ((etl_python)python) {
    case ETL_PYTHON_STR:
        *out = put_str(*out, text);
        break;
    case ETL_PYTHON_INT:
        status = etl_read_integer(text, &integer);
        *out = put_int(*out, integer);
        break;
    case ETL_PYTHON_FLOAT:
        status = etl_read_double(text, &number);
        *out = put_float(*out, number);
        break;
    case ETL_PYTHON_BOOL:
        *(*out)++ = text.size == 4 && memcmp(text.at, "true", 4) == 0 ? 'T' : 'F';
        break;
    case ETL_PYTHON_BYTES:
        return put_bytes(out, text);
    }
    return status;
}

static etl_status put_number(uint8_t **out, uint64_t number, uint32_t python)
{
    if (python == ETL_PYTHON_INT && number <= INT64_MAX) {
        *out = put_int(*out, (int64_t)number);
        return ETL_OK;
    }
    uint8_t digits[ETL_NUMBER_DIGITS];
    etl_text text = {digits, (uint32_t)etl_write_number(digits, number)};
    return put_text(out, text, python);
}

static etl_status put_cell(const etl_cells *cells, const etl_cell *cell, etl_buffer *data)
{
    etl_text text = {NULL, 0};
    uint64_t number = 0;
    etl_cell_kind kind = etl_cells_read(cells, cell, &text, &number);
    if (kind == ETL_CELL_ASKED || text.size > LARGEST_SIZE)
        return ETL_DECLINED;
    etl_status status = etl_buffer_reserve(data, (size_t)text.size + BESIDE_BYTES + ETL_NUMBER_DIGITS);
    if (status != ETL_OK)
        return status;
    uint8_t *out = data->bytes + data->size;
    if (kind == ETL_CELL_NULL)
        *out++ = 'N';
    else if (kind == ETL_CELL_TEXT)
        status = put_text(&out, text, cell->python);
    else
        status = put_number(&out, number, cell->python);
    data->size = (size_t)(out - data->bytes);
    return status;
}

static etl_status put_rows(etl_cells *cells, const etl_rows *rows, const uint8_t *bad, etl_buffer *data, uint32_t *kept,
                           uint32_t *kept_count)
{
    for (uint32_t row = 0; row < rows->count; row++) {
        if (bad != NULL && bad[rows->records[row]])
            continue;
        etl_cells_go(cells, row);
        for (uint32_t place = 0; place < cells->count; place++) {
            etl_status status = put_cell(cells, &cells->cells[place], data);
            if (status != ETL_OK)
                return status;
        }
        kept[(*kept_count)++] = cells->record;
    }
    return ETL_OK;
}

etl_status etl_encode_marshal(const etl_plan *plan, uint32_t table, const etl_rows *rows, const etl_place *places,
                              uint32_t place_count, const uint8_t *bad, etl_arena *arena, etl_buffer *data,
                              uint32_t *kept, uint32_t *kept_count)
{
    etl_cells cells;
    size_t head = data->size;
    *kept_count = 0;
    etl_status status = etl_cells_open(plan, table, rows, places, place_count, arena, &cells);
    if (status != ETL_OK)
        return status;
    uint64_t most = (uint64_t)cells.count * rows[table].count;
    if (most > (SIZE_MAX - LIST_HEAD) / ESTIMATED_BYTES)
        return ETL_NOMEM;
    status = etl_buffer_reserve(data, LIST_HEAD + (size_t)most * ESTIMATED_BYTES);
    if (status != ETL_OK)
        return status;
    data->bytes[head] = '[';
    data->size += LIST_HEAD;
    status = put_rows(&cells, &rows[table], bad, data, kept, kept_count);
    uint64_t values = (uint64_t)cells.count * *kept_count;
    if (status != ETL_OK || values > LARGEST_SIZE)
        return status == ETL_OK ? ETL_DECLINED : status;
    put_32(data->bytes + head + 1, (uint32_t)values);
    return ETL_OK;
}
