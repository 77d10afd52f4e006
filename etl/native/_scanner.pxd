"""What the binding sees of the core; the headers say what it means."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

cdef extern from "status.h" nogil:
    ctypedef enum etl_status:
        ETL_OK
        ETL_DECLINED
        ETL_NOMEM

cdef extern from "arena.h" nogil:
    ctypedef struct etl_arena:
        pass

    void *etl_arena_take(etl_arena *arena, size_t size)
    void etl_arena_free(etl_arena *arena)

cdef extern from "program.h" nogil:
    ctypedef struct etl_range:
        uint32_t first
        uint32_t count

    ctypedef struct etl_text:
        const uint8_t *at
        uint32_t size

    ctypedef struct etl_op:
        uint8_t kind
        uint8_t keep
        uint8_t simple
        uint8_t bit
        uint32_t reg
        uint32_t slot
        uint32_t literal

    ctypedef struct etl_begin:
        uint32_t table
        uint32_t reg
        uint32_t parent
        uint32_t list
        etl_range links

    ctypedef struct etl_edge:
        uint32_t node
        uint32_t uri
        uint32_t local
        uint32_t kind
        uint32_t target

    ctypedef struct etl_attribute:
        uint32_t node
        uint32_t uri
        uint32_t local
        etl_range ops

    ctypedef struct etl_attribute_test:
        uint32_t uri
        uint32_t local
        uint32_t literal

    ctypedef struct etl_predicate:
        etl_range tests
        uint32_t position
        uint32_t counter

    ctypedef struct etl_choice:
        etl_range predicates
        uint32_t first_outcome

    ctypedef struct etl_node:
        etl_range begins
        etl_range exists
        etl_range strings
        etl_range texts
        uint32_t counters
        uint8_t open
        uint8_t reports_attributes

    ctypedef struct etl_table:
        uint32_t slots
        uint32_t links
        uint32_t lists
        uint32_t parent
        etl_range where
        uint8_t conditions

    ctypedef struct etl_where:
        uint32_t kind
        uint32_t operand
        uint32_t link
        uint32_t table

    ctypedef struct etl_program:
        const etl_text *uris
        uint32_t uri_count
        const etl_text *locals
        uint32_t local_count
        const etl_text *literals
        const etl_node *nodes
        uint32_t node_count
        const etl_edge *edges
        uint32_t edge_count
        const etl_attribute *attributes
        uint32_t attribute_count
        const etl_op *ops
        const etl_begin *begins
        const uint32_t *links
        const etl_choice *choices
        const etl_predicate *predicates
        const etl_attribute_test *tests
        const uint32_t *outcomes
        const etl_where *where
        const etl_table *tables
        uint32_t table_count
        uint32_t register_count

cdef extern from "value.h" nogil:
    enum:
        ETL_VALUE_NIL
        ETL_VALUE_LIST
        ETL_VALUE_ASKED
        ETL_VALUE_ENTRY
        ETL_VALUE_KEY

    ctypedef struct etl_value:
        const uint8_t *at
        uint32_t size
        uint32_t flags

    ctypedef struct etl_item:
        etl_value value
        etl_item *next

    ctypedef struct etl_list:
        etl_item *first

cdef extern from "raw_rows.h" nogil:
    ctypedef struct etl_raw_rows:
        uint32_t count
        uint32_t *parents

cdef extern from "entities.h" nogil:
    ctypedef struct etl_entity:
        etl_text name
        etl_text text
        uint32_t cost

cdef extern from "scan.h" nogil:
    ctypedef struct etl_scanner:
        pass

    ctypedef struct etl_surroundings:
        const etl_text *prefixes
        const etl_text *uris
        uint32_t bindings
        uint32_t depth
        uint32_t root
        const etl_entity *entities
        uint32_t entity_count

    ctypedef struct etl_bounds:
        uint32_t depth
        uint32_t attributes

    ctypedef struct etl_run:
        const uint8_t *payload
        size_t size
        const uint32_t *spans
        uint32_t records

    ctypedef struct etl_unseen:
        uint32_t node
        uint8_t is_attribute
        etl_text uri
        etl_text local
        uint32_t record

    etl_scanner *etl_scanner_new(const etl_program *program, etl_bounds bounds)
    void etl_scanner_free(etl_scanner *scanner)
    void etl_scan_begin(etl_scanner *scanner)
    etl_status etl_scan_enter(etl_scanner *scanner, const etl_surroundings *surroundings)
    etl_status etl_scan_run(etl_scanner *scanner, const etl_run *run, uint32_t first)
    const etl_raw_rows *etl_scan_rows(const etl_scanner *scanner)
    const etl_unseen *etl_scan_unseen(const etl_scanner *scanner, size_t *count)
    etl_arena *etl_scan_arena(etl_scanner *scanner)
    const char *etl_scan_reason(const etl_scanner *scanner)

cdef extern from "lexical.h" nogil:
    ctypedef struct etl_type:
        uint32_t name
        uint32_t length
        int32_t precision
        int32_t scale
        uint8_t utc

cdef extern from "convert.h" nogil:
    enum:
        ETL_MANY_ONE
        ETL_MANY_PAIRS

    ctypedef struct etl_step:
        uint32_t kind
        etl_range values

    ctypedef struct etl_column_rule:
        etl_type type
        uint32_t many
        uint8_t strip
        uint8_t asks
        uint8_t required
        uint8_t has_fallback
        etl_text fallback
        etl_text separator
        const etl_step *steps
        uint32_t step_count
        const etl_text *nulls
        uint32_t null_count
        const etl_text *texts

cdef extern from "assemble.h" nogil:
    ctypedef struct etl_column:
        # Named `from` in C, which is a keyword here.
        uint32_t source "from"
        uint32_t index
        uint32_t link
        uint32_t table
        uint32_t python
        etl_text constant
        etl_column_rule rule

    ctypedef struct etl_layout:
        const etl_column *columns
        uint32_t count

    ctypedef struct etl_place:
        const uint8_t *payload
        const uint32_t *spans
        uint32_t records
        uint32_t first
        uint64_t offset
        uint64_t line
        uint64_t first_record
        uint64_t keys_from
        const etl_text *source_texts
        const etl_value *around
        uint64_t around_bits

    ctypedef struct etl_rows:
        uint32_t count
        uint32_t *records
        etl_value **values
        uint32_t *asked
        uint8_t *matched
        uint8_t *mixed
        uint32_t *several_count
        uint32_t **several

    ctypedef struct etl_plan:
        const etl_program *program
        const etl_layout *layouts
        uint32_t table_count

    etl_status etl_assemble(
        const etl_plan *plan,
        const etl_raw_rows *raw,
        const etl_place *places,
        uint32_t place_count,
        etl_arena *arena,
        etl_rows *rows,
    )

cdef extern from "buffer.h" nogil:
    ctypedef struct etl_buffer:
        uint8_t *bytes
        size_t size
        size_t capacity

    void etl_buffer_free(etl_buffer *buffer)

cdef extern from "encode.h" nogil:
    etl_status etl_encode_copy(
        const etl_plan *plan,
        uint32_t table,
        const etl_rows *rows,
        const etl_place *places,
        uint32_t place_count,
        const uint8_t *bad,
        etl_arena *arena,
        etl_buffer *data,
        uint32_t *kept,
        uint32_t *kept_count,
    )
    etl_status etl_encode_marshal(
        const etl_plan *plan,
        uint32_t table,
        const etl_rows *rows,
        const etl_place *places,
        uint32_t place_count,
        const uint8_t *bad,
        etl_arena *arena,
        etl_buffer *data,
        uint32_t *kept,
        uint32_t *kept_count,
    )
