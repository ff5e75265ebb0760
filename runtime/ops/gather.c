/* Gather, https://onnx.ai/onnx/operators/onnx__Gather.html
 *
 *   y[before, i, behind] = data[before, indices[i], behind]           `axis` of data replaced by the shape of indices
 *
 * Indices below 0 count from the end; one out of range is an error while running. The gradient adds each slice of dY to
 * the slice of dX that it came from, in the order of the indices. */
#include "ops/gather.h"
#include "kernels/machine.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/spelled.h"
#include "tensor/half.h"
#include <stdio.h>
#include <string.h>

enum { DATA, INDICES };

/* What one chunk moves or adds at least, in bytes. */
enum { CHUNK = JOB_ELEMENTS / 2 * (int)sizeof(float) };

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct gather *a = attrs;

    a->axis = attr_int(p, "axis", 0);
    return true;
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = known_input(n, DATA).rank, indices = known_input(n, INDICES).rank;

    (void)k;
    return x < 1 || indices < 0 ? UNKNOWN : x - 1 + indices;
}

static bool infer(struct infer *i)
{
    const struct gather *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, DATA), *indices = typed_in(i, INDICES);
    const int axis = wrap_axis(a->axis, x->rank);
    int64_t dims[2 * MAX_RANK];
    int rank = 0;

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    for (int d = 0; d < axis; d++)
        dims[rank++] = x->dims[d];
    for (int d = 0; d < indices->rank; d++)
        dims[rank++] = indices->dims[d];
    for (int d = axis + 1; d < x->rank; d++)
        dims[rank++] = x->dims[d];
    return set_out(i, 0, x->dtype, rank, dims);
}

/* -- run -- */

struct gather_job {
    int64_t before, n, count, behind; /* data is [before, n, behind], the other side [before, count, behind] */
    const struct tensor *indices;
    const char *from;
    char *to;
    size_t slice; /* bytes of behind */
    int64_t per_chunk;
};

/* Index k made positive, or -1 where it is out of range. */
static int64_t index_at(const struct tensor *t, int64_t k, int64_t n)
{
    const int64_t at = t->dtype == I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];

    return at < -n || at >= n ? -1 : at < 0 ? at + n : at;
}

static bool check_indices(struct step *s, const struct tensor *t, int64_t n)
{
    for (int64_t k = 0; k < tensor_count(t); k++)
        if (index_at(t, k, n) < 0)
            return step_error(
                s, "indices[%lld] is %lld, must be in [%lld, %lld]", (long long)k,
                (long long)(t->dtype == I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k]),
                (long long)-n, (long long)(n - 1));
    return true;
}

static struct gather_job job_of(const struct tensor *x, const struct tensor *indices, int axis)
{
    return (struct gather_job){ .before = dims_product(x->dims, 0, axis),
                                .n = x->dims[axis],
                                .count = tensor_count(indices),
                                .behind = dims_product(x->dims, axis + 1, x->rank),
                                .indices = indices };
}

static void gather_chunk(void *context, int64_t chunk, int thread)
{
    const struct gather_job *j = context;
    const int64_t items = j->before * j->count, slice = (int64_t)j->slice;
    const int64_t end = items - chunk * j->per_chunk < j->per_chunk ? items : (chunk + 1) * j->per_chunk;

    (void)thread;
    for (int64_t item = chunk * j->per_chunk; item < end; item++) {
        const int64_t at = item / j->count * j->n + index_at(j->indices, item % j->count, j->n);

        memcpy(j->to + item * slice, j->from + at * slice, j->slice);
    }
}

static bool run(struct step *s)
{
    const struct gather *a = s->attrs;
    const struct tensor *x = s->in[DATA];
    struct gather_job j = job_of(x, s->in[INDICES], wrap_axis(a->axis, x->rank));

    if (!check_indices(s, j.indices, j.n))
        return false;
    if (!tensor_count(s->out[0]))
        return true;
    j.from = x->data;
    j.to = s->out[0]->data;
    j.slice = (size_t)j.behind * dtype_size(x->dtype);
    j.per_chunk = CHUNK / (int64_t)j.slice + 1;
    pool_run(s->pool, (j.before * j.count + j.per_chunk - 1) / j.per_chunk, gather_chunk, &j);
    return true;
}

/* -- differentiate -- */

struct gather_grad {
    int axis, rank;
    int64_t dims[MAX_RANK]; /* of data */
};

static bool grad_infer(struct infer *i)
{
    const struct gather_grad *a = infer_attrs(i);
    const enum dtype dtype = typed_in(i, 0)->dtype;

    if (dtype_is_storage(dtype)) /* summed in float, rounded once */
        need_scratch(i, (size_t)dims_product(a->dims, 0, a->rank) * sizeof(float));
    return set_out(i, 0, dtype, a->rank, a->dims);
}

enum {
    LANES = 256
}; /* elements of `behind` that a chunk adds for all indices: a chunk alone writes to them, so the order is fixed */

/* Made once for each type: `dtype` is a constant where this is called. */
static inline __attribute__((always_inline)) void add_slices(const enum dtype dtype, const struct gather_job *j,
                                                             int64_t chunk)
{
    const int64_t per_slice = (j->behind + LANES - 1) / LANES, before = chunk / per_slice;
    const int64_t first = chunk % per_slice * LANES, lanes = j->behind - first < LANES ? j->behind - first : LANES;

    for (int64_t k = 0; k < j->count; k++) {
        const int64_t to = (before * j->n + index_at(j->indices, k, j->n)) * j->behind + first;
        const int64_t from = (before * j->count + k) * j->behind + first;

        for (int64_t i = 0; i < lanes; i++)
            if (dtype == F64)
                ((double *)(void *)j->to)[to + i] += ((const double *)(const void *)j->from)[from + i];
            else if (dtype == F32)
                ((float *)(void *)j->to)[to + i] += ((const float *)(const void *)j->from)[from + i];
            else
                ((float *)(void *)j->to)[to + i] +=
                    half_to_f32(dtype, ((const uint16_t *)(const void *)j->from)[from + i]);
    }
}

struct scatter {
    struct gather_job job;
    enum dtype dtype;
};

static void scatter(void *context, int64_t chunk, int thread)
{
    const struct scatter *c = context;

    (void)thread;
    switch (c->dtype) {
    case F64:
        add_slices(F64, &c->job, chunk);
        break;
    case F32:
        add_slices(F32, &c->job, chunk);
        break;
    case F16:
        add_slices(F16, &c->job, chunk);
        break;
    case BF16:
        add_slices(BF16, &c->job, chunk);
        break;
    default: /* its types are those of the signature */
        break;
    }
}

static bool grad_run(struct step *s)
{
    const struct gather_grad *a = s->attrs;
    const struct tensor *dy = s->in[0], *dx = s->out[0];
    struct scatter c = { job_of(dx, s->in[1], a->axis), dy->dtype };
    const bool widened = dtype_is_storage(dy->dtype);
    const int64_t zero = 0;

    if (!check_indices(s, c.job.indices, c.job.n))
        return false;
    c.job.from = dy->data;
    c.job.to = widened ? s->scratch : dx->data;
    move_fill(s->pool, widened ? sizeof(float) : dtype_size(dx->dtype), &zero, tensor_count(dx), c.job.to);
    if (tensor_count(dy))
        pool_run(s->pool, c.job.before * ((c.job.behind + LANES - 1) / LANES), scatter, &c);
    if (widened)
        narrow(dx->dtype, s->scratch, dx->data, tensor_count(dx));
    return true;
}

/* It is linear: dY gets what flows back to where it was added. */
static bool gradient_of_grad(struct backward *b)
{
    const struct gather_grad *a = attrs_of(b);
    const struct tensor *dy = type_in(b, 0);
    struct emitter *e = emitter_of(b);
    struct value *d;
    char axis[32];

    snprintf(axis, sizeof axis, "axis=%lld", (long long)a->axis);
    d = emit(e, "Gather", axis, 2, upstream(b, 0), forward_in(b, 1));
    if (dy->rank !=
        a->rank - 1 + type_in(b, 1)->rank) /* the indices counted as one dimension (ArrayFeatureExtractor) */
        d = emit_reshape(e, d, dy->rank, dy->dims);
    give(b, 0, d);
    return backward_ok(b);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct gather_grad *a = n->attrs;
    const int64_t all = -1, count = tensor_count(in[1]);
    int64_t dims[MAX_RANK];

    memcpy(dims, a->dims, sizeof dims);
    dims[a->axis] = count;
    out[0] = emit_added_up(e, n->in[0], in[0]->dtype, a->rank, dims, (int)a->axis,
                           emit_cast_from(e, emit_reshape(e, n->in[1], 1, &all), in[1]->dtype, I64), a->dims[a->axis]);
    return !e->failed;
}

static const struct op gather_grad = {
    .name = "GatherGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, Tind indices -> T dX",
                                       .types = "T: floats bf16; Tind: i32 i64",
                                       .attrs_size = sizeof(struct gather_grad),
                                       .plain = plain,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

struct value *gather_back(struct emitter *e, struct value *dy, struct value *indices, int64_t axis,
                          const struct tensor *x)
{
    struct gather_grad *grad = emit_alloc(e, sizeof *grad);
    struct value *dx;

    if (!grad)
        return NULL;
    grad->axis = wrap_axis(axis, x->rank);
    grad->rank = x->rank;
    memcpy(grad->dims, x->dims, sizeof x->dims);
    return emit_private(e, &gather_grad, grad, 1, &dx, NULL, 2, (struct value *[]){ dy, indices }) ? dx : NULL;
}

static bool gradient(struct backward *b)
{
    const struct gather *a = attrs_of(b);

    if (wants(b, DATA))
        give(b, DATA, gather_back(emitter_of(b), upstream(b, 0), forward_in(b, INDICES), a->axis, type_in(b, DATA)));
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, DATA, "table", "random_uniform", NULL },
    { 0 },
};

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[5,4] i64[3]{4,0,4}", "", "f32[3,4]", 1 }, { "f64[2,5,3] i32[2,2]{0,3,3,1}", "axis=1", "f64[2,2,2,3]", 1 },  \
        { "str[3] i64[]{2}", "", "str[]", 0 }, { "f32[2,3] i64[1]{2}", "axis=-1", "f32[2,1]", 1 },                     \
        { "f32[2,3] i64[0]", "", "f32[0,3]", 0 },                                                                      \
    {                                                                                                                  \
        "c128[3,2] i32[2]{1,1}", "", "c128[2,2]", 0                                                                    \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_11[] = { CASES, { "f32[5,300] i64[4]{-1,0,-5,4}", "", "f32[4,300]", 1 }, { 0 } };

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T data, Tind indices -> T output", .types = "T: " t "; Tind: i32 i64",         \
        .cost = cost_of_picking, .attrs_size = sizeof(struct gather), .parse = parse, .rank = rank, .infer = infer,    \
        .run = run, .gradient = gradient, .flags = OP_MOVES, .parameters = parameters, .cases = tests                  \
    }

const struct op op_gather = {
    .name = "Gather",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "all bf16", cases_11), ROW(11, "all", cases_11), ROW(1, "all", cases_1), { 0 } },
};

const struct op gather_any = {
    .name = "Gather",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T data, Tind indices -> T output",
                                       .types = "T: all bf16 ir13; Tind: i32 i64",
                                       .cost = cost_of_picking,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient },
                                     { 0 } },
};
