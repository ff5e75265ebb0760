/* FlexAttention, of ai.onnx.preview, https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html; Dong and
 * others, arXiv:2412.05496
 *
 *   Y = prob_mod(softmax(score_mod(scale Q K'))) V
 *
 * of [batch, heads, sequence, size] each; several heads of Q, side by side, may share one of K and V. What changes scores
 * and weights are graphs. They become a part of the graph around them, so that everything is planned and fused as one,
 * gradients flow, and weights in them are found. Where there is neither, it is an Attention, which never has all scores.
 *
 * Scores and weights have the type softmax_precision, else double where Q is double, and float. Products are of floats
 * where Q has halves, and are scaled by one factor: the reference rounds the operands to halves before. */
#include "ops/expansion.h"
#include "ops/rank.h"
#include "ops/widen.h"
#include <stdio.h>

enum { Q, K, V }; /* inputs */
enum { RANK = 4 };

struct flex_attention {
    float scale;
    bool scaled;
    enum dtype softmax;        /* UNDEFINED: not told */
    int score_mod, weight_mod; /* subgraphs; -1: none */
};

/* -- read -- */

/* A graph of one input and one output; *index is -1 where the attribute is absent. */
static bool read_graph(struct parse *p, const char *name, int *index)
{
    const struct graph *g;

    *index = -1;
    if (!attr_given(p, name))
        return true;
    *index = attr_graph(p, name);
    if (*index < 0)
        return false;
    g = attr_any(p, name)->graph;
    return (g->input_count == 1 && g->output_count == 1) ||
           parse_error(p, "%s has %zu inputs and %zu outputs, must have one of each", name, g->input_count,
                       g->output_count);
}

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "Q", "K", "V" };
    struct flex_attention *a = attrs;
    const int64_t softmax = attr_int(p, "softmax_precision", UNDEFINED);

    a->scaled = attr_given(p, "scale");
    a->scale = attr_float(p, "scale", 1);
    a->softmax = (enum dtype)softmax;
    for (int k = Q; k <= V; k++) {
        const int rank = known_input(parse_node(p), k).rank;

        if (rank >= 0 && rank != RANK)
            return parse_error(p, "'%s' has %d dimensions, must have %d", names[k], rank, RANK);
    }
    if (softmax && softmax != F32 && softmax != F16 && softmax != F64 && softmax != BF16)
        return parse_error(p,
                           "softmax_precision is %lld, must be %d (float), %d (float16), %d (double) or %d (bfloat16)",
                           (long long)softmax, F32, F16, F64, BF16);
    return read_graph(p, "score_mod", &a->score_mod) && read_graph(p, "prob_mod", &a->weight_mod);
}

/* -- as other operators -- */

/* [batch, heads, ...] with its heads in groups, each of which meets one of the keys'. */
static struct value *grouped(struct emitter *e, struct value *x, struct value *keys)
{
    struct value *const heads = emit_size(e, keys, 1);

    return emit_shaped(e, x, 4, emit_size(e, x, 0), heads, emit(e, "Div", "", 2, emit_size(e, x, 1), heads),
                       emit(e, "Shape", "start=2", 1, x));
}

/* And back: [batch, heads of Q, ...]. */
static struct value *ungrouped(struct emitter *e, struct value *x, struct value *like)
{
    return emit_shaped(e, x, 2, emit(e, "Shape", "end=2", 1, like), emit(e, "Shape", "start=3", 1, x));
}

static struct value *scores(struct emitter *e, const struct flex_attention *a, const struct node *n, enum dtype dtype)
{
    struct value *q = emit_widened(e, n->in[Q], dtype, WIDEN_HALVES),
                 *k = emit_widened(e, n->in[K], dtype, WIDEN_HALVES);
    struct value *factor =
        a->scaled ? emit_scalar(e, F32, (double)a->scale)
                  : emit(e, "Reciprocal", "", 1, emit(e, "Sqrt", "", 1, emit_cast(e, emit_size(e, n->in[Q], 3), F32)));

    q = grouped(e, emit(e, "Mul", "", 2, q, emit(e, "CastLike", "", 2, factor, q)), n->in[K]);
    k = emit_unsqueezed(e, emit(e, "Transpose", "perm=[0,1,3,2]", 1, k), 2);
    q = ungrouped(e, emit(e, "MatMul", "", 2, q, k), n->in[Q]);
    return a->softmax ? emit_cast(e, q, a->softmax) : q;
}

/* x as graph `index` changes it. */
static struct value *changed(struct emitter *e, const struct node *n, int index, struct value *x)
{
    struct value *y = NULL;

    if (index < 0 || e->failed)
        return x;
    e->failed = !graph_take(e->graph, n->graph_of[index], &x, &y);
    return y;
}

static struct value *as_attention(struct emitter *e, const struct flex_attention *a, const struct node *n)
{
    char scale[48] = "", attrs[96];

    if (a->scaled)
        snprintf(scale, sizeof scale, "scale=%.9e ", (double)a->scale);
    snprintf(attrs, sizeof attrs, a->softmax ? "%ssoftmax_precision=%d" : "%s", scale, (int)a->softmax);
    return emit(e, "Attention", attrs, 3, n->in[Q], n->in[K], n->in[V]);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct flex_attention *a = n->attrs;
    const enum dtype dtype = known_input(n, Q).dtype;
    struct value *s, *v;

    if (a->score_mod < 0 && a->weight_mod < 0) {
        out[0] = as_attention(e, a, n);
        return out[0];
    }
    s = changed(e, n, a->score_mod, scores(e, a, n, dtype));
    s = changed(e, n, a->weight_mod, emit(e, "Softmax", "axis=-1", 1, s));
    v = emit_unsqueezed(e, emit(e, "CastLike", "", 2, n->in[V], s), 2);
    s = ungrouped(e, emit(e, "MatMul", "", 2, grouped(e, s, n->in[K]), v), n->in[Q]);
    out[0] = emit(e, "CastLike", "", 2, s, n->in[Q]);
    return out[0];
}

/* -- test -- */

/* In double, as gradients are looked at: a graph has types of its own. */
#define SOFT_CAP                                                                                                       \
    "{ y0 = ai.onnx.preview.FlexAttention <score_mod = m (double[b,h,l,s] x) => (double[b,h,l,s] y) { c = Constant "   \
    "<value = double {0.7}> () d = Div (x, c) t = Tanh (d) y = Mul (t, c) }> (x0, x1, x2) }"
#define BOTH                                                                                                           \
    "{ y0 = ai.onnx.preview.FlexAttention <scale = 0.3, score_mod = m (double[b,h,l,s] x) => (double[b,h,l,s] y) "     \
    "{ y = Add (x, x3) }, prob_mod = m (double[b,h,l,s] x) => (double[b,h,l,s] y) { y = Mul (x, x4) }> (x0, x1, x2) }"
#define CHOSEN                                                                                                         \
    "{ y0 = ai.onnx.preview.FlexAttention <prob_mod = m (double[b,h,l,s] x) => (double[b,h,l,s] y) { c = Greater "     \
    "(x3, "                                                                                                            \
    "x4) y = If (c) <then_branch = t () => (double[b,h,l,s] u) { u = Mul (x, x3) }, else_branch = f () => "            \
    "(double[b,h,l,s] w) { w = Add (x, x4) }> }> (x0, x1, x2) }"
#define UNCHANGED                                                                                                      \
    "{ y0 = ai.onnx.preview.FlexAttention <prob_mod = m (double[b,h,l,s] x) => (double[b,h,l,s] x) { }> (x0, x1, x2) " \
    "}"

static const struct op_case cases[] = {
    { "f64[2,4,3,5] f64[2,2,6,5] f64[2,2,6,7]", "", "f64[2,4,3,7]", 7 },
    { "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4]", "scale=0.5 softmax_precision=11", "f32[1,2,3,4]", 7 },
    { "f16[2,4,3,5] f16[2,2,6,5] f16[2,2,6,7]", "softmax_precision=10", "f16[2,4,3,7]", 0 },
    { "f64[2,4,3,5] f64[2,2,6,5] f64[2,2,6,7]", SOFT_CAP, "f64[2,4,3,7]", 7 },
    { "f64[1,2,3,4] f64[1,1,5,4] f64[1,1,5,3] f64[3,5] f64[2,1,1]", BOTH, "f64[1,2,3,3]", 31 },
    { "f64[1,2,3,4] f64[1,1,5,4] f64[1,1,5,3] f64[]{0.5} f64[]{0.2}", CHOSEN, "f64[1,2,3,3]", 15 },
    { "f64[1,2,3,4] f64[1,1,5,4] f64[1,1,5,3] f64[]{0.2} f64[]{0.5}", CHOSEN, "f64[1,2,3,3]", 7 },
    { "f64[1,2,3,4] f64[1,1,5,4] f64[1,1,5,3]", UNCHANGED, "f64[1,2,3,3]", 7 },
    { "f64[0,2,3,4] f64[0,1,5,4] f64[0,1,5,3]", UNCHANGED, "f64[0,2,3,3]", 0 },
    { 0 },
};

const struct op op_flex_attention = {
    .name = "FlexAttention",
    .domain = "ai.onnx.preview",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 Q, T1 K, T1 V -> T1 Y",
                                       .types = "T1: floats bf16",
                                       .attrs_size = sizeof(struct flex_attention),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
