#include "convert.h"

#include <string.h>

#include "conversion.h"

enum { MOST_AHEAD = 4096 };

int etl_made_reserve(etl_conversion *made, size_t size)
{
    if (made->at != NULL && size <= made->left)
        return 1;
    const size_t taken = size > made->ahead ? size : made->ahead;
    uint8_t *at = etl_arena_take(made->arena, taken);
    if (at == NULL)
        return 0;
    made->at = at;
    made->left = taken;
    return 1;
}

void etl_made_keep(etl_conversion *made, size_t size)
{
    made->at += size;
    made->left -= size;
}

uint8_t *etl_made_copy(etl_conversion *made, etl_text *text)
{
    if (!etl_made_reserve(made, text->size))
        return NULL;
    uint8_t *copy = made->at;
    memcpy(copy, text->at, text->size);
    etl_made_keep(made, text->size);
    text->at = copy;
    return copy;
}

static void strip(const uint8_t **at, uint32_t *size)
{
    while (*size > 0 && etl_is_white_space((*at)[*size - 1]))
        (*size)--;
    while (*size > 0 && etl_is_white_space(**at)) {
        (*at)++;
        (*size)--;
    }
}

/* In the order of their bytes, as in Python's bytes. */
static int compared(etl_text one, etl_text other)
{
    const uint32_t both = one.size < other.size ? one.size : other.size;
    const int order = both > 0 ? memcmp(one.at, other.at, both) : 0;
    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

/* A text of the rule, whose address may be NULL where it is empty; of a value that would say NULL. */
static etl_text of_rule(etl_text text)
{
    return text.size > 0 ? text : (etl_text){(const uint8_t *)"", 0};
}

static etl_outcome change_case(etl_conversion *made, etl_text *text, uint8_t first, uint8_t last)
{
    int changes = 0;
    for (uint32_t at = 0; at < text->size; at++) {
        if (text->at[at] >= 0x80)
            return ETL_IS_ASKED; /* Unicode's rules of case are Python's affair */
        changes |= text->at[at] >= first && text->at[at] <= last;
    }
    if (!changes)
        return ETL_IS_TEXT;
    uint8_t *to = etl_made_copy(made, text);
    if (to == NULL)
        return ETL_NO_MEMORY;
    for (uint32_t at = 0; at < text->size; at++) {
        if (to[at] >= first && to[at] <= last)
            to[at] ^= 'a' ^ 'A';
    }
    return ETL_IS_TEXT;
}

/* Each run of white space becomes one blank. */
static etl_outcome collapse(etl_conversion *made, etl_text *text)
{
    int changes = 0;
    for (uint32_t at = 0; at < text->size; at++)
        changes |= etl_is_white_space(text->at[at]) && (text->at[at] != ' ' || (at > 0 && text->at[at - 1] == ' '));
    if (!changes)
        return ETL_IS_TEXT;
    uint8_t *bytes = etl_made_copy(made, text);
    if (bytes == NULL)
        return ETL_NO_MEMORY;
    uint32_t to = 0;
    int in_run = 0;
    for (uint32_t from = 0; from < text->size; from++) {
        const int space = etl_is_white_space(bytes[from]);
        if (!space || !in_run)
            bytes[to++] = space ? ' ' : bytes[from];
        in_run = space;
    }
    text->size = to;
    return ETL_IS_TEXT;
}

static void map(const etl_text *pairs, uint32_t count, etl_text *text)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = compared(*text, pairs[2 * middle]);
        if (order == 0) {
            *text = of_rule(pairs[2 * middle + 1]);
            return;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
}

etl_outcome etl_convert_steps(etl_conversion *made, const etl_value *value, etl_text *text)
{
    const etl_column_rule *rule = made->rule;
    if (value->at == NULL || (value->flags & ETL_VALUE_NIL) != 0)
        return ETL_IS_NULL;
    *text = (etl_text){value->at, value->size};
    if (rule->strip)
        strip(&text->at, &text->size);
    etl_outcome done = ETL_IS_TEXT;
    for (uint32_t step = 0; step < rule->step_count && done == ETL_IS_TEXT; step++) {
        const etl_range values = rule->steps[step].values;
        switch (rule->steps[step].kind) {
        case ETL_STEP_LOWER:
            done = change_case(made, text, 'A', 'Z');
            break;
        case ETL_STEP_UPPER:
            done = change_case(made, text, 'a', 'z');
            break;
        case ETL_STEP_COLLAPSE:
            done = collapse(made, text);
            break;
        case ETL_STEP_MAP:
            map(rule->texts + values.first, values.count / 2, text);
            break;
        default:
            done = ETL_IS_ASKED;
        }
    }
    return done;
}

static int means_null(const etl_column_rule *rule, etl_text text)
{
    for (uint32_t i = 0; i < rule->null_count; i++) {
        if (rule->nulls[i].size == text.size && compared(rule->nulls[i], text) == 0)
            return 1;
    }
    return 0;
}

etl_outcome etl_convert_typed(etl_conversion *made, etl_text *text)
{
    const etl_column_rule *rule = made->rule;
    if (means_null(rule, *text))
        return ETL_IS_NULL;
    uint8_t canonical[ETL_CANONICAL_BYTES];
    size_t written = 0;
    switch (etl_lex(&rule->type, text->at, text->size, canonical, &written)) {
    case ETL_LEX_SAME:
        return ETL_IS_TEXT;
    case ETL_LEX_WRITTEN:
        *text = (etl_text){canonical, (uint32_t)written};
        return etl_made_copy(made, text) != NULL ? ETL_IS_TEXT : ETL_NO_MEMORY;
    default:
        return ETL_IS_ASKED;
    }
}

etl_outcome etl_convert_filled(const etl_column_rule *rule, etl_text *text)
{
    if (rule->has_fallback) {
        *text = of_rule(rule->fallback);
        return ETL_IS_TEXT;
    }
    return rule->required ? ETL_IS_ASKED : ETL_IS_NULL;
}

static etl_outcome one(etl_conversion *made, const etl_value *value, etl_text *text)
{
    etl_outcome done = etl_convert_steps(made, value, text);
    if (done == ETL_IS_TEXT)
        done = etl_convert_typed(made, text);
    return done == ETL_IS_NULL ? etl_convert_filled(made->rule, text) : done;
}

static etl_outcome convert(etl_conversion *made, const etl_value *value, etl_text *text)
{
    switch (made->rule->many) {
    case ETL_MANY_ONE:
        return one(made, value, text);
    case ETL_MANY_COUNT:
        return etl_convert_counted(made, value, text);
    case ETL_MANY_JOIN:
        return etl_convert_joined(made, value, text);
    case ETL_MANY_ARRAY:
        return etl_convert_arrayed(made, value, text);
    default:
        return ETL_IS_ASKED;
    }
}

/* Text with nothing said about it but strip: most columns of most mappings. */
static void convert_texts(const etl_column_rule *rule, etl_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        etl_value *value = &values[i];
        if ((value->flags & ETL_VALUE_NIL) != 0) {
            value->at = NULL;
            value->size = 0;
            value->flags &= ~(uint32_t)ETL_VALUE_NIL;
        } else if (rule->strip && value->at != NULL) {
            strip(&value->at, &value->size);
        }
    }
}

static int is_plain_text(const etl_column_rule *rule)
{
    return rule->type.name == ETL_TYPE_TEXT && rule->many == ETL_MANY_ONE && !rule->asks && !rule->required &&
           !rule->has_fallback && rule->step_count == 0 && rule->null_count == 0;
}

etl_status etl_convert(const etl_column_rule *rule, etl_value *values, uint32_t count, etl_arena *arena,
                       uint32_t *asked)
{
    *asked = 0;
    if (is_plain_text(rule)) {
        convert_texts(rule, values, count);
        return ETL_OK;
    }
    const size_t ahead = (size_t)count * ETL_CANONICAL_BYTES;
    etl_conversion made = {.rule = rule, .arena = arena, .ahead = ahead < MOST_AHEAD ? ahead : MOST_AHEAD};
    for (uint32_t i = 0; i < count; i++) {
        etl_value *value = &values[i];
        etl_text text = {NULL, 0};
        const etl_outcome done = rule->asks ? ETL_IS_ASKED : convert(&made, value, &text);
        if (done == ETL_NO_MEMORY)
            return ETL_NOMEM;
        if (done == ETL_IS_ASKED) {
            value->flags |= ETL_VALUE_ASKED;
            ++*asked;
            continue;
        }
        value->at = done == ETL_IS_TEXT ? text.at : NULL;
        value->size = done == ETL_IS_TEXT ? text.size : 0;
        value->flags &= ~(uint32_t)(ETL_VALUE_NIL | ETL_VALUE_LIST);
    }
    return ETL_OK;
}
