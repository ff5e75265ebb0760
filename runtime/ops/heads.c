#include "ops/heads.h"
#include "ops/expansion.h"
#include "ops/rank.h"
#include "ops/widen.h"
#include <stdio.h>

/* -- read -- */

bool heads_count(struct parse *p, const char *name, int64_t *to)
{
    *to = attr_int(p, name, 0);
    return *to >= 1 || parse_error(p, "%s is %lld, must be at least 1", name, (long long)*to);
}

bool heads_parse(struct parse *p, struct heads *a)
{
    a->scale = attr_float(p, "scale", 0);
    a->filter = attr_float(p, "mask_filter_value", -10000);
    a->causal = attr_int(p, "unidirectional", 0) != 0;
    if (!heads_count(p, "num_heads", &a->heads))
        return false;
    a->kv_heads = a->heads;
    return true;
}

/* -- heads -- */

struct value *emit_heads_apart(struct emitter *e, struct value *x, struct value *heads)
{
    x = emit_shaped(e, x, 3, emit(e, "Shape", "end=2", 1, x), heads, emit(e, "Div", "", 2, emit_size(e, x, 2), heads));
    return emit(e, "Transpose", "perm=[0,2,1,3]", 1, x);
}

struct value *emit_heads_together(struct emitter *e, struct value *x)
{
    struct value *y = emit(e, "Transpose", "perm=[0,2,1,3]", 1, x);

    return emit_shaped(e, y, 2, emit(e, "Shape", "end=2", 1, y),
                       emit(e, "Mul", "", 2, emit_size(e, x, 1), emit_size(e, x, 3)));
}

/* -- masks -- */

enum { INDEX, QUERIES, KEYS }; /* inputs of ScoreMask */

static bool mask_fits(const struct tensor *m, int64_t batch, int64_t queries, int64_t keys)
{
    const int64_t *const d = m->dims;

    switch (m->rank) {
    case 1:
        return d[0] == batch || d[0] == 2 * batch || d[0] == 3 * batch + 2;
    case 2:
        return d[0] == batch && d[1] == keys;
    case 3:
        return d[0] == batch && d[1] == queries && d[2] == keys;
    case 4:
        return d[0] == batch && d[1] == 1 && d[2] >= keys && d[3] >= keys && queries <= keys;
    default:
        return false;
    }
}

static bool mask_infer(struct infer *i)
{
    const struct tensor *m = typed_in(i, INDEX), *q = typed_in(i, QUERIES);
    char text[TYPE_TEXT];
    struct ints keys;

    if (!ints_in(i, KEYS, &keys))
        return false;
    if (!mask_fits(m, q->dims[0], q->dims[1], keys.v[0]))
        return infer_error(i, "the mask is %s: it does not go with %lld samples of %lld queries and %lld keys",
                           tensor_text(m, text), (long long)q->dims[0], (long long)q->dims[1], (long long)keys.v[0]);
    return set_out(i, 0, F32, 4, (int64_t[]){ q->dims[0], 1, m->rank > 2 ? q->dims[1] : 1, keys.v[0] });
}

struct mask_job {
    const struct tensor *mask, *out;
    float filter;
};

/* Of a vector: from which key on, and up to which one, a sample has any. */
static void range_of(const struct tensor *m, int64_t batch, int64_t b, int64_t *from, int64_t *to)
{
    const int32_t *const v = m->data;

    *to = v[b];
    *from = m->dims[0] == 2 * batch ? v[batch + b] : 0;
}

/* Row r of sample b of what is no vector. */
static const int32_t *row_of(const struct tensor *m, const struct tensor *out, int64_t b, int64_t r)
{
    const int64_t keys = out->dims[3], rows = out->dims[2];
    const int32_t *const v = m->data;

    if (m->rank < 4)
        return v + (b * rows + r) * keys;
    return v + (b * m->dims[2] + keys - rows + r) * m->dims[3];
}

static void mask_sample(void *context, int64_t b, int thread)
{
    const struct mask_job *j = context;
    const int64_t rows = j->out->dims[2], keys = j->out->dims[3];
    float *to = (float *)j->out->data + b * rows * keys;
    int64_t begin = 0, end = 0;

    (void)thread;
    if (j->mask->rank == 1)
        range_of(j->mask, j->out->dims[0], b, &begin, &end);
    for (int64_t r = 0; r < rows; r++, to += keys) {
        const int32_t *const row = j->mask->rank == 1 ? NULL : row_of(j->mask, j->out, b, r);

        for (int64_t k = 0; k < keys; k++)
            to[k] = (row ? row[k] > 0 : k >= begin && k < end) ? 0 : j->filter;
    }
}

static bool mask_run(struct step *s)
{
    struct mask_job j = { .mask = s->in[INDEX], .out = s->out[0], .filter = *(const float *)s->attrs };

    pool_run(s->pool, s->out[0]->dims[0], mask_sample, &j);
    return true;
}

static int mask_rank(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 4;
}

static const struct op score_mask = {
    .name = "ScoreMask",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "M mask, T queries, I keys -> F bias",
                                       .types = "M: i32; T: f16 f32 bf16; I: i64; F: f32",
                                       .attrs_size = sizeof(float),
                                       .rank = mask_rank,
                                       .infer = mask_infer,
                                       .run = mask_run,
                                       .gradient = zero_gradient },
                                     { 0 } },
};

struct value *emit_score_bias(struct emitter *e, const struct node *n, int mask, int bias, struct value *q,
                              struct value *keys, float filter)
{
    struct value *in[] = { given(n, mask), q, keys }, *y = NULL, *more = given(n, bias);
    float *attrs = emit_alloc(e, sizeof *attrs);

    if (in[0] && attrs) {
        *attrs = filter;
        emit_private(e, &score_mask, attrs, 1, &y, NULL, 3, in);
    }
    if (!more)
        return y;
    more = emit_widened(e, more, known_input(n, bias).dtype, WIDEN_HALVES);
    return y ? emit(e, "Add", "", 2, more, y) : more;
}

/* -- the standard's -- */

bool emit_heads(struct emitter *e, const struct heads *a, bool apart, const char *attrs, struct value *const in[6],
                int outputs, struct value **out)
{
    char all[192], counts[80] = "", scale[48] = "";

    if (!apart)
        snprintf(counts, sizeof counts, "q_num_heads=%lld kv_num_heads=%lld", (long long)a->heads,
                 (long long)a->kv_heads);
    if (a->scale != 0)
        snprintf(scale, sizeof scale, "scale=%.9e", (double)a->scale);
    snprintf(all, sizeof all, "%s %s is_causal=%d %s", counts, scale, a->causal, attrs);
    return emit_many(e, "Attention", all, outputs, out, 6, in);
}

bool emit_self_attention(struct emitter *e, const struct node *n, const struct heads *a, struct value *x,
                         const struct ints *sizes, struct self_inputs at, struct value **out)
{
    struct value *const past = given(n, at.past);
    struct value *parts[] = { x, sizes ? emit_ints(e, sizes->count, sizes->v) : NULL };
    struct value *in[6] = { 0 }, *made[3], *keys = emit_size(e, x, 1);

    if (!emit_many(e, "Split", sizes ? "axis=2" : "axis=2 num_outputs=3", 3, in, 2, parts))
        return false;
    for (int k = 0; past && k < 2; k++)
        in[4 + k] = emit(e, "Gather", "axis=0", 2, past, emit_scalar(e, I64, k));
    if (past)
        keys = emit(e, "Add", "", 2, keys, emit_size(e, past, 3));
    in[3] = emit_score_bias(e, n, at.mask, at.bias, x, keys, a->filter);
    if (!emit_heads(e, a, false, "", in, n->out[1] ? 3 : 1, made))
        return false;
    out[0] = made[HEADS_Y];
    if (n->out[1])
        out[1] = emit(e, "Concat", "axis=0", 2, emit_unsqueezed(e, made[HEADS_KEY], 0),
                      emit_unsqueezed(e, made[HEADS_VALUE], 0));
    return !e->failed;
}
