/* What the scanner's parts share: where it is in the bytes, which elements are open, which texts are being gathered. */
#ifndef ETL_SCANNER_H
#define ETL_SCANNER_H

#include "lookup.h"
#include "names.h"
#include "scan.h"

/* Elements nested in each other that libxml2 takes without asking. */
enum { ETL_MAX_DEPTH = 256 };

/* An open element. */
typedef struct {
    uint32_t node; /* ETL_NONE: nothing in the mapping wants it */
    uint32_t name;
    uint32_t first_counter; /* of its children's positions */
    uint32_t first_piece;   /* of its own text */
    uint32_t first_binding; /* of those it replaced */
    size_t gathered_from;   /* where its text begins in what is gathered */
    uint8_t has_children; /* that count, so none inside an element that says xsi:nil */
    uint8_t gathers;      /* its string value is wanted */
    uint8_t keeps_pieces; /* its own text is wanted */
    uint8_t nil;          /* it says xsi:nil, or stands inside one that does */
} etl_frame;

typedef struct {
    uint32_t name;
    uint32_t uri;
    etl_text value;
    uint32_t longer;    /* bytes by which what references stand for is longer than they are */
    uint8_t has_breaks; /* it is as it stands there, with references, or with white space that is to become blanks */
} etl_scanned_attribute;

/* A prefix that an element declares anew, and what it meant before. */
typedef struct {
    uint32_t prefix;
    uint32_t uri;
} etl_binding;

struct etl_scanner {
    const etl_program *program;
    etl_bounds bounds;
    etl_names names;
    etl_lookup edges;
    etl_lookup attributes;
    uint8_t *leads_on; /* by node: it has edges */
    uint32_t *register_tables;
    uint32_t *registers; /* the row each one holds */
    etl_raw_rows *rows;
    etl_arena arena;
    uint32_t xml_uri; /* numbers of the namespaces of xml:lang */
    uint32_t nil_uri; /* and of xsi:nil */

    /* Where it is. */
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    uint32_t record; /* place in the split of the record it is in */
    uint32_t around; /* elements open around records */
    uint32_t root;   /* the node that stands for them */
    const etl_entity *entities;
    uint32_t entity_count;
    uint32_t entity_cost; /* of the references of this record so far */
    const char *reason;
    uint8_t is_fresh; /* nothing of this split was scanned yet */

    etl_frame frames[ETL_MAX_DEPTH];
    uint32_t depth;
    uint32_t last_name; /* for etl_name.follower */
    uint64_t element;   /* counts start tags */

    etl_scanned_attribute *found;
    uint32_t found_count;
    uint32_t found_capacity;

    /* By prefix what it stands for; ETL_NONE: nothing. */
    uint32_t *bound;
    uint32_t bound_count;
    uint32_t bound_capacity;
    etl_binding *replaced;
    uint32_t replaced_count;
    uint32_t replaced_capacity;

    uint32_t *counters;
    uint32_t counter_count;
    uint32_t counter_capacity;

    /* Text of elements whose string value is wanted (element_text.c). */
    uint32_t gathering; /* how many of them are open */
    etl_text pending;
    uint8_t *gathered;
    size_t gathered_size;
    size_t gathered_capacity;
    etl_text *pieces;
    uint32_t piece_count;
    uint32_t piece_capacity;
    uint8_t *characters; /* memory for what references to characters stand for */
    size_t characters_left;

    etl_lookup seen; /* (node, name number, is attribute) that were told as unseen */
    uint32_t seen_count;
    etl_unseen *unseen; /* of this split */
    size_t unseen_count;
};

/* Decline, and say why. */
static inline etl_status etl_decline(etl_scanner *scanner, const char *reason)
{
    scanner->reason = reason;
    return ETL_DECLINED;
}

/* `*array` of `width` bytes each with room for one more than `count`; 0 where there is no memory. */
int etl_make_room(void *array_address, uint32_t count, uint32_t *capacity, size_t width);

/* Have `bound` reach as far as there are prefixes. */
etl_status etl_room_for_prefixes(etl_scanner *scanner);

/* element_text.c: text goes in, the values of elements come out. `text` must stay where it is as long as the rows do. */
etl_status etl_gather_text(etl_scanner *scanner, const uint8_t *text, size_t size);
etl_status etl_gather_begin(etl_scanner *scanner, etl_frame *frame);
/* The string value of the element that ends. */
etl_status etl_gather_string(etl_scanner *scanner, const etl_frame *frame, etl_text *value);
/* Its own text nodes, joined. */
etl_status etl_gather_own(etl_scanner *scanner, const etl_frame *frame, etl_text *value);
void etl_gather_end(etl_scanner *scanner, const etl_frame *frame);

/* markup.c: what is neither a tag nor an attribute. Each begins at `at` and leaves it behind what it has read. */
etl_status etl_read_text(etl_scanner *scanner);
/* A comment, a CDATA section or a processing instruction, at its "<!" or "<?". */
etl_status etl_read_special(etl_scanner *scanner);
/* A reference at its "&": the text it stands for, in `room` (4 bytes) where it is a character, else where it stays. */
etl_status etl_read_reference(etl_scanner *scanner, uint8_t *room, etl_text *text);
/* Make an attribute's value what XML 1.0, 3.3.3 makes of it (all are CDATA here), once. */
etl_status etl_normalise(etl_scanner *scanner, etl_scanned_attribute *attribute);

/* tags.c: a start tag up to behind its ">", its attributes in `found`, its namespaces bound; or an end tag. */
etl_status etl_read_start_tag(etl_scanner *scanner, uint32_t *name, uint32_t *uri, int *empty);
etl_status etl_read_end_tag(etl_scanner *scanner);
/* Take back what the element's start tag bound from `first` on. */
void etl_unbind(etl_scanner *scanner, uint32_t first);

/* found_rows.c: what a node wants of an element. */
etl_status etl_begin_rows(etl_scanner *scanner, const etl_node *node);
etl_status etl_take_attributes(etl_scanner *scanner, uint32_t node);
etl_status etl_do_ops(etl_scanner *scanner, etl_range ops, etl_text value, uint32_t flags);

/* unseen.c: note what nothing takes, once. */
etl_status etl_unseen_init(etl_scanner *scanner);
/* All of it is to be told again. */
void etl_unseen_forget(etl_scanner *scanner);
etl_status etl_note_unseen(etl_scanner *scanner, uint32_t node, uint32_t name, uint32_t uri, int is_attribute);

#endif
