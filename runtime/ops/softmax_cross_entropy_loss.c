/* SoftmaxCrossEntropyLoss, https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html
 *
 *   log_prob = LogSoftmax(scores) along axis 1;   l = -weights[label] * log_prob[label], reduced (ops/label_loss.h)
 *
 * The gradient keeps log_prob: dscores = (exp(log_prob) - onehot(label)) * weights[label] / divisor * dL/dl. */
#include "kernels/softmax.h"
#include "ops/compute.h"
#include "ops/label_loss.h"
#include "ops/softmax.h"

enum { LOSS, LOG_PROB }; /* outputs */

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct loss_attrs *a = attrs;

    a->softmax = true;
    return loss_parse(p, a);
}

/* -- plan -- */

static struct softmax_shape shape_of(const struct tensor *x)
{
    return (struct softmax_shape){ x->dims[0], x->dims[1], dims_product(x->dims, 2, x->rank) };
}

static size_t log_prob_bytes(const struct tensor *x)
{
    return aligned((size_t)tensor_count(x) * dtype_size(dtype_compute(x->dtype)));
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, LOSS_INPUT);
    const enum dtype compute = dtype_compute(x->dtype);
    struct softmax_shape s;
    size_t bytes;

    if (!loss_infer(i) || !set_out(i, LOG_PROB, x->dtype, x->rank, x->dims))
        return false;
    s = shape_of(x);
    bytes = compute_bytes(x, compute) + log_prob_bytes(x) + loss_scratch(i);
    need_scratch(i, bytes + softmax_scratch(&s, compute, infer_threads(i)));
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[LOSS_INPUT], *kept = s->out[LOG_PROB];
    const enum dtype compute = dtype_compute(x->dtype);
    const struct softmax_shape shape = shape_of(x);
    char *scratch = s->scratch;
    const void *scores = compute_in(x, compute, &scratch);
    void *log_prob = kept && kept->dtype == compute ? kept->data : scratch;

    if (log_prob && log_prob == scratch)
        scratch += log_prob_bytes(x);
    softmax(s->k, s->pool, &shape, compute, true, scores, log_prob, scratch);
    compute_store(kept, compute, log_prob);
    return loss_run(s, log_prob, scratch);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct value *log_prob = forward_out(b, LOG_PROB), *through = upstream(b, LOG_PROB);

    if (upstream(b, LOSS) && !loss_gradient(b, log_prob))
        return false;
    if (through && wants(b, LOSS_INPUT))
        give(b, LOSS_INPUT, emit_log_softmax_grad(emitter_of(b), 1, through, log_prob));
    return backward_ok(b);
}

/* -- test -- */

enum { BOTH = 1 << LOSS_INPUT | 1 << LOSS_WEIGHT };

#define CASES                                                                                                          \
    { "f64[3,5] i64[3]{0,4,2}", "", "f64[]", 1 },                                                                      \
        { "f64[3,5] i32[3]{0,4,2} f64[5]+", "reduction='sum'", "f64[] f64[3,5]", BOTH },                               \
        { "f64[2,4,3] i64[2,3]{0,1,2,3,3,1} f64[4]+", "reduction='none'", "f64[2,3]", BOTH },                          \
        { "f64[2,4,3] i64[2,3]{0,1,-7,3,-7,1} f64[4]+", "ignore_index=-7", "f64[]", BOTH },                            \
        { "f32[1,3,2,2] i32[1,2,2]{0,1,2,1}", "ignore_index=1", "f32[] f32[1,3,2,2]", 1 },                             \
        { "f64[2,3] i64[2]{2,2}", "ignore_index=2 reduction='sum'", "f64[]", 1 },                                      \
        { "f32[0,3] i64[0]{}", "reduction='none'", "f32[0]", 0 },                                                      \
    {                                                                                                                  \
        "f16[3,5] i64[3]{0,4,2} f16[5]+", "", "f16[] f16[3,5]", 0                                                      \
    }

static const struct op_case cases_12[] = { CASES, { 0 } };
static const struct op_case cases_13[] = { CASES,
                                           { "bf16[3,5] i64[3]{0,4,2}", "reduction='none'", "bf16[3]", 0 },
                                           { 0 } };

#define ROW(version, float_list, case_list)                                                                            \
    {                                                                                                                  \
        .since = version, .signature = "T scores, Tind labels, T weights? -> T output, T log_prob?",                   \
        .types = "T: " float_list "; Tind: i32 i64", .attrs_size = sizeof(struct loss_attrs), .parse = parse,          \
        .rank = loss_rank, .infer = infer, .run = run, .gradient = gradient, .cases = case_list                        \
    }

const struct op op_softmax_cross_entropy_loss = {
    .name = "SoftmaxCrossEntropyLoss",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "floats bf16", cases_13), ROW(12, "floats", cases_12), { 0 } },
};
