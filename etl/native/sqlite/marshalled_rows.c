/* `etl_marshalled_rows(width, rows)`: a table-valued function of SQLite, so that rows get from a batch into a table by one
   statement (INSERT ... SELECT c0, c1 FROM etl_marshalled_rows(2, ?)), without a Python object for a value.

   `rows` is what etl.messages.TupleRows carries: a list of all values, row after row, as Python's marshal writes it in
   version 2 (CPython's Python/marshal.c), `width` of them a row; the scanner writes texts of ASCII as
   version 4 does. What it cannot be is an error, so that no byte of it has to be trusted. Values that SQLite could not
   give back as they are (NaN, infinity, halves of surrogate pairs, integers beyond 64 bits) are SQLITE_MISMATCH.

   Virtual tables: https://www.sqlite.org/vtab.html. The GIL is not held: sqlite3 gives it back around every step. */
#include <sqlite3ext.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "marshalled_rows.h"

SQLITE_EXTENSION_INIT1

enum {
    COLUMNS = 250, /* c0 to c249, and behind them the arguments */
    WIDTH = COLUMNS,
    ROWS = COLUMNS + 1
};

enum { OLDEST = 3031000 }; /* the SQLite that brought SQLITE_VTAB_DIRECTONLY */

enum { DIGIT_BITS = 15, DIGITS_OF_64_BITS = 5 }; /* marshal's long integers */

typedef struct {
    sqlite3_vtab_cursor base;
    uint8_t *rows; /* a copy: the statement's argument need not outlive xFilter */
    const uint8_t *next;
    const uint8_t *end;
    uint32_t left; /* rows, the one the cursor is at included */
    uint32_t width;
    sqlite3_int64 row;
    const uint8_t *values[COLUMNS]; /* of the row the cursor is at */
} cursor;

static uint32_t little_endian_32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static double little_endian_double(const uint8_t *bytes) {
    uint64_t bits = little_endian_32(bytes) | (uint64_t)little_endian_32(bytes + 4) << 32;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Digits of a long integer; the sign of their number is the integer's. */
static uint32_t digits_of(uint32_t signed_count) {
    return signed_count & UINT32_C(0x80000000) ? UINT32_C(0) - signed_count : signed_count;
}

/* Bytes of the value at `at`; 0 where there is none that can be read before `end`. */
static size_t value_size(const uint8_t *at, const uint8_t *end) {
    size_t there = (size_t)(end - at), size;
    if (there == 0)
        return 0;
    switch (*at) {
    case 'N':
    case 'T':
    case 'F':
        return 1;
    case 'i':
        size = 5;
        break;
    case 'g':
        size = 9;
        break;
    case 'l':
        if (there < 5)
            return 0;
        size = 5 + (size_t)2 * digits_of(little_endian_32(at + 1));
        break;
    case 'z':
        if (there < 2)
            return 0;
        size = 2 + (size_t)at[1];
        break;
    case 's':
    case 'a':
    case 'u':
        if (there < 5)
            return 0;
        size = 5 + (size_t)little_endian_32(at + 1);
        break;
    default:
        return 0;
    }
    return size <= there ? size : 0;
}

static int refuse_rows(sqlite3_vtab *table) {
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("these are no rows that a worker has encoded");
    return SQLITE_ERROR;
}

/* Find where the values of the next row begin. */
static int find_values(cursor *at) {
    for (uint32_t column = 0; column < at->width; column++) {
        size_t size = value_size(at->next, at->end);
        if (size == 0)
            return refuse_rows(at->base.pVtab);
        at->values[column] = at->next;
        at->next += size;
    }
    return SQLITE_OK;
}

static int rows_connect(sqlite3 *connection, void *unused, int count, const char *const *arguments,
                        sqlite3_vtab **table, char **message) {
    (void)unused, (void)count, (void)arguments, (void)message;
    sqlite3_str *declaration = sqlite3_str_new(connection);
    sqlite3_str_appendall(declaration, "CREATE TABLE x(");
    for (int column = 0; column < COLUMNS; column++)
        sqlite3_str_appendf(declaration, "c%d, ", column);
    sqlite3_str_appendall(declaration, "width HIDDEN, rows HIDDEN)");
    char *sql = sqlite3_str_finish(declaration);
    if (sql == NULL)
        return SQLITE_NOMEM;
    int result = sqlite3_declare_vtab(connection, sql);
    sqlite3_free(sql);
    if (result != SQLITE_OK)
        return result;
    /* No view or trigger of a database that somebody else has made may call it. */
    sqlite3_vtab_config(connection, SQLITE_VTAB_DIRECTONLY);
    *table = sqlite3_malloc64(sizeof **table);
    if (*table == NULL)
        return SQLITE_NOMEM;
    memset(*table, 0, sizeof **table);
    return SQLITE_OK;
}

static int rows_disconnect(sqlite3_vtab *table) {
    sqlite3_free(table);
    return SQLITE_OK;
}

/* One plan: both arguments are given, in their order. */
static int rows_best_index(sqlite3_vtab *table, sqlite3_index_info *plan) {
    (void)table;
    int given = 0;
    for (int place = 0; place < plan->nConstraint; place++) {
        int column = plan->aConstraint[place].iColumn;
        if (column < WIDTH || plan->aConstraint[place].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!plan->aConstraint[place].usable)
            return SQLITE_CONSTRAINT;
        plan->aConstraintUsage[place].argvIndex = column - WIDTH + 1;
        plan->aConstraintUsage[place].omit = 1;
        given |= 1 << (column - WIDTH);
    }
    return given == 3 ? SQLITE_OK : SQLITE_CONSTRAINT;
}

static int rows_open(sqlite3_vtab *table, sqlite3_vtab_cursor **opened) {
    (void)table;
    cursor *at = sqlite3_malloc64(sizeof *at);
    if (at == NULL)
        return SQLITE_NOMEM;
    memset(at, 0, sizeof *at);
    *opened = &at->base;
    return SQLITE_OK;
}

static int rows_close(sqlite3_vtab_cursor *opened) {
    cursor *at = (cursor *)opened;
    sqlite3_free(at->rows);
    sqlite3_free(at);
    return SQLITE_OK;
}

/* Begin with `[`, the number of values, and the values of the first row. */
static int rows_filter(sqlite3_vtab_cursor *opened, int plan, const char *name, int count, sqlite3_value **arguments) {
    (void)plan, (void)name;
    cursor *at = (cursor *)opened;
    sqlite3_free(at->rows);
    at->rows = NULL;
    at->left = 0;
    at->row = 1;
    if (count != 2 || sqlite3_value_type(arguments[1]) != SQLITE_BLOB)
        return refuse_rows(opened->pVtab);
    sqlite3_int64 width = sqlite3_value_int64(arguments[0]);
    const void *bytes = sqlite3_value_blob(arguments[1]);
    size_t size = (size_t)sqlite3_value_bytes(arguments[1]);
    if (width < 1 || width > COLUMNS || bytes == NULL || size < 5)
        return refuse_rows(opened->pVtab);
    at->rows = sqlite3_malloc64(size);
    if (at->rows == NULL)
        return SQLITE_NOMEM;
    memcpy(at->rows, bytes, size);
    at->width = (uint32_t)width;
    at->next = at->rows + 5;
    at->end = at->rows + size;
    uint32_t values = little_endian_32(at->rows + 1);
    if (at->rows[0] != '[' || values % at->width != 0)
        return refuse_rows(opened->pVtab);
    at->left = values / at->width;
    return at->left > 0 ? find_values(at) : SQLITE_OK;
}

static int rows_next(sqlite3_vtab_cursor *opened) {
    cursor *at = (cursor *)opened;
    at->left--;
    at->row++;
    return at->left > 0 ? find_values(at) : SQLITE_OK;
}

static int rows_eof(sqlite3_vtab_cursor *opened) { return ((cursor *)opened)->left == 0; }

static void give_double(sqlite3_context *context, double value) {
    if (isfinite(value))
        sqlite3_result_double(context, value);
    else
        sqlite3_result_error_code(context, SQLITE_MISMATCH);
}

/* Base 2^15, the least significant digit first. */
static void give_long(sqlite3_context *context, const uint8_t *value) {
    uint32_t signed_count = little_endian_32(value + 1), digits = digits_of(signed_count);
    int negative = signed_count != digits;
    const uint64_t greatest = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t magnitude = 0;
    if (digits > DIGITS_OF_64_BITS) {
        sqlite3_result_error_code(context, SQLITE_MISMATCH);
        return;
    }
    for (uint32_t place = digits; place-- > 0;) {
        const uint8_t *at = value + 5 + (size_t)2 * place;
        uint64_t digit = (uint64_t)at[0] | (uint64_t)at[1] << 8;
        if (digit >> DIGIT_BITS != 0 || magnitude > (greatest - digit) >> DIGIT_BITS) {
            sqlite3_result_error_code(context, SQLITE_MISMATCH);
            return;
        }
        magnitude = magnitude << DIGIT_BITS | digit;
    }
    if (!negative)
        sqlite3_result_int64(context, (sqlite3_int64)magnitude);
    else if (magnitude == 0)
        sqlite3_result_int64(context, 0);
    else
        sqlite3_result_int64(context, -(sqlite3_int64)(magnitude - 1) - 1);
}

/* ED A0 to ED BF begin what marshal writes for half a surrogate pair, which is no UTF-8. */
static int has_surrogate(const uint8_t *text, size_t size) {
    const uint8_t *end = text + size, *at = text;
    while (at < end && (at = memchr(at, 0xED, (size_t)(end - at))) != NULL) {
        if (end - at > 1 && at[1] >= 0xA0)
            return 1;
        at++;
    }
    return 0;
}

static void give_text(sqlite3_context *context, const uint8_t *text, size_t size) {
    if (has_surrogate(text, size))
        sqlite3_result_error_code(context, SQLITE_MISMATCH);
    else
        sqlite3_result_text64(context, (const char *)text, size, SQLITE_STATIC, SQLITE_UTF8);
}

/* SQLITE_STATIC: texts and bytes stay where they are until the statement, which takes every row at once, is over. */
static int rows_column(sqlite3_vtab_cursor *opened, sqlite3_context *context, int column) {
    const cursor *at = (const cursor *)opened;
    if (column < 0 || (uint32_t)column >= at->width)
        return SQLITE_OK; /* NULL: the row has no such column */
    const uint8_t *value = at->values[column];
    switch (*value) {
    case 'T':
        sqlite3_result_int(context, 1);
        break;
    case 'F':
        sqlite3_result_int(context, 0);
        break;
    case 'i':
        sqlite3_result_int(context, (int)(int32_t)little_endian_32(value + 1));
        break;
    case 'l':
        give_long(context, value);
        break;
    case 'g':
        give_double(context, little_endian_double(value + 1));
        break;
    case 's':
        sqlite3_result_blob64(context, value + 5, little_endian_32(value + 1), SQLITE_STATIC);
        break;
    case 'z':
        give_text(context, value + 2, value[1]);
        break;
    case 'a':
    case 'u':
        give_text(context, value + 5, little_endian_32(value + 1));
        break;
    default: /* N */
        break;
    }
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *opened, sqlite3_int64 *row) {
    *row = ((cursor *)opened)->row;
    return SQLITE_OK;
}

/* No xCreate: it is there without CREATE VIRTUAL TABLE, and nobody can make one. */
static const sqlite3_module ROWS_MODULE = {
    .xConnect = rows_connect,
    .xBestIndex = rows_best_index,
    .xDisconnect = rows_disconnect,
    .xOpen = rows_open,
    .xClose = rows_close,
    .xFilter = rows_filter,
    .xNext = rows_next,
    .xEof = rows_eof,
    .xColumn = rows_column,
    .xRowid = rows_rowid,
};

int etl_marshalled_rows_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api) {
    (void)message;
    SQLITE_EXTENSION_INIT2(api)
    if (sqlite3_libversion_number() < OLDEST)
        return SQLITE_OK;
    return sqlite3_create_module_v2(connection, "etl_marshalled_rows", &ROWS_MODULE, NULL, NULL);
}
