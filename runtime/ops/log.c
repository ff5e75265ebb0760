/* Log, https://onnx.ai/onnx/operators/onnx__Log.html
 *
 *   y = ln(x)        dx = dy / x */
#define OPERATOR "Log"
#define NAME     log
#define VALUE    LOG(x)
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    if (wants(b, 0))
        give(b, 0, emit(e, "Div", "", 2, upstream(b, 0), forward_in(b, 0)));
    return backward_ok(b);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS,                              \
        .cases = unary_cases_positive                                                                                  \
    }

const struct op op_log = {
    .name = "Log",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
