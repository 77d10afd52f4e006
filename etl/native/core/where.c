#include "where.h"

#include <stddef.h>

static uint64_t bit_of(const etl_raw_rows *rows, uint32_t row, uint32_t bit)
{
    return rows->bits[row] >> bit & 1;
}

/* An ancestor that is not there has nothing that a condition could find. */
static uint64_t linked_bit(const etl_raw_rows *raw, const etl_raw_rows *own, uint32_t row, const etl_where *where)
{
    uint32_t linked = own->links[(size_t)row * own->table->links + where->link];
    return linked == ETL_NONE ? 0 : bit_of(&raw[where->table], linked, where->operand);
}

int etl_where_holds(const etl_program *program, const etl_raw_rows *raw, uint32_t table, uint32_t row,
                    uint64_t around_bits)
{
    const etl_raw_rows *own = &raw[table];
    etl_range range = program->tables[table].where;
    /* The stack is a word, its top the lowest bit: ETL_MAX_WHERE is what it holds. */
    uint64_t stack = 0;
    for (const etl_where *where = program->where + range.first, *end = where + range.count; where < end; where++) {
        switch ((etl_where_kind)where->kind) {
        case ETL_WHERE_BIT:
            stack = stack << 1 | bit_of(own, row, where->operand);
            break;
        case ETL_WHERE_LINK_BIT:
            stack = stack << 1 | linked_bit(raw, own, row, where);
            break;
        case ETL_WHERE_AROUND:
            stack = stack << 1 | (around_bits >> where->operand & 1);
            break;
        case ETL_WHERE_NOT:
            stack ^= 1;
            break;
        case ETL_WHERE_AND:
            stack = stack >> 1 & (stack | ~UINT64_C(1));
            break;
        case ETL_WHERE_OR:
            stack = stack >> 1 | (stack & 1);
            break;
        }
    }
    return (int)(stack & 1);
}
