/* What CumSum and CumProd share: walking along an axis, of which each element makes the next. Floats are computed in
 * double, integers wrap around. */
#ifndef KILN_OPS_CUMULATIVE_H
#define KILN_OPS_CUMULATIVE_H

#include "ops/op.h"

enum { X, AXIS, UP }; /* inputs */

struct cumulative {
    bool exclusive, reverse;
};
bool cumulative_parse(struct parse *p, void *attrs);
bool cumulative_infer(struct infer *i);

/* Of rows i, from the first on, or from the last:
 *   SUMS, PRODUCTS  y[i] is the sum, or the product, of all x before it, and of x[i] unless `exclusive`
 *   PRODUCTS_BACK   y[i] = up[i] + x[i - 1] * y[i - 1]; where `exclusive`, y[i] = up[i - 1] + x[i - 1] * y[i - 1] */
enum cumulative_kind { SUMS, PRODUCTS, PRODUCTS_BACK };
bool cumulative_run(struct step *s, enum cumulative_kind kind);

/* The files' own are `run` and `gradient`; they include ops/rank.h. */
#define CUMULATIVE_ROW(version, list, tests)                                                                           \
    {                                                                                                                  \
        .since = version, .signature = "T x, T2 axis -> T y", .types = "T: " list "; T2: i32 i64",                     \
        .attrs_size = sizeof(struct cumulative), .parse = cumulative_parse, .rank = rank_of_input,                     \
        .infer = cumulative_infer, .run = run, .gradient = gradient, .cases = tests                                    \
    }
#define CUMULATIVE_CASES                                                                                               \
    { "f32[2,3] i64[]{0}", "", "f32[2,3]", 1 }, { "f64[2,5,3] i32[]{1}", "", "f64[2,5,3]", 1 },                        \
        { "f64[2,5] i64[1]{-1}", "exclusive=1", "f64[2,5]", 1 }, { "f64[2,5] i64[]{-1}", "reverse=1", "f64[2,5]", 1 }, \
        { "f64[5,200] i64[]{0}", "reverse=1 exclusive=1", "f64[5,200]", 1 }, { "i32[7] i64[]{0}", "", "i32[7]", 0 },   \
        { "i64[7] i64[]{0}", "exclusive=1", "i64[7]", 0 }, { "u32[7] i64[]{0}", "reverse=1", "u32[7]", 0 },            \
        { "u64[7] i64[]{0}", "", "u64[7]", 0 },                                                                        \
    {                                                                                                                  \
        "f32[0,3] i64[]{0}", "", "f32[0,3]", 0                                                                         \
    }
#define CUMULATIVE_CASES_HALVES                                                                                        \
    { "f16[2,5] i64[]{1}", "", "f16[2,5]", 0 },                                                                        \
    {                                                                                                                  \
        "bf16[7] i64[]{0}", "reverse=1", "bf16[7]", 0                                                                  \
    }

#endif
