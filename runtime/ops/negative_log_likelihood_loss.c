/* NegativeLogLikelihoodLoss, https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html
 *
 *   l = -weight[target] * input[target], reduced (ops/label_loss.h)
 *
 * The gradient is -weight[target] / divisor * dL/dl at the target, and 0 elsewhere. */
#include "ops/compute.h"
#include "ops/label_loss.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    return loss_parse(p, attrs);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, LOSS_INPUT);

    if (!loss_infer(i))
        return false;
    need_scratch(i, compute_bytes(x, dtype_compute(x->dtype)) + loss_scratch(i));
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    char *scratch = s->scratch;
    const void *log_prob = compute_in(s->in[LOSS_INPUT], dtype_compute(s->in[LOSS_INPUT]->dtype), &scratch);

    return loss_run(s, log_prob, scratch);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    return loss_gradient(b, forward_in(b, LOSS_INPUT));
}

/* -- test -- */

enum { BOTH = 1 << LOSS_INPUT | 1 << LOSS_WEIGHT };

#define CASES                                                                                                          \
    { "f64[3,5] i64[3]{0,4,2}", "", "f64[]", 1 },                                                                      \
        { "f64[3,5] i32[3]{0,4,2} f64[5]+", "reduction='sum'", "f64[]", BOTH },                                        \
        { "f64[2,4,3] i64[2,3]{0,1,2,3,3,1} f64[4]+", "reduction='none'", "f64[2,3]", BOTH },                          \
        { "f64[2,4,3] i64[2,3]{0,1,-7,3,-7,1} f64[4]+", "ignore_index=-7", "f64[]", BOTH },                            \
        { "f32[1,3,2,2] i32[1,2,2]{0,1,2,1}", "ignore_index=1", "f32[]", 1 },                                          \
        { "f64[2,3] i64[2]{2,2}", "ignore_index=2 reduction='sum'", "f64[]", 1 },                                      \
        { "f32[0,3] i64[0]{}", "reduction='none'", "f32[0]", 0 },                                                      \
    {                                                                                                                  \
        "f16[3,5] i64[3]{0,4,2} f16[5]+", "", "f16[]", 0                                                               \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case newest[] = { CASES,
                                         { "bf16[3,5] i64[3]{0,4,2}", "reduction='none'", "bf16[3]", 0 },
                                         { 0 } };

#define ROW(version, float_list, case_list)                                                                            \
    {                                                                                                                  \
        .since = version, .signature = "T input, Tind target, T weight? -> T loss",                                    \
        .types = "T: " float_list "; Tind: i32 i64", .attrs_size = sizeof(struct loss_attrs), .parse = parse,          \
        .rank = loss_rank, .infer = infer, .run = run, .gradient = gradient, .cases = case_list                        \
    }

const struct op op_negative_log_likelihood_loss = {
    .name = "NegativeLogLikelihoodLoss",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "floats bf16", newest),
            ROW(13, "floats", cases),
            ROW(12, "floats", cases),
            { 0 },
        },
};
