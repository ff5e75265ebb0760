/* DFT, https://onnx.ai/onnx/operators/onnx__DFT.html
 *
 *   y[k] = sum over t < n of x[t] e^(-2 pi i k t / n)            n is dft_length; x is cut there, or goes on with zeros
 *   y[t] = 1 / n sum over k < n of x[k] e^(+2 pi i k t / n)      inverse
 *
 * along an axis of x [..., 1] (real) or [..., 2] (complex). onesided keeps k <= n / 2 of a real signal; inverse it reads
 * no more of the input, the rest being the conjugate, and gives the real signal.
 *
 * Computed in double and rounded once, but float from complex to complex in float, where its length has small factors
 * (kernels/fft.h): as in numpy, from which the standard's tests are. They hold to 1e-7 what float leaves of a 0 in one
 * of a complex signal, and what double makes of real ones.
 *
 * All of that is linear, so the gradient is the adjoint: a transform the other way, of what came out and zeros behind
 * it, cut or followed by zeros to what went in. That of an inverse onesided one counts each k twice that stands for its
 * conjugate, too.
 *
 * A complex input that is onesided and not inverse, or a real one that is both, is an error, as the text has no result
 * for it. (The reference takes both.) onnxruntime (1.31) pads or cuts the input of an inverse onesided transform in the
 * wrong place where dft_length is given; the reference agrees with what is here. */
#include "kernels/fft.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { INPUT, DFT_LENGTH, AXIS };            /* inputs */
enum { LANES = 8, LANE_ELEMENTS = 1 << 16 }; /* that are transformed together: at most, and their elements */

struct dft {
    bool inverse, onesided;
};

/* -- read -- */

static bool parse_20(struct parse *p, void *attrs)
{
    struct dft *a = attrs;

    a->inverse = attr_int(p, "inverse", 0) != 0;
    a->onesided = attr_int(p, "onesided", 0) != 0;
    return true;
}

static bool parse_17(struct parse *p, void *attrs)
{
    const int64_t axis = attr_int(p, "axis", 1);

    return parse_20(p, attrs) && constant_input(p, AXIS, I64, -1, &axis);
}

/* -- plan -- */

/* Of each line along the axis: what is read, transformed, and written. */
struct transform {
    int axis;
    int64_t n;                 /* the length of the transform */
    int64_t read, written;     /* elements; read ones beyond n do not count, written ones beyond it are 0 */
    int64_t read_parts, parts; /* of an element: 1, real, or 2 */
    bool inverse;              /* e^(+...) */
    bool mirrored;             /* of what is read the first half counts; the others are the conjugates of these */
    bool doubled;              /* the adjoint of that: of what is written all are twice that have another one */
    double scale;
};

/* A single integer of input k; *given is false, and *out as it was, where it is left out. */
static bool integer_in(struct infer *i, int k, const char *name, bool *given, int64_t *out)
{
    struct ints v;

    *given = k < infer_inputs(i) && typed_in(i, k);
    if (!*given)
        return true;
    if (!ints_in(i, k, &v))
        return false;
    if (v.count != 1)
        return infer_error(i, "'%s' has %d values, must have 1", name, v.count);
    *out = v.v[0];
    return true;
}

/* The same of what planning has seen already. */
static int64_t integer_of(const struct tensor *t, int64_t missing)
{
    struct ints v;

    if (!t)
        return missing;
    ints_of(t, &v);
    return v.v[0];
}

static int64_t one_side(int64_t n)
{
    return n / 2 + 1;
}

/* Where `length` is 0 it is that of the input. */
static struct transform transform_of(const struct dft *a, const struct tensor *x, int axis, int64_t length)
{
    const bool real_out = a->inverse && a->onesided;
    struct transform t = { .axis = axis,
                           .read = x->dims[axis],
                           .read_parts = x->dims[x->rank - 1],
                           .parts = real_out ? 1 : 2,
                           .inverse = a->inverse,
                           .mirrored = real_out };

    t.n = length ? length : real_out ? 2 * (t.read - 1) : t.read;
    t.written = a->onesided && !a->inverse ? one_side(t.n) : t.n;
    t.scale = a->inverse && t.n ? 1 / (double)t.n : 1;
    return t;
}

static struct transform adjoint_of(const struct transform *t)
{
    struct transform back = *t;

    back.read = t->written;
    back.written = t->read;
    back.read_parts = t->parts;
    back.parts = t->read_parts;
    back.inverse = !t->inverse;
    back.mirrored = t->doubled;
    back.doubled = t->mirrored;
    return back;
}

/* Cut by the length alone. */
static int64_t lanes_of(const struct transform *t)
{
    return lesser(greater(LANE_ELEMENTS / t->n, 1), LANES);
}

/* Of a thread: real and imaginary parts, and what the transform needs; false where it cannot be counted. */
static bool lane_doubles(const struct transform *t, int64_t *doubles)
{
    int64_t data;

    return fft_scratch(t->n, lanes_of(t), doubles) && mul_size(t->n, 2 * lanes_of(t), &data) &&
           add_size(*doubles, data, doubles);
}

static bool scratch_of(const struct transform *t, int threads, int64_t *bytes)
{
    return lane_doubles(t, bytes) && mul_size(*bytes, threads * (int64_t)sizeof(double), bytes);
}

/* Makes what is made once of the length, and asks for the scratch of a run. */
static bool plan(struct infer *i, const struct transform *t, const struct tensor *x, const struct tensor *y)
{
    const enum dtype compute = dtype_compute(x->dtype);
    int64_t bytes, doubles, scratch;
    struct fft *fft;
    double *own;

    if (!fft_bytes(t->n, &bytes) || !fft_scratch(t->n, 1, &doubles) || !scratch_of(t, infer_threads(i), &scratch) ||
        !add_size(scratch, (int64_t)(compute_bytes(x, compute) + compute_bytes(y, compute)), &scratch))
        return infer_error(i, "dft_length is %lld, more than can be planned", (long long)t->n);
    fft = infer_plan(i, to_size(bytes));
    own = infer_alloc(i, to_size(doubles * (int64_t)sizeof(double)));
    if (!fft || !own)
        return false;
    fft_make(infer_kernels(i), t->n, fft, own);
    need_scratch(i, to_size(scratch));
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT);
    const struct dft *a = infer_attrs(i);
    const int64_t parts = x->rank ? x->dims[x->rank - 1] : 0;
    int64_t length = 0, axis = -2, dims[MAX_RANK];
    struct transform t;
    char text[TYPE_TEXT];
    bool given, named;

    if (x->rank < 2 || (parts != 1 && parts != 2))
        return infer_error(i, "'input' is %s, must have at least 2 dimensions, the last of 1 or 2",
                           tensor_text(x, text));
    if (!integer_in(i, DFT_LENGTH, "dft_length", &given, &length) || !integer_in(i, AXIS, "axis", &named, &axis))
        return false;
    if (wrap_axis(axis, x->rank) < 0 || wrap_axis(axis, x->rank) == x->rank - 1)
        return infer_error(i, "axis is %lld, must be in [%d, -2] or [0, %d]", (long long)axis, -x->rank, x->rank - 2);
    if (a->onesided && parts != (a->inverse ? 2 : 1))
        return infer_error(i, "the last dimension of 'input' is %lld, must be %d for this onesided transform",
                           (long long)parts, a->inverse ? 2 : 1);
    t = transform_of(a, x, wrap_axis(axis, x->rank), length);
    if (t.n < 1 || (given && length < 1))
        return infer_error(i, "dft_length is %lld, must be at least 1", (long long)(given ? length : t.n));
    memcpy(dims, x->dims, sizeof dims);
    dims[t.axis] = t.written;
    dims[x->rank - 1] = t.parts;
    return set_out(i, 0, x->dtype, x->rank, dims) && plan(i, &t, x, typed_out(i, 0));
}

/* -- run -- */

struct dft_job {
    const struct transform *t;
    const struct fft *fft;
    const struct kernels *k;
    struct pool *pool;
    bool wide, single; /* x and y are double; it is computed in float */
    const void *x;
    void *y;
    int64_t lines, inner; /* lines that lie within each other */
    int64_t per_chunk;    /* groups of lanes */
    double *scratch;
};

struct lanes { /* lines [first, first + count) */
    int64_t first, count;
    char *re, *im, *scratch;
};

/* Where element 0 of a line is, of a tensor with so many along the axis. */
static int64_t start_of(const struct dft_job *j, int64_t line, int64_t length, int64_t parts)
{
    return (line / j->inner * length * j->inner + line % j->inner) * parts;
}

static double factor_of(const struct transform *t, int64_t k)
{
    return t->doubled && k && 2 * k < t->n ? 2 * t->scale : t->scale;
}

#define NAME(name) name##_single
#define outside    float
#define inside     float
#include "ops/dft_body.h"
#define NAME(name) name##_float
#define outside    float
#define inside     double
#include "ops/dft_body.h"
#define NAME(name) name##_double
#define outside    double
#define inside     double
#include "ops/dft_body.h"

/* The conjugates of the first half. */
static void mirror(const struct transform *t, const struct lanes *l)
{
    double *const re = (double *)(void *)l->re, *const im = (double *)(void *)l->im;

    for (int64_t k = one_side(t->n); k < t->n; k++)
        for (int64_t lane = 0; lane < l->count; lane++) {
            re[k * l->count + lane] = re[(t->n - k) * l->count + lane];
            im[k * l->count + lane] = -im[(t->n - k) * l->count + lane];
        }
}

/* Elements that are not read are 0. */
static void load(const struct dft_job *j, const struct lanes *l)
{
    const struct transform *const t = j->t;
    const size_t bytes = (size_t)(t->n * l->count) * (j->single ? sizeof(float) : sizeof(double));

    memset(l->re, 0, bytes);
    memset(l->im, 0, bytes);
    for (int64_t lane = 0; lane < l->count; lane++)
        for (int64_t part = 0; part < t->read_parts; part++) {
            const int64_t from = start_of(j, l->first + lane, t->read, t->read_parts) + part;

            (j->single ? load_single : j->wide ? load_double : load_float)(j, from, l, lane, part ? l->im : l->re);
        }
    if (t->mirrored)
        mirror(t, l);
}

static void store(const struct dft_job *j, const struct lanes *l)
{
    const struct transform *const t = j->t;

    for (int64_t lane = 0; lane < l->count; lane++)
        for (int64_t part = 0; part < t->parts; part++) {
            const int64_t to = start_of(j, l->first + lane, t->written, t->parts) + part;

            (j->single ? store_single : j->wide ? store_double : store_float)(j, to, l, lane, part ? l->im : l->re);
        }
}

static void chunk(void *context, int64_t index, int thread)
{
    const struct dft_job *j = context;
    const struct transform *const t = j->t;
    const int64_t lanes = lanes_of(t), end = lesser(j->lines, (index + 1) * j->per_chunk * lanes);
    int64_t doubles;

    lane_doubles(t, &doubles);
    for (int64_t line = index * j->per_chunk * lanes; line < end && !pool_late(j->pool); line += lanes) {
        char *const own = (char *)(j->scratch + thread * doubles);
        const int64_t bytes = t->n * lanes * (int64_t)sizeof(double);
        const struct lanes l = { line, lesser(lanes, end - line), own, own + bytes, own + 2 * bytes };

        load(j, &l);
        fft_run(j->fft, j->k, j->pool, l.count, j->single, t->inverse ? l.im : l.re, t->inverse ? l.re : l.im,
                l.scratch);
        store(j, &l);
    }
}

static bool run_transform(struct step *s, const struct transform *t)
{
    const struct tensor *x = s->in[INPUT], *y = s->out[0];
    const enum dtype compute = dtype_compute(x->dtype);
    const int64_t inner = dims_product(x->dims, t->axis + 1, x->rank - 1);
    char *scratch = s->scratch;
    int64_t bytes;
    struct dft_job j = { .t = t,
                         .fft = s->plan,
                         .k = s->k,
                         .pool = s->pool,
                         .wide = compute == F64,
                         .single = compute == F32 && t->read_parts + t->parts == 4 && fft_in_float(s->plan),
                         .lines = dims_product(x->dims, 0, t->axis) * inner,
                         .inner = inner,
                         .per_chunk = JOB_ELEMENTS / (t->n * lanes_of(t)) + 1,
                         .scratch = s->scratch };

    scratch_of(t, pool_threads(s->pool), &bytes);
    scratch += bytes;
    j.x = compute_in(x, compute, &scratch);
    j.y = compute_out(y, compute, &scratch);
    pool_run(s->pool, divide_up(j.lines, j.per_chunk * lanes_of(t)), chunk, &j);
    compute_store(y, compute, j.y);
    return true;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INPUT];
    const int inputs = s->node->inputs;
    const int64_t length = integer_of(inputs > DFT_LENGTH ? s->in[DFT_LENGTH] : NULL, 0);
    const int64_t axis = integer_of(inputs > AXIS ? s->in[AXIS] : NULL, -2);
    const struct transform t = transform_of(s->attrs, x, wrap_axis(axis, x->rank), length);

    return run_transform(s, &t);
}

/* -- differentiate -- */

struct dft_grad {
    struct transform transform;
    struct tensor x; /* the type of the input */
};

static bool grad_infer(struct infer *i)
{
    const struct dft_grad *a = infer_attrs(i);

    return set_out(i, 0, a->x.dtype, a->x.rank, a->x.dims) &&
           plan(i, &a->transform, typed_in(i, INPUT), typed_out(i, 0));
}

static bool grad_run(struct step *s)
{
    return run_transform(s, &((const struct dft_grad *)s->attrs)->transform);
}

static bool gradient_of_grad(struct backward *b); /* below */

static const struct op op_grad = {
    .name = "DFTGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct dft_grad),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

/* The adjoint of t, of what was transformed out of x. */
static void give_adjoint(struct backward *b, const struct transform *t, const struct tensor *x)
{
    struct dft_grad *a = emit_alloc(emitter_of(b), sizeof *a);
    struct value *d, *dy = upstream(b, 0);

    if (!a)
        return;
    a->transform = adjoint_of(t);
    a->x = *x;
    a->x.data = NULL;
    if (emit_private(emitter_of(b), &op_grad, a, 1, &d, NULL, 1, &dy))
        give(b, INPUT, d);
}

/* It is linear: its adjoint is the transform. */
static bool gradient_of_grad(struct backward *b)
{
    give_adjoint(b, &((const struct dft_grad *)attrs_of(b))->transform, type_in(b, 0));
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, INPUT), *length = type_in(b, DFT_LENGTH), *axis = type_in(b, AXIS);
    struct transform forward;

    if ((length && !length->data) || (axis && !axis->data))
        return backward_error(b, "its length or its axis is only known while running");
    if (!wants(b, INPUT))
        return backward_ok(b);
    forward = transform_of(attrs_of(b), x, wrap_axis(integer_of(axis, -2), x->rank), integer_of(length, 0));
    give_adjoint(b, &forward, x);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_20[] = {
    { "f64[2,5,3,1]", "", "f64[2,5,3,2]", 1 },
    { "f64[2,8,2]", "inverse=1", "f64[2,8,2]", 1 },
    { "f64[3,12,2,2] i64[]{9} i64[]{1}", "", "f64[3,9,2,2]", 1 },
    { "f64[17,2] i32[1]{23} i64[1]{-2}", "inverse=1", "f64[23,2]", 1 },
    { "f64[6,3,1] - i64[]{0}", "onesided=1", "f64[4,3,2]", 1 },
    { "f64[2,7,1] i64[]{15}", "onesided=1", "f64[2,8,2]", 1 },
    { "f64[2,7,1] i64[]{4}", "onesided=1", "f64[2,3,2]", 1 },
    { "f64[2,5,2]", "onesided=1 inverse=1", "f64[2,8,1]", 1 },
    { "f64[2,5,2] i64[]{9}", "onesided=1 inverse=1", "f64[2,9,1]", 1 },
    { "f64[1,9,2] i64[]{6}", "onesided=1 inverse=1", "f64[1,6,1]", 1 },
    { "f64[1,2,2] i64[]{11}", "onesided=1 inverse=1", "f64[1,11,1]", 1 },
    { "f64[3,1] i64[]{1}", "", "f64[1,2]", 1 },
    { "f64[1,1]", "inverse=1", "f64[1,2]", 1 },
    { "f32[19,37,2]", "", "f32[19,37,2]", 1 },
    { "f32[3,400,21,1] - i64[]{1}", "onesided=1", "f32[3,201,21,2]", 0 },
    { "f16[2,6,1]", "", "f16[2,6,2]", 0 },
    { "bf16[2,6,2]", "", "bf16[2,6,2]", 0 },
    { "f32[0,6,2]", "", "f32[0,6,2]", 0 },
    { "f32[2,0,1] i64[]{3}", "", "f32[2,3,2]", 1 },
    { 0 },
};
static const struct op_case cases_17[] = {
    { "f64[2,5,3,1]", "", "f64[2,5,3,2]", 1 },
    { "f64[2,5,6,2] i64[]{7}", "axis=2 inverse=1", "f64[2,5,7,2]", 1 },
    { "f64[6,3,1]", "axis=-3 onesided=1", "f64[4,3,2]", 1 },
    { "f64[2,5,2] i32[]{9}", "onesided=1 inverse=1", "f64[2,9,1]", 1 },
    { "f16[2,6,1]", "", "f16[2,6,2]", 0 },
    { "bf16[2,6,2]", "", "bf16[2,6,2]", 0 },
    { 0 },
};

#define ROW(version, inputs, ...)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = inputs " -> T1 output", .attrs_size = sizeof(struct dft),                       \
        .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, __VA_ARGS__                           \
    }

const struct op op_dft = {
    .name = "DFT",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(20, "T1 input, T2 dft_length?, I axis?",
                                         .types = "T1: floats bf16; T2: i32 i64; I: i64", .parse = parse_20,
                                         .cases = cases_20),
                                     ROW(17, "T1 input, T2 dft_length?", .types = "T1: floats bf16; T2: i32 i64",
                                         .parse = parse_17, .cases = cases_17),
                                     { 0 } },
};
