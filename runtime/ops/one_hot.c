/* OneHot, https://onnx.ai/onnx/operators/onnx__OneHot.html
 *
 *   y[i, j, k] = values[indices[i, k] is j or j - depth]        the new dimension j at `axis`, of size `depth`
 *
 * An index that is in no place, or no whole number, is nowhere. The standard lets no gradient flow. */
#include "ops/convert.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>
#include <string.h>

enum { INDICES, DEPTH, VALUES }; /* inputs */

struct one_hot {
    int64_t axis;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct one_hot *)attrs)->axis = attr_int(p, "axis", -1);
    return true;
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int indices = rank_of_input(n, k);

    return indices < 0 ? UNKNOWN : indices + 1;
}

static bool infer(struct infer *i)
{
    const struct one_hot *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, INDICES), *depth = typed_in(i, DEPTH), *values = typed_in(i, VALUES);
    const int axis = wrap_axis(a->axis, x->rank + 1);
    int64_t dims[MAX_RANK + 1];
    double size;

    if (axis < 0)
        return infer_error(i, "axis is %lld, must be in [%d, %d]", (long long)a->axis, -x->rank - 1, x->rank);
    if (tensor_count(depth) != 1)
        return infer_error(i, "'depth' has %lld values, must have 1", (long long)tensor_count(depth));
    if (tensor_count(values) != 2)
        return infer_error(i, "'values' has %lld values, must have 2", (long long)tensor_count(values));
    if (!known_in(i, DEPTH))
        return false;
    convert_between(depth->dtype, F64)(depth->data, &size, 1);
    if (!(size >= 0 && size < 0x1p53))
        return infer_error(i, "'depth' is %g, must be in [0, 2^53)", size);
    for (int d = 0; d <= x->rank; d++)
        dims[d] = d < axis ? x->dims[d] : d > axis ? x->dims[d - 1] : (int64_t)size;
    return set_out(i, 0, values->dtype, x->rank + 1, dims);
}

/* -- run -- */

enum { BLOCK = 512 }; /* indices that are looked at together */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INDICES], *y = s->out[0];
    const int axis = wrap_axis(((const struct one_hot *)s->attrs)->axis, y->rank);
    const int64_t n = tensor_count(x), depth = y->dims[axis], inner = dims_product(y->dims, axis + 1, y->rank);
    const size_t size = dtype_size(y->dtype);
    const char *const values = s->in[VALUES]->data;
    double block[BLOCK];

    move_fill(s->pool, size, values, tensor_count(y), y->data);
    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t count = n - from < BLOCK ? n - from : BLOCK;

        convert_between(x->dtype, F64)((const char *)x->data + (size_t)from * dtype_size(x->dtype), block, count);
        for (int64_t k = 0; k < count; k++) {
            const double at = block[k] < 0 ? block[k] + (double)depth : block[k];

            if (at >= 0 && at < (double)depth && at == (double)(int64_t)at)
                memcpy((char *)y->data +
                           (size_t)(((from + k) / inner * depth + (int64_t)at) * inner + (from + k) % inner) * size,
                       values + size, size);
        }
    }
    return true;
}

/* -- gradient -- */

/* values[1] stands where the indices say, values[0] everywhere else. */
static bool gradient(struct backward *b)
{
    const struct one_hot *a = attrs_of(b);
    const struct tensor *values = type_in(b, VALUES);
    const int64_t ends[] = { 0, 1 }, one = 1;
    struct emitter *e = emitter_of(b);
    struct value *dy = upstream(b, 0), *mask, *there, *elsewhere;
    char attrs[32];

    if (!wants(b, VALUES))
        return backward_ok(b);
    snprintf(attrs, sizeof attrs, "axis=%lld", (long long)a->axis);
    mask = emit(e, "OneHot", attrs, 3, forward_in(b, INDICES), forward_in(b, DEPTH),
                emit_cast(e, emit_ints(e, 2, ends), type_out(b, 0)->dtype));
    there = emit_reshape(e, emit(e, "ReduceSum", "keepdims=0", 1, emit(e, "Mul", "", 2, dy, mask)), 1, &one);
    elsewhere = emit(e, "Sub", "", 2, emit_reshape(e, emit(e, "ReduceSum", "keepdims=0", 1, dy), 1, &one), there);
    give(b, VALUES, emit_reshape(e, emit(e, "Concat", "axis=0", 2, elsewhere, there), values->rank, values->dims));
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "i64[3]{0,-1,7} i64[]{5} f32[2]", "", "f32[3,5]", 4 },                                                           \
        { "i32[2,2]{0,1,2,-3} i32[1]{3} f64[2]", "axis=1", "f64[2,3,2]", 4 },                                          \
        { "f32[3]{0,1.5,2} f32[]{3} str[2]", "axis=0", "str[3,3]", 0 },                                                \
        { "f64[1]{2} f16[]{4} bool[2]", "axis=-2", "bool[4,1]", 0 }, { "u8[600] i64[]{3} i8[2]", "", "i8[600,3]", 0 }, \
        { "i8[] u8[]{3} c128[2]", "", "c128[3]", 0 }, { "u64[2] u64[]{0} u64[2]", "", "u64[2,0]", 0 },                 \
        { "i16[2] i16[]{2} f32[2]", "", "f32[2,2]", 0 }, { "u16[2] u16[]{2} f32[2]", "", "f32[2,2]", 0 },              \
        { "u32[2] u32[]{2} f32[2]", "", "f32[2,2]", 0 },                                                               \
    {                                                                                                                  \
        "i64[0,2] i64[]{3} f32[2]", "", "f32[0,2,3]", 4                                                                \
    }
static const struct op_case cases_9[] = { CASES, { 0 } };
static const struct op_case cases_28[] = { CASES, { "i64[3]{0,-1,7} i64[]{5} bf16[2]", "", "bf16[3,5]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 indices, T2 depth, T3 values -> T3 output",                                 \
        .types = "T1: floats ints uints; T2: floats ints uints; T3: " list, .attrs_size = sizeof(struct one_hot),      \
        .parse = parse, .rank = rank, .infer = infer, .run = run, .gradient = gradient, .cases = tests                 \
    }

const struct op op_one_hot = {
    .name = "OneHot",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(28, "all bf16", cases_28), ROW(11, "all", cases_9), ROW(9, "all", cases_9), { 0 } },
};
