/* Attention, https://onnx.ai/onnx/operators/onnx__Attention.html; Vaswani and others, arXiv:1706.03762
 *
 *   Y = softmax(cap(scale Q K') + bias) V
 *
 * tile by tile (kernels/attention.h): the scores are never all there, but where the fourth output is asked for. K and V
 * are those of the past with the new ones behind them; several heads of Q may share one of K and V. Q, K and V are
 * [batch, heads, sequence, size] each, or [batch, sequence, heads * size] with q_num_heads and kv_num_heads.
 *
 * Computed in float, or in double where one of the types or softmax_precision is double: never in less, whatever
 * softmax_precision says. scale is one factor of each product, not its root of both operands.
 *
 * A key that is_causal, a window, nonpad_kv_seqlen or the mask (false, or -infinity) excludes has no weight, whatever its
 * score is, NaN too; keys from nonpad_kv_seqlen on are not even read, but for a fourth output of products. The reference
 * adds -infinity to every score, so that it has NaN there; onnxruntime has the one for padding, the other elsewhere. A
 * query without any key is 0.
 *
 * The mask broadcasts, from the last dimension on, to [batch, heads, queries, keys], and may have integers, which are
 * added. Since 24 it may be shorter than there are keys: those behind it are excluded, and so a last dimension of 1 is
 * the first key alone (as in the reference; onnxruntime refuses that). A nonpad_kv_seqlen below 0 or above the number of
 * keys is refused, as onnxruntime does.
 *
 * Gradients go back tile by tile as well, from Y and one number that is kept for each query; the mask's is summed from
 * one for each score. None comes back through the fourth output. */
#include "ops/attention_spelled.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include <math.h>
#include <string.h>

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, NONPAD, INPUTS }; /* inputs */
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES, KEPT };         /* outputs; the last one is hidden */
enum { GRAD_Y = INPUTS, GRAD_OF_Y, GRAD_KEPT, GRAD_INPUTS };  /* inputs of the gradient, after those */
enum { DQ, DK, DV, DPAST_KEY, DPAST_VALUE, DSCORES, GRADS };  /* outputs of the gradient */
enum { RANK = 4 };                                            /* of what has its heads apart */

struct attention_attrs {
    int64_t q_heads, kv_heads; /* 0: not told */
    int64_t left, right;       /* -1: no bound */
    float scale, cap;
    enum dtype softmax; /* UNDEFINED: not told */
    enum attention_stage stage;
    bool scaled, causal, short_mask;
};

/* -- read -- */

static bool bound(struct parse *p, const char *name, int64_t *to)
{
    *to = attr_int(p, name, -1);
    return *to >= -1 || parse_error(p, "%s is %lld, must be -1 or at least 0", name, (long long)*to);
}

static bool heads(struct parse *p, const char *name, int64_t *to)
{
    *to = attr_int(p, name, 0);
    return (attr_given(p, name) ? *to > 0 : true) ||
           parse_error(p, "%s is %lld, must be at least 1", name, (long long)*to);
}

static bool parse_23(struct parse *p, void *attrs)
{
    struct attention_attrs *a = attrs;
    const int64_t causal = attr_int(p, "is_causal", 0), stage = attr_int(p, "qk_matmul_output_mode", PRODUCTS);
    const int64_t softmax = attr_int(p, "softmax_precision", UNDEFINED);

    a->scaled = attr_given(p, "scale");
    a->scale = attr_float(p, "scale", 1);
    a->cap = attr_float(p, "softcap", 0);
    a->causal = causal;
    a->stage = (enum attention_stage)stage;
    a->softmax = (enum dtype)softmax;
    a->left = a->right = -1;
    if (causal != 0 && causal != 1)
        return parse_error(p, "is_causal is %lld, must be 0 or 1", (long long)causal);
    if (stage < PRODUCTS || stage > WEIGHTS)
        return parse_error(p, "qk_matmul_output_mode is %lld, must be 0 to 3", (long long)stage);
    if (softmax && softmax != F32 && softmax != F16 && softmax != F64 && softmax != BF16)
        return parse_error(p,
                           "softmax_precision is %lld, must be %d (float), %d (float16), %d (double) or %d (bfloat16)",
                           (long long)softmax, F32, F16, F64, BF16);
    if (input_given(p, PAST_KEY) != input_given(p, PAST_VALUE))
        return parse_error(p, "'past_key' and 'past_value' come together");
    return heads(p, "q_num_heads", &a->q_heads) && heads(p, "kv_num_heads", &a->kv_heads);
}

static bool parse_24(struct parse *p, void *attrs)
{
    struct attention_attrs *a = attrs;

    if (!parse_23(p, attrs))
        return false;
    a->short_mask = true;
    return !input_given(p, NONPAD) || !input_given(p, PAST_KEY) ||
           parse_error(p, "'nonpad_kv_seqlen' and 'past_key' do not go together");
}

static bool parse_25(struct parse *p, void *attrs)
{
    struct attention_attrs *a = attrs;

    return parse_24(p, attrs) && bound(p, "left_window_size", &a->left) && bound(p, "right_window_size", &a->right);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    return k == Y ? known_input(n, Q).rank : k == KEPT ? RANK - 1 : RANK;
}

/* A tensor with its heads apart, whatever its rank. */
struct apart {
    int64_t batch, heads, length, size;
};

static struct apart apart_of(const struct tensor *t, int64_t heads)
{
    if (t->rank == RANK)
        return (struct apart){ t->dims[0], t->dims[1], t->dims[2], t->dims[3] };
    return (struct apart){ t->dims[0], heads, t->dims[1], t->dims[2] / heads };
}

static struct attention_rows rows_of(const struct tensor *t, int64_t heads)
{
    const struct apart p = apart_of(t, heads);
    struct attention_rows r = { .data = t->data, .dtype = t->dtype };

    r.batch = p.heads * p.length * p.size;
    r.head = t->rank == RANK ? p.length * p.size : p.size;
    r.row = t->rank == RANK ? p.size : p.heads * p.size;
    return r;
}

static const char *const input_names[INPUTS] = {
    "Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"
};

static bool check_heads(struct infer *i, int k, int64_t told)
{
    const struct tensor *t = typed_in(i, k);
    const char *const name = k == Q ? "q_num_heads" : "kv_num_heads";
    char text[TYPE_TEXT];

    if (t->rank != typed_in(i, Q)->rank || (t->rank != RANK && t->rank != RANK - 1))
        return infer_error(i, "'%s' is %s: 'Q', 'K' and 'V' must have 4 dimensions, or 3", input_names[k],
                           tensor_text(t, text));
    if (t->rank == RANK && told && t->dims[1] != told)
        return infer_error(i, "'%s' is %s, but %s is %lld", input_names[k], tensor_text(t, text), name,
                           (long long)told);
    if (t->rank == RANK || (told && t->dims[RANK - 2] % told == 0))
        return true;
    return infer_error(i, "'%s' is %s, and %s %lld: it must be at least 1 and divide the last dimension",
                       input_names[k], tensor_text(t, text), name, (long long)told);
}

/* Do the shapes go together, all but the mask's? */
static bool check_shapes(struct infer *i, const struct attention_attrs *a)
{
    const struct tensor *past = typed_in(i, PAST_KEY), *past_value = typed_in(i, PAST_VALUE),
                        *nonpad = typed_in(i, NONPAD);
    const struct apart q = apart_of(typed_in(i, Q), a->q_heads), k = apart_of(typed_in(i, K), a->kv_heads),
                       v = apart_of(typed_in(i, V), a->kv_heads);
    const int64_t before = past && past->rank == RANK ? past->dims[2] : 0;
    const int64_t keys[] = { k.batch, k.heads, before, k.size }, values[] = { v.batch, v.heads, before, v.size };
    char text[3][TYPE_TEXT];

    if (q.batch != k.batch || q.batch != v.batch || k.heads != v.heads || k.length != v.length || q.size != k.size)
        return infer_error(i, "'Q' is %s, 'K' %s and 'V' %s: they do not go together",
                           tensor_text(typed_in(i, Q), text[0]), tensor_text(typed_in(i, K), text[1]),
                           tensor_text(typed_in(i, V), text[2]));
    if (k.heads ? q.heads % k.heads != 0 : q.heads != 0)
        return infer_error(i, "%lld heads of 'Q' cannot share %lld of 'K'", (long long)q.heads, (long long)k.heads);
    for (int side = 0; past && side < 2; side++) {
        const struct tensor *const t = side ? past_value : past;
        struct tensor need = { .dtype = t->dtype };

        if (!tensor_shape(&need, t->dtype, RANK, side ? values : keys) || !same_shape(t, &need))
            return infer_error(i, "'%s' is %s, must be %s", side ? "past_value" : "past_key", tensor_text(t, text[0]),
                               tensor_text(&need, text[1]));
    }
    return !nonpad || (nonpad->rank == 1 && nonpad->dims[0] == q.batch) ||
           infer_error(i, "'nonpad_kv_seqlen' is %s, must have a number for each of %lld samples",
                       tensor_text(nonpad, text[0]), (long long)q.batch);
}

/* How the mask lies beside [batch, heads, queries, keys]; false where it does not broadcast. */
static bool mask_of(const struct attention_attrs *a, const struct tensor *t, const int64_t scores[RANK],
                    enum dtype compute, struct attention_mask *m)
{
    int64_t *const stride[RANK] = { &m->batch, &m->head, &m->query, &m->key };
    int64_t step = 1;

    *m = (struct attention_mask){ .data = t->data, .dtype = t->dtype == BOOL ? BOOL : compute, .keys = scores[3] };
    if (t->rank > RANK)
        return false;
    for (int d = RANK - 1, own = t->rank - 1; own >= 0; d--, own--) {
        const int64_t n = t->dims[own];

        if (d == RANK - 1 && a->short_mask && n < scores[d])
            m->keys = n;
        else if (n != scores[d] && n != 1)
            return false;
        *stride[d] = n == 1 ? 0 : step;
        step *= n;
    }
    return true;
}

static enum dtype compute_of(const struct attention_attrs *a, const struct tensor *q, const struct tensor *v)
{
    return q->dtype == F64 || v->dtype == F64 || a->softmax == F64 ? F64 : F32;
}

/* All but what shows while running. The mask's shape must fit. */
static struct attention attention_of(const struct attention_attrs *a, const struct tensor *const *in)
{
    const struct tensor *const past = in[PAST_KEY];
    const struct apart q = apart_of(in[Q], a->q_heads), k = apart_of(in[K], a->kv_heads),
                       v = apart_of(in[V], a->kv_heads);
    struct attention t = { .compute = compute_of(a, in[Q], in[V]),
                           .batch = q.batch,
                           .heads = k.heads,
                           .group = k.heads ? q.heads / k.heads : 0,
                           .queries = q.length,
                           .size = q.size,
                           .value_size = v.size,
                           .q = rows_of(in[Q], a->q_heads),
                           .length = { past ? past->dims[2] : 0, k.length },
                           .scale = a->scaled ? (double)a->scale : 1 / sqrt((double)q.size),
                           .cap = a->cap > 0 ? (double)a->cap : 0,
                           .causal = a->causal,
                           .left = a->left,
                           .right = a->right,
                           .stage = a->stage };

    t.offset = t.length[0];
    t.k[1] = rows_of(in[K], a->kv_heads);
    t.v[1] = rows_of(in[V], a->kv_heads);
    if (past) {
        t.k[0] = rows_of(past, 0);
        t.v[0] = rows_of(in[PAST_VALUE], 0);
    }
    if (in[MASK]) {
        const int64_t scores[RANK] = { q.batch, q.heads, q.length, t.length[0] + t.length[1] };

        mask_of(a, in[MASK], scores, t.compute, &t.mask);
    }
    return t;
}

static void inputs_of(const struct infer *i, const struct tensor *in[INPUTS])
{
    for (int k = 0; k < INPUTS; k++)
        in[k] = k < infer_inputs(i) ? typed_in(i, k) : NULL;
}

static bool check(struct infer *i, const struct attention_attrs *a, const struct tensor *in[INPUTS])
{
    int64_t scores[RANK];
    struct attention_mask m;
    char text[TYPE_TEXT];

    inputs_of(i, in);
    if (!check_heads(i, Q, a->q_heads) || !check_heads(i, K, a->kv_heads) || !check_heads(i, V, a->kv_heads) ||
        !check_shapes(i, a))
        return false;
    scores[0] = in[Q]->dims[0];
    scores[1] = apart_of(in[Q], a->q_heads).heads;
    scores[2] = apart_of(in[Q], a->q_heads).length;
    scores[3] = apart_of(in[K], a->kv_heads).length + (in[PAST_KEY] ? in[PAST_KEY]->dims[2] : 0);
    return !in[MASK] || mask_of(a, in[MASK], scores, F32, &m) ||
           infer_error(i, "'attn_mask' is %s, must broadcast to [%lld,%lld,%lld,%lld]", tensor_text(in[MASK], text),
                       (long long)scores[0], (long long)scores[1], (long long)scores[2], (long long)scores[3]);
}

static size_t mask_bytes(const struct tensor *mask, enum dtype compute)
{
    return mask && mask->dtype != BOOL ? compute_bytes(mask, compute) : 0;
}

static const void *mask_in(const struct tensor *mask, enum dtype compute, char **scratch)
{
    return mask && mask->dtype != BOOL ? compute_in(mask, compute, scratch) : mask ? mask->data : NULL;
}

/* What of the present is not there already. */
static bool set_presents(struct infer *i, const struct attention *t, const struct tensor *const *in)
{
    for (int side = 0; side < 2; side++) {
        const int64_t dims[] = { t->batch, t->heads, t->length[0] + t->length[1], side ? t->value_size : t->size };

        if (!set_out(i, PRESENT_KEY + side, in[K + side]->dtype, RANK, dims))
            return false;
        if (!in[PAST_KEY] && in[K + side]->rank == RANK)
            view_of(i, PRESENT_KEY + side, K + side);
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct attention_attrs *a = infer_attrs(i);
    const struct tensor *in[INPUTS];
    struct attention t;
    int64_t y[RANK], scores[RANK];
    int count;

    if (!check(i, a, in))
        return false;
    t = attention_of(a, in);
    memcpy(scores, (int64_t[]){ t.batch, t.heads * t.group, t.queries, t.length[0] + t.length[1] }, sizeof scores);
    count = in[Q]->rank;
    memcpy(y, in[Q]->dims, (size_t)count * sizeof *y);
    if (!mul_size(count == RANK ? 1 : a->q_heads, t.value_size, &y[count - 1]))
        return infer_error(i, "'Y' is too large");
    if (!set_out(i, Y, in[Q]->dtype, count, y) || !set_presents(i, &t, in) ||
        !set_out(i, SCORES, in[Q]->dtype, RANK, scores) || !set_out(i, KEPT, t.compute, RANK - 1, scores))
        return false;
    t.scores.data = typed_out(i, SCORES) ? &t : NULL; /* anything: what will be */
    need_scratch(i, mask_bytes(in[MASK], t.compute) + attention_scratch(&t, infer_threads(i)));
    return true;
}

/* -- run -- */

/* The past with the new behind it. */
static void make_present(struct step *s, const struct attention_attrs *a, int side)
{
    const struct tensor *to = s->out[PRESENT_KEY + side], *from = s->in[K + side];
    const struct tensor *past = s->node->inputs > PAST_KEY ? s->in[PAST_KEY + side] : NULL;
    struct apart p = apart_of(from, a->kv_heads);
    const struct attention_rows rows = rows_of(from, a->kv_heads);
    struct move m = { .size = dtype_size(from->dtype),
                      .rank = RANK,
                      .dims = { p.batch, p.heads, p.length, p.size },
                      .in = { rows.batch, rows.head, rows.row, 1 } };

    if (!to || to->data == from->data)
        return;
    move_strides(RANK, to->dims, m.out);
    if (past)
        move_box(s->k, s->pool, m.size, RANK, past->dims, past->dims, 0, past->data, to->dims, 0, to->data);
    move_run(s->k, s->pool, &m, from->data, (char *)to->data + m.size * (size_t)((to->dims[2] - p.length) * p.size));
}

static bool check_valid(struct step *s, const struct tensor *nonpad, int64_t keys)
{
    for (int64_t b = 0; nonpad && b < nonpad->dims[0]; b++) {
        const int64_t n = ((const int64_t *)nonpad->data)[b];

        if (n < 0 || n > keys)
            return step_error(s, "'nonpad_kv_seqlen' is %lld for sample %lld, must be in [0, %lld]", (long long)n,
                              (long long)b, (long long)keys);
    }
    return true;
}

/* What is the same of both directions. */
static bool begin(struct step *s, struct attention *t, char **scratch)
{
    const struct tensor *in[INPUTS];

    for (int k = 0; k < INPUTS; k++)
        in[k] = k < s->node->inputs ? s->in[k] : NULL;
    *t = attention_of(s->attrs, in);
    *scratch = s->scratch;
    t->mask.data = mask_in(in[MASK], t->compute, scratch);
    t->valid = in[NONPAD] ? in[NONPAD]->data : NULL;
    return check_valid(s, in[NONPAD], t->length[1]);
}

static bool run(struct step *s)
{
    const struct attention_attrs *a = s->attrs;
    struct attention t;
    char *scratch;

    if (!begin(s, &t, &scratch))
        return false;
    make_present(s, a, 0);
    make_present(s, a, 1);
    if (!s->out[Y] && !s->out[SCORES] && !s->out[KEPT])
        return true;
    if (s->out[Y])
        t.y = rows_of(s->out[Y], a->q_heads);
    if (s->out[SCORES])
        t.scores = rows_of(s->out[SCORES], 0);
    t.log_sums = s->out[KEPT] ? s->out[KEPT]->data : NULL;
    attention(s->k, s->pool, &t, scratch);
    return true;
}

static void flops(const struct tensor *const *in, const struct attention_attrs *a, double times, struct cost *c)
{
    const struct apart q = apart_of(in[Q], a->q_heads), v = apart_of(in[V], a->kv_heads);
    const double keys = (double)v.length + (in[PAST_KEY] ? (double)in[PAST_KEY]->dims[2] : 0);

    c->flops = times * (double)q.batch * (double)q.heads * (double)q.length * keys * (double)(q.size + v.size);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct tensor *of[INPUTS] = { in[Q], in[K], in[V] };

    (void)out;
    of[PAST_KEY] = n->inputs > PAST_KEY ? in[PAST_KEY] : NULL;
    flops(of, n->attrs, 2, c);
}

/* Samples are apart where all inputs are, but for a mask that all of them share. */
static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && k != MASK && !rows[k])
            return false;
    if (n->inputs <= MASK || !n->in[MASK])
        return true;
    if (rows[MASK])
        return types[MASK]->rank == RANK;
    return types[MASK]->rank < RANK || types[MASK]->dims[0] == 1;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int like[DSCORES] = { Q, K, V, PAST_KEY, PAST_VALUE };
    const struct attention_attrs *a = infer_attrs(i);
    const struct tensor *in[INPUTS];
    struct attention t;

    inputs_of(i, in);
    t = attention_of(a, in);
    for (int k = 0; k < DSCORES; k++)
        if (in[like[k]] && !set_out(i, k, in[like[k]]->dtype, in[like[k]]->rank, in[like[k]]->dims))
            return false;
    need_scratch(i, mask_bytes(in[MASK], t.compute) + attention_grad_scratch(&t, infer_threads(i)));
    return !typed_out(i, DSCORES) ||
           set_out(i, DSCORES, in[MASK]->dtype, RANK,
                   (int64_t[]){ t.batch, t.heads * t.group, t.queries, t.length[0] + t.length[1] });
}

static struct attention_rows rows_or_none(const struct tensor *t, int64_t heads)
{
    return t ? rows_of(t, heads) : (struct attention_rows){ 0 };
}

static bool grad_run(struct step *s)
{
    const struct attention_attrs *a = s->attrs;
    struct attention_grad g;
    struct attention t;
    char *scratch;

    if (!begin(s, &t, &scratch))
        return false;
    t.y = rows_of(s->in[GRAD_OF_Y], a->q_heads);
    t.log_sums = s->in[GRAD_KEPT]->data;
    g = (struct attention_grad){ .dy = rows_of(s->in[GRAD_Y], a->q_heads),
                                 .dq = rows_or_none(s->out[DQ], a->q_heads),
                                 .dk = { rows_or_none(s->out[DPAST_KEY], 0), rows_or_none(s->out[DK], a->kv_heads) },
                                 .dv = { rows_or_none(s->out[DPAST_VALUE], 0), rows_or_none(s->out[DV], a->kv_heads) },
                                 .dbias = rows_or_none(s->out[DSCORES], 0) };
    attention_grad(s->k, s->pool, &t, &g, scratch);
    return true;
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)out;
    flops(in, n->attrs, 5, c);
}

static struct attention_value value_of(struct value *v, const struct tensor *type)
{
    return (struct attention_value){ v, type };
}

/* The gradient by each score is that by what is added to it: 0. */
static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    static const int wrt[DSCORES] = { Q, K, V, PAST_KEY, PAST_VALUE };
    const struct attention a = attention_of(n->attrs, in);
    struct attention_values v = { .q = value_of(x[Q], in[Q]),
                                  .k = { value_of(x[PAST_KEY], in[PAST_KEY]), value_of(x[K], in[K]) },
                                  .v = { value_of(x[PAST_VALUE], in[PAST_VALUE]), value_of(x[V], in[V]) },
                                  .mask = value_of(x[MASK], in[MASK]),
                                  .valid = x[NONPAD],
                                  .log_sums = x[GRAD_KEPT] };

    for (int k = 0; k < DSCORES; k++)
        r->wrt[k] = x[wrt[k]];
    if (n->slots > DSCORES && n->out[DSCORES]) {
        r->wrt[DSCORES] = v.more = emit_zeros(
            e, in[MASK]->dtype, RANK, (int64_t[]){ a.batch, a.heads * a.group, a.queries, a.length[0] + a.length[1] });
        if (in[MASK]->dtype != a.compute)
            v.more = emit_cast(e, v.more, a.compute);
    }
    r->y[0] = emit_attention(e, &a, &v);
    r->dy[0] = GRAD_Y;
    r->count = 1;
    return !e->failed;
}

/* Y and what is kept alone. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct attention a = attention_of(n->attrs, in);
    struct value *const *const x = n->in;
    const struct attention_values v = { .q = value_of(x[Q], in[Q]),
                                        .k = { value_of(x[PAST_KEY], in[PAST_KEY]), value_of(x[K], in[K]) },
                                        .v = { value_of(x[PAST_VALUE], in[PAST_VALUE]), value_of(x[V], in[V]) },
                                        .mask = value_of(x[MASK], in[MASK]),
                                        .valid = x[NONPAD],
                                        .largest = &out[KEPT] };

    for (int k = PRESENT_KEY; k <= SCORES; k++)
        if (n->out[k])
            return fail(e->report, KILN_UNSUPPORTED, node_origin(n)->op_name,
                        "of what has a gradient only output 0 can be written");
    out[Y] = emit_attention(e, &a, &v);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "AttentionGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T Q, T K, W V, U attn_mask?, T past_key?, W past_value?, I "
                                                    "nonpad_kv_seqlen?, T dY, T Y, S kept -> T dQ?, T dK?, W dV?, T "
                                                    "dpast_key?, W dpast_value?, U dscores?",
                                       .types = "T: floats bf16; W: floats bf16; U: floats ints uints bool bf16; "
                                                "I: i64; S: f32 f64",
                                       .attrs_size = sizeof(struct attention_attrs),
                                       .retrace = retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .cost = grad_cost,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

/* What flows back through a present: to the past, and to what came behind it. */
static void present_gradient(struct backward *b, int side)
{
    struct emitter *e = emitter_of(b);
    struct value *g = upstream(b, PRESENT_KEY + side);
    const struct tensor *t = type_in(b, K + side), *past = type_in(b, PAST_KEY + side);
    const int64_t zero = 0, before = past ? past->dims[2] : 0, end = INT64_MAX, axis = 2;

    if (!g)
        return;
    if (past && wants(b, PAST_KEY + side))
        give(b, PAST_KEY + side,
             emit(e, "Slice", "", 4, g, emit_ints(e, 1, &zero), emit_ints(e, 1, &before), emit_ints(e, 1, &axis)));
    if (!wants(b, K + side))
        return;
    if (past)
        g = emit(e, "Slice", "", 4, g, emit_ints(e, 1, &before), emit_ints(e, 1, &end), emit_ints(e, 1, &axis));
    if (t->rank != RANK)
        g = emit_reshape(e, emit(e, "Transpose", "perm=[0,2,1,3]", 1, g), t->rank, t->dims);
    give(b, K + side, g);
}

/* The mask's, from that of all scores: keys that it does not have are nobody's. */
static void mask_gradient(struct backward *b, struct value *scores)
{
    const struct attention_attrs *a = attrs_of(b);
    const struct tensor *mask = type_in(b, MASK), *q = type_in(b, Q), *k = type_in(b, K), *past = type_in(b, PAST_KEY);
    const struct apart apart = apart_of(q, a->q_heads);
    const int64_t keys = apart_of(k, a->kv_heads).length + (past ? past->dims[2] : 0), zero = 0, last = -1;
    const int64_t own = mask->rank ? mask->dims[mask->rank - 1] : 1;
    struct tensor shape = { .dtype = mask->dtype,
                            .rank = RANK,
                            .dims = { apart.batch, apart.heads, apart.length, keys } };
    struct emitter *e = emitter_of(b);

    if (mask->rank && a->short_mask && own < keys) {
        scores = emit(e, "Slice", "", 4, scores, emit_ints(e, 1, &zero), emit_ints(e, 1, &own), emit_ints(e, 1, &last));
        shape.dims[RANK - 1] = own;
    }
    give_unbroadcast_from(b, MASK, scores, &shape);
}

static bool gradient(struct backward *b)
{
    static const int gives[DSCORES] = { Q, K, V, PAST_KEY, PAST_VALUE };
    struct value *in[GRAD_INPUTS], *d[GRADS];
    bool want[GRADS], any = false;

    if (upstream(b, SCORES))
        return backward_error(b, "no gradient comes back through 'qk_matmul_output'");
    present_gradient(b, 0);
    present_gradient(b, 1);
    for (int k = 0; k < GRADS; k++) {
        want[k] = k == DSCORES ? type_in(b, MASK) && dtype_is_float(type_in(b, MASK)->dtype) && wants(b, MASK)
                               : type_in(b, gives[k]) && wants(b, gives[k]);
        any |= want[k];
    }
    if (!upstream(b, Y) || !any)
        return backward_ok(b);
    for (int k = 0; k < INPUTS; k++)
        in[k] = forward_in(b, k);
    in[GRAD_Y] = upstream(b, Y);
    in[GRAD_OF_Y] = forward_out(b, Y);
    in[GRAD_KEPT] = forward_out(b, KEPT);
    emit_private(emitter_of(b), &op_grad, attrs_of(b), GRADS, d, want, GRAD_INPUTS, in);
    for (int k = 0; k < DSCORES; k++)
        if (want[k])
            give(b, gives[k], d[k]);
    if (want[DSCORES])
        mask_gradient(b, d[DSCORES]);
    return backward_ok(b);
}

/* -- test -- */

enum { QKV = 1 << Q | 1 << K | 1 << V, PASTS = 1 << PAST_KEY | 1 << PAST_VALUE };

#define CASES_23                                                                                                       \
    { "f64[2,3,4,5] f64[2,3,6,5] f64[2,3,6,7]", "", "f64[2,3,4,7]", QKV },                                             \
        { "f32[2,3,4,5] f32[2,3,6,5] f32[2,3,6,5] f32[4,6]", "is_causal=1", "f32[2,3,4,5]", QKV | 1 << MASK },         \
        { "f64[2,4,5] f64[2,6,5] f64[2,6,10] f64[4,6]", "q_num_heads=1 kv_num_heads=1 scale=0.3 softcap=0.7",          \
          "f64[2,4,10]", QKV | 1 << MASK },                                                                            \
        { "f64[2,3,12] f64[2,4,6] f64[2,4,10] f64[4,1,1] f64[2,2,2,3] f64[2,2,2,5]",                                   \
          "q_num_heads=4 kv_num_heads=2 is_causal=1", "f64[2,3,20] f64[2,2,6,3] f64[2,2,6,5]",                         \
          QKV | PASTS | 1 << MASK },                                                                                   \
        { "f64[1,6,3,4] f64[1,2,2,4] f64[1,2,2,3] - f64[1,2,3,4] f64[1,2,3,3]", "softcap=2.0",                         \
          "f64[1,6,3,3] f64[1,2,5,4] f64[1,2,5,3]", QKV | PASTS },                                                     \
        { "f64[1,2,3,4] f64[1,2,5,4] f64[1,2,5,4] bool[1,1,3,5]", "", "f64[1,2,3,4] f64[1,2,5,4] - f64[1,2,3,5]", 0 }, \
        { "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4] i32[2,1,5]", "qk_matmul_output_mode=1 softcap=0.5",                  \
          "f32[1,2,3,4] - - f32[1,2,3,5]", 0 },                                                                        \
        { "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4] f32[]", "qk_matmul_output_mode=2 is_causal=1",                       \
          "f32[1,2,3,4] - - f32[1,2,3,5]", 0 },                                                                        \
        { "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4]", "qk_matmul_output_mode=3", "- - - f32[1,2,3,5]", 0 },              \
    {                                                                                                                  \
        "f16[2,3,8] f16[2,5,4] f16[2,5,4] f16[3,5]",                                                                   \
            "q_num_heads=4 kv_num_heads=2 qk_matmul_output_mode=3 softmax_precision=1",                                \
            "f16[2,3,8] - f16[2,2,5,2] f16[2,4,3,5]", 0                                                                \
    }

static const struct op_case cases_23[] = { CASES_23, { 0 } };

#define CASES_24                                                                                                       \
    CASES_23, { "f64[2,2,3,4] f64[2,2,6,4] f64[2,2,6,3] - - - i64[2]{4,6}", "is_causal=1", "f64[2,2,3,3]", QKV },      \
        { "f64[2,2,3,4] f64[2,2,6,4] f64[2,2,6,3] f64[3,4] - - i64[2]{0,4}", "", "f64[2,2,3,3]", QKV | 1 << MASK },    \
    {                                                                                                                  \
        "f32[2,2,3,4] f32[2,2,6,4] f32[2,2,6,3] f32[2,3,1]", "", "f32[2,2,3,3]", QKV | 1 << MASK                       \
    }

static const struct op_case cases_24[] = { CASES_24, { 0 } };

static const struct op_case cases_25[] = {
    CASES_24,
    { "f64[1,2,5,4] f64[1,2,7,4] f64[1,2,7,3]", "left_window_size=1 right_window_size=2", "f64[1,2,5,3]", QKV },
    { "f64[1,2,5,4] f64[1,2,2,4] f64[1,2,2,3] - f64[1,2,5,4] f64[1,2,5,3]", "left_window_size=2 is_causal=1",
      "f64[1,2,5,3]", QKV | PASTS },
    { "f64[2,2,3,4] f64[2,2,6,4] f64[2,2,6,3] - - - i64[2]{1,6}", "right_window_size=0", "f64[2,2,3,3]", QKV },
    { 0 },
};

#define ROW(version, in)                                                                                               \
    {                                                                                                                  \
        .since = version,                                                                                              \
        .signature = "T1 Q, T1 K, T2 V, U attn_mask?, T1 past_key?, T2 past_value?" in                                 \
                     " -> T1 Y, T1 present_key?, T2 present_value?, T1 qk_matmul_output?",                             \
        .types = "T1: floats bf16; T2: floats bf16; U: floats ints uints bool bf16; I: i64",                           \
        .attrs_size = sizeof(struct attention_attrs), .parse = parse_##version, .rank = rank, .infer = infer,          \
        .run = run, .gradient = gradient, .plain = plain, .hidden = 1, .cost = cost,                                   \
        .batch_independent = batch_independent, .cases = cases_##version                                               \
    }

const struct op op_attention = {
    .name = "Attention",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(25, ", I nonpad_kv_seqlen?"),
            ROW(24, ", I nonpad_kv_seqlen?"),
            ROW(23, ""),
            { 0 },
        },
};
