/* OneHotEncoder, https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html
 *
 *   Y[..., k] = X[...] is category k        a new last dimension, of as many as there are categories
 *
 * Of what is no category Y is all zeros; where `zeros` is 0 it is an error. A floating-point number is truncated, as the
 * text has it; one that no int64 holds is no category. Of a category that is there several times the last place counts,
 * as in onnxruntime. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/lookup.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdatomic.h>

struct one_hot_encoder {
    enum dtype dtype; /* of categories: I64 or STRING */
    int64_t count;
    struct lookup categories;
    bool zeros;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct one_hot_encoder *a = attrs;
    const struct attr *texts = attr_list(p, "cats_strings", ATTR_STRINGS);
    struct string **strings = NULL;
    int64_t numbers;
    const int64_t *wholes = attr_int64s(p, "cats_int64s", &numbers);

    a->zeros = attr_int(p, "zeros", 1);
    a->dtype = texts && texts->count ? STRING : I64;
    a->count = a->dtype == STRING ? (int64_t)texts->count : numbers;
    if (a->dtype == STRING ? numbers : !numbers)
        return parse_error(p, "one of the attributes 'cats_int64s' and 'cats_strings' must have values, %s",
                           numbers ? "both have" : "none has");
    if (a->dtype == STRING && !(strings = parse_strings(p, texts->count, texts->strings)))
        return false;
    if (!lookup_init(&a->categories, p, (size_t)a->count))
        return false;
    for (int64_t k = 0; k < a->count; k++)
        lookup_put_element(&a->categories, a->dtype, LOOKUP_BITS,
                           strings ? (const void *)&strings[k] : (const void *)&wholes[k], k);
    return true;
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x < 0 ? UNKNOWN : x + 1;
}

static bool infer(struct infer *i)
{
    const struct one_hot_encoder *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[MAX_RANK + 1];

    if ((x->dtype == STRING) != (a->dtype == STRING))
        return infer_error(i, "'X' is %s, but the categories are %s", dtype_name(x->dtype),
                           a->dtype == STRING ? "strings" : "int64s");
    for (int d = 0; d < x->rank; d++)
        dims[d] = x->dims[d];
    dims[x->rank] = a->count;
    return set_out(i, 0, F32, x->rank + 1, dims);
}

/* -- run -- */

struct job {
    const struct one_hot_encoder *a;
    const struct tensor *x;
    float *y;
    _Atomic int64_t strange; /* the first element that is no category; INT64_MAX: none */
};

/* -1 where it is none. */
static int64_t category(const struct job *j, int64_t k)
{
    const enum dtype dtype = j->x->dtype;
    int64_t whole = 0;
    double real;

    if (dtype == STRING)
        return lookup_get_element(&j->a->categories, STRING, LOOKUP_BITS, (const struct string *const *)j->x->data + k);
    if (dtype == I64 || dtype == I32) {
        whole = dtype == I64 ? ((const int64_t *)j->x->data)[k] : ((const int32_t *)j->x->data)[k];
    } else {
        real = dtype == F64 ? ((const double *)j->x->data)[k] : (double)((const float *)j->x->data)[k];
        if (!(real > -0x1p63 && real < 0x1p63))
            return -1;
        whole = (int64_t)real;
    }
    return lookup_get_element(&j->a->categories, I64, LOOKUP_BITS, &whole);
}

enum { CHUNK = JOB_ELEMENTS / 8 };

static void chunk(void *context, int64_t c, int thread)
{
    struct job *j = context;
    const int64_t end = lesser(tensor_count(j->x), (c + 1) * CHUNK);

    (void)thread;
    for (int64_t k = c * CHUNK; k < end; k++) {
        const int64_t at = category(j, k);
        int64_t first = atomic_load(&j->strange);

        if (at >= 0)
            j->y[k * j->a->count + at] = 1;
        else
            while (k < first && !atomic_compare_exchange_weak(&j->strange, &first, k))
                ;
    }
}

static bool run(struct step *s)
{
    static const float zero;
    const struct one_hot_encoder *a = s->attrs;
    struct job j = { .a = a, .x = s->in[0], .y = s->out[0]->data, .strange = INT64_MAX };

    move_fill(s->pool, sizeof zero, &zero, tensor_count(s->out[0]), j.y);
    pool_run(s->pool, divide_up(tensor_count(j.x), CHUNK), chunk, &j);
    return a->zeros || j.strange == INT64_MAX ||
           step_error(s, "element %lld of 'X' is none of the %lld categories", (long long)j.strange,
                      (long long)a->count);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "i64[2,3]{1,0,2,-2,5,1}", "cats_int64s=[1,0,-2]", "f32[2,3,3]", 0 },
    { "i32[4]{1,0,-2,1}", "cats_int64s=[1,0,-2] zeros=0", "f32[4,3]", 0 },
    { "f32[2,3]{0.5,1.9,nan,1e30,-0.5,-2.5}", "cats_int64s=[1,0,-2]", "f32[2,3,3]", 0 },
    { "f64[2,3]{1,0,2,-2,5,1}", "cats_int64s=[1,0,1]", "f32[2,3,3]", 0 },
    { "str[3]{'b','','c'}", "cats_strings=['a','b','']", "f32[3,3]", 0 },
    { "str[]{'b'}", "cats_strings=['b'] zeros=0", "f32[1]", 0 },
    { "f32[0,2]{}", "cats_int64s=[1,0]", "f32[0,2,2]", 0 },
    { 0 },
};

const struct op op_one_hot_encoder = {
    .name = "OneHotEncoder",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64 str; T1: f32",
                                       .attrs_size = sizeof(struct one_hot_encoder),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
