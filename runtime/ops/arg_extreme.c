#include "ops/arg_extreme.h"
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/rank.h"
#include "tensor/half.h"
#include <math.h>

/* -- loops -- */

enum {
    COLUMNS = 64,
    BLOCK = 512
}; /* elements that stand side by side and are compared together; halves that are widened together */

typedef void columns_fn(const void *x, int64_t n, int64_t columns, int64_t stride, bool last, int64_t *at);

#define EXTREME      greatest
#define BEYOND(b, a) ((b) > (a))
#include "ops/arg_extreme_loops.h"
#define EXTREME      least
#define BEYOND(b, a) ((b) < (a))
#include "ops/arg_extreme_loops.h"

struct arg_job {
    columns_fn *loop;
    const char *x;
    int64_t *y;
    int64_t n, inner, items, blocks, per_chunk, size;
    bool last;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct arg_job *j = context;
    const int64_t first = k * j->per_chunk, end = lesser(j->items, first + j->per_chunk);

    (void)thread;
    for (int64_t item = first; item < end; item++) {
        const int64_t outer = item / j->blocks, column = item % j->blocks * COLUMNS;
        const int64_t columns = lesser(j->inner - column, COLUMNS);

        j->loop(j->x + (outer * j->n * j->inner + column) * j->size, j->n, columns, j->inner, j->last,
                j->y + outer * j->inner + column);
    }
}

void arg_extreme(struct pool *pool, const struct tensor *x, const struct arg_shape *shape, bool least, bool last,
                 int64_t *at)
{
    struct arg_job j = { .loop = least ? least_loops[x->dtype] : greatest_loops[x->dtype],
                         .x = x->data,
                         .y = at,
                         .n = shape->n,
                         .inner = shape->inner,
                         .size = (int64_t)dtype_size(x->dtype),
                         .last = last };

    if (!shape->outer || !shape->inner)
        return;
    j.blocks = divide_up(j.inner, COLUMNS);
    j.items = shape->outer * j.blocks;
    j.per_chunk = JOB_ELEMENTS / (j.n * lesser(j.inner, COLUMNS)) + 1;
    pool_run(pool, divide_up(j.items, j.per_chunk), chunk, &j);
}

/* -- read -- */

bool arg_parse_1(struct parse *p, void *attrs)
{
    struct arg_attrs *a = attrs;

    a->axis = attr_int(p, "axis", 0);
    a->keepdims = attr_int(p, "keepdims", 1) != 0;
    return true;
}

bool arg_parse_12(struct parse *p, void *attrs)
{
    struct arg_attrs *a = attrs;

    a->last = attr_int(p, "select_last_index", 0) != 0;
    return arg_parse_1(p, attrs);
}

/* -- plan -- */

int arg_rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x <= 0 || ((const struct arg_attrs *)n->attrs)->keepdims ? x : x - 1;
}

bool arg_infer(struct infer *i)
{
    const struct arg_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int axis = x->rank || a->axis < -1 || a->axis > 0 ? wrap_axis(a->axis, x->rank) : 0;
    int64_t dims[MAX_RANK], others = 1;
    int rank = 0;

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    for (int d = 0; d < x->rank; d++) {
        others *= d == axis ? 1 : x->dims[d];
        if (d != axis || a->keepdims)
            dims[rank++] = d == axis ? 1 : x->dims[d];
    }
    if (x->rank && !x->dims[axis] && others)
        return infer_error(i, "the size of axis %d is 0, there is no element to be found", axis);
    return set_out(i, 0, I64, rank, dims);
}

/* -- run -- */

bool arg_run(struct step *s, bool least)
{
    const struct arg_attrs *a = s->attrs;
    const struct tensor *x = s->in[0];
    const int axis = x->rank ? wrap_axis(a->axis, x->rank) : 0;
    const struct arg_shape shape = { dims_product(x->dims, 0, axis), x->rank ? x->dims[axis] : 1,
                                     dims_product(x->dims, axis + 1, x->rank) };

    arg_extreme(s->pool, x, &shape, least, a->last, s->out[0]->data);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,4]", "", "i64[1,4]", 0 }, { "f64[3,4,5]", "axis=1 keepdims=0", "i64[3,5]", 0 },                           \
        { "i8[7,70]", "keepdims=0", "i64[70]", 0 }, { "f16[2,600]", "axis=1", "i64[2,1]", 0 },                         \
        { "u64[5]", "keepdims=0", "i64[]", 0 },                                                                        \
    {                                                                                                                  \
        "f32[0,3]", "axis=1", "i64[0,1]", 0                                                                            \
    }

const struct op_case arg_cases_1[] = { CASES, { 0 } };
const struct op_case arg_cases_11[] = { CASES, { "i32[3,4]", "axis=-1", "i64[3,1]", 0 }, { 0 } };
const struct op_case arg_cases_12[] = {
    CASES,
    { "i32[3,4]", "axis=-1", "i64[3,1]", 0 },
    { "f32[2,3]{1,1,0,2,2,2}", "axis=1 select_last_index=1", "i64[2,1]", 0 },
    { 0 },
};
