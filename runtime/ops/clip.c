/* Clip, https://onnx.ai/onnx/operators/onnx__Clip.html
 *
 *   output = min(max(input, min), max)        where min is above max, all is max
 *
 *   dinput = min <= input <= max ? dy : 0
 *   dmin = sum of dy where input < min <= max
 *   dmax = sum of dy where max(input, min) > max
 *
 * A bound that is left out does not bind. Before opset 11 the bounds were attributes, by default the largest floats.
 * NaN stays NaN, and a bound that is NaN does not bind. */
#define AT_LEAST(x, bound)      ((x) < (bound) ? (bound) : (x))
#define AT_MOST(x, bound)       ((x) > (bound) ? (bound) : (x))
#define CLIPPED(x, least, most) AT_MOST(AT_LEAST(x, least), most)

#define NAME    clip
#define VALUE   CLIPPED(x, alpha, beta)
#define DX_OF_X (x >= alpha && x <= beta ? dy : 0)
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/convert.h"
#include "ops/rank.h"

enum { INPUT, MIN, MAX };

/* `numbers`: alpha is the lower bound, beta the upper, where the inputs are left out. */

/* -- read -- */

static bool parse_11(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    (void)p;
    a->alpha = -INFINITY;
    a->beta = INFINITY;
    return true;
}

static bool parse_6(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "min", -0x1.fffffep127f);
    a->beta = attr_float(p, "max", 0x1.fffffep127f);
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT);

    for (int k = MIN; k <= MAX; k++) {
        char text[TYPE_TEXT];

        if (typed_in(i, k) && tensor_count(typed_in(i, k)) != 1)
            return infer_error(i, "'%s' is %s, must be a scalar", k == MIN ? "min" : "max",
                               tensor_text(typed_in(i, k), text));
    }
    may_reuse(i, 0, INPUT);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

/* The bound for `input`: the one given, else `number`; integers have none that does not fit. */
struct bound {
    uint64_t value;
    struct tensor tensor;
};

static const struct tensor *bound_of(struct bound *b, const struct tensor *given, double number, enum dtype dtype)
{
    if (!given) {
        b->tensor = (struct tensor){ .dtype = dtype, .data = &b->value };
        convert_between(F64, dtype)(&number, &b->value, 1);
        return &b->tensor;
    }
    b->tensor = *given;
    b->tensor.rank = 0; /* one element, whatever the file says */
    return &b->tensor;
}

/* Bounds that are inputs are read when it runs. */
#define EXPR CLIPPED(a, b, c)
#define LOOP clip_any_f64
#define T    double
#include "ops/ternary_body.h"
#define NAME clip_any
#define BODY "ops/ternary_body.h"
#define INTS
#define UINTS
#include "ops/each_integer.h"
#undef EXPR

static void clip_any_f32(const struct elements *s)
{
    struct elements with = *s;

    with.numbers = (struct numbers){ *(const float *)s->x[MIN], *(const float *)s->x[MAX] };
    formula_f32(&formula_clip, s->k)(&with);
}

static elementwise_loop *const loops[DTYPES] = { [F32] = clip_any_f32, [F64] = clip_any_f64 INTEGER_PLACES };
#undef NAME
#undef INTS
#undef UINTS

static bool run(struct step *s)
{
    const struct numbers *a = s->attrs;
    const enum dtype dtype = s->in[INPUT]->dtype;
    const struct elementwise e = { .loop = loops[dtype_compute(dtype)] };
    struct bound lo, hi;
    const struct tensor *const in[] = { s->in[INPUT], bound_of(&lo, s->in[MIN], a->alpha, dtype),
                                        bound_of(&hi, s->in[MAX], a->beta, dtype) };

    return elementwise(s, &e, s->out[0], 3, in);
}

/* Bounds must be constants, or left out. */
static bool read_chain(const struct node *n, struct chain_step *s)
{
    chain_numbers(n, s);
    return (n->inputs <= MIN || !n->in[MIN] || chain_constant(n, MIN, &s->numbers.alpha)) &&
           (n->inputs <= MAX || !n->in[MAX] || chain_constant(n, MAX, &s->numbers.beta));
}

static const struct chain_rule clip_chain = { &formula_clip, INPUT, CHAIN_NOTHING, read_chain },
                               clip_grad_chain = { &formula_clip_of_x, INPUT, 3, read_chain };

/* -- differentiate -- */

/* dinput, from input, min, max, dy */
static void grad_f32(const struct elements *s)
{
    const struct elements with = { .y = s->y,
                                   .x = { s->x[INPUT], s->x[3] },
                                   .step = { 1, 1 },
                                   .n = s->n,
                                   .numbers = { *(const float *)s->x[MIN], *(const float *)s->x[MAX] } };

    formula_f32(&formula_clip_of_x, s->k)(&with);
}

static void grad_f64(const struct elements *s)
{
    const double *const x = s->x[INPUT], *const dy = s->x[3], lo = *(const double *)s->x[MIN],
                        hi = *(const double *)s->x[MAX];
    const int64_t n = s->n;
    double *const dx = s->y;

    INDEPENDENT
    for (int64_t k = 0; k < n; k++)
        dx[k] = x[k] >= lo && x[k] <= hi ? dy[k] : 0;
}

static bool run_grad(struct step *s)
{
    const struct numbers *a = s->attrs;
    const enum dtype dtype = s->in[INPUT]->dtype;
    const struct elementwise e = { .loop = dtype == F64 ? grad_f64 : grad_f32 };
    struct bound lo, hi;
    const struct tensor *const in[] = { s->in[INPUT], bound_of(&lo, s->in[MIN], a->alpha, dtype),
                                        bound_of(&hi, s->in[MAX], a->beta, dtype), s->in[3] };

    return elementwise(s, &e, s->out[0], 4, in);
}

/* Bounds that are left out bind only what is no number. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct numbers *a = n->attrs;
    const enum dtype dtype = in[INPUT]->dtype;
    struct value *bound[3], *within[3];

    for (int k = MIN; k <= MAX; k++) {
        bound[k] =
            in[k] ? emit_reshape(e, n->in[k], 0, NULL) : emit_scalar(e, dtype, (double)(k == MIN ? a->alpha : a->beta));
        within[k] = emit(e, k == MIN ? "GreaterOrEqual" : "LessOrEqual", "", 2, n->in[INPUT], bound[k]);
    }
    out[0] =
        emit(e, "Where", "", 3, emit(e, "And", "", 2, within[MIN], within[MAX]), n->in[3], emit_scalar(e, dtype, 0));
    return out[0];
}

static const struct op clip_grad = {
    .name = "ClipGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T input, T min?, T max?, T dy -> T dinput",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct numbers),
              .infer = infer,
              .run = run_grad,
              .chain = &clip_grad_chain,
              .spell_out = spell_out,
              .no_gradient = "is a gradient itself" },
            { 0 },
        },
};

/* What is quantised is clipped by constants: to int8 of 7 bits, as PyTorch exports them. */
static bool gradient_of_quantized(struct backward *b)
{
    const int bounds[] = { MIN, MAX };
    struct emitter *e = emitter_of(b);
    struct value *x = emit_cast(e, forward_in(b, INPUT), F32), *d = upstream(b, 0), *zero = emit_scalar(e, F32, 0);

    if (wants(b, MIN) || wants(b, MAX))
        return backward_error(b, "has no gradient of bounds that are quantised");
    for (int k = 0; k < 2; k++) {
        struct value *bound = forward_in(b, bounds[k]);

        if (bound)
            d = emit(e, "Where", "", 3,
                     emit(e, k ? "LessOrEqual" : "GreaterOrEqual", "", 2, x, emit_cast(e, bound, F32)), d, zero);
    }
    give(b, INPUT, d);
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *x = forward_in(b, INPUT), *lo = forward_in(b, MIN), *hi = forward_in(b, MAX), *dy = upstream(b, 0),
                 *d = NULL;
    struct value *const in[] = { x, lo, hi, dy };
    struct value *zero;

    if (dtype_read(b, INPUT) != type_out(b, 0)->dtype)
        return gradient_of_quantized(b);
    if (wants(b, INPUT) && emit_private(e, &clip_grad, attrs_of(b), 1, &d, NULL, 4, in))
        give(b, INPUT, d);
    if (!wants(b, MIN) && !wants(b, MAX))
        return backward_ok(b);
    zero = emit_scalar(e, type_in(b, INPUT)->dtype, 0);
    if (wants(b, MAX)) {
        struct value *raised = lo ? emit(e, "Max", "", 2, x, lo) : x;

        give_unbroadcast(b, MAX, emit(e, "Where", "", 3, emit(e, "Less", "", 2, hi, raised), dy, zero));
    }
    if (wants(b, MIN)) {
        d = emit(e, "Where", "", 3, emit(e, "Less", "", 2, x, lo), dy, zero);
        if (hi)
            d = emit(e, "Where", "", 3, emit(e, "Less", "", 2, hi, lo), zero, d);
        give_unbroadcast(b, MIN, d);
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~ f32[]{-0.33} f32[]{0.71}", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~ f64[]{-0.33} f64[]{0.71}", "", "f64[5,7]", 7 },
    { "f64[5,7]~ f64[]{0.71} f64[]{-0.33}", "", "f64[5,7]", 7 }, /* min above max */
    { "f64[5,7]~ - f64[]{0.33}", "", "f64[5,7]", 5 },
    { "f64[5,7]~ f64[]{0.33}", "", "f64[5,7]", 3 },
    { "f32[5,7]~", "", "f32[5,7]", 1 },
    { "f16[3,5] f16[] f16[]{1}", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]{0} bf16[]{1}", "", "bf16[600]", 0 },
    { "i8[7] - i8[]{1}", "", "i8[7]", 0 },
    { "i16[7] i16[]{-1}", "", "i16[7]", 0 },
    { "i32[7] i32[]{-1} i32[]{1}", "", "i32[7]", 0 },
    { "i64[7] i64[]{-1} i64[]{1}", "", "i64[7]", 0 },
    { "u8[7] u8[]{1} u8[]{2}", "", "u8[7]", 0 },
    { "u16[7] - u16[]{2}", "", "u16[7]", 0 },
    { "u32[7] u32[]{1}", "", "u32[7]", 0 },
    { "u64[3]{200,1,3} u64[]{2}", "", "u64[3]", 0 },
    { "f32[0,3] f32[]", "", "f32[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_6[] = {
    { "f32[2,3,4]~", "min=-0.33 max=0.71", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "max=0.71", "f64[5,7]", 1 },
    { "f16[5,7]~", "", "f16[5,7]", 0 },
    { 0 },
};

#define ROW(version, io, list, reader, tests)                                                                          \
    {                                                                                                                  \
        .since = version, .signature = io, .types = list, .attrs_size = sizeof(struct numbers), .parse = reader,       \
        .rank = rank_of_input, .infer = infer, .run = run, .chain = &clip_chain, .gradient = gradient,                 \
        .flags = OP_ELEMENTWISE | OP_MOVES, .cases = tests                                                             \
    }

const struct op op_clip = {
    .name = "Clip",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T input, T min?, T max? -> T output", "T: floats bf16 ints uints", parse_11, cases),
            ROW(12, "T input, T min?, T max? -> T output", "T: floats ints uints", parse_11, cases),
            ROW(11, "T input, T min?, T max? -> T output", "T: floats", parse_11, cases),
            ROW(6, "T input -> T output", "T: floats", parse_6, cases_6),
            ROW(1, "T input -> T output", "T: floats", parse_6, cases_6),
            { 0 },
        },
};

#endif
