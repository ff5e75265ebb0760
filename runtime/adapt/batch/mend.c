/* What has to stand at a node for any number of samples to pass. With a batch of 1 a 1 may be the batch, or just a 1:
 * there are several ways then, the likeliest first. */
#include "adapt/batch/batch.h"
#include "ops/gather.h"
#include "ops/op.h"
#include "ops/registry.h"
#include <string.h>

enum { SHAPE = 1, STARTS = 1, ENDS, AXES, STEPS, SIZES = 3 }; /* inputs that are vectors */
enum { INDICES = 1 };                                         /* of a Gather, */
enum { LENGTHS = 4, STATE, LAST_STATE };                      /* of a recurrent layer, */
enum { ADDEND = 2 };                                          /* of a Gemm */

/* -- what may change -- */

const struct tensor *batch_constant(const struct batch *b, const struct node *n, int k)
{
    return k < n->inputs && n->in[k] ? value_constant(b->base->values[n->in[k]->id]) : NULL;
}

bool batch_vector(const struct batch *b, const struct node *n, int k, struct ints *out)
{
    const struct tensor *t = batch_constant(b, n, k);

    out->count = 0;
    if (!t || t->rank != 1 || (t->dtype != I64 && t->dtype != I32) || t->dims[0] > MAX_RANK)
        return false;
    for (; out->count < (int)t->dims[0]; out->count++)
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

enum { SAME, EXACT, FOLLOWS, HEADS, POSITIONS, WORST }; /* the likeliest first */

/* How likely the samples of a Reshape are to go to dimension j; -1 where they cannot. */
static int rate(const struct batch *b, const struct node *n, const struct ints *shape, int j)
{
    const struct tensor *y = file_type(b, n->out[0]);
    const int64_t from = batch_outer(b, n->in[0]), to = dims_product(y->dims, 0, j);
    const int64_t ahead = to && from % to == 0 ? from / to : 0;

    if (!ahead || y->dims[j] % ahead || y->dims[j] / ahead % b->size)
        return -1;
    if (ahead == 1 && y->dims[j] == b->size)
        return j == b->track[n->in[0]->id].dim ? SAME : EXACT;
    if (shape->v[j] == -1)
        return FOLLOWS;
    return ahead > 1 ? POSITIONS : j < y->rank - 1 ? HEADS : WORST;
}

/* The way-th of the dimensions that the samples may go to; *ways is how many there are. *unsure: others are hardly less
 * likely. One that is as long as the batch is sure, where it is the only one. */
static int choose(const struct batch *b, const struct node *n, const struct ints *shape, int way, int *ways,
                  bool *unsure)
{
    int chosen = -1, exact = 0;

    *ways = 0;
    for (int rating = 0; rating <= WORST; rating++)
        for (int j = 0; j < shape->count; j++)
            if (rate(b, n, shape, j) == rating) {
                exact += rating <= EXACT;
                chosen = (*ways)++ == way ? j : chosen;
            }
    *unsure = *ways > 1 && !(exact == 1 && way == 0);
    return chosen;
}

static bool mend_reshape(struct batch *b, const struct node *n, bool refused, int way, int *ways)
{
    const struct tensor *y = file_type(b, n->out[0]);
    const bool follows = !refused && tracked(b, n->out[0]);
    struct mend m = { .kind = MEND_ENTRY, .node = b->graph->nodes[n->id], .input = SHAPE };
    struct ints shape;

    *ways = 0;
    if (!tracked(b, n->in[0]) || !tensor_known(y) || !batch_vector(b, n, SHAPE, &shape) || shape.count != y->rank)
        return true;
    m.entry = m.dim = choose(b, n, &shape, way, ways, &m.unsure);
    if (m.dim < 0)
        return true;
    if (follows && b->track[n->out[0]->id].dim == m.dim)
        m.kind = MEND_NOTHING;
    m.factor = y->dims[m.dim] / b->size;
    if (m.kind == MEND_NOTHING && *ways == 1)
        *ways = 0;
    return !*ways || add_mend(b, m);
}

/* Expand of what has samples already: to any number of them. */
static bool mend_expand(struct batch *b, const struct node *n, int *ways)
{
    const struct tensor *x = file_type(b, n->in[0]), *y = file_type(b, n->out[0]);
    struct mend m = { .kind = MEND_BOUND, .node = b->graph->nodes[n->id], .input = SHAPE, .factor = 1 };
    struct ints shape;

    *ways = 0;
    if (!tracked(b, n->in[0]) || !tensor_known(y) || !batch_vector(b, n, SHAPE, &shape))
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
    if (!stays_whole(b, n) || !batch_vector(b, n, STARTS, &starts) || !batch_vector(b, n, ENDS, &ends) ||
        (!batch_vector(b, n, AXES, &axes) && n->inputs > AXES && n->in[AXES]) ||
        (!batch_vector(b, n, STEPS, &steps) && n->inputs > STEPS && n->in[STEPS]))
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
    if (!stays_whole(b, n) || !batch_vector(b, n, SIZES, &sizes) || sizes.count != file_type(b, n->out[0])->rank)
        return true;
    m.entry = m.dim = b->track[n->in[0]->id].dim;
    m.factor = sizes.v[m.dim] / b->size;
    *ways = 1;
    return add_mend(b, m);
}

/* Are the indices those of all elements, each once and in order? */
static bool in_order(const struct tensor *indices, int64_t count)
{
    if (!indices || (indices->dtype != I64 && indices->dtype != I32) || tensor_count(indices) != count)
        return false;
    for (int64_t k = 0; k < count; k++)
        if ((indices->dtype == I64 ? ((const int64_t *)indices->data)[k] : ((const int32_t *)indices->data)[k]) != k)
            return false;
    return true;
}

/* A vector of all elements, of which a Gather takes each: so PyTorch's exporter writes as_strided of what lies in order,
 * and so ConvNeXt's pooling. */
static bool mend_gather(struct batch *b, const struct node *n, int *ways)
{
    const struct gather *g = n->attrs;
    const struct tensor *x = file_type(b, n->in[0]), *y = file_type(b, n->out[0]);
    struct mend m = { .kind = MEND_ORDER, .node = b->graph->nodes[n->id], .input = INDICES };

    *ways = 0;
    if (!tracked(b, n->in[0]) || tracked(b, n->out[0]) || x->rank != 1 || b->track[n->in[0]->id].before != 1 ||
        wrap_axis(g->axis, 1) != 0 || !tensor_known(y) || !y->rank ||
        !in_order(batch_constant(b, n, INDICES), x->dims[0]))
        return true;
    while (m.dim < y->rank - 1 && y->dims[m.dim] == 1 && b->size > 1)
        m.dim++;
    m.factor = y->dims[m.dim] / b->size;
    *ways = y->dims[m.dim] > 0 && y->dims[m.dim] % b->size == 0;
    return !*ways || add_mend(b, m);
}

/* -- what comes without samples to a node that wants them -- */

/* A recurrent layer is what may learn the state that it begins with. */
static bool is_recurrent(const struct node *n)
{
    const struct op_parameter *p = node_parameter(n, STATE);

    return p && p->use == PARAMETER_TRAINS_AS_STATE;
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
    if (!editable(b, p) || !batch_vector(b, p, m->input, &sizes) || sizes.count != y->rank)
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
    return node_elementwise(n) || node_is(n, &op_gemm) || node_is(n, &op_expand) ||
           (node_is(n, &op_matmul) && dim < t->rank - 2);
}

/* Is it what Dropout leaves of values that are none of the samples'? Each sample has to get numbers of its own: what
 * Dropout reads has their rows, not what comes out of it, of which one row would drop all samples or none. */
static const struct node *dropout_of(const struct batch *b, const struct value *v)
{
    const struct node *p = b->base->values[v->id]->producer;

    return p && node_is(p, &op_dropout) && p->in[0] && p->out[0] == v && !tracked(b, p->in[0]) ? p : NULL;
}

/* Input k must have samples in `dim`. */
static bool mend_input(struct batch *b, const struct node *n, int k, int dim)
{
    const struct tensor *t = file_type(b, n->in[k]);
    const struct node *drawn = NULL;
    const bool state = is_recurrent(n) && k >= STATE && k <= LAST_STATE && is_zero(t);
    struct mend m;

    for (const struct node *p = dropout_of(b, n->in[k]); p; p = dropout_of(b, n->in[k])) {
        drawn = n = p;
        k = 0;
    }
    if (!state && made_for(b, n->in[k], dim, &m)) {
        m.unsure = drawn && b->size == 1;
        return add_mend(b, m);
    }
    m = (struct mend){ .kind = state ? MEND_STATE : MEND_ROWS,
                       .node = b->graph->nodes[n->id],
                       .input = k,
                       .dim = dim,
                       .factor = t->dims[dim] / b->size };
    m.repeat = drawn || b->size == 1 || m.factor > 1 || !broadcasts(n, t, dim);
    m.unsure = drawn && b->size == 1;
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

/* Expand to a shape that follows the samples, of what has them for the file's batch: one would do. */
static bool mend_expanded(struct batch *b, const struct node *n, int *ways)
{
    const struct tensor *x = file_type(b, n->in[0]), *to = &b->other->types[n->in[SHAPE]->id];

    *ways = 0;
    if (tracked(b, n->in[0]) || !tensor_known(x) || !to->data || to->rank != 1 || to->dtype != I64)
        return true;
    for (int d = 0; d < x->rank; d++) {
        const int64_t entry = to->dims[0] - x->rank + d;

        if (x->dims[d] == b->size && entry >= 0 && ((const int64_t *)to->data)[entry] == BATCH_OTHER * b->size)
            return (*ways = 1) && mend_input(b, n, 0, d);
    }
    return true;
}

/* The dimension in which input k would have its samples, where `like` has them: counted from the last one, or from the
 * first. -1 where it cannot have any. */
static int counterpart(const struct batch *b, const struct node *n, int k, const struct value *like, bool from_last)
{
    const struct tensor *t = n->in[k] ? file_type(b, n->in[k]) : NULL, *l = file_type(b, like);
    int dim = b->track[like->id].dim;

    if (!t || t->kind != TENSOR || !tensor_known(t) || !t->rank || tracked(b, n->in[k]) || !takes_samples(n, k))
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

/* With a batch of 1, numbers that are drawn for each sample fit any batch, in which all samples would share them. */
static bool mend_drawn(struct batch *b, const struct node *n, int *ways)
{
    *ways = 0;
    for (int k = 0; b->told && b->size == 1 && k < 2; k++) {
        const struct value *like = n->in[1 - k];
        int dim;

        if (!n->in[k] || !tracked(b, like) || b->track[like->id].before != 1 || !dropout_of(b, n->in[k]))
            continue;
        dim = counterpart(b, n, k, like, true);
        if (dim >= 0)
            return (*ways = 1) && mend_input(b, n, k, dim);
    }
    return true;
}

/* -- a node -- */

bool batch_mend(struct batch *b, const struct node *n, bool refused, int way, int *ways)
{
    *ways = 0;
    if (n->inputs < 1 || n->slots < 1 || !n->in[0] || !n->out[0])
        return true;
    if (node_is(n, &op_reshape))
        return mend_reshape(b, n, refused, way, ways);
    if (node_is(n, &op_expand) && refused)
        return tracked(b, n->in[0]) ? mend_expand(b, n, ways) : mend_expanded(b, n, ways);
    if (refused)
        return mend_inputs(b, n, way, ways);
    if (node_is(n, &op_slice))
        return mend_slice(b, n, ways);
    if (node_is(n, &op_gather))
        return mend_gather(b, n, ways);
    if (node_is(n, &op_mul))
        return mend_drawn(b, n, ways);
    return !node_is(n, &op_resize) || mend_resize(b, n, ways);
}
