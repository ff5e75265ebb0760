#include "ops/attention_spelled.h"
#include "ops/expansion.h"
#include <math.h>

enum { RANK = 4 };

/* [batch, heads, length, size] in the type of computation, whatever its rank. */
static struct value *apart(struct emitter *e, const struct attention *a, const struct attention_value *v, int64_t heads)
{
    struct value *x = emit_cast_from(e, v->value, v->type->dtype, a->compute);
    const int64_t *const dims = v->type->dims;

    if (v->type->rank == RANK)
        return x;
    x = emit_reshape(e, x, RANK, (int64_t[]){ dims[0], dims[1], heads, heads ? dims[2] / heads : 0 });
    return emit(e, "Transpose", "perm=[0,2,1,3]", 1, x);
}

/* The past with the new behind it. */
static struct value *joined(struct emitter *e, const struct attention *a, const struct attention_value *parts)
{
    struct value *x = apart(e, a, &parts[1], a->heads);

    return parts[0].value ? emit(e, "Concat", "axis=2", 2, apart(e, a, &parts[0], a->heads), x) : x;
}

static struct value *both(struct emitter *e, struct value *x, struct value *y)
{
    return x ? emit(e, "And", "", 2, x, y) : y;
}

static struct value *plus(struct emitter *e, struct value *x, int64_t n)
{
    return emit(e, "Add", "", 2, x, emit_scalar(e, I64, (double)n));
}

/* How far each key stands behind each query, were the first query at 0: [queries, keys]. */
static struct value *distances(struct emitter *e, int64_t queries, struct value *keys)
{
    const int64_t column = 1;
    struct value *own = emit_counted(e, emit_ints(e, 1, &queries));

    return emit(e, "Sub", "", 2, keys, emit(e, "Unsqueeze", "", 2, own, emit_ints(e, 1, &column)));
}

/* Which scores count, to be broadcast to all of them; NULL: all do. */
static struct value *allowed(struct emitter *e, const struct attention *a, const struct attention_values *v,
                             struct value *mask)
{
    const int64_t count = a->length[0] + a->length[1];
    struct value *keys = emit_counted(e, emit_ints(e, 1, &count)), *is = NULL, *far, *offset, *valid = NULL;

    if (v->valid)
        valid = emit_reshape(e, v->valid, RANK, (int64_t[]){ a->batch, 1, 1, 1 });
    offset = valid ? plus(e, valid, -a->queries) : emit_scalar(e, I64, (double)a->offset);
    far = distances(e, a->queries, keys);
    if (a->causal)
        is = both(e, is, emit(e, "LessOrEqual", "", 2, far, offset));
    if (a->left >= 0)
        is = both(e, is, emit(e, "GreaterOrEqual", "", 2, far, plus(e, offset, -a->left)));
    if (a->right >= 0)
        is = both(e, is, emit(e, "LessOrEqual", "", 2, far, plus(e, offset, a->right)));
    if (valid)
        is = both(e, is, emit(e, "Less", "", 2, keys, valid));
    if (mask && a->mask.keys < count)
        is = both(e, is, emit(e, "Less", "", 2, keys, emit_scalar(e, I64, (double)a->mask.keys)));
    return mask && v->mask.type->dtype == BOOL ? both(e, is, mask) : is;
}

/* The mask, as long as there are keys, or 1; numbers in the type of computation. */
static struct value *whole_mask(struct emitter *e, const struct attention *a, const struct attention_value *m)
{
    const int64_t count = a->length[0] + a->length[1];
    struct value *x = m->value;

    if (!x)
        return NULL;
    if (m->type->dtype != BOOL)
        x = emit_cast_from(e, x, m->type->dtype, a->compute);
    if (a->mask.keys == count)
        return x;
    return emit(e, "Pad", "", 4, x, emit_ints(e, 2, (int64_t[]){ 0, count - a->mask.keys }), NULL,
                emit_ints(e, 1, (int64_t[]){ -1 }));
}

static struct value *scores(struct emitter *e, const struct attention *a, const struct attention_values *v,
                            struct value *keys)
{
    const int64_t heads = a->heads * a->group, count = a->length[0] + a->length[1];
    struct value *q = apart(e, a, &v->q, heads), *mask = whole_mask(e, a, &v->mask), *s, *is;

    q = emit_reshape(e, q, RANK, (int64_t[]){ a->batch, a->heads, a->group * a->queries, a->size });
    s = emit(e, "MatMul", "", 2, q, emit(e, "Transpose", "perm=[0,1,3,2]", 1, keys));
    s = emit_reshape(e, s, RANK, (int64_t[]){ a->batch, heads, a->queries, count });
    s = emit(e, "Mul", "", 2, s, emit_scalar(e, a->compute, a->scale));
    if (a->cap > 0) {
        struct value *cap = emit_scalar(e, a->compute, a->cap);

        s = emit(e, "Mul", "", 2, emit(e, "Tanh", "", 1, emit(e, "Div", "", 2, s, cap)), cap);
    }
    if (mask && v->mask.type->dtype != BOOL)
        s = emit(e, "Add", "", 2, s, mask);
    if (v->more)
        s = emit(e, "Add", "", 2, s, v->more);
    is = allowed(e, a, v, mask);
    return is ? emit(e, "Where", "", 3, is, s, emit_scalar(e, a->compute, -INFINITY)) : s;
}

/* Of each row; of one without any key 0. */
static struct value *largest_of(struct emitter *e, const struct attention *a, struct value *w)
{
    const int64_t last = -1;
    struct value *most = emit(e, "ReduceMax", "keepdims=0", 2, w, emit_ints(e, 1, &last));

    return emit(e, "Max", "", 2, most, emit_scalar(e, a->compute, -1e30));
}

struct value *emit_attention(struct emitter *e, const struct attention *a, const struct attention_values *v)
{
    const int64_t last = -1, heads = a->heads * a->group, count = a->length[0] + a->length[1];
    struct value *w = scores(e, a, v, joined(e, a, v->k)), *sum, *y;
    struct value *most = v->log_sums ? v->log_sums : largest_of(e, a, w);

    if (v->largest)
        *v->largest = most;
    w = emit(e, "Sub", "", 2, w, emit(e, "Unsqueeze", "", 2, most, emit_ints(e, 1, &last)));
    w = emit(e, "Exp", "", 1, w);
    sum = emit(e, "ReduceSum", "", 2, w, emit_ints(e, 1, &last));
    y = emit(e, "Equal", "", 2, sum, emit_scalar(e, a->compute, 0)); /* a query without any key */
    sum = emit(e, "Where", "", 3, y, emit_scalar(e, a->compute, 1), sum);
    w = emit(e, "Div", "", 2, w, sum);
    w = emit_reshape(e, w, RANK, (int64_t[]){ a->batch, a->heads, a->group * a->queries, count });
    y = emit(e, "MatMul", "", 2, w, joined(e, a, v->v));
    y = emit_reshape(e, y, RANK, (int64_t[]){ a->batch, heads, a->queries, a->value_size });
    if (v->q.type->rank != RANK) {
        y = emit(e, "Transpose", "perm=[0,2,1,3]", 1, y);
        y = emit_reshape(e, y, RANK - 1, (int64_t[]){ a->batch, a->queries, heads * a->value_size });
    }
    return emit_cast_from(e, y, a->compute, v->q.type->dtype);
}
