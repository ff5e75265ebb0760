/* Imputer, https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html
 *
 *   Y = X is the replaced value ? the imputed one of its feature, or that of all : X        dX = X is it ? 0 : dY
 *
 * Features are the last dimension. A NaN is replaced where the replaced value is one, whichever it is. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include <math.h>
#include <string.h>

struct imputer {
    const float *reals; /* of floating-point inputs; NULL: of integers */
    const int64_t *wholes;
    int64_t count;
    float real; /* that is replaced */
    int64_t whole;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct imputer *a = attrs;
    int64_t reals, wholes;

    a->reals = attr_floats(p, "imputed_value_floats", &reals);
    a->wholes = attr_int64s(p, "imputed_value_int64s", &wholes);
    a->real = attr_float(p, "replaced_value_float", 0);
    a->whole = attr_int(p, "replaced_value_int64", 0);
    a->count = reals ? reals : wholes;
    return !reals != !wholes || parse_error(p,
                                            "one of the attributes 'imputed_value_floats' and 'imputed_value_int64s'"
                                            " must have values, %s",
                                            reals ? "both have" : "none has");
}

/* -- plan -- */

/* The imputed values, of the type of X. */
static bool put_values(struct infer *i, const struct imputer *a, enum dtype dtype)
{
    void *values = infer_plan(i, (size_t)a->count * dtype_size(dtype));

    if (!values)
        return false;
    for (int64_t k = 0; dtype == I32 && k < a->count; k++)
        if (a->wholes[k] != (int32_t)a->wholes[k])
            return infer_error(i, "imputed_value_int64s[%lld] is %lld, must be an int32 as 'X' is", (long long)k,
                               (long long)a->wholes[k]);
    if (a->reals)
        convert_between(F32, dtype)(a->reals, values, a->count);
    else
        convert_between(I64, dtype)(a->wholes, values, a->count);
    return true;
}

static bool infer(struct infer *i)
{
    const struct imputer *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int64_t features = x->rank ? x->dims[x->rank - 1] : 1;

    if (dtype_is_float(x->dtype) != (a->reals != NULL))
        return infer_error(i, "'X' is %s, but the imputed values are %s", dtype_name(x->dtype),
                           a->reals ? "floats" : "int64s");
    if (a->count != 1 && a->count != features)
        return infer_error(i, "%lld imputed values, must be 1 or, as 'X' has features, %lld", (long long)a->count,
                           (long long)features);
    may_reuse(i, 0, 0);
    return put_values(i, a, x->dtype) && set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

enum { BLOCK = 512 }; /* elements that are compared together */

static void mark_reals(const struct imputer *a, const double *x, uint8_t *found, int64_t n)
{
    const double replaced = (double)a->real;

    for (int64_t k = 0; k < n; k++)
        found[k] = x[k] == replaced || (isnan(replaced) && isnan(x[k]));
}

static void mark_wholes(const struct imputer *a, const int64_t *x, uint8_t *found, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        found[k] = x[k] == a->whole;
}

static void impute_block(const struct step *s, int64_t at, int64_t n)
{
    const struct imputer *a = s->attrs;
    const struct tensor *x = s->in[0];
    const size_t size = dtype_size(x->dtype);
    const char *const from = (const char *)x->data + (size_t)at * size, *const values = s->plan;
    char *const to = (char *)s->out[0]->data + (size_t)at * size;
    union {
        double reals[BLOCK];
        int64_t wholes[BLOCK];
    } wide;
    uint8_t found[BLOCK];

    convert_between(x->dtype, a->reals ? F64 : I64)(from, &wide, n);
    if (a->reals)
        mark_reals(a, wide.reals, found, n);
    else
        mark_wholes(a, wide.wholes, found, n);
    if (to != from)
        memcpy(to, from, (size_t)n * size);
    for (int64_t k = 0; k < n; k++)
        if (found[k])
            memcpy(to + (size_t)k * size, values + (size_t)((at + k) % a->count) * size, size);
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct step *s = context;
    const int64_t end = lesser(tensor_count(s->in[0]), (k + 1) * JOB_ELEMENTS);

    (void)thread;
    for (int64_t at = k * JOB_ELEMENTS; at < end; at += BLOCK)
        impute_block(s, at, lesser(BLOCK, end - at));
}

static bool run(struct step *s)
{
    pool_run(s->pool, divide_up(tensor_count(s->in[0]), JOB_ELEMENTS), chunk, s);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct imputer *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *x = forward_in(b, 0);

    if (wants(b, 0)) {
        const enum dtype dtype = type_in(b, 0)->dtype;
        struct value *found = isnan(a->real) ? emit(e, "IsNaN", "", 1, x)
                                             : emit(e, "Equal", "", 2, x, emit_scalar(e, dtype, (double)a->real));

        give(b, 0, emit(e, "Where", "", 3, found, emit_scalar(e, dtype, 0), upstream(b, 0)));
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3]{0.37,2,nan,1,0.37,0.37}", "imputed_value_floats=[7.,8.,9.] replaced_value_float=0.37", "f32[2,3]", 0 },
    { "f32[2,2]{1,nan,3,4}", "imputed_value_floats=[7.] replaced_value_float=nan", "f32[2,2]", 0 },
    { "f64[2,3]{1,0.5,3,4,5,0.5}", "imputed_value_floats=[7.,8.,9.] replaced_value_float=0.5", "f64[2,3]", 0 },
    { "f64[4]{1,3,nan,5}", "imputed_value_floats=[7.] replaced_value_float=nan", "f64[4]", 1 },
    { "f64[3]{1,3,5}", "imputed_value_floats=[7.] replaced_value_float=2.", "f64[3]", 1 },
    { "i64[2,3]{1,2,3,4,1,1}", "imputed_value_int64s=[7,8,9] replaced_value_int64=1", "i64[2,3]", 0 },
    { "i32[3]{0,1,2}", "imputed_value_int64s=[-7]", "i32[3]", 0 },
    { "f32[]{0}", "imputed_value_floats=[7.]", "f32[]", 0 },
    { "f32[0,3]{}", "imputed_value_floats=[7.]", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_imputer = {
    .name = "Imputer",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: f32 f64 i32 i64",
                                       .attrs_size = sizeof(struct imputer),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
