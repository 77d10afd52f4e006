/* Does what a node wants of an element: begins rows, puts values into their slots, notes which conditions hold. */
#include "scanner.h"

etl_status etl_begin_rows(etl_scanner *scanner, const etl_node *node)
{
    const etl_program *program = scanner->program;
    for (uint32_t i = 0; i < node->begins.count; i++) {
        const etl_begin *begin = &program->begins[node->begins.first + i];
        etl_raw_rows *rows = &scanner->rows[begin->table];
        uint32_t row;
        etl_status status = etl_raw_rows_add(rows, &row);
        if (status != ETL_OK)
            return status;
        scanner->registers[begin->reg] = row;
        rows->parents[row] = begin->parent == ETL_NONE ? scanner->record : scanner->registers[begin->parent];
        if (rows->lists != NULL)
            rows->lists[row] = begin->list;
        for (uint32_t k = 0; k < begin->links.count; k++) {
            uint32_t reg = program->links[begin->links.first + k];
            rows->links[(size_t)row * rows->table->links + k] = reg == ETL_NONE ? ETL_NONE : scanner->registers[reg];
        }
    }
    return ETL_OK;
}

static etl_status append(etl_scanner *scanner, etl_value *slot, etl_value value)
{
    etl_list *list = (etl_list *)(uintptr_t)slot->at;
    etl_item *item = etl_arena_take(&scanner->arena, sizeof *item);
    if (item == NULL)
        return ETL_NOMEM;
    *item = (etl_item){value, NULL};
    if (list == NULL) {
        list = etl_arena_take(&scanner->arena, sizeof *list);
        if (list == NULL)
            return ETL_NOMEM;
        *list = (etl_list){item, item};
        slot->at = (const uint8_t *)list;
    } else {
        list->last->next = item;
        list->last = item;
    }
    slot->size++;
    slot->flags |= ETL_VALUE_LIST | (value.flags & ETL_VALUE_MIXED);
    return ETL_OK;
}

static etl_status store(etl_scanner *scanner, const etl_op *op, etl_value *slot, etl_value value)
{
    if (op->keep == ETL_KEEP_ALL)
        return append(scanner, slot, value);
    if (op->keep > ETL_KEEP_ALL) {
        value.flags &= ETL_VALUE_NIL;
        value.flags |= op->keep == ETL_KEEP_ENTRY ? ETL_VALUE_ENTRY : op->keep == ETL_KEEP_KEY ? ETL_VALUE_KEY : 0;
        return append(scanner, slot, value);
    }
    if (slot->at == NULL) {
        *slot = value;
    } else if (op->keep == ETL_KEEP_LAST) {
        value.flags |= slot->flags & ETL_VALUE_MIXED;
        *slot = value;
    } else {
        slot->flags |= ETL_VALUE_SEVERAL | (op->simple ? 0 : value.flags & ETL_VALUE_MIXED);
    }
    return ETL_OK;
}

etl_status etl_do_ops(etl_scanner *scanner, etl_range ops, etl_text value, uint32_t flags)
{
    for (uint32_t i = 0; i < ops.count; i++) {
        const etl_op *op = &scanner->program->ops[ops.first + i];
        etl_raw_rows *rows = &scanner->rows[scanner->register_tables[op->reg]];
        uint32_t row = scanner->registers[op->reg];
        if (op->kind == ETL_OP_STORE) {
            etl_value *slot = &rows->slots[(size_t)row * rows->table->slots + op->slot];
            etl_status status = store(scanner, op, slot, (etl_value){value.at, value.size, flags});
            if (status != ETL_OK)
                return status;
        } else if (op->kind == ETL_OP_EXISTS ||
                   etl_same_text(scanner->program->literals[op->literal], value) == (op->kind == ETL_OP_EQUAL)) {
            rows->bits[row] |= UINT64_C(1) << op->bit;
        }
    }
    return ETL_OK;
}

etl_status etl_take_attributes(etl_scanner *scanner, uint32_t node)
{
    const etl_program *program = scanner->program;
    for (uint32_t i = 0; i < scanner->found_count; i++) {
        etl_scanned_attribute *attribute = &scanner->found[i];
        uint32_t local = scanner->names.names[attribute->name].local;
        uint32_t place =
            local == ETL_ANY ? ETL_NONE : etl_lookup_find(&scanner->attributes, node, attribute->uri, local);
        etl_status status = ETL_OK;
        if (place != ETL_NONE && program->attributes[place].ops.count) {
            status = etl_normalise(scanner, attribute);
            if (status == ETL_OK)
                status = etl_do_ops(scanner, program->attributes[place].ops, attribute->value, 0);
        } else if (place == ETL_NONE && program->nodes[node].reports_attributes)
            status = etl_note_unseen(scanner, node, attribute->name, attribute->uri, 1);
        if (status != ETL_OK)
            return status;
    }
    return ETL_OK;
}
