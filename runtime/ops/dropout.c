/* Dropout, https://onnx.ai/onnx/operators/onnx__Dropout.html; Srivastava et al., JMLR 15, 2014
 *
 *   training    mask = u >= ratio, u uniform in [0, 1)
 *               output = mask ? data / (1 - ratio) : 0       ddata = mask ? dy / (1 - ratio) : 0
 *   inference   mask = 1 everywhere
 *               output = data                                ddata = dy
 *
 * It trains where the input training_mode says so (since opset 12), or where a trainer does. With `seed` a model that
 * trains by itself draws as the reference does, numpy.random.RandomState(seed), the same in every run; a trainer draws
 * anew in every step, from the seed given here or from its own. */
#include "base/mt19937.h"
#include "base/random.h"
#include "kernels/machine.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/move.h"
#include "ops/random_spelled.h"
#include "ops/rank.h"
#include <math.h>

enum { DATA, RATIO, TRAINING_MODE };
enum { OUTPUT, MASK };

struct dropout {
    float ratio;     /* where the input is left out */
    bool train;      /* whatever training_mode says */
    bool float_mask; /* the mask has the type of data: opset 7 */
    bool seeded;
    int64_t seed;
    bool channels_last; /* a trainer draws in the order of its own layout */
};

/* -- read -- */

static bool parse_12(struct parse *p, void *attrs)
{
    struct dropout *a = attrs;

    a->ratio = .5f;
    a->seeded = attr_given(p, "seed");
    a->seed = attr_int(p, "seed", 0);
    return true;
}

static bool parse_10(struct parse *p, void *attrs)
{
    struct dropout *a = attrs;

    a->ratio = attr_float(p, "ratio", .5f);
    if (!(a->ratio >= 0 && a->ratio < 1))
        return parse_error(p, "attribute 'ratio' is %g, must be at least 0 and below 1", (double)a->ratio);
    return true;
}

static bool parse_7(struct parse *p, void *attrs)
{
    struct dropout *a = attrs;

    a->float_mask = true;
    return parse_10(p, attrs);
}

/* Until opset 6 the file says whether it trains: it does where it says nothing. Its mask is of floats, too. */
static bool parse_6(struct parse *p, void *attrs)
{
    ((struct dropout *)attrs)->train = attr_int(p, "is_test", 0) == 0;
    return parse_7(p, attrs);
}

static void train(void *attrs)
{
    struct dropout *a = attrs;

    a->train = true;
}

/* What a file draws by itself goes by ONNX' order of elements. */
static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct dropout *a = attrs;

    (void)rank;
    a->channels_last =
        !(n->slots > MASK && n->out[MASK]) && (a->train || n->inputs <= TRAINING_MODE || !n->in[TRAINING_MODE]);
    return a->channels_last;
}

/* -- plan -- */

static bool check_scalar(struct infer *i, int k, const char *name)
{
    char text[TYPE_TEXT];

    return !typed_in(i, k) || tensor_count(typed_in(i, k)) == 1 ||
           infer_error(i, "'%s' is %s, must be a scalar", name, tensor_text(typed_in(i, k), text));
}

static bool as_reference(const struct dropout *a)
{
    return a->seeded && !a->train;
}
/* The mask is made before it is applied, not both at once. */
static bool draws_apart(const struct dropout *a, enum dtype dtype)
{
    return dtype != F32 || a->float_mask || as_reference(a);
}

static bool infer(struct infer *i)
{
    const struct dropout *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, DATA), *mode = typed_in(i, TRAINING_MODE);

    if (!check_scalar(i, RATIO, "ratio") || !check_scalar(i, TRAINING_MODE, "training_mode"))
        return false;
    if (!a->train && mode && !known_in(i, TRAINING_MODE))
        return false;
    if (!a->train && !(mode && *(const uint8_t *)mode->data)) {
        view_of(i, OUTPUT, DATA);
    } else {
        may_reuse(i, OUTPUT, DATA);
        if (draws_apart(a, x->dtype))
            need_scratch(i, (size_t)tensor_count(x));
    }
    return set_out(i, OUTPUT, x->dtype, x->rank, x->dims) &&
           set_out(i, MASK, a->float_mask ? x->dtype : BOOL, x->rank, x->dims);
}

/* -- run -- */

static double number_of(const struct tensor *t, double fallback)
{
    double v = fallback;

    if (t)
        convert_between(t->dtype, F64)(t->data, &v, 1);
    return v;
}

/* What is dropped: 0 in inference. */
static bool ratio_of(struct step *s, const struct dropout *a, const struct tensor *ratio, const struct tensor *mode,
                     double *value)
{
    *value = 0;
    if (!a->train && !(mode && *(const uint8_t *)mode->data))
        return true;
    *value = number_of(ratio, (double)a->ratio);
    return (*value >= 0 && *value < 1) || step_error(s, "'ratio' is %g, must be at least 0 and below 1", *value);
}

/* Multiples of 4 numbers begin with a block of the generator. */
enum { CHUNK_DRAW = JOB_ELEMENTS };

struct draw {
    const struct kernels *k;
    uint8_t *mask;
    double ratio;
    int64_t count;
    uint64_t seed, stream;
    const float *x; /* for drop_chunk */
    float *y;
};

static struct draw draw_of(const struct step *s, const struct dropout *a, uint8_t *mask, double ratio)
{
    return (struct draw){ .k = s->k,
                          .mask = mask,
                          .ratio = ratio,
                          .count = tensor_count(s->in[DATA]),
                          .seed = a->seeded ? (uint64_t)a->seed : s->seed,
                          .stream = random_stream(s->node->stream, s->number) };
}

static int64_t draw_chunks(const struct draw *d)
{
    return (d->count - 1) / CHUNK_DRAW + 1;
}
static int64_t draw_end(const struct draw *d, int64_t first)
{
    return d->count - first < CHUNK_DRAW ? d->count : first + CHUNK_DRAW;
}

static void draw_chunk(void *context, int64_t index, int thread)
{
    enum { BLOCK = 256 };
    const struct draw *d = context;
    const int64_t first = index * CHUNK_DRAW, end = draw_end(d, first);
    float u[BLOCK];

    (void)thread;
    for (int64_t at = first; at < end; at += BLOCK) {
        const int64_t n = end - at < BLOCK ? end - at : BLOCK;

        d->k->random->uniform(u, n, d->seed, d->stream, (uint64_t)at);
        for (int64_t k = 0; k < n; k++)
            d->mask[at + k] = (double)u[k] >= d->ratio;
    }
}

static void draw_mask(struct step *s, const struct dropout *a, uint8_t *mask, double ratio)
{
    struct draw d = draw_of(s, a, mask, ratio);

    if (as_reference(a)) {
        struct mt mt;

        mt_seed(&mt, (uint32_t)a->seed);
        for (int64_t k = 0; k < d.count; k++)
            mask[k] = mt_double(&mt) >= ratio;
    } else if (d.count) {
        pool_run(s->pool, draw_chunks(&d), draw_chunk, &d);
    }
}

/* A number is u = i / 2^24, i a whole number: u >= ratio is i >= ratio * 2^24. */
static void drop_chunk(void *context, int64_t index, int thread)
{
    const struct draw *d = context;
    const int64_t first = index * CHUNK_DRAW, n = draw_end(d, first) - first;
    const struct drop drop = { .seed = d->seed,
                               .stream = d->stream,
                               .least = (int32_t)ceil(d->ratio * 0x1p24),
                               .scale = (float)(1 / (1 - d->ratio)) };

    (void)thread;
    d->k->random->drop(&drop, d->x + first, d->y + first, d->mask ? d->mask + first : NULL, n, (uint64_t)first);
}

static void drop(struct step *s, const struct dropout *a, double ratio)
{
    struct draw d = draw_of(s, a, s->out[MASK] ? s->out[MASK]->data : NULL, ratio);

    d.x = s->in[DATA]->data;
    d.y = s->out[OUTPUT]->data;
    if (d.count)
        pool_run(s->pool, draw_chunks(&d), drop_chunk, &d);
}

#define EXPR (a ? b * c : 0) /* of the mask, x and the scale */
#define LOOP loop_any_f32
#define A    uint8_t
#define T    float
#include "ops/ternary_body.h"
#define LOOP loop_f64
#define A    uint8_t
#define T    double
#include "ops/ternary_body.h"

static void loop_f32(const struct elements *s)
{
    if (s->step[0] && s->step[1] && !s->step[2])
        s->k->random->keep(s->x[0], s->x[1], s->y, s->n, *(const float *)s->x[2]);
    else
        loop_any_f32(s);
}

/* y = mask ? x / (1 - ratio) : 0, forward and backward. */
static bool apply(struct step *s, const struct tensor *mask, const struct tensor *x, double ratio, struct tensor *y)
{
    const bool wide = x->dtype == F64;
    const enum dtype as = wide ? F64 : F32;
    const struct elementwise e = { .loop = wide ? loop_f64 : loop_f32, .x_as = { BOOL, as, as } };
    double scale = 1 / (1 - ratio);
    const struct tensor factor = { .dtype = F64, .data = &scale };

    return elementwise(s, &e, y, 3, (const struct tensor *const[]){ mask, x, &factor });
}

static void fill_mask(const struct tensor *mask, const uint8_t *from, int64_t count)
{
    static const uint8_t one = 1;
    convert_loop *const loop = convert_between(BOOL, mask->dtype);
    const size_t size = dtype_size(mask->dtype);

    if (from && count)
        loop(from, mask->data, count);
    for (int64_t k = 0; k < count && !from; k++)
        loop(&one, (char *)mask->data + (size_t)k * size, 1);
}

static bool run(struct step *s)
{
    const struct dropout *a = s->attrs;
    const int64_t count = tensor_count(s->in[DATA]);
    struct tensor kept = *s->in[DATA];
    double ratio;

    if (!ratio_of(s, a, s->in[RATIO], s->in[TRAINING_MODE], &ratio))
        return false;
    if (ratio == 0) {
        if (s->out[MASK])
            fill_mask(s->out[MASK], NULL, count);
        return copy_run(s);
    }
    if (s->out[OUTPUT] && !draws_apart(a, kept.dtype)) {
        drop(s, a, ratio);
        return true;
    }
    if (!s->out[OUTPUT] && !s->out[MASK])
        return true;
    kept.dtype = BOOL;
    kept.data = s->out[MASK] && !a->float_mask ? s->out[MASK]->data : s->scratch;
    draw_mask(s, a, kept.data, ratio);
    if (s->out[MASK] && a->float_mask)
        fill_mask(s->out[MASK], kept.data, count);
    return apply(s, &kept, s->in[DATA], ratio, s->out[OUTPUT]);
}

/* -- differentiate -- */

static bool run_grad(struct step *s)
{
    double ratio;

    return ratio_of(s, s->attrs, s->in[2], s->in[3], &ratio) && apply(s, s->in[1], s->in[0], ratio, s->out[0]);
}

static bool infer_grad(struct infer *i)
{
    const struct tensor *dy = typed_in(i, 0);

    may_reuse(i, 0, 0);
    return set_out(i, 0, dy->dtype, dy->rank, dy->dims);
}

static struct value *ratio_value(struct emitter *e, const struct dropout *a, struct value *ratio)
{
    return ratio ? emit_cast(e, ratio, F64) : emit_scalar(e, F64, (double)a->ratio);
}

/* 1 / (1 - ratio) where the mask is, else 0. */
static struct value *kept(struct emitter *e, struct value *x, enum dtype dtype, struct value *mask, struct value *ratio)
{
    struct value *scale =
        emit(e, "Div", "", 2, emit_scalar(e, F64, 1), emit(e, "Sub", "", 2, emit_scalar(e, F64, 1), ratio));

    x = emit(e, "Mul", "", 2, x, emit_cast(e, scale, dtype));
    return emit(e, "Where", "", 3, mask, x, emit_scalar(e, dtype, 0));
}

/* In the order in which it is drawn, a vector, to the shape of x. */
static struct value *shaped(struct emitter *e, const struct dropout *a, struct value *mask, struct value *x, int rank)
{
    struct value *shape = emit(e, "Shape", "", 1, x);
    int64_t last[MAX_RANK] = { 0 }, back[MAX_RANK] = { 0, rank - 1 };

    if (!a->channels_last)
        return emit(e, "Reshape", "", 2, mask, shape);
    for (int d = 1; d < rank; d++) {
        last[d] = d + 1 < rank ? d + 1 : 1;
        back[d] = d > 1 ? d - 1 : rank - 1;
    }
    mask = emit(e, "Reshape", "", 2, mask, emit(e, "Gather", "axis=0", 2, shape, emit_ints(e, rank, last)));
    return emit_transposed(e, mask, rank, back);
}

/* What a trainer draws, of whole numbers. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct dropout *a = n->attrs;
    struct value *ratio = ratio_value(e, a, RATIO < n->inputs ? n->in[RATIO] : NULL), *bits, *mask;
    struct emitter own = *e;

    if (a->seeded && own.seed)
        own.seed = emit_scalar(&own, I64, (double)a->seed);
    if (!own.seed)
        return fail(e->report, KILN_UNSUPPORTED, "Dropout", "what it draws in a subgraph cannot be written");
    bits = emit_uniform_bits(&own, n->stream, n->in[DATA]);
    mask = emit(e, "GreaterOrEqual", "", 2, emit_cast(e, bits, F64),
                emit(e, "Mul", "", 2, ratio, emit_scalar(e, F64, 0x1p24)));
    mask = shaped(e, a, mask, n->in[DATA], in[DATA]->rank);
    out[MASK] = a->float_mask ? emit_cast(e, mask, in[DATA]->dtype) : mask;
    out[OUTPUT] = kept(e, n->in[DATA], in[DATA]->dtype, mask, ratio);
    return !e->failed && !own.failed;
}

static bool plain_grad(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct value *mask = in[1]->dtype == BOOL ? n->in[1] : emit_cast(e, n->in[1], BOOL);

    out[0] = kept(e, n->in[0], in[0]->dtype, mask, ratio_value(e, n->attrs, n->in[2]));
    return !e->failed;
}

static bool gradient_of_grad(struct backward *b); /* below */

static const struct op dropout_grad = {
    .name = "DropoutGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dy, T1 mask, T2 ratio?, T3 training_mode? -> T ddata",
              .types = "T: floats bf16; T1: floats bf16 bool; T2: floats bf16; T3: bool",
              .attrs_size = sizeof(struct dropout),
              .plain = plain_grad,
              .infer = infer_grad,
              .run = run_grad,
              .gradient = gradient_of_grad },
            { 0 },
        },
};

/* It is linear: what flows back is dropped where dy was. */
static bool gradient_of_grad(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, 1), forward_in(b, 2), forward_in(b, 3) };
    struct value *d = NULL;

    if (wants(b, 0) && emit_private(emitter_of(b), &dropout_grad, attrs_of(b), 1, &d, NULL, 4, in))
        give(b, 0, d);
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    const struct dropout *a = attrs_of(b);
    const struct tensor *mode = type_in(b, TRAINING_MODE);
    struct value *dx = NULL;

    if (!wants(b, DATA) || !upstream(b, OUTPUT))
        return backward_ok(b);
    if (!a->train && (!mode || (mode->data && !*(const uint8_t *)mode->data))) {
        give(b, DATA, upstream(b, OUTPUT));
    } else {
        struct value *const in[] = { upstream(b, OUTPUT), forward_out(b, MASK), forward_in(b, RATIO),
                                     forward_in(b, TRAINING_MODE) };

        if (emit_private(emitter_of(b), &dropout_grad, a, 1, &dx, NULL, 4, in))
            give(b, DATA, dx);
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5,7]", "", "f64[5,7] bool[5,7]", 1 },
    { "f64[5,7] f64[]{0.3}", "seed=7", "f64[5,7] bool[5,7]", 1 },
    { "f64[5,7] f64[]{0.3} bool[]{1}", "seed=7", "f64[5,7] bool[5,7]", 1 },
    { "f64[5,7] f32[]{0.3} bool[]{1}", "seed=7", "f64[5,7]", 1 },
    { "f64[5,7] f64[]{0} bool[]{1}", "", "f64[5,7] bool[5,7]", 1 },
    { "f64[5,7] - bool[]{0}", "", "f64[5,7] bool[5,7]", 1 },
    { "f32[5,7] - bool[]{1}", "seed=1", "f32[5,7]", 0 },
    { "f16[600] f16[]{0.25} bool[]{1}", "seed=1", "f16[600] bool[600]", 0 },
    { "bf16[600] f32[]{0.25} bool[]{1}", "seed=1", "bf16[600]", 0 },
    { "f32[0,3] f32[]{0.25} bool[]{1}", "", "f32[0,3] bool[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_10[] = {
    { "f32[2,3,4]", "ratio=0.3", "f32[2,3,4] bool[2,3,4]", 1 },
    { "f64[5,7]", "", "f64[5,7]", 1 },
    { 0 },
};

static const struct op_case cases_7[] = {
    { "f32[2,3,4]", "ratio=0.3", "f32[2,3,4] f32[2,3,4]", 1 },
    { "f16[5,7]", "", "f16[5,7] f16[5,7]", 0 },
    { 0 },
};

static const struct op_case cases_6[] = {
    { "f32[2,3,4]", "ratio=0.3 is_test=1", "f32[2,3,4] f32[2,3,4]", 1 },
    { "f64[5,7]", "is_test=0", "f64[5,7] f64[5,7]", 1 },
    { "f16[5,7]", "ratio=0.25", "f16[5,7]", 0 },
    { 0 },
};

#define ROW(version, io, list, reader, tests)                                                                          \
    {                                                                                                                  \
        .since = version, .signature = io, .types = list, .attrs_size = sizeof(struct dropout), .parse = reader,       \
        .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, .train = train,                       \
        .training_outputs = 1, .plain = plain, .flags = OP_ELEMENTWISE | OP_RANDOM, .channels_last = channels_last,    \
        .cases = tests                                                                                                 \
    }
#define IO_12 "T data, T1 ratio?, T2 training_mode? -> T output, T2 mask?"

const struct op op_dropout = {
    .name = "Dropout",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, IO_12, "T: floats bf16; T1: floats bf16; T2: bool", parse_12, cases),
            ROW(13, IO_12, "T: floats bf16; T1: floats; T2: bool", parse_12, cases),
            ROW(12, IO_12, "T: floats; T1: floats; T2: bool", parse_12, cases),
            ROW(10, "T data -> T output, T1 mask?", "T: floats; T1: bool", parse_10, cases_10),
            ROW(7, "T data -> T output, T mask?", "T: floats", parse_7, cases_7),
            ROW(6, "T data -> T output, T mask?", "T: floats", parse_6, cases_6),
            ROW(1, "T data -> T output, T mask?", "T: floats", parse_6, cases_6),
            { 0 },
        },
};
