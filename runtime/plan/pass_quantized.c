#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/gemm.h"
#include "ops/granularity.h"
#include "ops/pooling.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/signature.h"
#include "plan/pass.h"
#include "plan/quantization.h"
#include <math.h>
#include <string.h>

/* What stands between DequantizeLinear and QuantizeLinear computes in integers of 8 bits where this CPU is faster so than in
 * floats: a node of the standard's, or of com.microsoft, that is defined as the three are,
 *
 *   Conv                            QLinearConv
 *   MatMul, Gemm                    QLinearMatMul, by a constant matrix
 *   Add, Mul                        QLinearAdd, QLinearMul
 *   AveragePool, GlobalAveragePool  kiln.QLinearAveragePool, QLinearGlobalAveragePool
 *
 * or, where what is moved or compared keeps its scale and zero point, the node itself. A Relu or a Clip before the
 * QuantizeLinear becomes a Clip behind it, with bounds that are quantised, too, if saturation does not do its work already.
 *
 * The sum of products is exact then, and is rounded once; in floats it is rounded in each step, so that what is about a tie may
 * come to lie one quantum away. */

struct quantized_pass {
    struct graph *graph;
    struct use *uses;
    struct report *report;
    int products; /* of integers in the time of one of floats */
    bool failed;  /* without memory */
};

/* What is to become one node: `node`, a Relu or Clip behind it, `clip`, or NULL, and the QuantizeLinear. */
struct site {
    struct node *node, *clip, *last;
    struct quantization_of y;
    float least, most; /* that the clip leaves */
};

/* -- values -- */

static struct value *constant(struct quantized_pass *p, enum dtype dtype, int rank, const int64_t *dims)
{
    struct value *v = pass_initializer(p->graph, dtype, rank, dims, p->report);

    p->failed = p->failed || !v;
    return v;
}

static struct value *zero_of(struct quantized_pass *p, const struct quantization_of *q)
{
    struct value *v;

    if (q->zero)
        return q->zero;
    v = constant(p, q->dtype, 0, NULL);
    if (v)
        memset(v->initializer->data, 0, 1);
    return v;
}

/* A bound as it is quantised. */
static struct value *bound(struct quantized_pass *p, const struct quantization_of *y, float x)
{
    struct value *v = constant(p, y->dtype, 0, NULL);
    const double q = rint((double)x / (double)y->scale_at[0]) + quantization_zero(y, 0);
    float least, most;

    if (!v)
        return NULL;
    saturation(y->dtype, &least, &most);
    *(uint8_t *)v->initializer->data = (uint8_t)(int)fmin(fmax(q, (double)least), (double)most);
    return v;
}

/* -- rewriting -- */

/* `node` computes in integers, by these inputs. */
static void become(struct quantized_pass *p, struct site *s, const struct op *op, int since, const void *attrs,
                   int inputs, struct value *const *in)
{
    struct node *n = s->node;
    struct value **own = arena_array(p->graph->arena, (size_t)inputs, sizeof *own, p->report);

    p->failed = p->failed || !own;
    for (int k = 0; k < inputs && own; k++)
        own[k] = in[k];
    if (p->failed)
        return;
    n->op = op;
    n->def = op_def_for(op, since);
    n->op_name = op->name;
    n->since = n->def->since;
    n->attrs = attrs;
    n->in = own;
    n->inputs = inputs;
}

/* Does saturation do what the clip would? */
static bool is_saturation(const struct site *s)
{
    const double zero = quantization_zero(&s->y, 0), scale = (double)s->y.scale_at[0];
    float least, most;

    saturation(s->y.dtype, &least, &most);
    return (double)s->least <= ((double)least - zero) * scale && (double)s->most >= ((double)most - zero) * scale;
}

/* The node makes what the QuantizeLinear made, with the clip in between. */
static void join(struct quantized_pass *p, struct site *s)
{
    struct value *y = s->last->out[0], *between, *in[3] = { 0 };
    struct site clip = { .node = s->clip };
    struct numbers *none;

    if (!s->clip || is_saturation(s)) {
        pass_replace(p->uses, s->node, s->last);
        return;
    }
    between = graph_value(p->graph, NULL);
    none = arena_alloc(p->graph->arena, sizeof *none, p->report);
    in[1] = bound(p, &s->y, s->least);
    in[2] = bound(p, &s->y, s->most);
    p->failed = p->failed || !between || !none;
    if (p->failed)
        return;
    between->known = known_of(y);
    in[0] = between;
    *none = (struct numbers){ -INFINITY, INFINITY };
    become(p, &clip, &op_clip, NEWEST_OPSET, none, 3, in);
    s->node->out[0]->producer = NULL;
    s->node->out[0] = between;
    between->producer = s->node;
    pass_replace(p->uses, s->clip, s->last);
}

/* -- rules: each changes the node, or leaves it and gives false -- */

typedef bool rule(struct quantized_pass *p, struct site *s);

static struct value *input(const struct node *n, int k)
{
    return k < n->inputs ? n->in[k] : NULL;
}

/* Bias b of a sum of products whose elements count x_scale * w_scale: as int32, where that loses next to nothing. */
static struct value *integer_bias(struct quantized_pass *p, const struct value *b, const struct quantization_of *x,
                                  const struct quantization_of *w, const struct quantization_of *y, int64_t channels)
{
    struct value *v;

    if (!bias_fits(b, x, w, y, channels))
        return NULL;
    v = constant(p, I32, 1, &channels);
    if (v)
        bias_quantize(b, x, w, channels, v->initializer->data);
    return v;
}

/* In floats Winograd's filtering makes it of fewer products (kernels/winograd.h). */
static bool is_filtered(const struct node *n)
{
    const struct conv_attrs *a = n->attrs;
    const struct tensor *w = value_constant(n->in[1]->producer->in[QUANTIZE_X]);
    bool slides = w && w->rank == 4 && w->dims[2] == 3 && w->dims[3] == 3 && a->group == 1;

    for (int d = 0; slides && d < a->window.strides.count; d++)
        slides = a->window.strides.v[d] == 1;
    for (int d = 0; slides && d < a->window.dilations.count; d++)
        slides = a->window.dilations.v[d] == 1;
    return slides;
}

static bool convolution(struct quantized_pass *p, struct site *s)
{
    static const struct quantized_inputs inputs = { .a = 0, .a_zero = 2, .b = 3, .b_zero = 5, .bias = 8 };
    const struct node *n = s->node;
    struct quantization_of x, w;
    struct value *in[9], *b = input(n, 2);
    struct node as = *n;

    if (!quantization_read(n->in[0], &x) || x.count != 1 || !quantization_read(n->in[1], &w) ||
        !quantization_fits(&w, 0) || !quantization_sums_fit(&w, value_constant(w.x)->dims[0]) ||
        (p->products < 2 && is_filtered(n)))
        return false;
    in[0] = x.x;
    in[1] = x.scale;
    in[2] = zero_of(p, &x);
    in[3] = w.x;
    in[4] = w.scale;
    in[5] = zero_of(p, &w);
    in[6] = s->y.scale;
    in[7] = zero_of(p, &s->y);
    in[8] = NULL;
    as.in = in;
    as.inputs = 9;
    if (p->failed || !quantized_conv_goes_last(&as, &inputs))
        return false;
    in[8] = b ? integer_bias(p, b, &x, &w, &s->y, value_constant(w.x)->dims[0]) : NULL;
    if (b && !in[8])
        return false;
    become(p, s, &op_qlinear_conv, NEWEST_OPSET, n->attrs, 9, in);
    return true;
}

/* A constant matrix with rows and columns exchanged. */
static struct value *transposed(struct quantized_pass *p, const struct tensor *t)
{
    const int64_t dims[] = { t->dims[1], t->dims[0] };
    struct value *v = constant(p, t->dtype, 2, dims);
    const uint8_t *const from = t->data;

    for (int64_t r = 0; v && r < dims[0]; r++)
        for (int64_t c = 0; c < dims[1]; c++)
            ((uint8_t *)v->initializer->data)[r * dims[1] + c] = from[c * dims[0] + r];
    return v;
}

/* `column`: the dimension of the matrix that is one of its columns. */
static bool product(struct quantized_pass *p, struct site *s, int column, struct value *b)
{
    const struct node *n = s->node;
    const struct tensor *matrix;
    struct quantization_of x, w;
    struct value *in[9];

    if (!quantization_read(n->in[0], &x) || x.count != 1 || !quantization_read(n->in[1], &w) ||
        !quantization_fits(&w, column) || !quantization_in_quads(&w))
        return false;
    matrix = value_constant(w.x);
    if (!matrix || matrix->rank != 2 || !quantization_sums_fit(&w, matrix->dims[column]))
        return false;
    in[0] = x.x;
    in[1] = x.scale;
    in[2] = zero_of(p, &x);
    in[4] = w.scale;
    in[5] = zero_of(p, &w);
    in[6] = s->y.scale;
    in[7] = zero_of(p, &s->y);
    in[8] = b ? integer_bias(p, b, &x, &w, &s->y, matrix->dims[column]) : NULL;
    if (p->failed || (b && !in[8]))
        return false;
    in[3] = column == 1 ? w.x : transposed(p, matrix);
    become(p, s, &op_qlinear_matmul, NEWEST_OPSET, NULL, b ? 9 : 8, in);
    if (b && !p->failed)
        p->failed = !pass_lower(s->node, p->report);
    return true;
}

static bool matrix_product(struct quantized_pass *p, struct site *s)
{
    return product(p, s, 1, NULL);
}

static bool general_product(struct quantized_pass *p, struct site *s)
{
    const struct gemm_attrs *a = s->node->attrs;
    struct value *c = input(s->node, 2);

    if (a->trans_a || a->alpha != 1 || (c && a->beta != 1))
        return false;
    return product(p, s, a->trans_b ? 0 : 1, c);
}

static bool binary(struct quantized_pass *p, struct site *s, const struct op *op)
{
    struct quantization_of a, b;

    if (!quantization_read(s->node->in[0], &a) || !quantization_read(s->node->in[1], &b) || a.count != 1 ||
        b.count != 1 || a.dtype != s->y.dtype || b.dtype != s->y.dtype)
        return false;
    become(p, s, op, 1, NULL, 8,
           (struct value *const[]){ a.x, a.scale, zero_of(p, &a), b.x, b.scale, zero_of(p, &b), s->y.scale,
                                    zero_of(p, &s->y) });
    return true;
}

static bool sum(struct quantized_pass *p, struct site *s)
{
    return binary(p, s, &op_qlinear_add);
}

static bool elementwise_product(struct quantized_pass *p, struct site *s)
{
    return binary(p, s, &op_qlinear_mul);
}

static bool mean(struct quantized_pass *p, struct site *s, const struct op *op, const void *attrs)
{
    struct quantization_of x;

    if (!quantization_read(s->node->in[0], &x) || x.count != 1 || x.dtype != s->y.dtype)
        return false;
    become(p, s, op, 1, attrs, 5,
           (struct value *const[]){ x.x, x.scale, zero_of(p, &x), s->y.scale, zero_of(p, &s->y) });
    return true;
}

static bool mean_of_pixels(struct quantized_pass *p, struct site *s)
{
    const struct op *op = &op_qlinear_global_average_pool;
    void *attrs = arena_alloc(p->graph->arena, op->defs->attrs_size, p->report);

    p->failed = p->failed || !attrs;
    return mean(p, s, op, attrs);
}

static bool mean_of_windows(struct quantized_pass *p, struct site *s)
{
    return mean(p, s, &integer_average_pool, s->node->attrs);
}

static bool takes(const struct op_def *def, enum dtype dtype)
{
    const struct tensor type = { .dtype = dtype };
    struct signature s;

    return signature_read(&s, def) && signature_in(&s, 0) && type_set_has(&s.var[signature_in(&s, 0)->var].set, &type);
}

/* The node's version, or the first that does the same to integers of 8 bits, too; NULL for none. */
static const struct op_def *for_bytes(const struct node *n, enum dtype dtype)
{
    const struct op_def *def = n->def;

    if (node_is(n, &op_max_pool) && n->since < 12)
        def = op_def_for(&op_max_pool, 12);
    else if (node_is(n, &op_flatten) && n->since < 9)
        def = op_def_for(&op_flatten, 9);
    return takes(def, dtype) ? def : NULL;
}

/* What comes out are elements of what goes in. */
static bool moved(struct quantized_pass *p, struct site *s)
{
    struct node *n = s->node;
    const struct op_def *def = for_bytes(n, s->y.dtype);
    const int operands = node_is(n, &op_concat) ? n->inputs : 1;
    struct quantization_of x;

    (void)p;
    if (!def)
        return false;
    for (int k = 0; k < operands; k++)
        if (!quantization_read(n->in[k], &x) || !quantization_equal(&x, &s->y))
            return false;
    for (int k = 0; k < operands && quantization_read(n->in[k], &x); k++)
        n->in[k] = x.x;
    n->def = def;
    return true;
}

static const struct {
    const struct op *op; /* NULL: whatever rearranges */
    rule *rule;
} rules[] = {
    { &op_conv, convolution },
    { &op_matmul, matrix_product },
    { &op_gemm, general_product },
    { &op_add, sum },
    { &op_mul, elementwise_product },
    { &op_average_pool, mean_of_windows },
    { &op_global_average_pool, mean_of_pixels },
    { &op_max_pool, moved },
    { &op_concat, moved },
    { &op_slice, moved },
    { NULL, moved },
};

/* -- the whole -- */

/* The node that alone makes what `v` is, and whose other outputs nobody has. */
static struct node *only_maker(const struct quantized_pass *p, const struct value *v)
{
    struct node *n = v->producer;

    if (!n || p->uses[v->id].count != 1 || n->graphs || n->captured)
        return NULL;
    for (int k = 1; k < n->slots; k++)
        if (n->out[k])
            return NULL;
    return n;
}

static bool read_clip(const struct node *n, struct site *s)
{
    s->least = 0;
    s->most = INFINITY;
    if (node_is(n, &op_relu))
        return true;
    if (!node_is(n, &op_clip) || !pass_clip_bound(n, 1, &s->least) || !pass_clip_bound(n, 2, &s->most))
        return false;
    return s->least <= s->most;
}

static bool rewrite(struct quantized_pass *p, struct node *n)
{
    struct site s = { .last = n };

    if (!node_is(n, &op_quantize_linear) || !quantization_written(n, &s.y))
        return true;
    s.node = only_maker(p, n->in[0]);
    if (s.node && read_clip(s.node, &s)) {
        s.clip = s.node;
        s.node = only_maker(p, s.clip->in[0]);
    }
    if (!s.node || !s.node->inputs || !s.node->in[0])
        return true;
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        if (rules[k].op ? !node_is(s.node, rules[k].op) : !(s.node->def->flags & OP_REARRANGES))
            continue;
        if (rules[k].rule(p, &s) && !p->failed)
            join(p, &s);
        return !p->failed;
    }
    return true;
}

bool pass_quantized(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct quantized_pass p = { .graph = g, .report = w->c->report };
    bool any = false;

    p.products = w->c->kernels->integer->quad_products;
    for (size_t k = 0; k < g->node_count && !any; k++)
        any = node_is(g->nodes[k], &op_quantize_linear);
    if (!any || !p.products)
        return true;
    if (!pass_take_constants(w))
        return false;
    pass_know(w);
    p.uses = pass_uses(g, p.report);
    for (size_t k = 0; p.uses && k < g->node_count; k++)
        if (!rewrite(&p, g->nodes[k]))
            return false;
    return p.uses;
}
