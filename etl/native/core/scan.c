/* Goes through the bytes of records: which elements are open, and what the program wants of each. */
#include "scan.h"

#include <string.h>

#include "chars.h"
#include "scanner.h"

static const uint8_t NOTHING[1] = {0};

/* Which of the tag's attributes is asked for; NULL: none. */
static etl_scanned_attribute *attribute_of(etl_scanner *scanner, const etl_attribute_test *test)
{
    for (uint32_t i = 0; i < scanner->found_count; i++) {
        etl_scanned_attribute *attribute = &scanner->found[i];
        if (attribute->uri == test->uri && scanner->names.names[attribute->name].local == test->local)
            return attribute;
    }
    return NULL;
}

static etl_status passes(etl_scanner *scanner, etl_range tests, int *result)
{
    *result = 1;
    for (uint32_t i = 0; i < tests.count && *result; i++) {
        const etl_attribute_test *test = &scanner->program->tests[tests.first + i];
        etl_scanned_attribute *attribute = attribute_of(scanner, test);
        etl_status status = attribute == NULL ? ETL_OK : etl_normalise(scanner, attribute);
        if (status != ETL_OK)
            return status;
        *result = attribute != NULL && etl_same_text(attribute->value, scanner->program->literals[test->literal]);
    }
    return ETL_OK;
}

/* Where an element leads by the predicates that hold for it; `counters` are its parent's. */
static etl_status choose(etl_scanner *scanner, const etl_choice *choice, uint32_t counters, uint32_t *node)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < choice->predicates.count; i++) {
        const etl_predicate *predicate = &scanner->program->predicates[choice->predicates.first + i];
        int holds;
        etl_status status = passes(scanner, predicate->tests, &holds);
        if (status != ETL_OK)
            return status;
        if (holds && predicate->position)
            holds = ++scanner->counters[counters + predicate->counter] == predicate->position;
        held |= (uint32_t)holds << i;
    }
    *node = scanner->program->outcomes[choice->first_outcome + held];
    return ETL_OK;
}

static uint32_t edge_of(const etl_scanner *scanner, uint32_t parent, uint32_t uri, uint32_t local)
{
    uint32_t edge = ETL_NONE;
    int is_known_uri = uri < scanner->program->uri_count;
    if (local != ETL_ANY) {
        if (is_known_uri)
            edge = etl_lookup_find(&scanner->edges, parent, uri, local);
        if (edge == ETL_NONE)
            edge = etl_lookup_find(&scanner->edges, parent, ETL_ANY, local);
    }
    if (edge == ETL_NONE && is_known_uri)
        edge = etl_lookup_find(&scanner->edges, parent, uri, ETL_ANY);
    return edge == ETL_NONE ? etl_lookup_find(&scanner->edges, parent, ETL_ANY, ETL_ANY) : edge;
}

/* The node of an element that stands in an element of node `parent`. */
static etl_status node_of(etl_scanner *scanner, uint32_t parent, uint32_t counters, uint32_t name, uint32_t uri,
                          uint32_t *node)
{
    const etl_program *program = scanner->program;
    *node = ETL_NONE;
    uint32_t place = ETL_NONE;
    if (scanner->leads_on[parent])
        place = edge_of(scanner, parent, uri, scanner->names.names[name].local);
    const etl_edge *edge = place == ETL_NONE ? NULL : &program->edges[place];
    if (edge != NULL && edge->kind == ETL_EDGE_DECLINE)
        return etl_decline(scanner, "a record of a table that is not the scanner's");
    if (edge != NULL && edge->kind == ETL_EDGE_CHOICE)
        return choose(scanner, &program->choices[edge->target], counters, node);
    if (edge != NULL)
        *node = edge->target;
    if (*node == ETL_NONE && program->nodes[parent].open)
        return etl_note_unseen(scanner, parent, name, uri, 0);
    return ETL_OK;
}

/* XML Schema 1, 2.6.2: the element counts as empty. */
static etl_status says_nil(etl_scanner *scanner, int *nil)
{
    *nil = 0;
    for (uint32_t i = 0; i < scanner->found_count && !*nil; i++) {
        etl_scanned_attribute *attribute = &scanner->found[i];
        if (attribute->uri != scanner->nil_uri)
            continue;
        const etl_name *name = &scanner->names.names[attribute->name];
        if (name->size - name->local_at != 3 || memcmp(name->text + name->local_at, "nil", 3) != 0)
            continue;
        etl_status status = etl_normalise(scanner, attribute);
        if (status != ETL_OK)
            return status;
        etl_text value = attribute->value;
        while (value.size && etl_byte_class[*value.at] & ETL_SPACE)
            value.at++, value.size--;
        while (value.size && etl_byte_class[value.at[value.size - 1]] & ETL_SPACE)
            value.size--;
        *nil = (value.size == 1 && *value.at == '1') || (value.size == 4 && memcmp(value.at, "true", 4) == 0);
    }
    return ETL_OK;
}

/* Counters for the predicates of the children of an element of this node. */
static etl_status add_counters(etl_scanner *scanner, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!etl_make_room(&scanner->counters, scanner->counter_count, &scanner->counter_capacity,
                           sizeof *scanner->counters))
            return ETL_NOMEM;
        scanner->counters[scanner->counter_count++] = 0;
    }
    return ETL_OK;
}

/* What the program wants of an element that begins. */
static etl_status enter(etl_scanner *scanner, etl_frame *frame)
{
    const etl_node *node = &scanner->program->nodes[frame->node];
    etl_status status = etl_begin_rows(scanner, node);
    if (status == ETL_OK && node->exists.count)
        status = etl_do_ops(scanner, node->exists, (etl_text){NOTHING, 0}, 0);
    if (status == ETL_OK && scanner->found_count)
        status = etl_take_attributes(scanner, frame->node);
    if (status == ETL_OK && node->counters)
        status = add_counters(scanner, node->counters);
    frame->gathers = node->strings.count != 0;
    frame->keeps_pieces = node->texts.count != 0;
    return status;
}

/* And of one that ends. */
static etl_status leave(etl_scanner *scanner, const etl_frame *frame)
{
    const etl_node *node = &scanner->program->nodes[frame->node];
    etl_status status = ETL_OK;
    etl_text value;
    uint32_t nil = frame->nil ? ETL_VALUE_NIL : 0;
    if (frame->gathers) {
        status = etl_gather_string(scanner, frame, &value);
        if (status == ETL_OK)
            status = etl_do_ops(scanner, node->strings, value, nil | (frame->has_children ? ETL_VALUE_MIXED : 0));
    }
    if (status == ETL_OK && frame->keeps_pieces) {
        status = etl_gather_own(scanner, frame, &value);
        if (status == ETL_OK)
            status = etl_do_ops(scanner, node->texts, value, nil);
    }
    return status;
}

static etl_status end_element(etl_scanner *scanner)
{
    const etl_frame *frame = &scanner->frames[scanner->depth - 1];
    etl_status status = frame->node == ETL_NONE ? ETL_OK : leave(scanner, frame);
    etl_gather_end(scanner, frame);
    if (scanner->replaced_count > frame->first_binding)
        etl_unbind(scanner, frame->first_binding);
    scanner->counter_count = frame->first_counter;
    scanner->depth--;
    return status;
}

static etl_status begin_element(etl_scanner *scanner, int *empty)
{
    if (scanner->depth + scanner->around >= scanner->bounds.depth || scanner->depth + scanner->around >= ETL_MAX_DEPTH)
        return etl_decline(scanner, "elements nested deeper than libxml2 takes without asking");
    etl_frame *parent = scanner->depth ? &scanner->frames[scanner->depth - 1] : NULL;
    etl_frame *frame = &scanner->frames[scanner->depth];
    *frame = (etl_frame){
        .node = ETL_NONE, .first_counter = scanner->counter_count, .first_binding = scanner->replaced_count};
    uint32_t uri;
    etl_status status = etl_read_start_tag(scanner, &frame->name, &uri, empty);
    if (status != ETL_OK)
        return status;
    int nil = parent != NULL && parent->nil;
    if (!nil) {
        uint32_t above = parent == NULL ? scanner->root : parent->node;
        if (parent != NULL)
            parent->has_children = 1;
        if (above != ETL_NONE)
            status = node_of(scanner, above, parent == NULL ? 0 : parent->first_counter, frame->name, uri, &frame->node);
        if (status == ETL_OK && parent == NULL && frame->node == ETL_NONE)
            return etl_decline(scanner, "a record that no table takes");
        if (status == ETL_OK && scanner->found_count)
            status = says_nil(scanner, &nil);
    }
    frame->nil = (uint8_t)nil;
    if (status == ETL_OK && frame->node != ETL_NONE)
        status = enter(scanner, frame);
    if (status == ETL_OK)
        status = etl_gather_begin(scanner, frame);
    scanner->depth++;
    return status;
}

/* A record, from its "<" to behind its end. */
static etl_status scan_record(etl_scanner *scanner)
{
    etl_status status = ETL_OK;
    do {
        int empty = 0;
        if (scanner->at == scanner->end)
            return etl_decline(scanner, "a record without its end");
        if (*scanner->at != '<') {
            status = etl_read_text(scanner);
            continue;
        }
        uint8_t next = scanner->end - scanner->at > 1 ? scanner->at[1] : 0;
        if (next == '/') {
            status = etl_read_end_tag(scanner);
            empty = 1;
        } else if (next == '!' || next == '?') {
            status = etl_read_special(scanner);
        } else {
            status = begin_element(scanner, &empty);
        }
        if (status == ETL_OK && empty)
            status = end_element(scanner);
    } while (status == ETL_OK && scanner->depth);
    return status;
}

/* What stands between records: only white space and what is no element, at the root. */
static etl_status pass_between(etl_scanner *scanner, const uint8_t *until)
{
    while (scanner->at < until) {
        const uint8_t *first = scanner->at;
        etl_status status = *first == '<' ? etl_read_special(scanner) : etl_read_text(scanner);
        if (status != ETL_OK)
            return status;
        for (; scanner->around == 0 && first < scanner->at && *first != '<'; first++)
            if (!(etl_byte_class[*first] & ETL_SPACE))
                return etl_decline(scanner, "text outside of the root element");
    }
    return scanner->at == until ? ETL_OK : etl_decline(scanner, "a record that begins elsewhere");
}

static void start(etl_scanner *scanner, const etl_run *run)
{
    scanner->begin = scanner->at = run->payload;
    scanner->end = run->payload + run->size;
    scanner->depth = 0;
    scanner->counter_count = 0;
    scanner->entity_cost = 0;
    scanner->gathering = 0;
    scanner->pending.size = 0;
    scanner->gathered = NULL;
    scanner->gathered_size = 0;
    scanner->gathered_capacity = 0;
    scanner->piece_count = 0;
}

etl_status etl_scan_run(etl_scanner *scanner, const etl_run *run, uint32_t first)
{
    start(scanner, run);
    if (run->size > INT32_MAX)
        return etl_decline(scanner, "more than 2 GiB in one piece");
    for (uint32_t i = 0; i < run->records; i++) {
        uint32_t begin = run->spans[2 * i], end = run->spans[2 * i + 1];
        if (end > run->size || begin > end || end - begin < 2)
            return etl_decline(scanner, "a record that begins elsewhere");
        etl_status status = pass_between(scanner, run->payload + begin);
        if (status != ETL_OK)
            return status;
        if (scanner->at[0] != '<' || scanner->at[1] == '!' || scanner->at[1] == '?')
            return etl_decline(scanner, "a record that begins elsewhere");
        scanner->record = first + i;
        scanner->entity_cost = 0;
        status = scan_record(scanner);
        if (status != ETL_OK)
            return status;
        if (scanner->at != run->payload + end)
            return etl_decline(scanner, "a record that ends elsewhere");
    }
    return pass_between(scanner, scanner->end);
}
