"""Binding of the record scanner, `core/scan.h` to `core/encode.h`: runs go in, encoded rows come out.

Numbers and texts of a `Program` (`etl/native/program.py`) become the arrays of `core/program.h`; texts are not copied:
the bytes objects stay alive beside the arrays, and those of the documents beside the rows. The GIL is released for all
that looks at documents or rows. A scanner belongs to one thread at a time.

One file, though long: a `Plan` and the `Scanner` that runs it share the arrays, and everything here only translates.
"""

cimport cython
from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport SIZE_MAX, UINT32_MAX, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import array

from etl.messages import SHORTEST_RECORD, Pack
from etl.transform.elements import NIL as NIL_TEXT
from etl.transform.elements import NULL as NULL_TEXT

INTERFACE = 7

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef array.array PLACES = array.array("I")
cdef str NULL_ = NULL_TEXT
cdef str NIL_ = NIL_TEXT

cdef enum:
    # A buffer beyond this is given back after the split.
    KEPT_BYTES = 1 << 24


cdef void *room(etl_arena *memory, size_t count, size_t width) except NULL:
    """Memory for an array, all its bytes 0."""
    cdef void *taken = NULL
    if count <= SIZE_MAX // width:
        taken = etl_arena_take(memory, count * width)
    if taken is NULL:
        raise MemoryError
    memset(taken, 0, count * width)
    return taken


cdef int point_to(etl_text *text, bytes value) except -1:
    """`value` must stay alive as long as `text`."""
    if <size_t>PyBytes_GET_SIZE(value) > UINT32_MAX:
        raise MemoryError
    text.at = <const uint8_t *>PyBytes_AS_STRING(value)
    text.size = <uint32_t>PyBytes_GET_SIZE(value)
    return 0


cdef int put_value(etl_value *value, uint32_t flags, bytes text) except -1:
    """`text` must stay alive as long as `value`."""
    cdef etl_text pointed
    point_to(&pointed, text)
    value.at, value.size, value.flags = pointed.at, pointed.size, flags
    return 0


cdef etl_list *list_of(etl_arena *memory, tuple flagged) except NULL:
    """A list of texts with their flags, which must stay alive as long as the list."""
    cdef etl_list *made = <etl_list *>room(memory, 1, sizeof(etl_list))
    cdef etl_item *items = <etl_item *>room(memory, len(flagged), sizeof(etl_item))
    cdef size_t at
    for at, (flags, text) in enumerate(flagged):
        put_value(&items[at].value, flags, text)
        if at:
            items[at - 1].next = &items[at]
    if flagged:
        made.first = items
    return made


cdef const etl_text *texts_of(etl_arena *memory, values) except NULL:
    """`values` are bytes, which must stay alive as long as the texts."""
    cdef etl_text *made = <etl_text *>room(memory, len(values), sizeof(etl_text))
    cdef size_t at
    for at, value in enumerate(values):
        point_to(&made[at], value)
    return made


@cython.final
cdef class Plan:
    """A program in the core's terms, with all it refers to; never changes, so that scanners may share it."""

    cdef etl_arena memory
    cdef etl_program program
    cdef etl_plan plan
    cdef list held

    def __cinit__(self, program not None):
        self.held = []
        self._take_names(program)
        self._take_nodes(program)
        self._take_choices(program)
        self._take_tables(program)
        self._take_layouts(program.layouts)

    def __dealloc__(self):
        etl_arena_free(&self.memory)

    cdef void *room(self, rows, size_t width) except NULL:
        if len(rows) > UINT32_MAX:
            raise MemoryError
        return room(&self.memory, len(rows), width)

    cdef const etl_text *texts(self, values) except NULL:
        encoded = [value.encode() for value in values]
        self.held.append(encoded)
        return texts_of(&self.memory, encoded)

    cdef const uint32_t *numbers(self, values) except NULL:
        cdef uint32_t *made = <uint32_t *>self.room(values, sizeof(uint32_t))
        cdef size_t at
        for at, value in enumerate(values):
            made[at] = value
        return made

    cdef int _take_names(self, program) except -1:
        self.program.uris = self.texts(program.uris)
        self.program.uri_count = len(program.uris)
        self.program.locals = self.texts(program.locals)
        self.program.local_count = len(program.locals)
        self.program.literals = self.texts(program.literals)
        return 0

    cdef int _take_nodes(self, program) except -1:
        cdef etl_node *nodes = <etl_node *>self.room(program.nodes, sizeof(etl_node))
        cdef etl_edge *edges = <etl_edge *>self.room(program.edges, sizeof(etl_edge))
        cdef etl_attribute *attributes = <etl_attribute *>self.room(program.attributes, sizeof(etl_attribute))
        cdef etl_op *ops = <etl_op *>self.room(program.ops, sizeof(etl_op))
        cdef etl_begin *begins = <etl_begin *>self.room(program.begins, sizeof(etl_begin))
        cdef size_t at
        for at, row in enumerate(program.nodes):
            (
                nodes[at].begins.first, nodes[at].begins.count, nodes[at].exists.first, nodes[at].exists.count,
                nodes[at].strings.first, nodes[at].strings.count, nodes[at].texts.first, nodes[at].texts.count,
                nodes[at].counters, nodes[at].open, nodes[at].reports_attributes,
            ) = row
        for at, row in enumerate(program.edges):
            edges[at].node, edges[at].uri, edges[at].local, edges[at].kind, edges[at].target = row
        for at, row in enumerate(program.attributes):
            (
                attributes[at].node, attributes[at].uri, attributes[at].local,
                attributes[at].ops.first, attributes[at].ops.count,
            ) = row
        for at, row in enumerate(program.ops):
            (
                ops[at].kind, ops[at].keep, ops[at].simple, ops[at].bit,
                ops[at].reg, ops[at].slot, ops[at].literal,
            ) = row
        for at, row in enumerate(program.begins):
            (
                begins[at].table, begins[at].reg, begins[at].parent, begins[at].list,
                begins[at].links.first, begins[at].links.count,
            ) = row
        self.program.nodes, self.program.node_count = nodes, len(program.nodes)
        self.program.edges, self.program.edge_count = edges, len(program.edges)
        self.program.attributes, self.program.attribute_count = attributes, len(program.attributes)
        self.program.ops, self.program.begins = ops, begins
        self.program.links = self.numbers(program.links)
        return 0

    cdef int _take_choices(self, program) except -1:
        cdef etl_choice *choices = <etl_choice *>self.room(program.choices, sizeof(etl_choice))
        cdef etl_predicate *predicates = <etl_predicate *>self.room(program.predicates, sizeof(etl_predicate))
        cdef etl_attribute_test *tests = <etl_attribute_test *>self.room(program.tests, sizeof(etl_attribute_test))
        cdef size_t at
        for at, row in enumerate(program.choices):
            choices[at].predicates.first, choices[at].predicates.count, choices[at].first_outcome = row
        for at, row in enumerate(program.predicates):
            (
                predicates[at].tests.first, predicates[at].tests.count,
                predicates[at].position, predicates[at].counter,
            ) = row
        for at, row in enumerate(program.tests):
            tests[at].uri, tests[at].local, tests[at].literal = row
        self.program.choices, self.program.predicates, self.program.tests = choices, predicates, tests
        self.program.outcomes = self.numbers(program.outcomes)
        return 0

    cdef int _take_tables(self, program) except -1:
        cdef etl_table *tables = <etl_table *>self.room(program.tables, sizeof(etl_table))
        cdef etl_where *where = <etl_where *>self.room(program.where, sizeof(etl_where))
        cdef size_t at
        for at, row in enumerate(program.tables):
            (
                tables[at].slots, tables[at].links, tables[at].lists, tables[at].parent,
                tables[at].where.first, tables[at].where.count, tables[at].conditions,
            ) = row
        for at, row in enumerate(program.where):
            where[at].kind, where[at].operand, where[at].link, where[at].table = row
        self.program.where = where
        self.program.tables, self.program.table_count = tables, len(program.tables)
        self.program.register_count = program.registers
        return 0

    cdef int _take_layouts(self, layouts) except -1:
        cdef etl_layout *made = <etl_layout *>self.room(layouts, sizeof(etl_layout))
        cdef etl_column *columns
        cdef size_t table, at
        for table, layout in enumerate(layouts):
            columns = <etl_column *>self.room(layout, sizeof(etl_column))
            for at, column in enumerate(layout):
                columns[at].source, columns[at].index = column.source, column.index
                columns[at].link, columns[at].table = column.link, column.table
                columns[at].python = column.python
                if column.constant is not None:
                    columns[at].constant = self.texts([column.constant])[0]
                if column.rule is not None:
                    self._take_rule(&columns[at].rule, column.rule)
            made[table].columns, made[table].count = columns, len(layout)
        self.plan.program, self.plan.layouts, self.plan.table_count = &self.program, made, len(layouts)
        return 0

    cdef int _take_rule(self, etl_column_rule *to, rule) except -1:
        cdef etl_step *steps = <etl_step *>self.room(rule.steps, sizeof(etl_step))
        cdef size_t at
        to.type.name, to.type.length, to.type.utc = rule.type.name, rule.type.length, rule.type.utc
        to.type.precision, to.type.scale = rule.type.precision, rule.type.scale
        to.many, to.strip, to.asks, to.required = rule.many, rule.strip, rule.asks, rule.required
        to.has_fallback = rule.fallback is not None
        to.fallback = self.texts([rule.fallback or ""])[0]
        to.separator = self.texts([rule.separator])[0]
        texts = []
        for at, (kind, values) in enumerate(rule.steps):
            steps[at].kind = kind
            steps[at].values.first, steps[at].values.count = len(texts), 2 * len(values)
            texts += [text for pair in values for text in pair]
        to.steps, to.step_count = steps, len(rule.steps)
        to.texts = self.texts(texts)
        to.nulls, to.null_count = self.texts(rule.nulls), len(rule.nulls)
        return 0


@cython.final
cdef class EntityTable:
    """Entities in the core's terms; never changes, so that scanners may share it."""

    cdef etl_arena memory
    cdef etl_entity *entities
    cdef uint32_t count
    cdef list held

    def __cinit__(self, list entities not None):
        cdef size_t at
        self.held = sorted(entities)
        self.entities = <etl_entity *>room(&self.memory, len(self.held), sizeof(etl_entity))
        self.count = <uint32_t>len(self.held)
        for at, (name, text, cost) in enumerate(self.held):
            point_to(&self.entities[at].name, name)
            point_to(&self.entities[at].text, text)
            self.entities[at].cost = cost

    def __dealloc__(self):
        etl_arena_free(&self.memory)


@cython.final
cdef class Scanner:
    """Maps splits by a plan, one at a time: `scan`, `asked` and `answer`, `encode`, `release`."""

    cdef Plan plan
    cdef const etl_plan *tables
    cdef uint32_t table_count
    cdef etl_scanner *scanner
    cdef bint marshals
    cdef etl_rows *rows
    cdef etl_buffer *buffers
    cdef uint32_t **kept
    cdef uint32_t *kept_counts
    cdef list held
    """What rows point into: documents, and answers."""
    cdef etl_run *runs
    cdef etl_place *places
    cdef etl_surroundings **around
    """For each run where it stands, if another place than the run before it."""
    cdef uint32_t run_count
    cdef bint is_scanned
    """Rows are there to be asked for."""

    def __cinit__(self, Plan plan not None, uint32_t depth, uint32_t attributes, *, bint marshals):
        cdef etl_bounds bounds
        bounds.depth, bounds.attributes = depth, attributes
        self.plan, self.tables, self.marshals, self.held = plan, &plan.plan, marshals, []
        self.table_count = plan.plan.table_count
        self.rows = <etl_rows *>calloc(self.table_count, sizeof(etl_rows))
        self.buffers = <etl_buffer *>calloc(self.table_count, sizeof(etl_buffer))
        self.kept = <uint32_t **>calloc(self.table_count, sizeof(uint32_t *))
        self.kept_counts = <uint32_t *>calloc(self.table_count, sizeof(uint32_t))
        self.scanner = etl_scanner_new(&plan.program, bounds)
        if (
            self.rows is NULL or self.buffers is NULL or self.kept is NULL or self.kept_counts is NULL
            or self.scanner is NULL
        ):
            raise MemoryError

    def __dealloc__(self):
        cdef uint32_t table
        if self.buffers is not NULL:
            for table in range(self.table_count):
                etl_buffer_free(&self.buffers[table])
        if self.scanner is not NULL:
            etl_scanner_free(self.scanner)
        free(self.rows)
        free(self.buffers)
        free(self.kept)
        free(self.kept_counts)

    def scan(self, list runs not None):
        cdef etl_status status
        self.release()
        self._take_runs(runs)
        with nogil:
            status = self._map()
        self.is_scanned = status == ETL_OK
        return self._said(status)

    def release(self):
        cdef uint32_t table
        etl_scan_begin(self.scanner)
        memset(self.rows, 0, self.table_count * sizeof(etl_rows))
        self.run_count = 0
        self.is_scanned = False
        self.held = []
        for table in range(self.table_count):
            if self.buffers[table].capacity > KEPT_BYTES:
                etl_buffer_free(&self.buffers[table])
                memset(&self.buffers[table], 0, sizeof(etl_buffer))

    cdef object _said(self, etl_status status):
        """None, or why the split was declined."""
        cdef const char *reason
        if status == ETL_OK:
            return None
        if status == ETL_NOMEM:
            raise MemoryError
        reason = etl_scan_reason(self.scanner)
        return "a value that only Python converts" if reason is NULL else reason.decode("ascii")

    cdef int _take_runs(self, list runs) except -1:
        cdef etl_arena *memory = etl_scan_arena(self.scanner)
        cdef uint32_t count = 0
        for one, _, _, _, _, _ in runs:
            count += <uint32_t>len(one.sizes) if type(one) is Pack else 1
        self.held.append(runs)
        self.runs = <etl_run *>room(memory, count, sizeof(etl_run))
        self.places = <etl_place *>room(memory, count, sizeof(etl_place))
        self.around = <etl_surroundings **>room(memory, count, sizeof(etl_surroundings *))
        last = texts = None
        for one, first, keys_from, source_texts, surroundings, root in runs:
            self.places[self.run_count].first = first
            self.places[self.run_count].keys_from = keys_from
            self.places[self.run_count].around_bits = surroundings.around_bits
            if surroundings is last:
                self.places[self.run_count].around = self.places[self.run_count - 1].around
            else:
                self.places[self.run_count].around, last = self._values_around(surroundings.around), surroundings
                self.around[self.run_count] = self._surroundings(surroundings, root)
            if type(one) is Pack:
                self._take_pack(one, source_texts or None)
                texts = None
                continue
            if source_texts is texts:
                self.places[self.run_count].source_texts = self.places[self.run_count - 1].source_texts
            else:
                self.places[self.run_count].source_texts, texts = texts_of(memory, source_texts), source_texts
            self._take_run(one)
        return 0

    cdef int _take_run(self, run) except -1:
        cdef etl_run *one = &self.runs[self.run_count]
        cdef etl_place *place = &self.places[self.run_count]
        cdef bytes payload = run.payload
        cdef array.array spans = run.spans
        if spans.ob_descr.typecode != c"I" or len(payload) > UINT32_MAX:
            raise ValueError("a run has an array of 'I', and its places fit in")
        one.payload, one.size = <const uint8_t *>PyBytes_AS_STRING(payload), len(payload)
        one.spans, one.records = spans.data.as_uints, <uint32_t>(len(spans) // 2)
        place.payload, place.spans, place.records = one.payload, one.spans, one.records
        place.offset, place.line, place.first_record = run.offset, run.line, run.first_record
        self.run_count += 1
        return 0

    cdef int _take_pack(self, pack, list source_texts) except -1:
        """A run for each of its documents, with the texts of each; where it is mapped is told already of the first."""
        cdef etl_arena *memory = etl_scan_arena(self.scanner)
        cdef bytes payload = pack.payload
        cdef array.array begins = pack.begins, sizes = pack.sizes, starts = pack.starts, ends = pack.ends
        cdef array.array lines = pack.lines
        cdef size_t at, count = len(sizes)
        cdef uint32_t *spans = <uint32_t *>room(memory, 2 * count, sizeof(uint32_t))
        cdef const uint8_t *text = <const uint8_t *>PyBytes_AS_STRING(payload)
        cdef etl_place first = self.places[self.run_count]
        cdef uint64_t keys_from = first.keys_from + <uint64_t>pack.records_before
        cdef uint32_t shortest = SHORTEST_RECORD
        cdef etl_run *one
        cdef etl_place *place
        for column in (begins, sizes, starts, ends, lines):
            if (<array.array>column).ob_descr.typecode != c"I" or <size_t>len(column) != count:
                raise ValueError("a pack has a number of 'I' for each of its documents")
        for at in range(count):
            one, place = &self.runs[self.run_count], &self.places[self.run_count]
            if (
                begins.data.as_uints[at] + <uint64_t>ends.data.as_uints[at] > <uint64_t>len(payload)
                or starts.data.as_uints[at] > ends.data.as_uints[at]
            ):
                raise ValueError("the documents of a pack are in its payload")
            spans[2 * at + 1] = ends.data.as_uints[at] - starts.data.as_uints[at]
            one.payload, one.size = text + begins.data.as_uints[at] + starts.data.as_uints[at], spans[2 * at + 1]
            one.spans, one.records = spans + 2 * at, 1
            place.payload, place.spans, place.records = one.payload, one.spans, 1
            place.offset, place.line, place.first_record = starts.data.as_uints[at], lines.data.as_uints[at], 1
            place.first, place.keys_from = first.first + <uint32_t>at, keys_from
            place.around, place.around_bits = first.around, first.around_bits
            if source_texts:
                place.source_texts = texts_of(memory, source_texts[at])
            # `etl.packs.records_most`: keys hang on both being the same.
            keys_from += sizes.data.as_uints[at] // shortest + 1
            self.run_count += 1
        return 0

    cdef const etl_value *_values_around(self, values) except NULL:
        cdef etl_arena *memory = etl_scan_arena(self.scanner)
        cdef etl_value *made = <etl_value *>room(memory, len(values), sizeof(etl_value))
        cdef size_t at
        for at, value in enumerate(values):
            if value is None:
                continue
            flags, content = value if type(value) is tuple else (0, value)
            if type(content) is bytes:
                put_value(&made[at], flags, content)
            else:
                made[at].at, made[at].size = <const uint8_t *>list_of(memory, content), <uint32_t>len(content)
                made[at].flags = flags
        return made

    cdef etl_surroundings *_surroundings(self, surroundings, uint32_t root) except NULL:
        cdef etl_arena *memory = etl_scan_arena(self.scanner)
        cdef etl_surroundings *made = <etl_surroundings *>room(memory, 1, sizeof(etl_surroundings))
        cdef EntityTable table = surroundings.entities
        made.prefixes = texts_of(memory, surroundings.prefixes)
        made.uris = texts_of(memory, surroundings.uris)
        made.bindings = <uint32_t>len(surroundings.uris)
        if root >= self.plan.program.node_count:
            raise IndexError(root)
        made.depth, made.root = surroundings.depth, root
        if table is not None:
            made.entities, made.entity_count = table.entities, table.count
        return made

    cdef etl_status _map(self) noexcept nogil:
        cdef etl_status status
        cdef uint32_t at
        for at in range(self.run_count):
            if self.around[at] is not NULL:
                status = etl_scan_enter(self.scanner, self.around[at])
                if status != ETL_OK:
                    return status
            status = etl_scan_run(self.scanner, &self.runs[at], self.places[at].first)
            if status != ETL_OK:
                return status
        return etl_assemble(
            self.tables,
            etl_scan_rows(self.scanner),
            self.places,
            self.run_count,
            etl_scan_arena(self.scanner),
            self.rows,
        )

    def asked(self):
        cdef uint32_t table, column
        found = []
        for table in range(self.table_count):
            for column in range(self.tables.layouts[table].count if self.rows[table].count else 0):
                if self.rows[table].asked[column]:
                    found.append((table, column, *self._raw(table, column)))
        return found

    cdef tuple _raw(self, uint32_t table, uint32_t column):
        """The rows whose value is asked, and these raw values."""
        cdef const etl_value *values = self.rows[table].values[column]
        cdef uint32_t many = self.tables.layouts[table].columns[column].rule.many
        cdef uint32_t row
        rows, raw = [], []
        for row in range(self.rows[table].count):
            if values[row].flags & ETL_VALUE_ASKED:
                rows.append(row)
                if many == ETL_MANY_PAIRS:
                    raw.append(_pairs(&values[row]))
                else:
                    raw.append(_raw_value(&values[row], many != ETL_MANY_ONE))
        return rows, raw

    def answer(self, uint32_t table, uint32_t column, list texts not None):
        cdef etl_value *values
        cdef uint32_t row
        cdef Py_ssize_t size, at = 0, count = len(texts)
        if (
            table >= self.table_count
            or column >= self.tables.layouts[table].count
            or not self.rows[table].count
            or count != self.rows[table].asked[column]
        ):
            raise ValueError("these are not the values that were asked")
        # The rows point into these.
        self.held.append(texts)
        values = self.rows[table].values[column]
        for row in range(self.rows[table].count):
            if not values[row].flags & ETL_VALUE_ASKED:
                continue
            text = texts[at]
            at += 1
            values[row].flags = 0
            values[row].at, values[row].size = NULL, 0
            if text != NULL_:
                values[row].at = <const uint8_t *>PyUnicode_AsUTF8AndSize(text, &size)
                if <size_t>size > UINT32_MAX:
                    raise MemoryError
                values[row].size = <uint32_t>size
        self.rows[table].asked[column] = 0

    def records(self, uint32_t table):
        if table >= self.table_count:
            raise IndexError(table)
        return _copied(self.rows[table].records, self.rows[table].count)

    def first_records(self, uint32_t table, uint32_t most):
        cdef const etl_raw_rows *raw = etl_scan_rows(self.scanner)
        if table >= self.table_count:
            raise IndexError(table)
        return _copied(raw[table].parents, min(raw[table].count, most))

    def noticed(self):
        cdef uint32_t table, column
        cdef etl_rows *rows
        matched, mixed, several = set(), set(), {}
        for table in range(self.table_count):
            rows = &self.rows[table]
            for column in range(self.tables.layouts[table].count if rows.count else 0):
                if rows.matched[column]:
                    matched.add((table, column))
                if rows.mixed[column]:
                    mixed.add((table, column))
                if rows.several_count[column]:
                    several[table, column] = _copied(rows.several[column], rows.several_count[column])
        return matched, mixed, several

    def unseen(self):
        cdef size_t at, count = 0
        cdef const etl_unseen *found = etl_scan_unseen(self.scanner, &count)
        return [
            (found[at].node, bool(found[at].is_attribute), _text(&found[at].uri), _text(&found[at].local),
             found[at].record)
            for at in range(count)
        ]

    def encode(self, bytes bad):
        cdef const uint8_t *marks = NULL
        cdef etl_status status
        cdef uint32_t table
        cdef array.array places
        if not self.is_scanned:
            raise ValueError("nothing was scanned")
        if bad is not None:
            if <size_t>len(bad) < self._record_count():
                raise ValueError("a byte for each record of the split is wanted")
            marks = <const uint8_t *>PyBytes_AS_STRING(bad)
        records = []
        for table in range(self.table_count):
            places = array.clone(PLACES, self.rows[table].count, zero=False)
            self.kept[table] = places.data.as_uints
            records.append(places)
        with nogil:
            status = self._encode(marks)
        if status != ETL_OK:
            self._said(status)
            return None
        made = []
        for table in range(self.table_count):
            places = records[table]
            if self.kept_counts[table] < <size_t>len(places):
                array.resize(places, self.kept_counts[table])
            data = PyBytes_FromStringAndSize(<const char *>self.buffers[table].bytes, self.buffers[table].size)
            made.append((data, places))
        return made

    cdef size_t _record_count(self):
        cdef etl_place *last = &self.places[self.run_count - 1]
        return <size_t>last.first + last.records

    cdef etl_status _encode(self, const uint8_t *bad) noexcept nogil:
        cdef etl_arena *memory = etl_scan_arena(self.scanner)
        cdef etl_status status = ETL_OK
        cdef uint32_t table
        for table in range(self.table_count):
            self.buffers[table].size = 0
            self.kept_counts[table] = 0
            if self.marshals:
                status = etl_encode_marshal(
                    self.tables, table, self.rows, self.places, self.run_count, bad, memory,
                    &self.buffers[table], self.kept[table], &self.kept_counts[table],
                )
            else:
                status = etl_encode_copy(
                    self.tables, table, self.rows, self.places, self.run_count, bad, memory,
                    &self.buffers[table], self.kept[table], &self.kept_counts[table],
                )
            if status != ETL_OK:
                break
        return status


cdef str _text(const etl_text *text):
    return PyUnicode_DecodeUTF8(<const char *>text.at, text.size, NULL)


cdef object _raw_value(const etl_value *value, bint lists):
    """As a raw row of `etl.transform.data_mapper` has it."""
    cdef const etl_item *item
    if not value.flags & ETL_VALUE_LIST:
        text = _found(value)
        return [text] if lists and text is not NULL_ else text
    found = []
    if value.at is not NULL:
        item = (<const etl_list *>value.at).first
        while item is not NULL:
            found.append(_found(&item.value))
            item = item.next
    return found or NULL_


cdef object _pairs(const etl_value *value):
    """As `etl.transform.elements.pair_reader` reads them."""
    cdef const etl_item *item
    if value.at is NULL:
        return NULL_
    made = []
    key, values = None, None
    item = (<const etl_list *>value.at).first
    while item is not NULL:
        if item.value.flags & ETL_VALUE_ENTRY:
            if values is not None:
                made.append((_key(key), values))
            key, values = None, []
        elif not item.value.flags & ETL_VALUE_KEY:
            values.append(_found(&item.value))
        elif key is None:
            key = _found(&item.value)
        item = item.next
    made.append((_key(key), values))
    return made


cdef object _key(key):
    return "" if key is None or key is NIL_ else key


cdef str _found(const etl_value *value):
    if value.flags & ETL_VALUE_NIL:
        return NIL_
    if value.at is NULL:
        return NULL_
    return PyUnicode_DecodeUTF8(<const char *>value.at, value.size, NULL)


cdef array.array _copied(const uint32_t *numbers, size_t count):
    cdef array.array made = array.clone(PLACES, <Py_ssize_t>count, zero=False)
    if count:
        memcpy(made.data.as_uints, numbers, count * sizeof(uint32_t))
    return made
