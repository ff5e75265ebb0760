#include "ops/cumulative.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/move.h"

enum { COLUMNS = 64 }; /* that stand side by side and are computed together */

/* -- read -- */

bool cumulative_parse(struct parse *p, void *attrs)
{
    struct cumulative *a = attrs;

    a->exclusive = attr_int(p, "exclusive", 0) != 0;
    a->reverse = attr_int(p, "reverse", 0) != 0;
    return true;
}

/* -- plan -- */

bool cumulative_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);
    const enum dtype compute = dtype_compute(x->dtype);
    struct ints axis;

    if (!ints_in(i, AXIS, &axis))
        return false;
    if (axis.count != 1)
        return infer_error(i, "'axis' has %d values, must have 1", axis.count);
    if (wrap_axis(axis.v[0], x->rank) < 0)
        return axis_error(i, axis.v[0], x->rank);
    need_scratch(i, (size_t)infer_inputs(i) * compute_bytes(x, compute)); /* the axis' for the output */
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

struct cumulative_job;
typedef void loop_fn(const struct cumulative_job *j, int64_t at, int64_t columns);

struct cumulative_job {
    const void *x, *up;
    void *y;
    int64_t n, stride, blocks;
    bool exclusive, reverse;
    loop_fn *loop;
};

#define NAME(part) sums##part
#define START      0
#define AFTER      (before + x)
#define OUT        (exclusive ? before : after)
#include "ops/cumulative_loops.h"
#define NAME(part) products##part
#define START      1
#define AFTER      (before * x)
#define OUT        (exclusive ? before : after)
#include "ops/cumulative_loops.h"
#define NAME(part) products_back##part
#define START      0
#define AFTER      (exclusive ? before * x + up : (before + up) * x)
#define OUT        (exclusive ? before : before + up)
#include "ops/cumulative_loops.h"

static loop_fn *loop_of(enum cumulative_kind kind, enum dtype compute)
{
    return kind == SUMS ? sums_loop(compute) : kind == PRODUCTS ? products_loop(compute) : products_back_loop(compute);
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct cumulative_job *j = context;
    const int64_t first = k % j->blocks * COLUMNS;

    (void)thread;
    j->loop(j, k / j->blocks * j->n * j->stride + first, j->stride - first < COLUMNS ? j->stride - first : COLUMNS);
}

bool cumulative_run(struct step *s, enum cumulative_kind kind)
{
    const struct cumulative *a = s->attrs;
    const struct tensor *x = s->in[X];
    const enum dtype compute = dtype_compute(x->dtype);
    char *scratch = s->scratch;
    struct cumulative_job j = { .exclusive = a->exclusive, .reverse = a->reverse };
    struct ints axis;
    int d;

    ints_of(s->in[AXIS], &axis);
    d = wrap_axis(axis.v[0], x->rank);
    j.x = compute_in(x, compute, &scratch);
    j.up = kind == PRODUCTS_BACK ? compute_in(s->in[UP], compute, &scratch) : j.x;
    j.y = compute_out(s->out[0], compute, &scratch);
    j.n = x->dims[d];
    j.stride = dims_product(x->dims, d + 1, x->rank);
    j.blocks = divide_up(j.stride, COLUMNS);
    j.loop = loop_of(kind, compute);
    if (tensor_count(x))
        pool_run(s->pool, dims_product(x->dims, 0, d) * j.blocks, chunk, &j);
    compute_store(s->out[0], compute, j.y);
    return true;
}
