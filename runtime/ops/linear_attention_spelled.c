/* LinearAttention in operators of the standard, token by token, for gradients of gradients. */
#include "ops/expansion.h"
#include "ops/linear_attention.h"
#include "ops/move.h"
#include <math.h>

enum { MOST_TOKENS = 1 << 12 };

struct spelled {
    struct emitter *e;
    const struct linear_attention *a;
    int64_t batch, tokens, group, size, value_size;
    struct value *in[INPUTS]; /* with the tokens first; the past as it is */
};

static struct value *in_floats(struct emitter *e, struct value *v, const struct tensor *type)
{
    return !v || type->dtype == F32 ? v : emit_cast(e, v, F32);
}

/* [tokens, batch, heads, rows, columns] of what has the tokens second. */
static struct value *by_token(struct spelled *s, struct value *v, int64_t heads, int64_t rows, int64_t columns)
{
    if (!v)
        return NULL;
    v = emit_reshape(s->e, v, 5, (int64_t[]){ s->batch, s->tokens, heads, rows, columns });
    return emit(s->e, "Transpose", "perm=[1,0,2,3,4]", 1, v);
}

static struct value *of_token(struct spelled *s, int k, int64_t token)
{
    return emit(s->e, "Gather", "axis=0", 2, s->in[k], emit_scalar(s->e, I64, (double)token));
}

/* The state after a token: [batch, heads, size, value_size]. */
static struct value *state_after(struct spelled *s, struct value *state, int64_t token)
{
    struct emitter *e = s->e;
    struct value *k = of_token(s, KEY, token), *w = of_token(s, VALUE, token); /* rows */

    if (s->a->gated)
        state = emit(e, "Mul", "", 2, emit(e, "Exp", "", 1, of_token(s, DECAY, token)), state);
    if (s->a->delta) {
        w = emit(e, "Sub", "", 2, w, emit(e, "MatMul", "", 2, k, state));
        w = emit(e, "Mul", "", 2, of_token(s, BETA, token), w);
    }
    k = emit(e, "Transpose", "perm=[0,1,3,2]", 1, k);
    return emit(e, "Add", "", 2, state, emit(e, "MatMul", "", 2, k, w));
}

/* *output is what the tokens read, [batch, tokens, heads * value_size]; what is given back is the last state. */
static struct value *all_tokens(struct spelled *s, struct value *state, double scale, struct value **output)
{
    const int64_t dims[] = { s->batch, s->tokens, s->a->q_heads * s->value_size };
    struct value **read = emit_alloc(s->e, (size_t)s->tokens * sizeof *read);
    struct emitter *e = s->e;

    *output = emit_zeros(e, F32, 3, dims);
    for (int64_t t = 0; read && t < s->tokens && !e->failed; t++) {
        state = state_after(s, state, t);
        read[t] = emit(e, "MatMul", "", 2, of_token(s, QUERY, t), state);
        read[t] = emit_reshape(e, read[t], 3, (int64_t[]){ s->batch, 1, dims[2] });
    }
    if (s->tokens && emit_many(e, "Concat", "axis=1", 1, output, (int)s->tokens, read))
        *output = emit(e, "Mul", "", 2, *output, emit_scalar(e, F32, scale));
    return state;
}

static struct value *as(struct emitter *e, struct value *v, const struct tensor *type)
{
    return !type || type->dtype == F32 ? v : emit_cast(e, v, type->dtype);
}

bool linear_attention_retrace(struct emitter *e, const struct node *n, const struct tensor *const *in,
                              struct value *const *x, struct retraced *r)
{
    const struct linear_attention *a = n->attrs;
    const int64_t heads = a->kv_heads;
    struct spelled s = { .e = e, .a = a, .batch = in[QUERY]->dims[0], .tokens = in[QUERY]->dims[1] };
    struct value *state;

    if (s.tokens > MOST_TOKENS)
        return expand_error(e, n, KILN_UNSUPPORTED,
                            "a gradient of a gradient goes through %lld tokens, at most %d are supported",
                            (long long)s.tokens, (int)MOST_TOKENS);
    s.group = a->q_heads / heads;
    s.size = in[QUERY]->dims[2] / a->q_heads;
    s.value_size = in[VALUE]->dims[2] / heads;
    for (int k = 0; k < INPUTS; k++) {
        s.in[k] = in_floats(e, x[k], in[k]);
        r->wrt[k] = x[k];
    }
    state = s.in[PAST] ? s.in[PAST] : emit_zeros(e, F32, 4, (int64_t[]){ s.batch, heads, s.size, s.value_size });
    s.in[QUERY] = by_token(&s, s.in[QUERY], heads, s.group, s.size);
    s.in[KEY] = by_token(&s, s.in[KEY], heads, 1, s.size);
    s.in[VALUE] = by_token(&s, s.in[VALUE], heads, 1, s.value_size);
    if (a->gated)
        s.in[DECAY] = by_token(&s, s.in[DECAY], heads, in[DECAY]->dims[2] / heads, 1);
    if (a->delta)
        s.in[BETA] = by_token(&s, s.in[BETA], in[BETA]->dims[2], 1, 1);
    r->y[PRESENT] =
        all_tokens(&s, state, a->scale != 0 ? (double)a->scale : (double)(1 / sqrtf((float)s.size)), &r->y[OUTPUT]);
    r->y[OUTPUT] = as(e, r->y[OUTPUT], in[GRAD_OUTPUT]);
    r->y[PRESENT] = as(e, r->y[PRESENT], n->inputs > GRAD_PRESENT ? in[GRAD_PRESENT] : NULL);
    r->dy[OUTPUT] = GRAD_OUTPUT;
    r->dy[PRESENT] = GRAD_PRESENT;
    r->count = OUTPUTS;
    return !e->failed;
}
