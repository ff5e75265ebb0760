/* What Softmax and LogSoftmax share, and Hardmax in part. Before opset 13 the input was a matrix, cut in two at `axis`, whose rows were
 * normalised. */
#ifndef KILN_OPS_SOFTMAX_H
#define KILN_OPS_SOFTMAX_H

#include "kernels/softmax.h"
#include "ops/op.h"

struct softmax_attrs {
    int64_t axis;
    bool channels_last; /* `axis` stays as ONNX counts it */
    bool matrix;        /* all dimensions from `axis` on, not that one alone */
};

bool softmax_parse(struct parse *p, void *attrs);
bool softmax_parse_before(struct parse *p, void *attrs);
/* For the rows: the old form has its rows together where they start at one of the first two dimensions. */
bool softmax_channels_last(const struct node *n, int rank, void *attrs);
bool softmax_rows_apart(const struct node *n, const struct tensor *const *types, const bool *rows);
/* Is dimension `axis`, of `rank`, what is normalised, and alone? */
bool softmax_along(const struct softmax_attrs *a, int rank, int axis);
/* What is normalised of x: false where there is no such axis, with an error while planning. */
bool softmax_shape_of(const struct softmax_attrs *a, const struct tensor *x, struct softmax_shape *s);
bool softmax_shape_in(struct infer *i, const struct tensor *x, struct softmax_shape *s);
bool softmax_infer(struct infer *i);
bool softmax_run(struct step *s, bool log_of);

/* The operator behind the gradients: inputs dY and Y. */
bool softmax_gradient(struct backward *b, const struct op *grad);
bool softmax_grad_infer(struct infer *i);
bool softmax_grad_run(struct step *s, bool log_of);
bool softmax_spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out,
                       bool log_of);

#define SOFTMAX_GRAD_ROW(runner, spelling)                                                                             \
    {                                                                                                                  \
        .since = 1, .signature = "T dY, T Y -> T dX", .types = "T: floats bf16",                                       \
        .attrs_size = sizeof(struct softmax_attrs), .infer = softmax_grad_infer, .run = runner, .spell_out = spelling, \
        .no_gradient = "is a gradient itself"                                                                          \
    }

/* All rows of Softmax and LogSoftmax, whose files include ops/rank.h. */
#define SOFTMAX_ROW(version, type_list, parser, case_list)                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = type_list,                                      \
        .attrs_size = sizeof(struct softmax_attrs), .parse = parser, .rank = rank_of_input, .infer = softmax_infer,    \
        .run = run, .gradient = gradient, .channels_last = softmax_channels_last,                                      \
        .batch_independent = softmax_rows_apart, .cases = case_list                                                    \
    }
#define SOFTMAX_ROWS                                                                                                   \
    SOFTMAX_ROW(13, "T: floats bf16", softmax_parse, cases),                                                           \
        SOFTMAX_ROW(11, "T: floats", softmax_parse_before, cases_before),                                              \
        SOFTMAX_ROW(1, "T: floats", softmax_parse_before, cases_before)

/* dX of a LogSoftmax along `axis` with output Y: what a loss adds whose log-probabilities are used beside it. */
struct value *emit_log_softmax_grad(struct emitter *e, int64_t axis, struct value *dy, struct value *y);

#define SOFTMAX_CASES_BEFORE                                                                                           \
    { "f64[3,4]", "", "f64[3,4]", 1 }, { "f64[2,3,4]", "", "f64[2,3,4]", 1 },                                          \
        { "f64[2,3,4]", "axis=0", "f64[2,3,4]", 1 }, { "f32[2,3,4]", "axis=2", "f32[2,3,4]", 1 },                      \
        { "f32[0,3]", "", "f32[0,3]", 0 },                                                                             \
    {                                                                                                                  \
        "f16[2,3,4]", "", "f16[2,3,4]", 0                                                                              \
    }
#define SOFTMAX_CASES                                                                                                  \
    { "f64[3,4]", "", "f64[3,4]", 1 }, { "f64[2,3,4]", "axis=0", "f64[2,3,4]", 1 },                                    \
        { "f64[2,20,3]", "axis=1", "f64[2,20,3]", 1 }, { "f32[2,3,40]", "axis=-2", "f32[2,3,40]", 1 },                 \
        { "f32[33,10]", "", "f32[33,10]", 1 }, { "f64[]", "", "f64[]", 1 }, { "f32[3,0]", "", "f32[3,0]", 0 },         \
        { "f32[3,0]", "axis=0", "f32[3,0]", 0 }, { "f16[2,3,4]", "", "f16[2,3,4]", 0 },                                \
    {                                                                                                                  \
        "bf16[2,3,4]", "axis=1", "bf16[2,3,4]", 0                                                                      \
    }

#endif
