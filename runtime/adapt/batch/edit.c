/* The mends in the messages. What a file says with a constant is said with a constant again where that can be: a 0 or a
 * -1 of a Reshape. Else it is made of the shape of the first input. */
#include "adapt/batch/batch.h"
#include "adapt/facts.h"
#include "ops/op.h"
#include "ops/registry.h"
#include "train/told.h"
#include <string.h>

enum { EXPAND_SINCE = 8 };

struct editing {
    struct batch *batch;
    struct edit edit;
    struct told_parameters told;
    const char *count;     /* of samples: a vector of one; NULL until somebody wants it */
    const bool *nodes;     /* by place in the file: is any output read before the first change? */
    const bool *constants; /* the same of initializers */
};

/* -- names and nodes -- */

static const char *fresh(struct editing *y, const char *stem)
{
    char *name = edit_fresh_name(&y->edit, stem);
    const char *copy = name ? arena_string(&y->batch->arena, name, strlen(name), y->edit.report) : NULL;

    budget_free(y->edit.budget, name);
    return copy;
}

static const char *add_constant(struct editing *y, const char *stem, const struct tensor *t)
{
    const char *name = fresh(y, stem);

    return name && edit_add_initializer(&y->edit, name, t) ? name : NULL;
}

static const char *add_ints(struct editing *y, const char *stem, int64_t count, const int64_t *v)
{
    const struct tensor t = { .dtype = I64, .rank = 1, .dims = { count }, .data = (void *)(uintptr_t)v };

    return add_constant(y, stem, &t);
}

/* A node before place `at`, and the name of what it makes. `attribute` may be NULL. */
static const char *add_node(struct editing *y, size_t at, const struct op *op, const char *stem, size_t inputs,
                            const char *const *in, const char *attribute, int64_t value)
{
    const char *name = fresh(y, stem);
    Onnx__NodeProto *n = name ? edit_insert_node(&y->edit, at, false, op->name, name) : NULL;

    for (size_t k = 0; k < inputs; k++)
        if (!in[k])
            return NULL;
    return n && edit_set_inputs(&y->edit, n, inputs, in) && edit_set_outputs(&y->edit, n, 1, &name) &&
                   (!attribute || edit_set_int(&y->edit, n, attribute, value))
               ? name
               : NULL;
}

/* -- the number of samples -- */

static const char *samples(struct editing *y)
{
    const int64_t first = 0;
    const char *in[2] = { y->batch->graph->inputs[0]->name };

    if (y->count)
        return y->count;
    in[0] = add_node(y, 0, &op_shape, "batch_shape", 1, in, NULL, 0);
    in[1] = add_ints(y, "batch_axis", 1, &first);
    return y->count = add_node(y, 0, &op_gather, "batch", 2, in, NULL, 0);
}

/* A vector of one: so many for each sample. */
static const char *samples_times(struct editing *y, int64_t factor)
{
    const char *in[2] = { samples(y) };

    if (factor == 1 || !in[0])
        return in[0];
    in[1] = add_ints(y, "batch_factor", 1, &factor);
    return add_node(y, 0, &op_mul, "batch_times", 2, in, NULL, 0);
}

/* A vector before node `at`: v, and in the place of `entry` so many for each sample. */
static const char *sizes(struct editing *y, size_t at, const char *stem, const struct ints *v, int entry,
                         int64_t factor)
{
    const char *in[3];
    size_t n = 0;

    if (entry > 0)
        in[n++] = add_ints(y, stem, entry, v->v);
    in[n++] = samples_times(y, factor);
    if (entry + 1 < v->count)
        in[n++] = add_ints(y, stem, v->count - entry - 1, v->v + entry + 1);
    return n == 1 ? in[0] : add_node(y, at, &op_concat, stem, n, in, "axis", 0);
}

/* -- sizes -- */

/* Are all dimensions of inputs told but for the samples? */
static bool told_but_samples(const struct batch *b)
{
    for (size_t k = 0; k < b->graph->input_count; k++) {
        const struct tensor *t = &b->graph->inputs[k]->type;

        for (int d = b->has[k]; d < t->rank; d++)
            if (t->dims[d] < 0)
                return false;
    }
    return true;
}

/* Can a Reshape say it with a number? That is in v then. */
static bool says_it(const struct batch *b, const struct mend *m, const Onnx__NodeProto *p, struct ints *v)
{
    const Onnx__AttributeProto *allowzero = node_attribute(p, "allowzero");
    const struct value *x = m->node->in[0], *y = m->node->out[0];
    const struct tensor *in = &b->file->types[x->id], *out = &b->file->types[y->id];
    const struct track *from = &b->track[x->id];
    int free = -1;

    for (int k = 0; k < v->count; k++)
        if (v->v[k] == -1)
            free = k;
    if (!(allowzero && allowzero->i) && from->dim == m->entry && in->dims[m->entry] == out->dims[m->entry]) {
        v->v[m->entry] = 0;
        return true;
    }
    if (free >= 0 && free != m->entry) { /* it may be the number that it comes to, if that is always the same */
        if (!told_but_samples(b))
            return false;
        v->v[free] = out->dims[free];
    }
    v->v[m->entry] = -1;
    return true;
}

/* The vector at an input, or in the attribute that it was in older opsets, becomes this. */
static bool put_vector(struct editing *y, Onnx__NodeProto *p, const struct mend *m, const struct ints *v)
{
    const struct tensor *old = batch_constant(y->batch, m->node, m->input);
    struct tensor t = { .dtype = old->dtype, .rank = 1, .dims = { v->count } };
    int32_t narrow[2 * MAX_RANK];
    const char *name;

    if ((size_t)m->input >= p->n_input)
        return edit_set_ints(&y->edit, p, "ends", (size_t)v->count, v->v);
    for (int k = 0; k < v->count; k++)
        narrow[k] = (int32_t)v->v[k];
    t.data = old->dtype == I64 ? (void *)(uintptr_t)v->v : narrow;
    name = add_constant(y, p->input[m->input], &t);
    return name && edit_set_input(&y->edit, p, (size_t)m->input, name);
}

static bool edit_sizes(struct editing *y, const struct mend *m)
{
    const size_t at = (size_t)m->node->index;
    Onnx__NodeProto *p = y->edit.graph->node[at];
    const char *name;
    struct ints v;

    if (!batch_vector(y->batch, m->node, m->input, &v))
        return fail(y->edit.report, KILN_BAD_MODEL, NULL, "'%s' is no constant vector", p->input[m->input]);
    if (m->kind == MEND_BOUND)
        v.v[m->entry] = m->factor;
    if (m->kind == MEND_BOUND || (node_is(m->node, &op_reshape) && says_it(y->batch, m, p, &v)))
        return put_vector(y, p, m, &v);
    name = sizes(y, at, p->input[m->input], &v, m->entry, m->factor);
    return name && edit_set_input(&y->edit, p, (size_t)m->input, name);
}

/* -- rows -- */

/* The first m->factor rows of a constant, in `a`. */
static bool cut(const struct mend *m, const struct tensor *t, struct tensor *out, struct arena *a, struct report *r)
{
    const size_t size = dtype_size(t->dtype) * (size_t)dims_product(t->dims, m->dim + 1, t->rank);
    const int64_t n = dims_product(t->dims, 0, m->dim);
    const size_t from = (size_t)t->dims[m->dim] * size, to = (size_t)m->factor * size;

    *out = *t;
    out->dims[m->dim] = m->factor;
    out->data = arena_alloc(a, (size_t)tensor_bytes(out), r);
    for (int64_t k = 0; out->data && to && k < n; k++)
        memcpy((char *)out->data + (size_t)k * to, (const char *)t->data + (size_t)k * from, to);
    return out->data;
}

/* What the node reads, with the rows of one sample. An initializer that nobody else reads stays the one that it is: its
 * name is what people know a weight by; a token that was computed of a parameter takes the name of that. */
static const char *one_sample(struct editing *y, const struct mend *m, const char *name)
{
    struct batch *b = y->batch;
    const struct value *v = m->node->in[m->input];
    Onnx__TensorProto *p = edit_initializer(&y->edit, name);
    const char *in[2] = { name }, *of;
    struct tensor t;
    int64_t *places;

    of = p && v->initializer && node_is(m->node, &op_concat) ? told_parameter_of(&y->told, name) : NULL;
    of = of && !told_is_buffer(&y->told, of) ? of : NULL;
    if (b->size == 1 && !of)
        return name;
    if (p && v->initializer) {
        if (!cut(m, v->initializer, &t, &b->arena, y->edit.report))
            return NULL;
        if (of)
            return add_constant(y, of, &t);
        if (edit_readers(&y->edit, name) > 1 || edit_graph_input(&y->edit, name))
            return add_constant(y, name, &t);
        edit_drop_value_info(&y->edit, name);
        return edit_tensor(&y->edit, p, &t) ? name : NULL;
    }
    places = arena_array(&b->arena, (size_t)m->factor, sizeof *places, y->edit.report);
    for (int64_t k = 0; places && k < m->factor; k++)
        places[k] = k;
    in[1] = places ? add_ints(y, "batch_rows", m->factor, places) : NULL;
    return add_node(y, (size_t)m->node->index, &op_gather, name, 2, in, "axis", m->dim);
}

static bool edit_rows(struct editing *y, const struct mend *m)
{
    const size_t at = (size_t)m->node->index;
    const int rank = y->batch->file->types[m->node->in[m->input]->id].rank;
    const bool expands = m->factor == 1 && y->batch->graph->opset >= EXPAND_SINCE;
    Onnx__NodeProto *p = y->edit.graph->node[at];
    const char *old = p->input[m->input], *in[2] = { one_sample(y, m, old) };
    struct ints ones = { .count = rank };

    for (int d = 0; d < rank; d++)
        ones.v[d] = 1;
    if (m->repeat && in[0]) {
        in[1] = sizes(y, at, "batch_repeats", &ones, m->dim, 1);
        in[0] = add_node(y, at, expands ? &op_expand : &op_tile, old, 2, in, NULL, 0);
    }
    return in[0] && edit_set_input(&y->edit, p, (size_t)m->input, in[0]);
}

static bool edit_state(struct editing *y, const struct mend *m)
{
    return edit_set_input(&y->edit, y->edit.graph->node[m->node->index], (size_t)m->input, "");
}

/* [-1, ...] in the place of the indices. */
static bool edit_order(struct editing *y, const struct mend *m)
{
    const size_t at = (size_t)m->node->index;
    const struct value *out = m->node->out[0];
    const struct tensor *t = &y->batch->file->types[out->id];
    const Onnx__NodeProto *old = y->edit.graph->node[at];
    const char *in[2] = { m->node->in[0]->name };
    Onnx__NodeProto *p;
    struct ints v = { .count = t->rank };

    for (int d = 0; d < t->rank; d++)
        v.v[d] = d == m->dim ? -1 : t->dims[d];
    in[1] = add_ints(y, old->input[m->input], v.count, v.v);
    edit_drop_node(&y->edit, at);
    p = in[1] ? edit_insert_node(&y->edit, at, false, op_reshape.name, m->node->name) : NULL;
    return p && edit_set_inputs(&y->edit, p, 2, in) && edit_set_outputs(&y->edit, p, 1, &out->name);
}

static bool edit_mend(struct editing *y, const struct mend *m)
{
    switch (m->kind) {
    case MEND_NOTHING:
        return true;
    case MEND_ENTRY:
    case MEND_BOUND:
        return edit_sizes(y, m);
    case MEND_STATE:
        return edit_state(y, m);
    case MEND_ORDER:
        return edit_order(y, m);
    case MEND_ROWS:
        break;
    }
    return edit_rows(y, m);
}

/* -- what nobody reads any more -- */

static bool is_read(const struct editing *y, const Onnx__NodeProto *n)
{
    bool read = n->n_output == 0;

    for (size_t k = 0; k < n->n_output; k++)
        read = read || edit_readers(&y->edit, n->output[k]) > 0;
    return read;
}

static bool note_readers(struct editing *y)
{
    const Onnx__GraphProto *g = y->edit.graph;
    bool *nodes = arena_array(&y->batch->arena, g->n_node, sizeof *nodes, y->edit.report);
    bool *constants = arena_array(&y->batch->arena, g->n_initializer, sizeof *constants, y->edit.report);

    for (size_t k = 0; nodes && k < g->n_node; k++)
        nodes[k] = is_read(y, g->node[k]);
    for (size_t k = 0; constants && k < g->n_initializer; k++)
        constants[k] = edit_readers(&y->edit, g->initializer[k]->name) > 0;
    y->nodes = nodes;
    y->constants = constants;
    return nodes && constants;
}

/* Nodes read what stands before them: one walk back finds all. */
static void drop_unread(struct editing *y, size_t nodes, size_t constants)
{
    Onnx__GraphProto *g = y->edit.graph;

    for (size_t k = nodes; k-- > 0;)
        if (g->node[k] && y->nodes[k] && !is_read(y, g->node[k])) {
            for (size_t o = 0; o < g->node[k]->n_output; o++)
                edit_drop_value_info(&y->edit, g->node[k]->output[o]);
            edit_drop_node(&y->edit, k);
        }
    for (size_t k = 0; k < constants; k++) {
        const char *name = g->initializer[k] ? g->initializer[k]->name : NULL;

        if (!name || !y->constants[k] || edit_readers(&y->edit, name) > 0)
            continue;
        edit_drop_value_info(&y->edit, name);
        if (y->edit.lists_inputs)
            edit_drop_graph_input(&y->edit, name);
        edit_drop_initializer(&y->edit, name);
    }
}

/* -- all of it -- */

static bool edit_all(struct editing *y, size_t *declared)
{
    const size_t nodes = y->edit.graph->n_node, constants = y->edit.graph->n_initializer;

    if (!note_readers(y))
        return false;
    for (size_t k = 0; k < y->batch->mend_count; k++)
        if (!edit_mend(y, &y->batch->mends[k]))
            return false;
    drop_unread(y, nodes, constants);
    return batch_declare(y->batch, &y->edit, declared);
}

bool batch_edit(struct batch *b, struct model *m, size_t *declared)
{
    struct editing y = { .batch = b };
    bool ok = edit_begin(&y.edit, m, b->adapt->report);

    *declared = 0;
    ok = told_parameters_read(&y.told, b->model, &b->arena, b->adapt->report) && ok && edit_all(&y, declared);
    told_parameters_release(&y.told);
    return edit_end(&y.edit) && ok;
}
