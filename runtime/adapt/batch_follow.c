/* Plans for the file's batch and for another one are laid side by side: where they differ in one dimension, by as much
 * as the batches do, there are the samples. From the first node on where they are lost, or where the other batch does
 * not pass, it is looked for what would have to stand there, and planned again as if it did.
 *
 * With a batch of 1 a 1 may be the batch, or just a 1. Then the likeliest is tried first, and the next where that leads
 * nowhere. */
#include "adapt/batch.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/pass.h"
#include <string.h>

enum {
    OTHER = 13,        /* times the file's batch: no dimension is likely to have it by chance */
    MOST_PLANS = 4096, /* that are made for one model, */
    MOST_TURNS = 256   /* and that lead nowhere */
};
enum { SHAPE = 1, REPEATS = 1, STARTS = 1, ENDS, AXES, STEPS, SIZES = 3 }; /* inputs that are vectors */
enum { LENGTHS = 4, STATE, LAST_STATE };                                   /* inputs of a recurrent layer, */
enum { ADDEND = 2 };                                                       /* of a Gemm */

bool batch_misfit(const struct report *r)
{
    const kiln_status code = r->error.code;

    return failed(r) && code != KILN_LIMIT && code != KILN_NO_MEMORY && code != KILN_STOPPED;
}

/* -- planning -- */

static struct plan_context context(struct batch *b, struct report *r)
{
    budget_start(&b->budget);
    return (struct plan_context){ .kernels = kernels_get(), .threads = 1, .budget = &b->budget, .report = r };
}

struct tensor batch_scaled(const struct batch *b, const struct tensor *t, int dim, int64_t samples)
{
    struct tensor scaled = *t;

    scaled.data = NULL;
    scaled.dims[dim] = t->dims[dim] / b->size * samples;
    return scaled;
}

/* Types of all that comes to the graph for so many samples, in `a`. */
static struct tensor *types_for(const struct batch *b, const struct graph *g, int64_t samples, struct arena *a,
                                struct report *r)
{
    struct tensor *types = given_types(g, a, r);

    for (size_t k = 0; types && k < g->input_count; k++) {
        struct tensor *t = &types[g->inputs[k]->id];

        if (!g->inputs[k]->has_type)
            continue;
        *t = given_closed(&g->inputs[k]->type, 1);
        if (b->has[k])
            t->dims[0] = samples;
    }
    return types;
}

struct program *batch_plan(struct batch *b, const struct graph *g, int64_t samples, struct report *r)
{
    struct arena scratch = { .budget = &b->budget };
    const struct plan_context c = context(b, r);
    struct tensor *types = types_for(b, g, samples, &scratch, r);
    struct program *p = types ? plan_types(g, types, NULL, &c) : NULL;

    arena_release(&scratch);
    return p;
}

/* The mend is made in `g`, a clone: what comes of it is said to be so. */
static bool pretend(const struct batch *b, const struct mend *m, struct graph *g, const struct tensor **type)
{
    struct node *n = g->nodes[m->node->id];

    if (m->kind == MEND_NOTHING)
        return true;
    if (m->kind == MEND_STATE) {
        n->in[m->input] = NULL;
        return true;
    }
    if (m->kind == MEND_ROWS) {
        *type = &b->file->types[m->node->in[m->input]->id];
        n->in[m->input] = graph_value(g, NULL);
        return n->in[m->input];
    }
    *type = &b->file->types[m->node->out[0]->id];
    g->values[m->node->out[0]->id]->initializer = NULL;
    for (int k = 0; k < n->inputs; k++) /* what it reads is to be known all the same */
        if (n->in[k] && !graph_add_output(g, n->in[k]))
            return false;
    return true;
}

static bool pretend_all(struct batch *b, struct graph *g, int64_t samples, struct tensor **types, struct arena *a,
                        struct report *r)
{
    const struct tensor **type = arena_array(a, b->mend_count, sizeof *type, r);

    for (size_t k = 0; type && k < b->mend_count; k++)
        if (!pretend(b, &b->mends[k], g, &type[k]))
            return false;
    *types = type ? types_for(b, g, samples, a, r) : NULL;
    for (size_t k = 0; *types && k < b->mend_count; k++) {
        const struct mend *m = &b->mends[k];
        const struct value *v = !type[k]               ? NULL
                                : m->kind == MEND_ROWS ? g->nodes[m->node->id]->in[m->input]
                                                       : g->values[m->node->out[0]->id];

        if (v)
            (*types)[v->id] = batch_scaled(b, type[k], m->dim, m->kind == MEND_ROWS && !m->repeat ? 1 : samples);
    }
    return *types;
}

/* Plans for another batch, as far as it goes: *refused is the place of the node that does not fit, or the number of all
 * where each does. */
static bool plan_other(struct batch *b, struct report *quiet, size_t *refused)
{
    struct arena scratch = { .budget = &b->budget };
    const struct plan_context c = context(b, quiet);
    struct graph *g = graph_clone(b->base, &scratch, quiet);
    const struct node *node = NULL;
    struct tensor *types;

    program_free(b->other);
    b->other = NULL;
    if (g && pretend_all(b, g, OTHER * b->size, &types, &scratch, quiet))
        b->other = plan_types_until(g, types, &c, &node);
    *refused = node ? (size_t)node->id : b->base->node_count;
    graph_release(g);
    arena_release(&scratch);
    if (b->other && (!node || batch_misfit(quiet)))
        return true;
    return fail(b->adapt->report, quiet->error.code, quiet->error.where, "%s", quiet->error.message);
}

/* -- where the samples are -- */

static int differs(const struct batch *b, const struct tensor *file, const struct tensor *other)
{
    int found = UNKNOWN;

    if (!tensor_known(file) || !tensor_known(other) || file->rank != other->rank)
        return UNKNOWN;
    for (int d = 0; d < file->rank; d++) {
        if (file->dims[d] == other->dims[d])
            continue;
        if (found >= 0 || file->dims[d] % b->size || other->dims[d] != file->dims[d] * OTHER)
            return UNKNOWN;
        found = d;
    }
    return found;
}

static const struct tensor *file_type(const struct batch *b, const struct value *v)
{
    return &b->file->types[v->id];
}

static bool tracked(const struct batch *b, const struct value *v)
{
    return v && b->track[v->id].dim >= 0;
}

/* What stands before the samples in all of the value. */
static int64_t outer(const struct batch *b, const struct value *v)
{
    const struct track *t = &b->track[v->id];

    return dims_product(file_type(b, v)->dims, 0, t->dim) * t->before;
}

/* The elements of the first input, in the same order. */
static bool keeps_order(const struct node *n)
{
    return node_is(n, &op_reshape) || node_is(n, &op_flatten) || node_is(n, &op_squeeze) || node_is(n, &op_unsqueeze);
}

static int64_t before(const struct batch *b, const struct node *n, const struct value *y, int dim)
{
    const struct tensor *t = file_type(b, y);

    if (keeps_order(n) && tracked(b, n->in[0])) {
        const int64_t inner = dims_product(t->dims, 0, dim);

        return inner && outer(b, n->in[0]) % inner == 0 ? outer(b, n->in[0]) / inner : 1;
    }
    for (int k = 0; k < n->inputs; k++)
        if (tracked(b, n->in[k]) && file_type(b, n->in[k])->dims[b->track[n->in[k]->id].dim] == t->dims[dim])
            return b->track[n->in[k]->id].before;
    return 1;
}

static void find_tracks(struct batch *b)
{
    const struct graph *g = b->base;

    for (size_t k = 0; k < g->value_count; k++)
        b->track[k] = (struct track){ differs(b, &b->file->types[k], &b->other->types[k]), 1 };
    for (size_t k = 0; k < g->node_count; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *y = g->nodes[k]->out[o];

            if (tracked(b, y))
                b->track[y->id].before = before(b, g->nodes[k], y, b->track[y->id].dim);
        }
}

/* -- what may change -- */

const struct tensor *batch_constant(const struct batch *b, const struct node *n, int k)
{
    return k < n->inputs && n->in[k] ? value_constant(b->base->values[n->in[k]->id]) : NULL;
}

/* Is it a vector of integers, and a constant? */
static bool constant_vector(const struct batch *b, const struct node *n, int k, struct ints *out)
{
    const struct tensor *t = batch_constant(b, n, k);

    out->count = 0;
    if (!t || t->rank != 1 || (t->dtype != I64 && t->dtype != I32) || t->dims[0] > MAX_RANK)
        return false;
    for (out->count = 0; out->count < (int)t->dims[0]; out->count++)
        out->v[out->count] =
            t->dtype == I64 ? ((const int64_t *)t->data)[out->count] : ((const int32_t *)t->data)[out->count];
    return true;
}

/* Nodes of a function that is called, or of an expansion, stand for no node of the file's graph. */
static bool editable(const struct batch *b, const struct node *n)
{
    const Onnx__GraphProto *g = b->model->proto->graph;
    const Onnx__NodeProto *p = n->index >= 0 && (size_t)n->index < g->n_node ? g->node[n->index] : NULL;

    return p && !n->origin && n->slots > 0 && n->out[0] && p->n_output > 0 && strcmp(p->op_type, n->op->name) == 0 &&
           strcmp(p->output[0], n->out[0]->name) == 0;
}

static bool add_mend(struct batch *b, struct mend m)
{
    if (!editable(b, m.node) && m.kind != MEND_NOTHING) {
        b->stuck = "it is a part of another node, or of a function, and cannot be changed alone";
        return true;
    }
    if (!budget_grow(&b->budget, &b->mends, &b->mend_room, b->mend_count + 1, sizeof *b->mends, b->adapt->report))
        return false;
    b->mends[b->mend_count++] = m;
    return true;
}

/* -- sizes -- */

/* How likely the samples of a Reshape are to go to dimension j, where they may: the lowest first. -1 where they
 * cannot. */
static int rate(const struct batch *b, const struct node *n, const struct ints *shape, int j)
{
    const struct tensor *y = file_type(b, n->out[0]);
    const int64_t from = outer(b, n->in[0]), to = dims_product(y->dims, 0, j);
    const int64_t ahead = to && from % to == 0 ? from / to : 0;

    if (!ahead || y->dims[j] % ahead || y->dims[j] / ahead % b->size)
        return -1;
    if (ahead == 1 && y->dims[j] == b->size)
        return j == b->track[n->in[0]->id].dim ? 0 : 1;
    if (shape->v[j] == -1)
        return 2;
    return ahead > 1 ? 4 : j < y->rank - 1 ? 3 : 5;
}

/* The way-th of the dimensions that the samples may go to; *ways is how many there are. */
static int choose(const struct batch *b, const struct node *n, const struct ints *shape, int way, int *ways)
{
    int chosen = -1;

    *ways = 0;
    for (int rating = 0; rating < 6; rating++)
        for (int j = 0; j < shape->count; j++)
            if (rate(b, n, shape, j) == rating && (*ways)++ == way)
                chosen = j;
    return chosen;
}

static bool mend_reshape(struct batch *b, const struct node *n, bool refused, int way, int *ways)
{
    const struct tensor *y = file_type(b, n->out[0]);
    const bool follows = !refused && tracked(b, n->out[0]);
    struct mend m = { .kind = MEND_ENTRY, .node = b->graph->nodes[n->id], .input = SHAPE };
    struct ints shape;

    *ways = 0;
    if (!tracked(b, n->in[0]) || !tensor_known(y) || !constant_vector(b, n, SHAPE, &shape) || shape.count != y->rank)
        return true;
    m.entry = m.dim = choose(b, n, &shape, way, ways);
    if (m.dim < 0)
        return true;
    if (follows && b->track[n->out[0]->id].dim == m.dim)
        m.kind = MEND_NOTHING;
    m.factor = y->dims[m.dim] / b->size;
    if (m.kind == MEND_NOTHING && *ways == 1)
        *ways = 0;
    return !*ways || add_mend(b, m);
}

/* Expand to the batch of what has samples already. */
static bool mend_expand(struct batch *b, const struct node *n, int *ways)
{
    const struct tensor *x = file_type(b, n->in[0]), *y = file_type(b, n->out[0]);
    struct mend m = { .kind = MEND_BOUND, .node = b->graph->nodes[n->id], .input = SHAPE, .factor = 1 };
    struct ints shape;

    *ways = 0;
    if (!tracked(b, n->in[0]) || !tensor_known(y) || !constant_vector(b, n, SHAPE, &shape))
        return true;
    m.entry = b->track[n->in[0]->id].dim - x->rank + shape.count;
    m.dim = b->track[n->in[0]->id].dim - x->rank + y->rank;
    *ways = m.entry >= 0 && shape.v[m.entry] != 1;
    return !*ways || add_mend(b, m);
}

/* Do the outputs have as much in the dimension of the samples as the input, and stay so whatever that has? */
static bool stays_whole(const struct batch *b, const struct node *n)
{
    const int d = tracked(b, n->in[0]) ? b->track[n->in[0]->id].dim : -1;
    const struct tensor *x = file_type(b, n->in[0]), *y = file_type(b, n->out[0]);

    return d >= 0 && !tracked(b, n->out[0]) && tensor_known(y) && y->rank == x->rank && y->dims[d] == x->dims[d];
}

static bool mend_slice(struct batch *b, const struct node *n, int *ways)
{
    struct mend m = { .kind = MEND_BOUND, .node = b->graph->nodes[n->id], .input = ENDS };
    struct ints starts, ends, axes, steps;

    *ways = 0;
    if (!stays_whole(b, n) || !constant_vector(b, n, STARTS, &starts) || !constant_vector(b, n, ENDS, &ends) ||
        (!constant_vector(b, n, AXES, &axes) && n->inputs > AXES && n->in[AXES]) ||
        (!constant_vector(b, n, STEPS, &steps) && n->inputs > STEPS && n->in[STEPS]))
        return true;
    m.dim = b->track[n->in[0]->id].dim;
    m.factor = batch_constant(b, n, ENDS)->dtype == I64 ? INT64_MAX : INT32_MAX;
    for (int k = 0; k < ends.count && k < starts.count; k++)
        if (wrap_axis(k < axes.count ? axes.v[k] : k, file_type(b, n->in[0])->rank) == m.dim && starts.v[k] == 0 &&
            (k >= steps.count || steps.v[k] == 1)) {
            m.entry = k;
            *ways = 1;
        }
    return !*ways || add_mend(b, m);
}

static bool mend_resize(struct batch *b, const struct node *n, int *ways)
{
    struct mend m = { .kind = MEND_ENTRY, .node = b->graph->nodes[n->id], .input = SIZES };
    struct ints sizes;

    *ways = 0;
    if (!stays_whole(b, n) || !constant_vector(b, n, SIZES, &sizes) || sizes.count != file_type(b, n->out[0])->rank)
        return true;
    m.entry = m.dim = b->track[n->in[0]->id].dim;
    m.factor = sizes.v[m.dim] / b->size;
    *ways = 1;
    return add_mend(b, m);
}

/* -- what comes without samples to a node that wants them -- */

static bool is_recurrent(const struct node *n)
{
    return node_is(n, &op_lstm) || node_is(n, &op_gru);
}

static bool is_zero(const struct tensor *t)
{
    const char *bytes = t->data;
    const int64_t n = t->data ? tensor_bytes(t) : 0;

    for (int64_t k = 0; k < n; k++)
        if (bytes[k])
            return false;
    return n > 0;
}

/* Does every sample have the same `rows` rows of dimension d? */
static bool same_rows(const struct tensor *t, int d, int64_t rows)
{
    const size_t row = (size_t)dims_product(t->dims, d + 1, t->rank) * dtype_size(t->dtype);
    const size_t one = (size_t)rows * row, all = (size_t)t->dims[d] * row;
    const int64_t n = dims_product(t->dims, 0, d);
    const char *at = t->data;

    for (int64_t k = 0; k < n; k++, at += all)
        if (all > one && memcmp(at, at + one, all - one) != 0)
            return false;
    return true;
}

/* The node that made it says for how many: a mend of that. False where there is none. */
static bool made_for(const struct batch *b, const struct value *v, int dim, struct mend *m)
{
    const struct node *p = b->graph->values[v->id]->producer;
    const struct tensor *y = file_type(b, v);
    struct ints sizes;

    if (!p || !(node_is(p, &op_expand) || node_is(p, &op_tile) || node_is(p, &op_constant_of_shape)))
        return false;
    *m = (struct mend){ .kind = MEND_ENTRY, .node = p, .input = SHAPE, .entry = dim, .dim = dim };
    m->input = node_is(p, &op_constant_of_shape) ? 0 : SHAPE;
    if (!editable(b, p) || !constant_vector(b, p, m->input, &sizes) || sizes.count != y->rank)
        return false;
    if (node_is(p, &op_expand)) {
        const struct tensor *x = file_type(b, p->in[0]);
        const int of_x = dim - y->rank + x->rank;

        if (!tensor_known(x) || (of_x >= 0 && x->dims[of_x] != 1))
            return false;
    }
    m->factor = sizes.v[dim] / b->size;
    return sizes.v[dim] % b->size == 0;
}

/* Would one row do for all samples? */
static bool broadcasts(const struct node *n, const struct tensor *t, int dim)
{
    return node_elementwise(n) || node_is(n, &op_gemm) || (node_is(n, &op_matmul) && dim < t->rank - 2);
}

/* Input k must have samples in `dim`. */
static bool mend_input(struct batch *b, const struct node *n, int k, int dim)
{
    const struct tensor *t = file_type(b, n->in[k]);
    struct mend m = {
        .kind = MEND_ROWS, .node = b->graph->nodes[n->id], .input = k, .dim = dim, .factor = t->dims[dim] / b->size
    };

    if (is_recurrent(n) && k >= STATE && k <= LAST_STATE && is_zero(t))
        m.kind = MEND_STATE;
    else if (made_for(b, n->in[k], dim, &m))
        return add_mend(b, m);
    else
        m = (struct mend){
            .kind = MEND_ROWS, .node = b->graph->nodes[n->id], .input = k, .dim = dim, .factor = m.factor
        };
    m.factor = t->dims[dim] / b->size;
    m.repeat = b->size == 1 || m.factor > 1 || !broadcasts(n, t, dim);
    if (m.kind == MEND_ROWS && b->size > 1 && (!t->data || !same_rows(t, dim, m.factor))) {
        b->stuck = arena_printf(&b->arena, b->adapt->report,
                                t->data ? "'%s' has other values for each of its %lld samples"
                                        : "'%s' has something for each of %lld samples, and is no constant",
                                n->in[k]->name, (long long)b->size);
        return b->stuck;
    }
    return add_mend(b, m);
}

/* May input k of the node have samples, beside others that have? Weights, axes and sizes have none. */
static bool takes_samples(const struct node *n, int k)
{
    if (is_recurrent(n))
        return k >= LENGTHS && k <= LAST_STATE;
    return node_elementwise(n) || node_is(n, &op_matmul) || node_is(n, &op_concat) ||
           (node_is(n, &op_gemm) && k == ADDEND);
}

/* The dimension in which input k would have its samples, where `like` has them: counted from the last one, or from the
 * first. -1 where it cannot have any. */
static int counterpart(const struct batch *b, const struct node *n, int k, const struct value *like, bool from_last)
{
    const struct tensor *t = n->in[k] ? file_type(b, n->in[k]) : NULL, *l = file_type(b, like);
    int dim = b->track[like->id].dim;

    if (!t || t->kind != TENSOR || !tensor_known(t) || !t->rank || tracked(b, n->in[k]))
        return -1;
    if (!takes_samples(n, k))
        return -1;
    if (is_recurrent(n) && k == LENGTHS)
        return t->dims[0] == b->size ? 0 : -1;
    if (from_last)
        dim += t->rank - l->rank;
    return dim >= 0 && dim < t->rank && t->dims[dim] == l->dims[b->track[like->id].dim] ? dim : -1;
}

static bool mend_inputs(struct batch *b, const struct node *n, int way, int *ways)
{
    const struct value *like = NULL;
    bool from_last[2] = { false, false }; /* the ways in which there is something to mend */

    *ways = 0;
    for (int k = 0; k < n->inputs && !like; k++)
        if (tracked(b, n->in[k]))
            like = n->in[k];
    if (!like || n->graphs || b->track[like->id].before != 1)
        return true;
    for (int from = 1; from >= 0; from--) {
        bool some = false, same = *ways > 0;

        for (int k = 0; k < n->inputs; k++) {
            const int dim = counterpart(b, n, k, like, from);

            some = some || dim >= 0;
            same = same && dim == counterpart(b, n, k, like, !from);
        }
        if (some && !same)
            from_last[(*ways)++] = from;
    }
    for (int k = 0; way < *ways && k < n->inputs; k++) {
        const int dim = counterpart(b, n, k, like, from_last[way]);

        if (dim >= 0 && !mend_input(b, n, k, dim))
            return false;
    }
    return true;
}

/* -- one after the other -- */

/* The way-th of the ways in which the node may be mended: its mends are added. No ways: it fits, or cannot be. */
static bool mend_node(struct batch *b, const struct node *n, bool refused, int way, int *ways)
{
    *ways = 0;
    if (n->inputs < 1 || n->slots < 1 || !n->in[0] || !n->out[0])
        return true;
    if (node_is(n, &op_reshape))
        return mend_reshape(b, n, refused, way, ways);
    if (node_is(n, &op_expand) && refused)
        return mend_expand(b, n, ways);
    if (refused)
        return mend_inputs(b, n, way, ways);
    if (node_is(n, &op_slice))
        return mend_slice(b, n, ways);
    return !node_is(n, &op_resize) || mend_resize(b, n, ways);
}

/* The output that does not follow the samples; NULL where each does. What is computed of no input has no samples, and
 * what does not begin with them is compared when all is run. */
static const struct value *lagging(const struct batch *b)
{
    for (size_t k = 0; k < b->base->output_count; k++) {
        const struct value *v = b->base->outputs[k];
        const struct tensor *t = file_type(b, v), *other = &b->other->types[v->id];

        if (tensor_known(t) && tensor_known(other) && !other->data && t->rank > 0 && t->dims[0] == b->size &&
            !tracked(b, v))
            return v;
    }
    return NULL;
}

/* The last decision for which there is another way is taken that way; false where there is none. */
static bool turn_back(struct batch *b, struct decision *next)
{
    while (b->decision_count) {
        const struct decision *d = &b->decisions[--b->decision_count];

        b->mend_count = d->mends;
        b->decided[d->node] = false;
        if (d->way + 1 < d->ways) {
            *next = (struct decision){ .node = d->node, .way = d->way + 1 };
            return true;
        }
    }
    return false;
}

static bool decide(struct batch *b, struct decision d)
{
    if (!budget_grow(&b->budget, &b->decisions, &b->decision_room, b->decision_count + 1, sizeof *b->decisions,
                     b->adapt->report))
        return false;
    b->decisions[b->decision_count++] = d;
    b->decided[d.node] = true;
    return true;
}

/* Mends the first node that has to be; b->place is that node, or behind all where none has. b->stuck, or no decision,
 * where it cannot be. */
static bool mend_first(struct batch *b, const struct decision *next, size_t refused)
{
    for (b->place = 0; b->place < b->base->node_count; b->place++) {
        const size_t k = b->place;
        struct decision d = { .node = k, .mends = b->mend_count, .way = k == next->node ? next->way : 0 };

        if (!b->decided[k] && !mend_node(b, b->base->nodes[k], k == refused, d.way, &d.ways))
            return false;
        if (d.ways)
            return decide(b, d);
        if (k == refused)
            return true;
    }
    return true;
}

/* Why it does not go on from here; nothing where it need not. */
static bool explain(struct batch *b, const struct report *quiet, const char **why, const char **where)
{
    const bool all = b->place == b->base->node_count;
    const struct value *output = all ? lagging(b) : NULL;
    struct report *r = b->adapt->report;
    char text[WHERE_TEXT];

    *why = b->stuck;
    *where = NULL;
    if (all)
        *why = output ? arena_printf(&b->arena, r, "output '%s' has no other size", output->name) : NULL;
    else if (!*why)
        *why = arena_string(&b->arena, quiet->error.message, strlen(quiet->error.message), r);
    if (!all && node_where(b->base->nodes[b->place], text))
        *where = arena_string(&b->arena, text, strlen(text), r);
    return !failed(r);
}

/* One plan, and what follows from it. *done where nothing is left to be mended, or nothing else to be tried. */
static bool follow_on(struct batch *b, struct decision *next, int *turns, bool *done)
{
    const size_t decisions = b->decision_count;
    struct report quiet = { 0 };
    const char *why, *where;
    size_t refused;

    b->stuck = NULL;
    if (!plan_other(b, &quiet, &refused))
        return false;
    find_tracks(b);
    if (!mend_first(b, next, refused))
        return false;
    if (b->decision_count > decisions && !b->stuck)
        return true;
    if (!explain(b, &quiet, &why, &where))
        return false;
    if (why && !b->first) { /* the likeliest way is the one to tell of */
        b->first = why;
        b->where = where;
    }
    *done = !why || ++*turns > MOST_TURNS || !turn_back(b, next);
    b->stuck = *done && why ? b->first : NULL;
    return true;
}

bool batch_follow(struct batch *b)
{
    struct decision next = { .node = SIZE_MAX };
    bool done = false;
    int turns = 0;

    for (int plans = 0; !done && plans < MOST_PLANS; plans++)
        if (!follow_on(b, &next, &turns, &done))
            return false;
    if (!done)
        b->stuck = "too much would have to change";
    for (size_t k = 0; k < b->decision_count; k++)
        b->ambiguous = b->ambiguous || b->decisions[k].ways > 1;
    return true;
}

/* -- begin and end -- */

/* Which inputs have samples: those that begin with as many as the first one, or leave it open as that does. */
static bool find_inputs(struct batch *b)
{
    const struct graph *g = b->graph;
    const struct value *first = g->input_count ? g->inputs[0] : NULL;

    b->has = arena_array(&b->arena, g->input_count, sizeof *b->has, b->adapt->report);
    if (!b->has)
        return false;
    if (!first || !first->has_type || first->type.kind != TENSOR || first->type.rank < 1)
        return true;
    b->told = first->type.dims[0] != UNKNOWN;
    b->size = first->type.dims[0] > 0 && first->type.dims[0] < INT32_MAX / OTHER ? first->type.dims[0] : 0;
    for (size_t k = 0; k < g->input_count; k++) {
        const struct value *v = g->inputs[k];

        b->has[k] = v->has_type && v->type.kind == TENSOR && v->type.rank > 0 && v->type.dims[0] == first->type.dims[0];
    }
    return true;
}

/* The clone, with constants folded. */
static bool fold(struct batch *b, struct report *quiet)
{
    struct plan_context c = context(b, quiet);
    struct rewrite w = { .c = &c };
    bool ok;

    c.once = true;
    w.graph = b->base = graph_clone(b->graph, &b->arena, quiet);
    if (!w.graph)
        return false;
    for (size_t k = 0; k < w.graph->value_count; k++) /* nobody gives another one in training */
        if (w.graph->values[k]->initializer)
            w.graph->values[k]->is_input = false;
    ok = pass_constants(&w);
    b->constants = w.constants;
    return ok;
}

/* What the exporter saw, where the inputs do not tell: batches that are common. */
static bool plan_file(struct batch *b, struct report *quiet)
{
    static const int64_t common[] = { 1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 128, 256 };

    if (b->told)
        return (b->file = batch_plan(b, b->base, b->size, quiet));
    for (size_t k = 0; !b->file && k < sizeof common / sizeof *common; k++) {
        *quiet = (struct report){ 0 };
        b->file = batch_plan(b, b->base, b->size = common[k], quiet);
        if (!b->file && !batch_misfit(quiet))
            return false;
    }
    return b->file;
}

bool batch_begin(struct batch *b, struct adapt *a)
{
    struct report quiet = { 0 };

    *b = (struct batch){ .adapt = a,
                         .model = a->model,
                         .graph = a->model->graph,
                         .budget = budget_like(&a->calibration.limits),
                         .arena.budget = &b->budget };
    if (!find_inputs(b))
        return false;
    if (b->told && !b->size)
        return true;
    if (b->graph->input_count && b->has[0]) {
        if (!fold(b, &quiet) || !plan_file(b, &quiet)) {
            b->size = 0;
            return batch_misfit(&quiet) ||
                   fail(a->report, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        }
        b->base->report = a->report;
        b->track = arena_array(&b->arena, b->base->value_count, sizeof *b->track, a->report);
        b->decided = arena_array(&b->arena, b->base->node_count, sizeof *b->decided, a->report);
        return b->track && b->decided;
    }
    b->size = 0;
    return true;
}

void batch_end(struct batch *b)
{
    budget_stop(&b->budget);
    program_free(b->file);
    program_free(b->other);
    program_free(b->constants);
    budget_free(&b->budget, b->decisions);
    budget_free(&b->budget, b->mends);
    graph_release(b->base);
    arena_release(&b->arena);
}
