/* EyeLike, https://onnx.ai/onnx/operators/onnx__EyeLike.html
 *
 *   output[i, i + k] = 1, 0 elsewhere        in the shape of the input, of which nothing else is looked at
 *
 * No gradient flows. */
#include "ops/convert.h"
#include "ops/rank.h"
#include <string.h>

struct eye_like {
    enum dtype dtype; /* UNDEFINED: the input's */
    int64_t k;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct eye_like *a = attrs;

    a->k = attr_int(p, "k", 0);
    return attr_dtype(p, "dtype", UNDEFINED, &a->dtype);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct eye_like *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);

    if (x->rank != 2)
        return infer_error(i, "'input' has %d dimensions, must have 2", x->rank);
    return set_out(i, 0, a->dtype ? a->dtype : x->dtype, 2, x->dims);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return dtype_or_input(n, ((const struct eye_like *)n->attrs)->dtype);
}

/* -- run -- */

static bool run(struct step *s)
{
    static const uint8_t one = 1;
    const int64_t k = ((const struct eye_like *)s->attrs)->k;
    const struct tensor *y = s->out[0];
    const int64_t height = y->dims[0], width = y->dims[1];
    const size_t size = dtype_size(y->dtype);

    memset(y->data, 0, (size_t)tensor_bytes(y));
    if (k >= width || k <= -height)
        return true;
    for (int64_t row = k < 0 ? -k : 0; row < height && row + k < width; row++)
        convert_between(BOOL, y->dtype)(&one, (char *)y->data + (size_t)(row * width + row + k) * size, 1);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,4]", "", "f32[3,4]", 0 }, { "f64[4,3]", "k=1", "f64[4,3]", 0 }, { "i32[4,3]", "k=-1", "i32[4,3]", 0 },    \
        { "bool[3,3]", "dtype=11", "f64[3,3]", 0 }, { "f16[2,2]", "dtype=9", "bool[2,2]", 0 },                         \
        { "u8[3,4]", "k=9223372036854775807", "u8[3,4]", 0 }, { "i8[3,4]", "k=-9223372036854775807", "i8[3,4]", 0 },   \
        { "u64[2,2]", "dtype=10", "f16[2,2]", 0 }, { "i64[2,300]", "k=299", "i64[2,300]", 0 },                         \
        { "i16[2,2]", "", "i16[2,2]", 0 }, { "u16[2,2]", "", "u16[2,2]", 0 }, { "u32[2,2]", "", "u32[2,2]", 0 },       \
    {                                                                                                                  \
        "f32[0,3]", "", "f32[0,3]", 0                                                                                  \
    }

static const struct op_case cases_9[] = { CASES, { 0 } };
static const struct op_case cases_22[] = {
    CASES, { "bf16[3,4]", "", "bf16[3,4]", 0 }, { "f32[3,4]", "dtype=16", "bf16[3,4]", 0 }, { 0 }
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = "T1: " list "; T2: " list,                    \
        .attrs_size = sizeof(struct eye_like), .parse = parse, .rank = rank_of_matrix, .dtype = told, .infer = infer,  \
        .run = run, .gradient = zero_gradient, .flags = OP_SHAPE_ONLY, .cases = tests                                  \
    }

const struct op op_eye_like = {
    .name = "EyeLike",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats ints uints bool bf16", cases_22),
                                     ROW(9, "floats ints uints bool", cases_9),
                                     { 0 } },
};
