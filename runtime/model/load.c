#include "model/load.h"
#include "model/file.h"
#include "model/model.h"
#include "model/proto.h"
#include "model/text.h"
#include <string.h>
#include <unistd.h>

/* raw_data of at least so many bytes, in an initializer of the main graph, is left in the file at first. */
enum { BIG = 1 << 15, WINDOW = 1 << 14 };

enum { FIELD_GRAPH = 7, FIELD_INITIALIZER = 5, FIELD_RAW_DATA = 9 }; /* of ModelProto, GraphProto, TensorProto */

/* Raw data to be fetched in the end. */
struct cut {
    size_t initializer; /* its place in the graph's list */
    int64_t at, length;
};

/* These bytes of the file are read as a varint with this value instead. */
struct edit {
    int64_t at, length;
    uint64_t value;
};

struct loading {
    int fd;
    const char *path;
    int64_t size;
    struct budget *budget;
    struct report *report;
    struct cut *cuts;
    size_t cut_count, cut_capacity;
    struct edit *edits; /* in the order of the file */
    size_t edit_count, edit_capacity;
    int64_t from, have; /* what of the file is in the window */
    uint8_t window[WINDOW];
};

/* -- the wire format (https://protobuf.dev/programming-guides/encoding/) -- */

/* What is not well-formed ends the search for big weights, no more: the scan of the whole will tell. */
struct field {
    uint64_t number;
    bool delimited;         /* has a length: */
    int64_t length_at;      /* where that stands, */
    int64_t content, after; /* and what it counts */
};

static bool byte_at(struct loading *l, int64_t at, uint8_t *byte)
{
    if (at < l->from || at >= l->from + l->have) {
        l->from = at;
        l->have = l->size - at < WINDOW ? l->size - at : WINDOW;
        if (!file_read_at(l->fd, l->path, l->window, (size_t)l->have, at, l->report)) {
            l->have = 0;
            return false;
        }
    }
    *byte = l->window[at - l->from];
    return true;
}

static bool varint_at(struct loading *l, int64_t *at, int64_t end, uint64_t *value)
{
    uint8_t byte = 0x80;

    *value = 0;
    for (int shift = 0; byte & 0x80; shift += 7, ++*at) {
        if (shift > 63 || *at >= end || !byte_at(l, *at, &byte))
            return false;
        *value |= (uint64_t)(byte & 0x7f) << shift;
    }
    return true;
}

static int64_t varint_size(uint64_t value)
{
    int64_t n = 1;

    while (value >>= 7)
        n++;
    return n;
}

/* The field at `at`, in a message that ends at `end`. */
static bool field_at(struct loading *l, int64_t at, int64_t end, struct field *f)
{
    uint64_t tag, length;

    if (!budget_in_time(l->budget, NULL, l->report) || !varint_at(l, &at, end, &tag) || !(tag >> 3)) /* no field is 0 */
        return false;
    *f = (struct field){ .number = tag >> 3, .delimited = (tag & 7) == 2, .length_at = at };
    switch (tag & 7) {
    case 0:
        f->after = at;
        return varint_at(l, &f->after, end, &length);
    case 1:
        f->after = at + 8;
        break;
    case 2:
        if (!varint_at(l, &at, end, &length) || length > (uint64_t)(end - at))
            return false;
        f->content = at;
        f->after = at + (int64_t)length;
        break;
    case 5:
        f->after = at + 4;
        break;
    default:
        return false;
    }
    return f->after <= end;
}

/* -- what is left in the file -- */

static bool add_edit(struct loading *l, const struct field *f, uint64_t value, int64_t end)
{
    if (!budget_grow(l->budget, &l->edits, &l->edit_capacity, l->edit_count + 1, sizeof *l->edits, l->report))
        return false;
    l->edits[l->edit_count++] = (struct edit){ f->length_at, end - f->length_at, value };
    return true;
}

/* An initializer without its raw data, if that is big; *saved is by how much the message becomes shorter. */
static bool cut_initializer(struct loading *l, const struct field *tensor, size_t index, int64_t *saved)
{
    struct field f, raw = { 0 };
    int64_t length, new_length;

    *saved = 0;
    for (int64_t at = tensor->content; at < tensor->after; at = f.after) {
        if (!field_at(l, at, tensor->after, &f))
            return false;
        if (f.number != FIELD_RAW_DATA)
            continue;
        if (!f.delimited || raw.number)
            return false;
        raw = f;
    }
    length = raw.after - raw.content;
    if (length < BIG)
        return true;
    new_length = tensor->after - tensor->content - (raw.after - raw.length_at) + 1; /* 1 for a length of 0 */
    if (!budget_grow(l->budget, &l->cuts, &l->cut_capacity, l->cut_count + 1, sizeof *l->cuts, l->report) ||
        !add_edit(l, tensor, (uint64_t)new_length, tensor->content) || !add_edit(l, &raw, 0, raw.after))
        return false;
    l->cuts[l->cut_count++] = (struct cut){ index, raw.content, length };
    *saved = tensor->after - tensor->length_at - varint_size((uint64_t)new_length) - new_length;
    return true;
}

static bool cut_graph(struct loading *l, const struct field *graph)
{
    const size_t own = l->edit_count;
    int64_t saved = 0, one;
    size_t index = 0;
    struct field f;

    if (!add_edit(l, graph, 0, graph->content))
        return false;
    for (int64_t at = graph->content; at < graph->after; at = f.after) {
        if (!field_at(l, at, graph->after, &f))
            return false;
        if (f.number != FIELD_INITIALIZER)
            continue;
        if (!f.delimited || !cut_initializer(l, &f, index++, &one))
            return false;
        saved += one;
    }
    l->edits[own].value = (uint64_t)(graph->after - graph->content - saved);
    return true;
}

/* False where the file is better read as it is. */
static bool find_cuts(struct loading *l)
{
    struct field f, graph = { 0 };

    for (int64_t at = 0; at < l->size; at = f.after) {
        if (!field_at(l, at, l->size, &f))
            return false;
        if (f.number != FIELD_GRAPH)
            continue;
        if (!f.delimited || graph.number)
            return false;
        graph = f;
    }
    return graph.number && cut_graph(l, &graph) && l->cut_count;
}

/* -- reading -- */

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t n = 0;

    for (; value > 0x7f; value >>= 7)
        to[n++] = (uint8_t)(value | 0x80);
    to[n++] = (uint8_t)value;
    return n;
}

/* The file with its edits. */
static uint8_t *read_edited(struct loading *l, size_t *size)
{
    int64_t total = l->size, at = 0;
    uint8_t *bytes, *to;
    bool ok = true;

    for (size_t k = 0; k < l->edit_count; k++)
        total += varint_size(l->edits[k].value) - l->edits[k].length;
    bytes = to = budget_alloc(l->budget, total > 0 ? to_size(total) : 1, l->report);
    for (size_t k = 0; bytes && ok && k <= l->edit_count; k++) {
        const struct edit *e = k < l->edit_count ? &l->edits[k] : NULL;
        const int64_t end = e ? e->at : l->size;

        ok = file_read_at(l->fd, l->path, to, (size_t)(end - at), at, l->report);
        to += end - at;
        if (e) {
            to += put_varint(to, e->value);
            at = e->at + e->length;
        }
    }
    *size = (size_t)total;
    if (ok)
        return bytes;
    budget_free(l->budget, bytes);
    return NULL;
}

static bool fetch(struct loading *l, Onnx__ModelProto *m)
{
    for (size_t k = 0; k < l->cut_count; k++) {
        const struct cut *c = &l->cuts[k];
        Onnx__TensorProto *t =
            m->graph && c->initializer < m->graph->n_initializer ? m->graph->initializer[c->initializer] : NULL;

        if (!t || !t->has_raw_data || t->raw_data.len) /* it was there a moment ago */
            return fail(l->report, KILN_IO, NULL, "'%s' is not what it was: did something else write to it?", l->path);
        t->raw_data.data = budget_alloc(l->budget, to_size(c->length), l->report);
        if (!t->raw_data.data)
            return false;
        t->raw_data.len = (size_t)c->length;
        if (!file_read_at(l->fd, l->path, t->raw_data.data, (size_t)c->length, c->at, l->report))
            return false;
    }
    return true;
}

static Onnx__ModelProto *load_in_parts(struct loading *l, const struct scan_limits *limits)
{
    struct scan_limits rest = SCAN_LIMITS_INIT;
    Onnx__ModelProto *m;
    uint8_t *bytes;
    size_t size, big = 0;

    for (size_t k = 0; k < l->cut_count; k++)
        big += (size_t)l->cuts[k].length;
    if (limits)
        rest = *limits;
    if (rest.memory)
        rest.memory = rest.memory > big ? rest.memory - big : 1;
    bytes = read_edited(l, &size);
    if (!bytes)
        return NULL;
    m = proto_unpack_model(bytes, size, &rest, l->budget, l->report);
    budget_free(l->budget, bytes);
    if (m && fetch(l, m))
        return m;
    message_free(m, l->budget);
    return NULL;
}

static Onnx__ModelProto *load_whole(struct loading *l, const struct scan_limits *limits)
{
    uint8_t *bytes = budget_alloc(l->budget, l->size ? (size_t)l->size : 1, l->report);
    Onnx__ModelProto *m = NULL;

    if (bytes && file_read_at(l->fd, l->path, bytes, (size_t)l->size, 0, l->report)) {
        if (path_is_text(l->path) || text_is_model(bytes, (size_t)l->size))
            m = text_read_model((const char *)bytes, (size_t)l->size, l->budget, l->report);
        else
            m = proto_unpack_model(bytes, (size_t)l->size, limits, l->budget, l->report);
    }
    budget_free(l->budget, bytes);
    return m;
}

static Onnx__ModelProto *load_open(struct loading *l, const struct scan_limits *limits)
{
    const int errors = l->report->error.count;
    const bool parts = l->size >= BIG && !path_is_text(l->path) && find_cuts(l);

    if (l->report->error.count != errors) /* of reading, or of memory */
        return NULL;
    return parts ? load_in_parts(l, limits) : load_whole(l, limits);
}

Onnx__ModelProto *load_model(const char *path, const struct scan_limits *limits, struct stat *file, struct budget *b,
                             struct report *r)
{
    struct loading *l = budget_zalloc(b, 1, sizeof *l, r);
    Onnx__ModelProto *m = NULL;
    size_t size;

    if (!l)
        return NULL;
    l->path = path;
    l->budget = b;
    l->report = r;
    l->fd = file_open(path, FILE_READ_MODEL, 0, &size, r);
    l->size = (int64_t)size;
    if (l->fd >= 0) {
        if (!file || fstat(l->fd, file) == 0)
            m = load_open(l, limits);
        else
            fail(r, KILN_IO, NULL, "'%s' cannot be looked at", path);
        close(l->fd);
    }
    budget_free(b, l->cuts);
    budget_free(b, l->edits);
    budget_free(b, l);
    return m;
}
