#include "ops/conv.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/signature.h"
#include "ops/transpose.h"
#include "plan/pass.h"
#include <string.h>

/* Convolutions of floats, and of integers of 8 bits, take and give their channels last, and so does what stands between them.
 *
 * The nodes are walked in order. A value has up to two forms: as ONNX has it, and with its channels last. Each is made
 * where somebody first asks for it, by a Transpose of the other one: so a network of convolutions has one where its
 * input comes in and one where it is flattened. A Transpose of the file that makes one form of the other makes nothing
 * new: it goes. The pass lays out tensors of three and four dimensions.
 *
 * A convolution that two transpositions would cost more than they bring stays as it is, where nobody around it has
 * channels last. */

struct form {
    struct value *onnx; /* who holds it as ONNX has it: the value itself, or another one. NULL: nobody yet */
    struct value *last; /* with channels last */
};

struct layout {
    struct graph *graph;
    const struct kernels *kernels;
    struct report *report;
    struct emitter e;
    struct form *forms; /* by value id */
    size_t capacity;
    bool *wanted; /* by id of the graph's own values: a reader, or what comes of them, is to have channels last */
};

static bool in_reach(int rank)
{
    return rank == 3 || rank == 4;
}

/* -- values -- */

/* A value of this pass: it holds itself. */
static struct value *added(struct layout *l, struct value *v, struct known known)
{
    if (!v || (size_t)v->id >= l->capacity)
        return NULL;
    l->forms[v->id] = (struct form){ .onnx = v };
    v->known = known;
    return v;
}

/* For people it is called as the one whose other form it is. */
static struct value *form_of(struct layout *l, const struct value *v)
{
    return added(l, graph_value(l->graph, v->name), known_of(v));
}

static void make_instead(struct value *made, struct value *v)
{
    struct node *n = made->producer;

    n->out[0] = v;
    v->producer = n;
    made->producer = NULL;
}

/* The value as ONNX has it, for whoever reads it; NULL on an error. */
static struct value *as_onnx(struct layout *l, struct value *v)
{
    struct form *f = &l->forms[v->id];

    if (!f->onnx && f->last) {
        struct value *made = emit_layout(&l->e, f->last, known_of(v).rank, false);

        if (!made || !added(l, made, known_of(v)))
            return NULL;
        make_instead(made, v);
        f->onnx = v;
    }
    return f->onnx ? f->onnx : v;
}

/* The value itself, for whoever knows it by its name or its id. */
static bool keep(struct layout *l, struct value *v)
{
    struct value *held = as_onnx(l, v);

    if (held && held != v) {
        held = emit(&l->e, "Identity", NULL, 1, held);
        if (!held || !added(l, held, known_of(v)))
            return false;
        make_instead(held, v);
        l->forms[v->id].onnx = v;
    }
    return held;
}

/* A constant of up to `rank` dimensions as an operand of something that has them, with channels last. */
static struct value *constant_last(struct layout *l, const struct tensor *t, int rank)
{
    struct tensor x = *t;
    int64_t dims[MAX_RANK];
    struct value *v;

    x.rank = rank;
    for (int d = 0; d < rank; d++)
        x.dims[d] = d < rank - t->rank ? 1 : t->dims[d - (rank - t->rank)];
    layout_dims(true, rank, x.dims, dims);
    v = pass_initializer(l->graph, t->dtype, rank, dims, l->report);
    if (!v || !added(l, v, (struct known){ rank, t->dtype }))
        return NULL;
    layout_copy(l->kernels, NULL, &x, true, t->data, v->initializer->data);
    return v;
}

/* A value of `rank` dimensions with channels last. */
static struct value *as_last(struct layout *l, struct value *v, int rank)
{
    struct form *f = &l->forms[v->id];

    if (!f->last && value_constant(v)) {
        f->last = constant_last(l, value_constant(v), rank);
    } else if (!f->last) {
        struct value *x = as_onnx(l, v);

        f->last = x ? added(l, emit_layout(&l->e, x, rank, true), known_of(v)) : NULL;
    }
    return f->last;
}

/* An operand of fewer dimensions, which are the last ones of `rank`. */
static struct value *operand_last(struct layout *l, struct value *v, int rank)
{
    const struct tensor *t = value_constant(v);
    const int own = known_of(v).rank;
    const struct known known = { rank, known_of(v).dtype };
    int64_t axes[MAX_RANK];
    struct value *x;

    if (own == rank || own < 0) /* not known: what a convolution reads has its weights' rank */
        return as_last(l, v, rank);
    if (own == 0 || (t && tensor_count(t) == 1))
        return as_onnx(l, v);
    if (t)
        return constant_last(l, t, rank);
    for (int d = 0; d < rank - own; d++)
        axes[d] = d;
    x = as_onnx(l, v);
    if (!x || !added(l, x = emit(&l->e, "Unsqueeze", NULL, 2, x, emit_ints(&l->e, rank - own, axes)), known))
        return NULL;
    return added(l, emit_layout(&l->e, x, rank, true), known);
}

/* -- nodes -- */

static bool append(struct layout *l, struct node *n)
{
    struct graph *g = l->graph;

    if (!budget_grow(g->arena->budget, &g->nodes, &g->node_capacity, g->node_count + 1, sizeof *g->nodes, l->report))
        return false;
    n->id = (int)g->node_count;
    g->nodes[g->node_count++] = n;
    return true;
}

/* How many operands lie with their channels last: all, for an operator that knows no place, else the first, or what
 * stands in for it when there may be many. */
static int operands_of(const struct node *n)
{
    struct signature s;

    if (node_elementwise(n))
        return n->inputs;
    return signature_read(&s, n->def) && signature_in(&s, 0) && signature_in(&s, 0)->variadic ? n->inputs : 1;
}

/* Is it cheaper to have the operands with channels last? Constants cost nothing either way. */
static bool is_cheaper(const struct layout *l, const struct node *n, int rank)
{
    const int operands = operands_of(n);
    int to_last = 0, to_onnx = 0, last = 0;

    for (int k = 0; k < operands; k++) {
        const struct value *v = n->in[k];

        if (!v || known_of(v).rank != rank || value_constant(v))
            continue;
        to_last += !l->forms[v->id].last;
        to_onnx += !l->forms[v->id].onnx;
        last += l->forms[v->id].last != NULL;
    }
    return last && to_last <= to_onnx;
}

/* Convolutions of few products for each element that would be transposed, which do without (kernels/conv_point.h,
 * conv_depth.h). Only of weights that do not train: gradients are another matter. */
static bool likes_planes(const struct node *n)
{
    enum { FEW = 128, FEW_TIMES = 4, MOST_STRIDE = 8 };
    const struct tensor *w = node_is(n, &op_conv) ? value_constant(n->in[1]) : NULL;
    const struct conv_attrs *a = n->attrs;
    int64_t in, out, skip = 1;

    if (!w || w->dtype != F32 || !in_reach(w->rank) || w->dims[0] % a->group)
        return false;
    in = w->dims[1];
    out = w->dims[0] / a->group;
    if (in == 1 && a->group > 1)
        return out <= FEW_TIMES;
    for (int d = 0; d < w->rank - 2; d++) {
        const int64_t stride = a->window.strides.count ? a->window.strides.v[d] : 1;

        if (w->dims[2 + d] != 1)
            return false;
        skip *= stride < MOST_STRIDE ? stride : MOST_STRIDE;
    }
    for (int k = 0; k < a->window.pads.count; k++)
        if (a->window.pads.v[k])
            return false;
    return in * out <= FEW * (in * skip + out);
}

static void want(struct layout *l, const struct node *n)
{
    const int operands = operands_of(n);
    bool last = n->def->channels_last || node_is(n, &op_transpose);

    if (node_elementwise(n) || likes_planes(n) || n->def->flags & (OP_QUANTIZES | OP_DEQUANTIZES))
        last = n->slots && n->out[0] && l->wanted[n->out[0]->id];
    for (int k = 0; last && k < operands; k++)
        if (n->in[k])
            l->wanted[n->in[k]->id] = true;
}

/* Pixels enough to be laid side by side: of an input of the graph, or what was made of one. A single one, as squeezed
 * channels are, is as good with its channels last. */
static bool is_image(const struct value *v)
{
    enum { FEW_PIXELS = 16, FAR = 64 };
    int64_t pixels = 1;

    for (int far = 0; v->producer && node_elementwise(v->producer) && v->producer->in[0]; far++) {
        if (far == FAR)
            return false;
        v = v->producer->in[0];
    }
    if (v->producer || !v->is_input)
        return v->producer && node_is(v->producer, &op_conv);
    for (int d = 2; v->has_type && d < v->type.rank && pixels < FEW_PIXELS; d++)
        pixels *= v->type.dims[d] < 0 ? FEW_PIXELS : v->type.dims[d];
    return pixels >= FEW_PIXELS;
}

static bool keeps_planes(const struct layout *l, const struct node *n)
{
    const int x = n->in[0]->id;

    return likes_planes(n) && is_image(n->in[0]) && !l->forms[x].last && !l->wanted[x] && n->out[0] &&
           !l->wanted[n->out[0]->id];
}

/* Is there a way with channels last for this type? */
static bool lies_last(const struct node *n, enum dtype x)
{
    return x == F32 || n->def->flags & OP_DEQUANTIZES || (n->def->flags & OP_BYTES_LAST && (x == I8 || x == U8));
}

/* The rank that the node has with channels last; 0 where it stays as ONNX has it. */
static int rank_last(const struct layout *l, const struct node *n)
{
    const bool elementwise = node_elementwise(n);
    const int operands = operands_of(n);
    struct known x = { UNKNOWN, UNDEFINED };

    if (n->captured || n->graphs || !n->inputs || !n->in[0] || !(elementwise || n->def->channels_last))
        return 0;
    x = known_of(n->in[0]);
    if (node_is(n, &op_conv)) {
        const struct known w = known_of(n->in[1]);

        if (keeps_planes(l, n))
            return 0;
        return w.dtype == F32 && in_reach(w.rank) && (x.rank < 0 || x.rank == w.rank) ? w.rank : 0;
    }
    if (node_is(n, &op_qlinear_conv)) {
        const int rank = known_of(n->in[QLINEAR_CONV_W]).rank;

        return l->kernels->integer->quad_products && in_reach(rank) && (x.rank < 0 || x.rank == rank) ? rank : 0;
    }
    if (elementwise && n->slots && n->out[0])
        x.rank = known_of(n->out[0]).rank;
    for (int k = 0; k < operands; k++)
        if (n->in[k] && known_of(n->in[k]).rank < 0)
            return 0;
    return in_reach(x.rank) && (elementwise || lies_last(n, x.dtype)) && is_cheaper(l, n, x.rank) ? x.rank : 0;
}

/* The outputs of that rank are the other form of what they were. */
static bool give_last(struct layout *l, struct node *n, int rank)
{
    for (int k = 0; k < n->slots; k++) {
        struct value *v = n->out[k], *last;

        if (!v)
            continue;
        l->forms[v->id] = (struct form){ .onnx = v };
        if (known_of(v).rank != rank)
            continue;
        last = form_of(l, v);
        if (!last)
            return false;
        l->forms[v->id] = (struct form){ .last = last };
        v->producer = NULL;
        n->out[k] = last;
        last->producer = n;
    }
    return true;
}

static bool take_last(struct layout *l, struct node *n, int rank, bool *taken)
{
    const int operands = operands_of(n);
    void *attrs = arena_alloc(l->graph->arena, n->def->attrs_size + 1, l->report);

    *taken = false;
    if (!attrs)
        return false;
    if (n->def->attrs_size)
        memcpy(attrs, n->attrs, n->def->attrs_size);
    if (n->def->channels_last && !n->def->channels_last(n, rank, attrs))
        return true;
    if (n->def->channels_last)
        n->attrs = attrs;
    *taken = true;
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && !(n->in[k] = k < operands ? operand_last(l, n->in[k], rank) : as_onnx(l, n->in[k])))
            return false;
    return give_last(l, n, rank) && append(l, n);
}

static bool take_onnx(struct layout *l, struct node *n)
{
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && !(n->in[k] = as_onnx(l, n->in[k])))
            return false;
    for (int k = n->inputs; k < n->inputs + n->captured; k++) /* its graphs know it by its id */
        if (!keep(l, n->in[k]))
            return false;
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            l->forms[n->out[k]->id] = (struct form){ .onnx = n->out[k] };
    return append(l, n);
}

/* -- transpositions of the file -- */

enum order { OTHER, NEITHER, TO_LAST, TO_ONNX }; /* NEITHER: moves nothing */

static enum order order_of(int rank, const int64_t *perm)
{
    bool to_last = true, to_onnx = true, nothing = true;

    for (int d = 0; d < rank; d++) {
        nothing &= perm[d] == d;
        to_onnx &= perm[d] == layout_axis(true, rank, d);
        to_last &= perm[layout_axis(true, rank, d)] == d;
    }
    return nothing ? NEITHER : to_last ? TO_LAST : to_onnx ? TO_ONNX : OTHER;
}

/* Of three dimensions the two orders are the same. */
static bool is_to_onnx(int rank, enum order o)
{
    return o == TO_ONNX || (rank == 3 && o == TO_LAST);
}

static bool move(struct layout *l, struct node *n, int rank)
{
    const struct form *x = &l->forms[n->in[0]->id];
    struct form *y = &l->forms[n->out[0]->id];
    int64_t perm[MAX_RANK], through[MAX_RANK];
    char text[INTS_TEXT];
    enum order order;

    for (int d = 0; d < rank; d++) {
        perm[d] = transpose_from(n->attrs, rank, d);
        through[d] = layout_axis(true, rank, (int)perm[d]);
    }
    n->out[0]->producer = NULL;
    if (x->last && order_of(rank, through) == NEITHER) {
        *y = (struct form){ .onnx = x->last };
        return true;
    }
    order = order_of(rank, perm);
    if (x->onnx && is_to_onnx(rank, order)) {
        *y = (struct form){ .last = x->onnx };
        return true;
    }
    if (!x->onnx && x->last) { /* in one step from where it is */
        struct value *made = emit(&l->e, "Transpose", ints_text(text, "perm", rank, through), 1, x->last);

        if (!made || !added(l, made, known_of(n->out[0])))
            return false;
        make_instead(made, n->out[0]);
        *y = (struct form){ .onnx = n->out[0] };
        return true;
    }
    n->out[0]->producer = n;
    if (!take_onnx(l, n))
        return false;
    if (order == TO_LAST && !l->forms[n->in[0]->id].last)
        l->forms[n->in[0]->id].last = n->out[0];
    return true;
}

/* -- the whole -- */

static bool lay_out(struct layout *l, struct node *n)
{
    int rank;
    bool taken = false;

    if (node_is(n, &op_transpose) && n->in[0] && n->out[0] && in_reach(known_of(n->in[0]).rank))
        return move(l, n, known_of(n->in[0]).rank);
    rank = rank_last(l, n);
    return (!rank || take_last(l, n, rank, &taken)) && (taken || take_onnx(l, n));
}

static bool start(struct layout *l, const struct rewrite *w)
{
    struct graph *g = l->graph;
    size_t places = 0;

    for (size_t k = 0; k < g->node_count; k++)
        places += (size_t)(g->nodes[k]->inputs + g->nodes[k]->captured + g->nodes[k]->slots);
    l->capacity = g->value_count + 4 * places + 2 * g->output_count + 2 * g->value_count;
    l->forms = arena_array(g->arena, l->capacity, sizeof *l->forms, l->report);
    l->wanted = arena_array(g->arena, g->value_count, sizeof *l->wanted, l->report);
    if (!l->forms || !l->wanted)
        return false;
    for (size_t k = g->node_count; k-- > 0;)
        want(l, g->nodes[k]);
    pass_know(w);
    for (size_t k = 0; k < g->value_count; k++)
        if (!g->values[k]->producer)
            l->forms[k].onnx = g->values[k];
    return true;
}

static bool has_convolution(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_conv) || node_is(g->nodes[k], &op_qlinear_conv))
            return true;
    return false;
}

static bool makes_something(const struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            return true;
    return false;
}

bool pass_layout(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    struct layout l = { .graph = g, .kernels = w->c->kernels, .report = r, .e = { .graph = g, .report = r } };
    const size_t nodes = g->node_count;
    struct node **node;
    bool ok;

    if (!has_convolution(g))
        return true;
    node = arena_array(g->arena, nodes, sizeof(struct node *), r);
    if (!node || !pass_take_constants(w) || !start(&l, w))
        return false;
    memcpy(node, g->nodes, nodes * sizeof(struct node *));
    g->node_count = 0;
    ok = true;
    for (size_t k = 0; ok && k < nodes; k++) {
        if (!makes_something(node[k]))
            continue;
        know_outputs(node[k]);
        ok = lay_out(&l, node[k]);
    }
    for (size_t k = 0; ok && k < g->output_count; k++)
        ok = keep(&l, g->outputs[k]);
    for (size_t k = 0; ok && w->kept && k < w->values; k++)
        ok = !w->kept[k] || keep(&l, g->values[k]);
    return ok;
}
