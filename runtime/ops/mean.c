/* Mean, https://onnx.ai/onnx/operators/onnx__Mean.html
 *
 *   mean = (data_0 + data_1 + ...) / n, broadcast
 *
 * As nodes. Halves are added up as floats, so that their sum may be greater than the greatest half. */
#include "ops/op.h"
#include "ops/rank.h"
#include "ops/widen.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const enum dtype dtype = known_input(n, 0).dtype;
    struct value **wide = emit_alloc(e, (size_t)n->inputs * sizeof *wide), *sum;

    if (!wide)
        return false;
    for (int k = 0; k < n->inputs; k++)
        wide[k] = emit_widened(e, n->in[k], dtype, WIDEN_HALVES);
    if (!emit_many(e, "Sum", "", 1, &sum, n->inputs, wide))
        return false;
    sum = emit(e, "Div", "", 2, sum, emit(e, "CastLike", "", 2, emit_scalar(e, I64, n->inputs), sum));
    out[0] = emit_narrowed(e, sum, n->in[0], dtype, WIDEN_HALVES);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 3 }, { "f64[5,7]", "", "f64[5,7]", 1 },                               \
        { "f16[3,5] f16[3,5] f16[3,5]", "", "f16[3,5]", 0 }, { "f32[] f32[] f32[]", "", "f32[]", 7 },                  \
    {                                                                                                                  \
        "f32[0,3] f32[0,3]", "", "f32[0,3]", 0                                                                         \
    }
#define CASES_8                                                                                                        \
    CASES, { "f64[1] f64[] f64[7] f64[5,1]", "", "f64[5,7]", 15 },                                                     \
        { "f64[3,1,5] f64[4,1] f64[5]", "", "f64[3,4,5]", 7 },                                                         \
    {                                                                                                                  \
        "f32[0,3] f32[1,3] f32[]", "", "f32[0,3]", 0                                                                   \
    }

static const struct op_case cases_6[] = { CASES, { 0 } };
static const struct op_case cases_8[] = { CASES_8, { 0 } };
static const struct op_case cases_13[] = { CASES_8, { "bf16[600] bf16[1]", "", "bf16[600]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T data_0... -> T mean", .types = list, .expand = expand, .cases = tests        \
    }

const struct op op_mean = {
    .name = "Mean",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16", cases_13),
                                     ROW(8, "T: floats", cases_8),
                                     ROW(6, "T: floats", cases_6),
                                     ROW(1, "T: floats", cases_6),
                                     { 0 } },
};
