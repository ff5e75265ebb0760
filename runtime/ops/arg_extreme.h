/* What ArgMax and ArgMin share: the index of the greatest, or the least, element along an axis. NaN is beyond all
 * numbers, whichever is looked for, as in numpy. */
#ifndef KILN_OPS_ARG_EXTREME_H
#define KILN_OPS_ARG_EXTREME_H

#include "ops/op.h"

/* at[outer, inner] along the n elements, at least one, of x [outer, n, inner]; of equals the first, or the last. */
struct arg_shape {
    int64_t outer, n, inner;
};
void arg_extreme(struct pool *pool, const struct tensor *x, const struct arg_shape *shape, bool least, bool last,
                 int64_t *at);

/* -- the operators, whose `run` is the file's -- */

struct arg_attrs {
    int64_t axis;
    bool keepdims, last;
};
bool arg_parse_1(struct parse *p, void *attrs);
bool arg_parse_12(struct parse *p, void *attrs); /* with select_last_index */
int arg_rank(const struct node *n, int k);
bool arg_infer(struct infer *i);
bool arg_run(struct step *s, bool least);

extern const struct op_case arg_cases_1[], arg_cases_11[], arg_cases_12[];

#define ARG_ROW(version, t, parser, tests)                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T data -> I reduced", .types = "T: floats ints uints" t "; I: i64",            \
        .attrs_size = sizeof(struct arg_attrs), .parse = parser, .rank = arg_rank, .infer = arg_infer, .run = run,     \
        .gradient = zero_gradient, .cases = tests                                                                      \
    }
#define ARG_ROWS                                                                                                       \
    ARG_ROW(13, " bf16", arg_parse_12, arg_cases_12), ARG_ROW(12, "", arg_parse_12, arg_cases_12),                     \
        ARG_ROW(11, "", arg_parse_1, arg_cases_11), ARG_ROW(1, "", arg_parse_1, arg_cases_1)

#endif
