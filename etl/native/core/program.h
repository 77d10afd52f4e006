/* A mapping, compiled for the scanner: what to do at which element.

   The paths of a mapping have no "any depth" below a record, so what is wanted is a tree of nodes, one level for each
   level of elements: a root stands for what is around records, its children are record elements. There is a root for
   each set of record paths that fit somewhere; where two lead to the same, so do their edges. A node says which rows
   begin at its elements, which of their values go where, and what is wanted of their children. Rows that are open while
   an element is read are known by a register for each (table, node at which its rows begin): as each node has one
   level, an element of a node cannot stand inside another of the same node, so a register holds one row at a time.

   `etl/native/program.py` makes these arrays and is the only one that knows the mapping; everything here is plain
   numbers that refer to each other. It is trusted: the scanner checks documents, not programs. */
#ifndef ETL_PROGRAM_H
#define ETL_PROGRAM_H

#include <stdint.h>
#include <string.h>

enum { ETL_NONE = UINT32_MAX };

/* Names in `etl_edge`: one that no path speaks of here. */
enum { ETL_ANY = UINT32_MAX };

/* A part of an array. */
typedef struct {
    uint32_t first;
    uint32_t count;
} etl_range;

typedef struct {
    const uint8_t *at;
    uint32_t size;
} etl_text;

static inline int etl_same_text(etl_text one, etl_text other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.at, other.at, one.size) == 0);
}

typedef enum {
    ETL_KEEP_FIRST = 0,
    ETL_KEEP_LAST = 1,
    ETL_KEEP_ALL = 2,
    /* Of a column that wants entries of keys and values, all in one list: that one begins (of an element that is
       there), and what is found for its key and as its values until the next one begins. */
    ETL_KEEP_ENTRY = 3,
    ETL_KEEP_KEY = 4,
    ETL_KEEP_VALUE = 5
} etl_keep;

typedef enum {
    /* Put the value into the row's slot. */
    ETL_OP_STORE = 0,
    /* Set the row's condition bit. */
    ETL_OP_EXISTS = 1,
    /* Set the row's condition bit where the value is `literal`. */
    ETL_OP_EQUAL = 2,
    /* Set the row's condition bit where the value is not `literal`. */
    ETL_OP_UNEQUAL = 3
} etl_op_kind;

/* What becomes of a value that was found. */
typedef struct {
    uint8_t kind; /* etl_op_kind */
    uint8_t keep; /* etl_keep */
    /* STORE of an element's string value: a second value is noted as such, not also as one with child elements. */
    uint8_t simple;
    uint8_t bit;      /* of conditions: 0 to 63 */
    uint32_t reg;     /* the row */
    uint32_t slot;    /* of STORE */
    uint32_t literal; /* of EQUAL, UNEQUAL: place in `literals` */
} etl_op;

/* A row begins at an element. */
typedef struct {
    uint32_t table;
    uint32_t reg;
    uint32_t parent; /* register of its parent's row; ETL_NONE: it is a record's, its parent is the record */
    uint32_t list;   /* which of the table's paths leads here, in the mapping's order: rows of one parent go by it */
    etl_range links; /* in `links`: registers of rows that stand for ancestors, read by this row's `..` columns */
} etl_begin;

typedef enum {
    ETL_EDGE_NODE = 0,
    ETL_EDGE_CHOICE = 1,
    /* A record of a table that is not the scanner's: the split is declined. */
    ETL_EDGE_DECLINE = 2
} etl_edge_kind;

/* From a node, by a child element's name. `uri` and `local` are places in `uris` and `locals`, or ETL_ANY. For the
   names a node's paths speak of, all combinations with each other and with ETL_ANY are there, but for those that say
   the same as what is found after them: the first that is found of (uri, local), (ANY, local), (uri, ANY), (ANY, ANY)
   is right. None: nothing wants the element. No edge leads to ETL_NONE, only outcomes do. */
typedef struct {
    uint32_t node;
    uint32_t uri;
    uint32_t local;
    uint32_t kind;   /* etl_edge_kind */
    uint32_t target; /* a node, or a place in `choices` */
} etl_edge;

/* From a node, by the exact name of an attribute of its elements: `uri` 0 is no namespace. `ops` may be empty: the
   attribute is looked at by a predicate, so it is not unseen. */
typedef struct {
    uint32_t node;
    uint32_t uri;
    uint32_t local;
    etl_range ops;
} etl_attribute;

/* [@name='literal'] */
typedef struct {
    uint32_t uri;
    uint32_t local;
    uint32_t literal;
} etl_attribute_test;

/* A step with predicates: it holds for an element that passes `tests`, and where `position` is not 0 is the
   `position`-th of its siblings that do, counted in the parent's counter number `counter`. */
typedef struct {
    etl_range tests;
    uint32_t position;
    uint32_t counter;
} etl_predicate;

/* Which steps with predicates hold decides where an element leads: predicate i sets bit i (at most ETL_MAX_PREDICATES
   of them), and `outcomes[first_outcome + bits]` is a node or ETL_NONE. */
enum { ETL_MAX_PREDICATES = 8 };
typedef struct {
    etl_range predicates;
    uint32_t first_outcome;
} etl_choice;

typedef struct {
    etl_range begins;  /* rows */
    etl_range exists;  /* ops to be done because the element is there */
    etl_range strings; /* ops for its string value: all text below it */
    etl_range texts;   /* ops for its own text nodes, joined */
    uint32_t counters; /* how many its children's predicates need */
    uint8_t open;      /* child elements that no edge speaks of are to be reported as unseen */
    uint8_t reports_attributes; /* attributes not among its own in `attributes` are to be reported as unseen */
} etl_node;

typedef struct {
    uint32_t slots;
    uint32_t links;
    uint32_t lists;  /* paths that lead to its rows, 1 or more */
    uint32_t parent; /* table; ETL_NONE for records */
    etl_range where; /* in `where`; empty: no condition */
    uint8_t conditions; /* rows have condition bits */
} etl_table;

/* A condition in postfix order. */
typedef enum {
    ETL_WHERE_BIT = 0,      /* push bit `operand` of the row */
    ETL_WHERE_LINK_BIT = 1, /* push bit `operand` of the row that link `link` refers to (table `table`) */
    ETL_WHERE_AROUND = 2,   /* push bit `operand` of what stands around the record (etl_place.around_bits) */
    ETL_WHERE_NOT = 3,
    ETL_WHERE_AND = 4,
    ETL_WHERE_OR = 5
} etl_where_kind;
enum { ETL_MAX_WHERE = 64 }; /* what a condition pushes at most */
typedef struct {
    uint32_t kind;
    uint32_t operand;
    uint32_t link;
    uint32_t table;
} etl_where;

typedef struct {
    const etl_text *uris; /* [0] is "", no namespace */
    uint32_t uri_count;
    const etl_text *locals;
    uint32_t local_count;
    const etl_text *literals;
    const etl_node *nodes;
    uint32_t node_count;
    const etl_edge *edges;
    uint32_t edge_count;
    const etl_attribute *attributes;
    uint32_t attribute_count;
    const etl_op *ops;
    const etl_begin *begins;
    const uint32_t *links;
    const etl_choice *choices;
    const etl_predicate *predicates;
    const etl_attribute_test *tests;
    const uint32_t *outcomes;
    const etl_where *where;
    /* The mapping's tables in its order, a parent before its children; then those that stand for ancestors, whose
       parent is ETL_NONE: their rows are the record's. */
    const etl_table *tables;
    uint32_t table_count;
    uint32_t register_count;
} etl_program;

#endif
