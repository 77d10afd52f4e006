/* Lists of values: how many there are, put together to one text, or as PostgreSQL's array literal. */
#include <string.h>

#include "conversion.h"
#include "decimal.h"

/* The values of a list; one that is none is one of one value: `alone` then has it. NULL: there is none. */
static const etl_item *items_of(const etl_value *value, etl_item *alone)
{
    if (value->at == NULL && (value->flags & ETL_VALUE_NIL) == 0)
        return NULL;
    if ((value->flags & ETL_VALUE_LIST) != 0)
        return ((const etl_list *)(const void *)value->at)->first;
    *alone = (etl_item){*value, NULL};
    return alone;
}

etl_outcome etl_convert_counted(etl_conversion *made, const etl_value *value, etl_text *text)
{
    etl_item alone;
    uint32_t count = 0;
    for (const etl_item *item = items_of(value, &alone); item != NULL; item = item->next)
        count++;
    uint8_t digits[ETL_NUMBER_DIGITS];
    *text = (etl_text){digits, (uint32_t)etl_write_number(digits, count)};
    if (etl_made_copy(made, text) == NULL)
        return ETL_NO_MEMORY;
    const etl_outcome done = etl_convert_typed(made, text);
    return done == ETL_IS_NULL ? etl_convert_filled(made->rule, text) : done;
}

static int add_part(etl_conversion *made, size_t count, etl_text part)
{
    if (count == made->part_capacity) {
        const size_t capacity = count > 0 ? 2 * count : 16;
        etl_text *parts = etl_arena_take(made->arena, capacity * sizeof *parts);
        if (parts == NULL)
            return 0;
        if (count > 0)
            memcpy(parts, made->parts, count * sizeof *parts);
        made->parts = parts;
        made->part_capacity = capacity;
    }
    made->parts[count] = part;
    return 1;
}

static uint8_t *append(uint8_t *to, etl_text text)
{
    if (text.size > 0)
        memcpy(to, text.at, text.size);
    return to + text.size;
}

/* Room for a text of `size` bytes; asked where that is more than a value can have. */
static etl_outcome room_for(etl_conversion *made, uint64_t size)
{
    if (size > UINT32_MAX)
        return ETL_IS_ASKED;
    return etl_made_reserve(made, (size_t)size) ? ETL_IS_TEXT : ETL_NO_MEMORY;
}

static void finish_text(etl_conversion *made, const uint8_t *end, etl_text *text)
{
    *text = (etl_text){made->at, (uint32_t)(end - made->at)};
    etl_made_keep(made, text->size);
}

/* The values that are not NULL with the separator between them; only the whole has nulls and a type. */
etl_outcome etl_convert_joined(etl_conversion *made, const etl_value *value, etl_text *text)
{
    const etl_text separator = made->rule->separator;
    size_t count = 0;
    uint64_t size = 0;
    etl_item alone;
    for (const etl_item *item = items_of(value, &alone); item != NULL; item = item->next) {
        etl_text part;
        const etl_outcome done = etl_convert_steps(made, &item->value, &part);
        if (done == ETL_IS_NULL)
            continue;
        if (done != ETL_IS_TEXT)
            return done;
        size += part.size + (uint64_t)(count > 0 ? separator.size : 0);
        if (!add_part(made, count++, part))
            return ETL_NO_MEMORY;
    }
    if (count == 0)
        return etl_convert_filled(made->rule, text);
    *text = made->parts[0];
    if (count > 1) {
        const etl_outcome room = room_for(made, size);
        if (room != ETL_IS_TEXT)
            return room;
        uint8_t *to = append(made->at, made->parts[0]);
        for (size_t part = 1; part < count; part++)
            to = append(append(to, separator), made->parts[part]);
        finish_text(made, to, text);
    }
    const etl_outcome done = etl_convert_typed(made, text);
    return done == ETL_IS_NULL ? etl_convert_filled(made->rule, text) : done;
}

/* PostgreSQL's array_out: what could be taken for its own syntax is quoted, so are the empty text and the word NULL. */
static int needs_quotes(etl_text part)
{
    static const char WORD[] = "null";
    if (part.size == 0)
        return 1;
    int is_word = part.size == 4;
    for (uint32_t at = 0; at < part.size; at++) {
        const uint8_t byte = part.at[at];
        if (etl_is_white_space(byte) || byte == '\v' || byte == '\f')
            return 1;
        if (byte == '{' || byte == '}' || byte == ',' || byte == '"' || byte == '\\')
            return 1;
        is_word = is_word && (byte | ('a' ^ 'A')) == WORD[at];
    }
    return is_word;
}

static uint8_t *append_element(uint8_t *to, etl_text part)
{
    if (part.at == NULL) {
        memcpy(to, "NULL", 4);
        return to + 4;
    }
    if (!needs_quotes(part))
        return append(to, part);
    *to++ = '"';
    for (uint32_t at = 0; at < part.size; at++) {
        if (part.at[at] == '"' || part.at[at] == '\\')
            *to++ = '\\';
        *to++ = part.at[at];
    }
    *to++ = '"';
    return to;
}

/* Each value on its own, NULL as such; a default is none of theirs. */
etl_outcome etl_convert_arrayed(etl_conversion *made, const etl_value *value, etl_text *text)
{
    enum { MOST_AROUND = 5 }; /* of an element: quotes and a comma; NULL and a comma */
    if (value->at == NULL && (value->flags & ETL_VALUE_NIL) == 0)
        return made->rule->required ? ETL_IS_ASKED : ETL_IS_NULL;
    size_t count = 0;
    uint64_t size = 2;
    etl_item alone;
    for (const etl_item *item = items_of(value, &alone); item != NULL; item = item->next) {
        etl_text part = {NULL, 0};
        etl_outcome done = etl_convert_steps(made, &item->value, &part);
        if (done == ETL_IS_TEXT)
            done = etl_convert_typed(made, &part);
        if (done == ETL_IS_NULL)
            part = (etl_text){NULL, 0};
        else if (done != ETL_IS_TEXT)
            return done;
        size += 2 * (uint64_t)part.size + MOST_AROUND;
        if (!add_part(made, count++, part))
            return ETL_NO_MEMORY;
    }
    const etl_outcome room = room_for(made, size);
    if (room != ETL_IS_TEXT)
        return room;
    uint8_t *to = made->at;
    *to++ = '{';
    for (size_t part = 0; part < count; part++) {
        if (part > 0)
            *to++ = ',';
        to = append_element(to, made->parts[part]);
    }
    *to++ = '}';
    finish_text(made, to, text);
    return ETL_IS_TEXT;
}
