/* STFT, https://onnx.ai/onnx/operators/onnx__STFT.html
 *
 *   output[b, f, k] = sum over t < L of window[t] signal[b, f step + t] e^(-2 pi i k t / L)        L is frame_length
 *
 * As nodes: the frames, of which there are floor((length of the signal - L) / step) + 1, times the window, then DFT;
 * onesided its first half. So the gradients of signal and window follow. L is the length of the window where it is not
 * given itself, and that of the signal where there is no window. A signal shorter than L has no frames. A complex signal
 * cannot be onesided, which is the default: the text says so, and DFT tells it. */
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { SIGNAL, FRAME_STEP, WINDOW, FRAME_LENGTH };    /* inputs */
enum { BATCH, TIME, PART, SIGNAL_RANK, FRAMES_RANK }; /* dimensions of the signal; of the frames one more */

struct stft {
    bool onesided;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct stft *)attrs)->onesided = attr_int(p, "onesided", 1) != 0;
    return true;
}

/* -- frames -- */

struct framing {
    int64_t step, length;
};

/* An integer that must be at least 1. */
static bool size_in(struct infer *i, int k, const char *name, int64_t *out)
{
    struct ints v;

    if (!ints_in(i, k, &v))
        return false;
    *out = v.v[0];
    return (v.count == 1 && *out >= 1) ||
           infer_error(i, "'%s' has %d values, the first %lld, must have 1 of at least 1", name, v.count,
                       (long long)*out);
}

static bool infer_frames(struct infer *i)
{
    const struct tensor *x = typed_in(i, SIGNAL), *window = typed_in(i, WINDOW);
    struct framing *f = infer_plan(i, sizeof *f);
    int64_t dims[FRAMES_RANK];
    char text[TYPE_TEXT];

    if (!f || !size_in(i, FRAME_STEP, "frame_step", &f->step))
        return false;
    if (x->rank != SIGNAL_RANK || x->dims[PART] < 1 || x->dims[PART] > 2)
        return infer_error(i, "'signal' is %s, must be [batch, length, 1 or 2]", tensor_text(x, text));
    if (window && (window->rank != 1 || window->dims[0] < 1))
        return infer_error(i, "'window' is %s, must be a vector of at least 1", tensor_text(window, text));
    f->length = window ? window->dims[0] : x->dims[TIME];
    if (typed_in(i, FRAME_LENGTH) && !size_in(i, FRAME_LENGTH, "frame_length", &f->length))
        return false;
    if (window && f->length != window->dims[0])
        return infer_error(i, "frame_length is %lld, must be the window's %lld", (long long)f->length,
                           (long long)window->dims[0]);
    dims[0] = x->dims[BATCH];
    dims[1] = x->dims[TIME] < f->length ? 0 : (x->dims[TIME] - f->length) / f->step + 1;
    dims[2] = f->length;
    dims[3] = x->dims[PART];
    return set_out(i, 0, x->dtype, FRAMES_RANK, dims);
}

static int rank_of_frames(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return FRAMES_RANK;
}

static bool run_frames(struct step *s)
{
    const struct tensor *x = s->in[SIGNAL], *y = s->out[0];
    const struct framing *f = s->plan;
    struct move m = { .size = dtype_size(x->dtype), .rank = FRAMES_RANK };

    memcpy(m.dims, y->dims, FRAMES_RANK * sizeof *m.dims);
    move_strides(FRAMES_RANK, y->dims, m.out);
    m.in[0] = x->dims[TIME] * x->dims[PART];
    m.in[1] = f->step * x->dims[PART];
    m.in[2] = x->dims[PART];
    m.in[3] = 1;
    if (tensor_count(y))
        move_run(s->k, s->pool, &m, x->data, y->data);
    return true;
}

/* -- differentiate -- */

struct frames_grad {
    struct framing framing;
    struct tensor x; /* the type of the signal */
};

static bool grad_infer(struct infer *i)
{
    const struct frames_grad *a = infer_attrs(i);

    need_scratch(i, compute_bytes(&a->x, dtype_compute(a->x.dtype)) +
                        compute_bytes(typed_in(i, 0), dtype_compute(a->x.dtype)));
    return set_out(i, 0, a->x.dtype, a->x.rank, a->x.dims);
}

struct overlap_job {
    const struct framing *framing;
    bool wide; /* double */
    const void *from;
    void *to;
    int64_t frames, signal, frame, step; /* the last three in numbers: of a batch, of a frame, from one to the next */
    struct pool *pool;
};

/* All frames of one signal, added where they were taken. */
static void overlap(void *context, int64_t batch, int thread)
{
    const struct overlap_job *j = context;
    const size_t size = j->wide ? sizeof(double) : sizeof(float);

    (void)thread;
    memset((char *)j->to + (size_t)(batch * j->signal) * size, 0, (size_t)j->signal * size);
    for (int64_t f = 0; f < j->frames && !pool_late(j->pool); f++) {
        const int64_t from = (batch * j->frames + f) * j->frame, to = batch * j->signal + f * j->step;

        for (int64_t k = 0; k < j->frame; k++)
            if (j->wide)
                ((double *)j->to)[to + k] += ((const double *)j->from)[from + k];
            else
                ((float *)j->to)[to + k] += ((const float *)j->from)[from + k];
    }
}

static bool grad_run(struct step *s)
{
    const struct frames_grad *a = s->attrs;
    const struct tensor *dy = s->in[0], *dx = s->out[0];
    const enum dtype compute = dtype_compute(dx->dtype);
    char *scratch = s->scratch;
    struct overlap_job j = { .framing = &a->framing,
                             .wide = compute == F64,
                             .from = compute_in(dy, compute, &scratch),
                             .to = compute_out(dx, compute, &scratch),
                             .frames = dy->dims[1],
                             .signal = dx->dims[TIME] * dx->dims[PART],
                             .frame = a->framing.length * dx->dims[PART],
                             .step = a->framing.step * dx->dims[PART],
                             .pool = s->pool };

    pool_run(s->pool, dx->dims[BATCH], overlap, &j);
    compute_store(dx, compute, j.to);
    return true;
}

static const struct op op_frames;

static bool grad_gradient(struct backward *b)
{
    const struct frames_grad *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *const in[] = { upstream(b, 0), emit_scalar(e, I64, (double)a->framing.step), NULL,
                                 emit_scalar(e, I64, (double)a->framing.length) };
    struct value *frames;

    if (emit_private(e, &op_frames, NULL, 1, &frames, NULL, 4, in))
        give(b, 0, frames);
    return backward_ok(b);
}

static const struct op op_grad = {
    .name = "FramesGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct frames_grad),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = grad_gradient },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    const struct tensor *step = type_in(b, FRAME_STEP);
    struct frames_grad *a = emit_alloc(emitter_of(b), sizeof *a);
    struct value *d, *dy = upstream(b, 0);
    struct ints v;

    if (!step->data)
        return backward_error(b, "frame_step is only known while running");
    if (!a || !wants(b, SIGNAL))
        return backward_ok(b);
    ints_of(step, &v);
    a->framing = (struct framing){ .step = v.v[0], .length = type_out(b, 0)->dims[2] };
    a->x = *type_in(b, SIGNAL);
    a->x.data = NULL;
    if (emit_private(emitter_of(b), &op_grad, a, 1, &d, NULL, 1, &dy))
        give(b, SIGNAL, d);
    return backward_ok(b);
}

/* Of the window nothing but its length is looked at. */
static const struct op op_frames = {
    .name = "Frames",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){ { .since = 1,
                                   .signature = "T1 signal, T2 frame_step, T1 window?, T2 frame_length? -> T1 frames",
                                   .types = "T1: floats bf16; T2: i32 i64",
                                   .rank = rank_of_frames,
                                   .infer = infer_frames,
                                   .run = run_frames,
                                   .gradient = gradient },
                                 { 0 } },
};

/* -- expand -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct stft *a = n->attrs;
    struct value *const window = n->inputs > WINDOW ? n->in[WINDOW] : NULL;
    struct value *const in[] = { n->in[SIGNAL], n->in[FRAME_STEP], window,
                                 n->inputs > FRAME_LENGTH ? n->in[FRAME_LENGTH] : NULL };
    const int64_t column = 1;
    struct value *frames;

    if (!emit_private(e, &op_frames, NULL, 1, &frames, NULL, 4, in))
        return false;
    if (window)
        frames = emit(e, "Mul", "", 2, frames, emit(e, "Unsqueeze", "", 2, window, emit_ints(e, 1, &column)));
    out[0] = emit(e, "DFT", a->onesided ? "onesided=1" : "", 1, frames);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,20,1] i64[]{4} f64[8]", "", "f64[2,4,5,2]", 5 },
    { "f64[1,21,1] i32[]{3} f64[7] i32[]{7}", "onesided=0", "f64[1,5,7,2]", 5 },
    { "f64[2,11,2] i64[]{5} - i64[]{6}", "onesided=0", "f64[2,2,6,2]", 1 },
    { "f64[1,9,1] i64[1]{2}", "", "f64[1,1,5,2]", 1 },
    { "f64[1,9,1] i64[]{20} f64[4]", "", "f64[1,1,3,2]", 5 },
    { "f32[3,1000,1] i64[]{10} f32[400]", "", "f32[3,61,201,2]", 0 },
    { "f32[1,5,1] i64[]{10} f32[8]", "", "f32[1,0,5,2]", 5 },
    { "f32[0,9,1] i64[]{2} f32[4]", "", "f32[0,3,3,2]", 0 },
    { "f16[1,9,1] i64[]{2} f16[4]", "", "f16[1,3,3,2]", 0 },
    { "bf16[1,9,1] i64[]{2} bf16[4]", "", "bf16[1,3,3,2]", 0 },
    { 0 },
};

const struct op op_stft = {
    .name = "STFT",
    .domain = "",
    .defs =
        (const struct op_def[]){ { .since = 17,
                                   .signature = "T1 signal, T2 frame_step, T1 window?, T2 frame_length? -> T1 output",
                                   .types = "T1: floats bf16; T2: i32 i64",
                                   .attrs_size = sizeof(struct stft),
                                   .parse = parse,
                                   .expand = expand,
                                   .cases = cases },
                                 { 0 } },
};
