/* CumSum, https://onnx.ai/onnx/operators/onnx__CumSum.html
 *
 *   y[i] = x[0] + ... + x[i] along `axis`; without x[i] if exclusive; from the end on if reverse
 *
 * The gradient is the same of dy, from the other end on. */
#include "ops/cumulative.h"
#include "ops/rank.h"
#include <stdio.h>

static bool run(struct step *s)
{
    return cumulative_run(s, SUMS);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct cumulative *a = attrs_of(b);
    char text[48];

    snprintf(text, sizeof text, "exclusive=%d reverse=%d", a->exclusive, !a->reverse);
    if (wants(b, X))
        give(b, X, emit(emitter_of(b), "CumSum", text, 2, upstream(b, 0), forward_in(b, AXIS)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_11[] = { CUMULATIVE_CASES, { 0 } };
static const struct op_case cases_14[] = { CUMULATIVE_CASES, CUMULATIVE_CASES_HALVES, { 0 } };

const struct op op_cum_sum = {
    .name = "CumSum",
    .domain = "",
    .defs = (const struct op_def[]){ CUMULATIVE_ROW(14, "floats bf16 i32 i64 u32 u64", cases_14),
                                     CUMULATIVE_ROW(11, "f32 f64 i32 i64 u32 u64", cases_11),
                                     { 0 } },
};
