/* TensorScatter, https://onnx.ai/onnx/operators/onnx__TensorScatter.html
 *
 * The cache with `update` written along `axis`, in each sample of the batch from the index on that write_indices has for
 * it, 0 where it is left out. What would pass the end is an error, or, in mode circular, goes on at the start.
 *
 * The gradient of the cache is zero where it was written, that of the update is read from there. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>
#include <string.h>

enum { CACHE, UPDATE, WRITE }; /* inputs */
enum { LINEAR, CIRCULAR };

/* What one chunk moves at least, in bytes. */
enum { CHUNK = JOB_ELEMENTS / 2 * (int)sizeof(float) };

struct tensor_scatter {
    int64_t axis;
    int mode;
};

/* -- read -- */

static const char *const modes[] = { "linear", "circular", NULL };

static bool parse(struct parse *p, void *attrs)
{
    struct tensor_scatter *a = attrs;

    a->axis = attr_int(p, "axis", -2);
    a->mode = attr_choice(p, "mode", modes, LINEAR);
    return true;
}

/* -- plan -- */

static bool fits(struct infer *i, int axis)
{
    const struct tensor *cache = typed_in(i, CACHE), *update = typed_in(i, UPDATE), *write = typed_in(i, WRITE);
    bool same = cache->rank == update->rank && update->dims[axis] <= cache->dims[axis];
    char text[2][TYPE_TEXT];

    for (int d = 0; d < cache->rank && same; d++)
        same = d == axis || update->dims[d] == cache->dims[d];
    if (!same)
        return infer_error(i, "'update' is %s, must be %s, with at most as much of axis %d",
                           tensor_text(update, text[0]), tensor_text(cache, text[1]), axis);
    return !write || (write->rank == 1 && write->dims[0] == cache->dims[0]) ||
           infer_error(i, "'write_indices' is %s, must be int64[%lld]", tensor_text(write, text[0]),
                       (long long)cache->dims[0]);
}

static bool infer(struct infer *i)
{
    const struct tensor_scatter *a = infer_attrs(i);
    const struct tensor *cache = typed_in(i, CACHE);
    const int axis = wrap_axis(a->axis, cache->rank);

    if (axis < 1)
        return infer_error(i, "axis is %lld, must be in [%d, -1] or [1, %d] for 'past_cache' of %d dimensions",
                           (long long)a->axis, 1 - cache->rank, cache->rank - 1, cache->rank);
    if (!fits(i, axis))
        return false;
    may_reuse(i, 0, CACHE);
    return set_out(i, 0, cache->dtype, cache->rank, cache->dims);
}

/* -- run -- */

struct scatter_job {
    int64_t outer, per_sample; /* rows of sequences: all, of a sample */
    int64_t cached, updated;   /* how many steps of the sequence both have */
    size_t step;               /* bytes of one */
    const int64_t *write;      /* by sample; NULL: all 0 */
    bool circular, reads;      /* is the update read from the cache? */
    char *cache, *update;
    int64_t per_chunk;
};

static void scatter_chunk(void *context, int64_t chunk, int thread)
{
    const struct scatter_job *j = context;
    const int64_t end = lesser((chunk + 1) * j->per_chunk, j->outer);

    (void)thread;
    for (int64_t row = chunk * j->per_chunk; row < end; row++) {
        const int64_t at = j->write ? j->write[row / j->per_sample] : 0;
        const int64_t first = j->circular ? (at % j->cached + j->cached) % j->cached : at;
        const size_t before = (size_t)lesser(j->updated, j->cached - first) * j->step; /* the end */
        char *const cache = j->cache + (size_t)(row * j->cached) * j->step;
        char *const update = j->update + (size_t)(row * j->updated) * j->step;
        char *const there = cache + (size_t)first * j->step;
        const size_t behind = (size_t)j->updated * j->step - before;

        memcpy(j->reads ? update : there, j->reads ? there : update, before);
        memcpy(j->reads ? update + before : cache, j->reads ? cache : update + before, behind);
    }
}

static bool scatter(struct step *s, const struct tensor_scatter *a, const struct tensor *cache,
                    const struct tensor *update, const struct tensor *write, bool reads)
{
    const int axis = wrap_axis(a->axis, cache->rank);
    struct scatter_job j = { .outer = dims_product(cache->dims, 0, axis),
                             .per_sample = dims_product(cache->dims, 1, axis),
                             .cached = cache->dims[axis],
                             .updated = update->dims[axis],
                             .step =
                                 (size_t)dims_product(cache->dims, axis + 1, cache->rank) * dtype_size(cache->dtype),
                             .write = write ? write->data : NULL,
                             .circular = a->mode == CIRCULAR,
                             .reads = reads,
                             .cache = cache->data,
                             .update = update->data };

    for (int64_t k = 0; write && k < cache->dims[0] && !j.circular; k++)
        if (j.write[k] < 0 || j.write[k] > j.cached - j.updated)
            return step_error(s, "write_indices[%lld] is %lld, must be in [0, %lld] for %lld of %lld", (long long)k,
                              (long long)j.write[k], (long long)(j.cached - j.updated), (long long)j.updated,
                              (long long)j.cached);
    if (!tensor_count(update))
        return true;
    j.per_chunk = CHUNK / (j.updated * (int64_t)j.step) + 1;
    pool_run(s->pool, divide_up(j.outer, j.per_chunk), scatter_chunk, &j);
    return true;
}

static bool run(struct step *s)
{
    const struct tensor *cache = s->in[CACHE];
    struct move whole = { .size = dtype_size(cache->dtype), .rank = cache->rank };

    memcpy(whole.dims, cache->dims, sizeof cache->dims);
    move_strides(cache->rank, cache->dims, whole.in);
    move_strides(cache->rank, cache->dims, whole.out);
    if (s->out[0]->data != cache->data && tensor_count(cache))
        move_run(s->k, s->pool, &whole, cache->data, s->out[0]->data);
    return scatter(s, s->attrs, s->out[0], s->in[UPDATE], s->in[WRITE], false);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *update = typed_in(i, UPDATE);

    return set_out(i, 0, update->dtype, update->rank, update->dims);
}

static bool grad_run(struct step *s)
{
    return scatter(s, s->attrs, s->in[CACHE], s->out[0], s->in[WRITE], true);
}

/* `cache` with `values` for the update. */
static struct value *scattered(struct backward *b, struct value *cache, struct value *values)
{
    const struct tensor_scatter *a = attrs_of(b);
    char attrs[64];

    snprintf(attrs, sizeof attrs, "axis=%lld mode='%s'", (long long)a->axis, modes[a->mode]);
    return emit(emitter_of(b), "TensorScatter", attrs, 3, cache, values, forward_in(b, WRITE));
}

static bool grad_gradient(struct backward *b)
{
    const struct tensor *cache = type_in(b, CACHE);

    if (wants(b, CACHE))
        give(b, CACHE, scattered(b, emit_zeros(emitter_of(b), cache->dtype, cache->rank, cache->dims), upstream(b, 0)));
    return backward_ok(b);
}

static const struct op op_grad = {
    .name = "TensorScatterGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dpresent, T update, I write_indices? -> T dupdate",
                                       .types = "T: floats bf16; I: i64",
                                       .attrs_size = sizeof(struct tensor_scatter),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = grad_gradient },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    const struct tensor_scatter *a = attrs_of(b);
    const struct tensor *update = type_in(b, UPDATE);
    struct emitter *e = emitter_of(b);
    struct value *in[] = { upstream(b, 0), forward_in(b, UPDATE), forward_in(b, WRITE) }, *d;

    if (wants(b, UPDATE) && emit_private(e, &op_grad, a, 1, &d, NULL, 3, in))
        give(b, UPDATE, d);
    if (wants(b, CACHE))
        give(b, CACHE, scattered(b, in[0], emit_zeros(e, update->dtype, update->rank, update->dims)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,3,4,2] f64[2,3,2,2] i64[2]{0,2}", "", "f64[2,3,4,2]", 3 },
    { "f64[2,3,2] f64[2,2,2] i64[2]{2,-1}", "axis=1 mode='circular'", "f64[2,3,2]", 3 },
    { "f32[2,5] f32[2,3]", "axis=-1", "f32[2,5]", 3 },
    { "str[1,3,2] str[1,3,2]", "mode='circular'", "str[1,3,2]", 0 },
    { "f8e8m0[2,3,2] f8e8m0[2,1,2] i64[2]{1,2}", "", "f8e8m0[2,3,2]", 0 },
    { "u4[1,3,2] u4[1,0,2] i64[1]{3}", "", "u4[1,3,2]", 0 },
    { "f16[0,3,2] f16[0,2,2] i64[0]", "", "f16[0,3,2]", 0 },
    { 0 },
};

const struct op op_tensor_scatter = {
    .name = "TensorScatter",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 24,
                                       .signature = "T past_cache, T update, I write_indices? -> T present_cache",
                                       .types = "T: all bf16 ir12; I: i64",
                                       .attrs_size = sizeof(struct tensor_scatter),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
