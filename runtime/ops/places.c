#include "ops/places.h"
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/move.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- read -- */

bool places_parse_elements(struct parse *p, void *attrs)
{
    struct places_attrs *a = attrs;

    a->elements = true;
    a->axis = attr_int(p, "axis", 0);
    return true;
}

/* -- plan -- */

/* No index has more of its own coordinates than the data. */
static bool elements_fit(struct infer *i, int *rank, int64_t *dims)
{
    const struct places_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, PLACES_DATA), *indices = typed_in(i, PLACES_INDICES);
    const int axis = wrap_axis(a->axis, x->rank);

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    if (indices->rank != x->rank)
        return infer_error(i, "'indices' has %d dimensions, must have %d as 'data'", indices->rank, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && indices->dims[d] > x->dims[d])
            return infer_error(i, "dimension %d of 'indices' is %lld, must be at most %lld as that of 'data'", d,
                               (long long)indices->dims[d], (long long)x->dims[d]);
    *rank = indices->rank;
    memcpy(dims, indices->dims, sizeof indices->dims);
    return true;
}

bool places_fit(struct infer *i, int *rank, int64_t *dims)
{
    const struct places_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, PLACES_DATA), *indices = typed_in(i, PLACES_INDICES);
    const int64_t batch = a->batch, depth = indices->rank ? indices->dims[indices->rank - 1] : 0;

    if (a->elements)
        return elements_fit(i, rank, dims);
    if (!x->rank || !indices->rank)
        return infer_error(i, "'data' has %d dimensions and 'indices' %d, both must have one at least", x->rank,
                           indices->rank);
    if (batch < 0 || batch >= indices->rank || batch > x->rank || depth > x->rank - batch)
        return infer_error(i,
                           "indices of %lld coordinates behind %lld dimensions of batches do not fit 'data' of %d "
                           "dimensions and 'indices' of %d",
                           (long long)depth, (long long)batch, x->rank, indices->rank);
    for (int d = 0; d < batch; d++)
        if (x->dims[d] != indices->dims[d])
            return infer_error(i, "dimension %d of 'indices' is %lld, must be %lld as that of 'data'", d,
                               (long long)indices->dims[d], (long long)x->dims[d]);
    *rank = 0;
    for (int d = 0; d < indices->rank - 1; d++)
        dims[(*rank)++] = indices->dims[d];
    for (int d = (int)(batch + depth); d < x->rank; d++)
        dims[(*rank)++] = x->dims[d];
    return true;
}

bool gather_places_infer(struct infer *i)
{
    int64_t dims[2 * MAX_RANK];
    int rank;

    return places_fit(i, &rank, dims) && set_out(i, 0, typed_in(i, PLACES_DATA)->dtype, rank, dims);
}

/* -- where they are -- */

/* An index's own coordinates, from the last one on; neighbours that are one row of data, too, are merged. */
static void elements_of(struct places *p, int axis, const struct tensor *data)
{
    int64_t strides[MAX_RANK];

    move_strides(data->rank, data->dims, strides);
    p->items = tensor_count(p->indices);
    p->slice = p->depth = 1;
    p->size[0] = data->dims[axis];
    p->stride[0] = strides[axis];
    for (int d = data->rank - 1; d >= 0; d--) {
        const int64_t n = p->indices->dims[d], own = d == axis ? 0 : strides[d];
        const int last = p->rank - 1;

        if (n == 1)
            continue;
        if (p->rank && own && own == p->own[last] * p->own_dims[last]) {
            p->own_dims[last] *= n;
        } else {
            p->own_dims[p->rank] = n;
            p->own[p->rank++] = own;
        }
    }
}

void places_of(struct places *p, const struct places_attrs *a, const struct tensor *data, const struct tensor *indices)
{
    const int batch = (int)a->batch;
    int64_t strides[MAX_RANK];

    *p = (struct places){ .indices = indices, .per_batch = 1 };
    if (a->elements) {
        elements_of(p, wrap_axis(a->axis, data->rank), data);
        return;
    }
    move_strides(data->rank, data->dims, strides);
    p->depth = (int)indices->dims[indices->rank - 1];
    p->items = dims_product(indices->dims, 0, indices->rank - 1);
    p->slice = dims_product(data->dims, batch + p->depth, data->rank);
    p->per_batch = dims_product(indices->dims, batch, indices->rank - 1);
    p->batch_stride = dims_product(data->dims, batch, data->rank);
    for (int d = 0; d < p->depth; d++) {
        p->size[d] = data->dims[batch + d];
        p->stride[d] = strides[batch + d];
    }
}

static int64_t index_of(const struct tensor *t, int64_t k)
{
    return t->dtype == I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
}

bool places_checked(struct step *s, const struct places *p)
{
    for (int64_t k = 0; k < p->items * p->depth && p->slice; k++) {
        const int64_t index = index_of(p->indices, k), n = p->size[k % p->depth];

        if (index < -n || index >= n)
            return step_error(s, "index %lld of 'indices' is %lld, must be in [%lld, %lld]", (long long)k,
                              (long long)index, (long long)-n, (long long)(n - 1));
    }
    return true;
}

int64_t place_of(const struct places *p, int64_t item)
{
    int64_t at = item / p->per_batch * p->batch_stride;

    for (int d = 0; d < p->depth; d++) {
        const int64_t index = index_of(p->indices, item * p->depth + d);

        at += (index < 0 ? index + p->size[d] : index) * p->stride[d];
    }
    for (int d = 0; d < p->rank; d++) {
        at += item % p->own_dims[d] * p->own[d];
        item /= p->own_dims[d];
    }
    return at;
}

/* -- read what is there -- */

enum { CHUNK = JOB_ELEMENTS / 2 * (int)sizeof(float) }; /* bytes that one chunk moves at least */

struct gather_job {
    const struct places *p;
    const char *from;
    char *to;
    size_t size; /* of an element */
    int64_t per_chunk;
};

static void gather_chunk(void *context, int64_t chunk, int thread)
{
    const struct gather_job *j = context;
    const int64_t first = chunk * j->per_chunk;
    const int64_t end = j->p->items - first < j->per_chunk ? j->p->items : first + j->per_chunk;
    const size_t bytes = (size_t)j->p->slice * j->size;

    (void)thread;
    for (int64_t item = first; item < end; item++)
        memcpy(j->to + (size_t)item * bytes, j->from + (size_t)place_of(j->p, item) * j->size, bytes);
}

bool gather_places_run(struct step *s)
{
    const struct tensor *x = s->in[PLACES_DATA], *y = s->out[0];
    struct places p;
    struct gather_job j = { .p = &p, .from = x->data, .to = y->data, .size = dtype_size(x->dtype) };

    places_of(&p, s->attrs, x, s->in[PLACES_INDICES]);
    if (!places_checked(s, &p))
        return false;
    if (!tensor_count(y))
        return true;
    j.per_chunk = CHUNK / (p.slice * (int64_t)j.size) + 1;
    pool_run(s->pool, divide_up(p.items, j.per_chunk), gather_chunk, &j);
    return true;
}

/* -- write there -- */

#define IS_NAN(x) false
#define NAME      combine
#define BODY      "ops/scatter_body.h"
#define INTS
#define UINTS
#include "ops/each_integer.h"
#undef IS_NAN
#define IS_NAN isnan
#define LOOP   combine_f32
#define T      float
#define W      float
#include "ops/scatter_body.h"
#define LOOP combine_f64
#define T    double
#define W    double
#include "ops/scatter_body.h"

/* y[k] = y[k] combined with u[k] */
typedef void combine_loop(enum scatter_how how, void *y, const void *u, int64_t n);

static combine_loop *const loops[DTYPES] = { [F32] = combine_f32, [F64] = combine_f64 INTEGER_PLACES };

/* Of bools a sum is `or`, a product `and`. */
static combine_loop *loop_for(enum dtype dtype, enum scatter_how *how)
{
    if (dtype != BOOL)
        return loops[dtype];
    *how = *how == SCATTER_ADD ? SCATTER_MAX : *how == SCATTER_MUL ? SCATTER_MIN : *how;
    return combine_u8;
}

bool scatter_places_infer(struct infer *i)
{
    const struct places_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, PLACES_DATA), *updates = typed_in(i, PLACES_UPDATES);
    const enum dtype compute = dtype_compute(x->dtype);
    enum scatter_how how = a->how;
    int64_t dims[2 * MAX_RANK];
    struct tensor need;
    int rank;

    if (!places_fit(i, &rank, dims))
        return false;
    if (!tensor_shape(&need, x->dtype, rank, dims) || !same_shape(&need, updates)) {
        char got[TYPE_TEXT], text[TYPE_TEXT];

        return infer_error(i, "'updates' is %s, must be %s", tensor_text(updates, got),
                           rank > MAX_RANK ? "of fewer dimensions" : tensor_text(&need, text));
    }
    if (how != SCATTER_SET && !loop_for(compute, &how))
        return infer_error(i, "updates of %s cannot be combined, attribute 'reduction' must be 'none'",
                           dtype_name(x->dtype));
    if (how != SCATTER_SET)
        need_scratch(i, compute_bytes(x, compute) + compute_bytes(updates, compute));
    may_reuse(i, 0, PLACES_DATA);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

enum {
    LANES = 256,
    OFTEN = 4096
}; /* elements of a slice that a chunk writes for all items, in their order; items
                                       between two looks at the time */

struct scatter_job {
    const struct places *p;
    const struct pool *pool;
    enum scatter_how how;
    combine_loop *loop;
    const char *from;
    char *to;
    size_t size;
};

static void scatter_chunk(void *context, int64_t chunk, int thread)
{
    const struct scatter_job *j = context;
    const int64_t first = chunk * LANES, slice = j->p->slice, n = slice - first < LANES ? slice - first : LANES;

    (void)thread;
    for (int64_t item = 0; item < j->p->items && (item % OFTEN || !pool_late(j->pool)); item++) {
        char *const to = j->to + (size_t)(place_of(j->p, item) + first) * j->size;
        const char *const from = j->from + (size_t)(item * slice + first) * j->size;

        if (j->how == SCATTER_SET)
            memcpy(to, from, (size_t)n * j->size);
        else
            j->loop(j->how, to, from, n);
    }
}

/* y begins as data, or as zeros where that is NULL. Halves are combined in float. */
static bool scatter(struct step *s, const struct places_attrs *a, const struct tensor *data,
                    const struct tensor *indices, const struct tensor *updates, struct tensor *y)
{
    const enum dtype compute = a->how == SCATTER_SET ? y->dtype : dtype_compute(y->dtype);
    const size_t size = dtype_size(compute);
    const int64_t zero = 0, n = tensor_count(y);
    char *scratch = s->scratch;
    struct places p;
    struct scatter_job j = { .p = &p, .pool = s->pool, .how = a->how, .size = size };

    places_of(&p, a, y, indices);
    if (!places_checked(s, &p))
        return false;
    j.loop = loop_for(compute, &j.how);
    j.to = compute_out(y, compute, &scratch);
    j.from = compute_in(updates, compute, &scratch);
    if (!data)
        move_fill(s->pool, size, &zero, n, j.to);
    else if (data->dtype != compute)
        convert_floats(data->dtype, data->data, compute, j.to, n);
    else if (data->data != j.to && n)
        memcpy(j.to, data->data, (size_t)n * size);
    if (tensor_count(updates))
        pool_run(s->pool, divide_up(p.slice, LANES), scatter_chunk, &j);
    compute_store(y, compute, j.to);
    return true;
}

bool scatter_places_run(struct step *s)
{
    return scatter(s, s->attrs, s->in[PLACES_DATA], s->in[PLACES_INDICES], s->in[PLACES_UPDATES], s->out[0]);
}

/* -- the gradient of what is read: zeros, to which the places are added -- */

struct gather_grad {
    struct places_attrs places;
    int rank;
    int64_t dims[MAX_RANK]; /* of data */
};

static bool gather_grad_infer(struct infer *i)
{
    const struct gather_grad *a = infer_attrs(i);
    const struct tensor *dy = typed_in(i, 0);
    const enum dtype compute = dtype_compute(dy->dtype);

    if (!set_out(i, 0, dy->dtype, a->rank, a->dims))
        return false;
    need_scratch(i, compute_bytes(typed_out(i, 0), compute) + compute_bytes(dy, compute));
    return true;
}

static bool gather_grad_run(struct step *s)
{
    const struct gather_grad *a = s->attrs;

    return scatter(s, &a->places, NULL, s->in[1], s->in[0], s->out[0]);
}

/* What reads the places of `a`. */
static struct value *emit_places(struct emitter *e, const struct places_attrs *a, struct value *x,
                                 struct value *indices)
{
    char text[32];

    snprintf(text, sizeof text, a->elements ? "axis=%lld" : "batch_dims=%lld",
             (long long)(a->elements ? a->axis : a->batch));
    return emit(e, a->elements ? "GatherElements" : "GatherND", text, 2, x, indices);
}

/* It is linear: dY gets what flows back to where it was added. */
static bool gradient_of_gather_grad(struct backward *b)
{
    const struct gather_grad *a = attrs_of(b);

    give(b, 0, emit_places(emitter_of(b), &a->places, upstream(b, 0), forward_in(b, 1)));
    return backward_ok(b);
}

static bool plain_gather_grad(struct emitter *e, const struct node *n, const struct tensor *const *in,
                              struct value **out)
{
    const struct gather_grad *a = n->attrs;
    struct value *zeros = emit_zeros(e, in[0]->dtype, a->rank, a->dims);
    char text[48];

    if (!a->places.elements && a->places.batch)
        return e->failed = true, fail(e->report, KILN_UNSUPPORTED, node_origin(n)->op_name,
                                      "a gradient with batch_dims cannot be written");
    snprintf(text, sizeof text, "axis=%lld reduction='add'", (long long)a->places.axis);
    out[0] = a->places.elements ? emit(e, "ScatterElements", text, 3, zeros, n->in[1], n->in[0])
                                : emit(e, "ScatterND", "reduction='add'", 3, zeros, n->in[1], n->in[0]);
    return out[0];
}

static const struct op gather_grad = {
    .name = "GatherPlacesGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, Tind indices -> T dX",
                                       .types = "T: floats bf16; Tind: i32 i64",
                                       .attrs_size = sizeof(struct gather_grad),
                                       .plain = plain_gather_grad,
                                       .infer = gather_grad_infer,
                                       .run = gather_grad_run,
                                       .gradient = gradient_of_gather_grad },
                                     { 0 } },
};

bool gather_places_gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, PLACES_DATA);
    struct gather_grad *grad;
    struct value *dx;

    if (!wants(b, PLACES_DATA) || !(grad = emit_alloc(emitter_of(b), sizeof *grad)))
        return backward_ok(b);
    grad->places = *(const struct places_attrs *)attrs_of(b);
    grad->places.how = SCATTER_ADD;
    grad->rank = x->rank;
    memcpy(grad->dims, x->dims, sizeof x->dims);
    emit_private(emitter_of(b), &gather_grad, grad, 1, &dx, NULL, 2,
                 (struct value *[]){ upstream(b, 0), forward_in(b, PLACES_INDICES) });
    give(b, PLACES_DATA, dx);
    return backward_ok(b);
}

/* -- the gradient of what is multiplied, or is an extreme, there -- */

enum { GRAD_DY, GRAD_DATA, GRAD_INDICES, GRAD_UPDATES, GRAD_Y };

/* All in double: seldom asked for, and then by little. Of a product `rest` is that of all factors of a place but 0, and
 * `special` how many are 0; of an extreme `special` is how many equal it. */
struct scatter_grad {
    enum scatter_how how;
    const double *dy, *y;
    double *rest, *special;
};

static void meet(const struct scatter_grad *g, int64_t at, double v)
{
    if (g->how != SCATTER_MUL)
        g->special[at] += v == g->y[at];
    else if (v == 0)
        g->special[at]++;
    else
        g->rest[at] *= v;
}

static double slope(const struct scatter_grad *g, int64_t at, double v)
{
    if (g->how != SCATTER_MUL)
        return v == g->y[at] ? g->dy[at] / g->special[at] : 0;
    if (v == 0)
        return g->special[at] == 1 ? g->dy[at] * g->rest[at] : 0;
    return g->special[at] == 0 ? g->dy[at] * (g->rest[at] / v) : 0;
}

static bool scatter_grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_DATA), *updates = typed_in(i, GRAD_UPDATES);

    need_scratch(i, 4 * compute_bytes(x, F64) + 2 * compute_bytes(updates, F64) +
                        2 * aligned((size_t)tensor_count(x) * sizeof(double)));
    return set_out(i, 0, x->dtype, x->rank, x->dims) && set_out(i, 1, x->dtype, updates->rank, updates->dims);
}

static bool scatter_grad_run(struct step *s)
{
    const struct places_attrs *a = s->attrs;
    const int64_t n = tensor_count(s->in[GRAD_DATA]);
    const size_t room = aligned((size_t)n * sizeof(double));
    char *scratch = scratch_at(s, 2 * room);
    const double *const data = compute_in(s->in[GRAD_DATA], F64, &scratch);
    const double *const updates = compute_in(s->in[GRAD_UPDATES], F64, &scratch);
    struct scatter_grad g = { .how = a->how, .rest = s->scratch, .special = (void *)scratch_at(s, room) };
    double *dx, *du;
    struct places p;

    g.dy = compute_in(s->in[GRAD_DY], F64, &scratch);
    g.y = compute_in(s->in[GRAD_Y], F64, &scratch);
    dx = compute_out(s->out[0], F64, &scratch);
    du = compute_out(s->out[1], F64, &scratch);
    places_of(&p, a, s->in[GRAD_DATA], s->in[GRAD_INDICES]);
    for (int64_t k = 0; k < n; k++) {
        g.rest[k] = 1;
        g.special[k] = 0;
        meet(&g, k, data[k]);
    }
    for (int64_t k = 0; k < p.items * p.slice && !(k % OFTEN == 0 && pool_late(s->pool)); k++)
        meet(&g, place_of(&p, k / p.slice) + k % p.slice, updates[k]);
    for (int64_t k = 0; dx && k < n; k++)
        dx[k] = slope(&g, k, data[k]);
    for (int64_t k = 0; du && k < p.items * p.slice; k++)
        du[k] = slope(&g, place_of(&p, k / p.slice) + k % p.slice, updates[k]);
    compute_store(s->out[0], F64, dx);
    compute_store(s->out[1], F64, du);
    return true;
}

static struct value *emit_scatter(struct emitter *e, const struct places_attrs *a, const char *reduction,
                                  struct value *data, struct value *indices, struct value *updates)
{
    char text[64];
    size_t length = (size_t)snprintf(text, sizeof text, "reduction='%s'", reduction);

    if (a->elements)
        snprintf(text + length, sizeof text - length, " axis=%lld", (long long)a->axis);
    return emit(e, a->elements ? "ScatterElements" : "ScatterND", text, 3, data, indices, updates);
}

/* What is at the places, which dUpdates is made of, or as it is, for dData. */
static struct value *at_places(struct emitter *e, const struct node *n, bool updates, struct value *v)
{
    return updates ? emit_places(e, n->attrs, v, n->in[GRAD_INDICES]) : v;
}

/* Of what of[] holds, all of data and of updates, at each place. */
static struct value *met(struct emitter *e, const struct node *n, const char *reduction, struct value *const *of)
{
    return emit_scatter(e, n->attrs, reduction, of[0], n->in[GRAD_INDICES], of[1]);
}

static struct value *where(struct emitter *e, struct value *condition, struct value *a, struct value *b)
{
    return emit(e, "Where", "", 3, condition, a, b);
}

static void spell_extreme(struct emitter *e, const struct node *n, struct value *const *of, struct value *dy,
                          struct value *y, struct value **out)
{
    struct value *const zero = emit_scalar(e, F64, 0), *equal[2], *counted[2], *share;

    for (int k = 0; k < 2; k++) {
        equal[k] = emit(e, "Equal", "", 2, of[k], at_places(e, n, k, y));
        counted[k] = emit_cast(e, equal[k], F64);
    }
    share = emit(e, "Max", "", 2, met(e, n, "add", counted), emit_scalar(e, F64, 1)); /* none where Y is NaN */
    share = emit(e, "Div", "", 2, dy, share);
    for (int k = 0; k < 2; k++)
        if (n->out[k])
            out[k] = where(e, equal[k], at_places(e, n, k, share), zero);
}

/* With `rest` the product of all of a place but zeros, and `sum` that of its zeros, which is 0 but has a gradient, the
 * product of all others than v is
 *
 *   v is not 0   rest / v, times sum where there is one zero; 0 where there are more
 *   v is 0       rest; times sum - v where there are two, which is the other one; 0 where there are more
 *
 * and so are the gradients of that. Those of these are not where there are two zeros or more. */
static void spell_product(struct emitter *e, const struct node *n, struct value *const *of, struct value *dy,
                          struct value **out)
{
    struct value *const zero = emit_scalar(e, F64, 0), *const one = emit_scalar(e, F64, 1);
    struct value *none[2], *counted[2], *zeros[2], *others[2], *count, *rest, *sum, *is[3], *by_v, *by_zero, *by_two;

    for (int k = 0; k < 2; k++) {
        none[k] = emit(e, "Equal", "", 2, of[k], zero);
        counted[k] = emit_cast(e, none[k], F64);
        zeros[k] = where(e, none[k], of[k], zero);
        others[k] = where(e, none[k], one, of[k]);
    }
    count = met(e, n, "add", counted);
    sum = met(e, n, "add", zeros);
    rest = emit(e, "Mul", "", 2, dy, met(e, n, "mul", others));
    for (int k = 0; k < 3; k++)
        is[k] = emit(e, "Equal", "", 2, count, emit_scalar(e, F64, k));
    by_v = emit(e, "Mul", "", 2, rest, where(e, is[0], one, where(e, is[1], sum, zero)));
    by_zero = emit(e, "Mul", "", 2, rest, where(e, is[1], one, where(e, is[2], sum, zero)));
    by_two = where(e, is[2], rest, zero);
    for (int k = 0; k < 2; k++)
        if (n->out[k]) {
            struct value *v = emit(e, "Mul", "", 2, at_places(e, n, k, by_two), of[k]);

            v = emit(e, "Sub", "", 2, at_places(e, n, k, by_zero), v);
            out[k] = where(e, none[k], v, emit(e, "Div", "", 2, at_places(e, n, k, by_v), others[k]));
        }
}

/* In double, too. */
static bool spell_scatter(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct places_attrs *a = n->attrs;
    struct value *const of[] = { emit_cast(e, n->in[GRAD_DATA], F64), emit_cast(e, n->in[GRAD_UPDATES], F64) };
    struct value *const dy = emit_cast(e, n->in[GRAD_DY], F64);

    if (a->how == SCATTER_MUL)
        spell_product(e, n, of, dy, out);
    else
        spell_extreme(e, n, of, dy, emit_cast(e, n->in[GRAD_Y], F64), out);
    for (int k = 0; k < 2; k++)
        if (n->out[k])
            out[k] = emit_cast(e, out[k], in[GRAD_DY]->dtype);
    return !e->failed;
}

static const struct op scatter_grad = {
    .name = "ScatterPlacesGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, T data, Tind indices, T updates, T Y -> T dData, T dUpdates",
                                       .types = "T: floats bf16; Tind: i32 i64",
                                       .attrs_size = sizeof(struct places_attrs),
                                       .infer = scatter_grad_infer,
                                       .run = scatter_grad_run,
                                       .spell_out = spell_scatter,
                                       .no_gradient = "is a gradient itself" },
                                     { 0 } },
};

static void give_combined(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, PLACES_DATA), forward_in(b, PLACES_INDICES),
                                 forward_in(b, PLACES_UPDATES), forward_out(b, 0) };
    struct value *out[2];

    emit_private(emitter_of(b), &scatter_grad, attrs_of(b), 2, out,
                 (const bool[]){ wants(b, PLACES_DATA), wants(b, PLACES_UPDATES) }, 5, in);
    give(b, PLACES_DATA, out[0]);
    give(b, PLACES_UPDATES, out[1]);
}

bool scatter_places_gradient(struct backward *b)
{
    const struct places_attrs *a = attrs_of(b);
    const struct tensor *updates = type_in(b, PLACES_UPDATES);
    struct emitter *e = emitter_of(b);
    struct value *dy = upstream(b, 0), *indices = forward_in(b, PLACES_INDICES);
    char axis[32] = "";

    if (a->how > SCATTER_ADD) {
        give_combined(b);
        return backward_ok(b);
    }
    if (a->elements)
        snprintf(axis, sizeof axis, "axis=%lld", (long long)a->axis);
    if (wants(b, PLACES_DATA) && a->how == SCATTER_ADD)
        give(b, PLACES_DATA, dy);
    else if (wants(b, PLACES_DATA))
        give(b, PLACES_DATA,
             emit(e, a->elements ? "ScatterElements" : "ScatterND", axis, 3, dy, indices,
                  emit_zeros(e, updates->dtype, updates->rank, updates->dims)));
    if (wants(b, PLACES_UPDATES))
        give(b, PLACES_UPDATES, emit(e, a->elements ? "GatherElements" : "GatherND", axis, 2, dy, indices));
    return backward_ok(b);
}
