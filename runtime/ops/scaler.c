/* Scaler, https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html
 *
 *   Y = (X - offset) * scale        of each feature, the last dimension, or the same for all        dX = dY * scale
 *
 * One that is left out changes nothing. Computed in double where X is double, else in float, as onnxruntime does. */
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"

struct scaler {
    const float *offset, *scale; /* NULL where there are none */
    int64_t offsets, scales;     /* as many */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct scaler *a = attrs;

    a->offset = attr_floats(p, "offset", &a->offsets);
    a->scale = attr_floats(p, "scale", &a->scales);
    return !a->offset || !a->scale || a->offsets == a->scales ||
           parse_error(p, "%lld offsets and %lld scales, must be as many", (long long)a->offsets, (long long)a->scales);
}

/* -- plan -- */

static bool fits(struct infer *i, const char *name, int64_t count, int64_t features)
{
    return count <= 1 || count == features ||
           infer_error(i, "attribute '%s' has %lld values, must have 1 or, as 'X' has features, %lld", name,
                       (long long)count, (long long)features);
}

static bool infer(struct infer *i)
{
    const struct scaler *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int64_t features = x->rank ? x->dims[x->rank - 1] : 1;

    if (!fits(i, "offset", a->offsets, features) || !fits(i, "scale", a->scales, features))
        return false;
    if (x->dtype == F32)
        may_reuse(i, 0, 0);
    return set_out(i, 0, F32, x->rank, x->dims);
}

/* -- run -- */

/* Numbers for each feature in turn, or the same for all. */
struct row {
    const float *offset, *scale;
    int64_t offset_step, scale_step;
};

enum { BLOCK = 512 }; /* features that are converted together */

static void scale_floats(const float *x, const struct row *r, int64_t from, float *y, int64_t n)
{
    const float *const offset = r->offset + from * r->offset_step, *const scale = r->scale + from * r->scale_step;
    const int64_t o = r->offset_step, s = r->scale_step;

    INDEPENDENT
    for (int64_t k = 0; k < n; k++)
        y[k] = (x[k] - offset[k * o]) * scale[k * s];
}

static void scale_doubles(const double *x, const struct row *r, int64_t from, float *y, int64_t n)
{
    const float *const offset = r->offset + from * r->offset_step, *const scale = r->scale + from * r->scale_step;

    for (int64_t k = 0; k < n; k++)
        y[k] = (float)((x[k] - (double)offset[k * r->offset_step]) * (double)scale[k * r->scale_step]);
}

static void scale_block(const struct tensor *x, int64_t at, const struct row *r, int64_t from, float *y, int64_t n)
{
    float block[BLOCK];

    if (x->dtype == F64) {
        scale_doubles((const double *)x->data + at, r, from, y, n);
    } else if (x->dtype == F32) {
        scale_floats((const float *)x->data + at, r, from, y, n);
    } else {
        convert_between(x->dtype, F32)((const char *)x->data + (size_t)at * dtype_size(x->dtype), block, n);
        scale_floats(block, r, from, y, n);
    }
}

struct job {
    const struct tensor *x;
    float *y;
    struct row row;
    int64_t features;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct job *j = context;
    const int64_t end = lesser(tensor_count(j->x), (k + 1) * JOB_ELEMENTS);
    int64_t n;

    (void)thread;
    for (int64_t at = k * JOB_ELEMENTS; at < end; at += n) {
        const int64_t from = at % j->features;

        n = lesser(lesser(BLOCK, j->features - from), end - at);
        scale_block(j->x, at, &j->row, from, j->y + at, n);
    }
}

static bool run(struct step *s)
{
    static const float zero, one = 1;
    const struct scaler *a = s->attrs;
    const struct tensor *x = s->in[0];
    const bool each = a->offsets > 1 || a->scales > 1;
    struct job j = { .x = x,
                     .y = s->out[0]->data,
                     .row = { a->offset ? a->offset : &zero, a->scale ? a->scale : &one, a->offsets > 1,
                              a->scales > 1 },
                     .features = each ? x->dims[x->rank - 1] : tensor_count(x) };

    pool_run(s->pool, divide_up(tensor_count(x), JOB_ELEMENTS), chunk, &j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct scaler *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *dx = upstream(b, 0);

    if (!wants(b, 0))
        return backward_ok(b);
    if (a->scale) {
        const struct tensor type = { .dtype = F32, .rank = a->scales > 1, .dims = { a->scales } };

        dx = emit(e, "Mul", "", 2, dx, emit_constant(e, &type, a->scale));
    }
    give(b, 0, type_in(b, 0)->dtype == F32 ? dx : emit_cast(e, dx, type_in(b, 0)->dtype));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[4,3]", "offset=[0.5,-1.,0.] scale=[2.,0.5,-1.]", "f32[4,3]", 1 },
    { "f64[4,3]", "offset=[0.5] scale=[2.]", "f32[4,3]", 1 },
    { "f32[2,2,700]", "offset=[0.5] scale=[2.]", "f32[2,2,700]", 0 },
    { "i64[3]", "offset=[1.,2.,3.] scale=[2.,0.5,-1.]", "f32[3]", 0 },
    { "i32[2,3]", "scale=[2.,0.5,-1.]", "f32[2,3]", 0 },
    { "f32[2,3]", "offset=[2.,0.5,-1.]", "f32[2,3]", 1 },
    { "f32[2,3]", "", "f32[2,3]", 1 },
    { "f32[]", "offset=[0.5] scale=[2.]", "f32[]", 1 },
    { "f32[0,3]", "offset=[0.5] scale=[2.]", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_scaler = {
    .name = "Scaler",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64; T1: f32",
                                       .attrs_size = sizeof(struct scaler),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
